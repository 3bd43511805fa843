"""Read `params.yaml`, and describe its first error in one line."""

import re
from difflib import get_close_matches
from pathlib import Path
from types import NoneType, UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from pydantic import BaseModel, ValidationError
from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

from deadrelu.errors import InputError
from deadrelu.settings.params.whole import Params


def load(path: Path = Path("params.yaml")) -> Params:
    """Read and check a params file.

    The file is parsed as YAML 1.2, as by DVC: PyYAML would parse `1e-3` as a string and `no` as false.

    Raises:
        InputError: the file is unreadable or wrong; for a wrong value, the message names its key and what is expected.
    """
    try:
        values = YAML(typ="safe", pure=True).load(path.read_text(encoding="utf-8"))
        return Params.model_validate(values)
    except ValidationError as error:
        raise InputError(_one_line(path, error)) from None
    except YAMLError as error:
        raise InputError(f"{path}: not valid YAML: {' '.join(str(error).split())}") from None
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"{path}: cannot be read: {error}; run deadrelu in the project's root folder") from None


def _one_line(path: Path, error: ValidationError) -> str:
    # An unknown key is reported before a missing one, because if both occur, the key was probably mistyped.
    first = min(error.errors(include_url=False), key=lambda e: e["type"] != "extra_forbidden")
    keys, group = _keys(first["loc"])
    where = f"{path}:{'.'.join(keys)}" if keys else str(path)
    received = " ".join(repr(first["input"]).split())[:120]
    if first["type"] == "extra_forbidden":
        known = list(group.model_fields) if group else []
        guess = get_close_matches(keys[-1], known, n=1)
        message = f"unknown key{f'; did you mean {guess[0]}?' if guess else ''}; known keys here: {', '.join(known)}"
    elif first["type"] == "missing":
        message, received = "this key is required", "nothing"
    elif first["type"] == "union_tag_not_found":
        message = "this group needs a name"
    elif first["type"] == "union_tag_invalid":
        where, received = f"{where}.name", repr(first["ctx"]["tag"])
        names = first["ctx"]["expected_tags"].replace("'", "")
        guess = get_close_matches(first["ctx"]["tag"], names.split(", "), n=1)
        message = f"unknown name{f'; did you mean {guess[0]}?' if guess else ''}; expected one of {names}"
    elif first["type"] in ("model_type", "model_attributes_type", "dict_type"):
        message = "expected a group of keys"
    else:
        message = first["msg"].removeprefix("Value error, ")
        message = re.sub(r"^Input should be (?=greater|less)", "expected a number ", message)
        message = message.replace("Input should be", "expected")
    more = f" (and {error.error_count() - 1} more)" if error.error_count() > 1 else ""
    if not keys and first["type"] == "value_error":  # the message itself names the keys and the value
        return f"{where}:{message}{more}"
    if message.startswith("expected"):
        return f"{where}: received {received}; {message}{more}"
    is_cut = isinstance(first["input"], dict) and len(received) == 120  # the message names what matters in the group
    return f"{where}: {message}{more}" if is_cut else f"{where}: {message}; received {received}{more}"


def _keys(location: tuple[Any, ...]) -> tuple[list[str], type[BaseModel] | None]:
    """Return the keys in params.yaml of the location (`loc`) of a Pydantic error, and the group of the last key.

    Pydantic adds the name of a group that was chosen among several, and `[key]` if a key of a dictionary is wrong.
    """
    keys: list[str] = []
    kind: Any = Params
    group: type[BaseModel] | None = None
    for part in location:
        kind = _plain(kind)
        if isinstance(kind, tuple):  # one of several groups, and part is its name
            kind = next(one for one in kind if part in _names(one))
            continue
        if part == "[key]":
            continue
        keys.append(str(part))
        if isinstance(kind, type) and issubclass(kind, BaseModel):
            group = kind
            kind = kind.model_fields[str(part)].annotation if str(part) in kind.model_fields else None
        else:
            kind = get_args(kind)[-1] if get_args(kind) else None
    return keys, group


def _plain(kind: Any) -> Any:
    """Return a type without its annotation and without None; return a union of several types as a tuple of types."""
    while get_origin(kind) is Annotated:
        kind = get_args(kind)[0]
    if get_origin(kind) not in (Union, UnionType):
        return kind
    kinds = [_plain(one) for one in get_args(kind) if one is not NoneType]
    groups = tuple(group for one in kinds for group in (one if isinstance(one, tuple) else (one,)))
    return groups if len(groups) > 1 else groups[0]


def _names(group: type[BaseModel]) -> tuple[Any, ...]:
    annotation = group.model_fields["name"].annotation
    return get_args(annotation) if get_origin(annotation) is Literal else ()
