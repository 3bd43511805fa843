"""`params.yaml` from its file; what is wrong with it, in one line."""

from pathlib import Path
from typing import Any, get_args, get_origin

from pydantic import BaseModel, ValidationError
from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

from deadrelu.errors import InputError
from deadrelu.settings.params.whole import Params


def load(path: Path = Path("params.yaml")) -> Params:
    """Read and check a params file.

    YAML 1.2, as DVC reads it: PyYAML would take `1e-3` for a string and `no` for false.

    Raises:
        InputError: one line that names the file, the key, the value received and what is allowed.
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


TAGGED = ("initializer", "optimizer")
"""Keys whose groups differ by `name`: pydantic puts that name into the location of an error."""


def _one_line(path: Path, error: ValidationError) -> str:
    # An unknown key before a missing one: where both are, the first is the second, mistyped.
    first = min(error.errors(include_url=False), key=lambda e: e["type"] != "extra_forbidden")
    location = first["loc"]
    keys = [str(k) for at, k in enumerate(location) if k != "[key]" and (at == 0 or location[at - 1] not in TAGGED)]
    where = f"{path}:{'.'.join(keys)}" if keys else str(path)
    received = " ".join(repr(first["input"]).split())[:120]
    if first["type"] == "extra_forbidden":
        message = f"unknown key; known keys here: {', '.join(_known_keys(location[:-1]))}"
    elif first["type"] == "missing":
        message, received = "this key is required", "nothing"
    elif first["type"] == "union_tag_not_found":
        message = "this group needs a name"
    elif first["type"] == "model_type":
        message = "a group of keys is required"
    else:
        message = first["msg"].removeprefix("Value error, ")
    more = f" (and {error.error_count() - 1} more)" if error.error_count() > 1 else ""
    return f"{where}: {message}; received {received}{more}"


def _known_keys(location: tuple[Any, ...]) -> list[str]:
    """Field names of the group at a location such as ("collapse", "cases", "relu")."""
    group: Any = Params
    for part in location:
        if isinstance(group, type) and issubclass(group, BaseModel):
            annotation = group.model_fields[str(part)].annotation
            optional = type(None) in get_args(annotation)  # such as `TargetParams | None`
            group = get_args(annotation)[0] if optional else annotation
        elif get_origin(group) is dict:
            group = get_args(group)[1]
        else:  # a union of groups, and part is the name of one
            group = next(g for g in get_args(group) if part in get_args(g.model_fields["name"].annotation))
    return list(group.model_fields)
