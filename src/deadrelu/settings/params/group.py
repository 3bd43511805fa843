"""The base class of all groups of `params.yaml`, and types of values that several groups use."""

import re
from typing import Annotated, Any, ClassVar

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator

CASE_KEY = re.compile(r"[a-z0-9][a-z0-9_-]*")


class Group(BaseModel):
    """A part of `params.yaml`; it is immutable, and rejects unknown keys and values of other types than declared."""

    model_config = ConfigDict(frozen=True, strict=True, extra="forbid", allow_inf_nan=False)
    old_keys: ClassVar[dict[str, str]] = {}
    """Keys of earlier versions of the file, each with a text on what is expected in its place."""

    @model_validator(mode="before")
    @classmethod
    def _no_old_key(cls, values: Any) -> Any:
        if isinstance(values, dict) and (old := sorted(cls.old_keys.keys() & values.keys())):
            raise ValueError(f"{old[0]} is an old key: expected {cls.old_keys[old[0]]}")
        return values


def _case_key(key: str) -> str:
    # A dot separates parts of a DVC parameter; a slash or a space would alter the name of a stage or a file.
    if not CASE_KEY.fullmatch(key) or len(key) > 64:
        raise ValueError("a case key has 1 to 64 of a-z, 0-9, _ and -, and starts with a letter or digit")
    return key


CaseKey = Annotated[str, AfterValidator(_case_key)]


Real = Annotated[float, Field(ge=-1e6, le=1e6)]
"""A real number up to 1e6 in size; larger ones would overflow float32 within a few layers."""


def _ascending(values: list[int]) -> list[int]:
    if values != sorted(set(values)):
        raise ValueError("numbers must ascend, each once")
    return values


Ascending = AfterValidator(_ascending)
Trials = Annotated[int, Field(ge=1, le=10_000_000)]
Epochs = Annotated[int, Field(ge=1, le=100_000)]
