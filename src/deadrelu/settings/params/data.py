"""The group `data`: the MNIST digits, and the training sets of the small networks."""

from difflib import get_close_matches
from typing import Literal, Self

from pydantic import Field, field_validator, model_validator

from deadrelu.functions import FUNCTIONS
from deadrelu.settings.params.group import CaseKey, Group, Real


class MnistParams(Group):
    source: Literal["auto", "official", "bundled"]


class TargetParams(Group):
    function: str
    low: Real
    high: Real
    points: int = Field(ge=1, le=1_000_000)

    @field_validator("function")
    @classmethod
    def _known(cls, function: str) -> str:
        if function not in FUNCTIONS:
            guess = get_close_matches(function, FUNCTIONS, n=1)
            meant = f"; did you mean {guess[0]}?" if guess else ""
            raise ValueError(f"unknown function{meant}; expected one of {', '.join(FUNCTIONS)}")
        return function

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        if self.low >= self.high:
            raise ValueError("low must be below high")
        return self

    @property
    def of_one_input(self) -> bool:
        """True if the target function has one input and one output."""
        function = FUNCTIONS[self.function]
        return function.inputs == function.outputs == 1


class DataParams(Group):
    old_keys = {"target": "data.targets.NAME, which each case names"}
    mnist: MnistParams
    targets: dict[CaseKey, TargetParams] = Field(min_length=1)
    """Targets by the keys that cases refer to; the report's main questions are about the first target."""

    @property
    def main_target(self) -> str:
        """Key of the first target."""
        return next(iter(self.targets))
