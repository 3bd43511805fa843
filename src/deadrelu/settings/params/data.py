"""`data`: the digits, and the training sets of the small networks."""

from typing import Any, Literal, Self

from pydantic import Field, model_validator

from deadrelu.settings.params.group import CaseKey, Group, Real


class MnistParams(Group):
    source: Literal["auto", "official", "bundled"]


class TargetParams(Group):
    function: Literal["x_sin_x", "abs_x", "x_sin_5x", "step_sin_5x", "abs_sum_abs_difference"]
    low: Real
    high: Real
    points: int = Field(ge=1, le=1_000_000)

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        if self.low >= self.high:
            raise ValueError("low must be below high")
        return self

    @property
    def of_one_input(self) -> bool:
        """Whether the function has one input and one output."""
        return self.function != "abs_sum_abs_difference"


class DataParams(Group):
    mnist: MnistParams
    targets: dict[CaseKey, TargetParams] = Field(min_length=1)
    """By the names that cases use. The first is the one of the report's main questions."""

    @model_validator(mode="before")
    @classmethod
    def _old_key(cls, values: Any) -> Any:
        if isinstance(values, dict) and "target" in values:
            raise ValueError("target is now one of several: expected data.targets.NAME, which each case names")
        return values

    @property
    def main_target(self) -> str:
        """Name of the first target."""
        return next(iter(self.targets))
