"""The base class of all groups of `params.yaml`, and a line that describes the first error in the file."""

import re
from collections.abc import Iterable, Iterator
from contextlib import suppress
from difflib import get_close_matches
from typing import Annotated, Any, ClassVar, Self

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError, model_validator
from pydantic_core import PydanticCustomError

MESSAGES = {  # messages in place of Pydantic's, by the types of its errors
    "missing": "this key is required",
    "string_pattern_mismatch": "a case key has 1 to 64 of a-z, 0-9, _ and -, and starts with a letter or digit",
    "union_tag_not_found": "this group needs a name",
    **dict.fromkeys(("model_type", "model_attributes_type", "dict_type"), "expected a group of keys"),
}
Problems = Iterator[PydanticCustomError]


class Group(BaseModel):
    """A part of `params.yaml`; it is immutable, and rejects unknown keys and values of other types than declared."""

    model_config = ConfigDict(frozen=True, strict=True, allow_inf_nan=False)
    old_keys: ClassVar[dict[str, str]] = {}  # keys of earlier versions, each with what is expected instead

    def _problems(self) -> Problems:
        """Yield each `problem` of values that have the declared types; only the first one is reported."""
        yield from ()

    @model_validator(mode="before")
    @classmethod
    def _has_known_keys(cls, values: Any) -> Any:
        if isinstance(values, dict):
            if old := cls.old_keys.keys() & values.keys():
                raise problem(f"{min(old)} is an old key: expected {cls.old_keys[min(old)]}")
            known = cls.model_fields
            if unknown := [key for key in values if key not in known]:
                message = f"unknown key{did_you_mean(unknown[0], known)}; known keys here: {', '.join(known)}"
                raise PydanticCustomError("unknown_key", message, {"keys": unknown[:1]})
        return values

    @model_validator(mode="after")
    def _has_no_problem(self) -> Self:
        for first in self._problems():
            raise first
        return self


def problem(message: str, *keys: str) -> PydanticCustomError:
    """Return an error at the value to which `keys` lead from the checked group or, without keys, at the group.

    `first_error` adds what was received: before a message that begins with "expected", else after it.
    """
    return PydanticCustomError("problem", "{message}", {"message": message, "keys": keys})


def did_you_mean(word: object, known: Iterable[str]) -> str:
    """Return a question that names the known word most similar to `word`, or an empty string if none is similar."""
    guess = get_close_matches(str(word), known, n=1)
    return f"; did you mean {guess[0]}?" if guess else ""


def first_error(values: Any, error: ValidationError) -> str:
    """Return what follows "FILE:" in a line on the first error in a file with these `values`: keys, value, reason.

    An unknown key comes before a missing one, because if both occur, the key was probably mistyped.
    """
    first = min(error.errors(include_url=False), key=lambda e: e["type"] != "unknown_key")
    kind, context, received, keys = first["type"], first.get("ctx", {}), first["input"], []
    for part in first["loc"]:
        with suppress(KeyError, TypeError):  # the part is no key, but the name of a type in a union
            values = values[part]
            keys.append(str(part))
    for key in context.get("keys", ()):
        received = received[key]
        keys.append(str(key))
    message = MESSAGES.get(kind, first["msg"].removeprefix("Value error, "))
    if kind == "missing":
        keys.append(str(first["loc"][-1]))
    if kind == "union_tag_invalid":
        keys.append("name")
        received, names = context["tag"], context["expected_tags"].replace("'", "")
        message = f"unknown name{did_you_mean(received, names.split(', '))}; expected one of {names}"
    message = re.sub("^Input should be (greater|less)", r"expected a number \1", message)
    message = message.replace("Input should be", "expected")
    text = "nothing" if kind == "missing" else " ".join(repr(received).split())[:120]
    if message.startswith("expected"):
        message = f"received {text}; {message}"
    elif not isinstance(received, dict) or len(text) < 120:  # else, the message names what matters in the group
        message = f"{message}; received {text}"
    more = f" (and {error.error_count() - 1} more)" if error.error_count() > 1 else ""
    return f"{'.'.join(keys)}: {message}{more}" if keys else f" {message}{more}"


def _ascending(values: list[int]) -> list[int]:
    if values != sorted(set(values)):
        raise ValueError("numbers must ascend, each once")
    return values


# A dot separates parts of a DVC parameter; a slash or a space would alter the name of a stage or a file.
CaseKey = Annotated[str, Field(pattern="^[a-z0-9][a-z0-9_-]{0,63}$")]
Ascending = AfterValidator(_ascending)
Real = Annotated[float, Field(ge=-1e6, le=1e6)]  # a larger number would overflow float32 within a few layers
