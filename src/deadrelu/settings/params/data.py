"""`data`: the digits, and the function that small networks learn."""

from typing import Annotated, Literal, Self

from pydantic import AfterValidator, Field, model_validator

from deadrelu.settings.params.group import Group, Real


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


def _of_one_input(target: TargetParams) -> TargetParams:
    if target.function == "abs_sum_abs_difference":
        raise ValueError("a function of one input; one of two is for the target of a case of collapse")
    return target


TargetOfOneInput = Annotated[TargetParams, AfterValidator(_of_one_input)]


class DataParams(Group):
    mnist: MnistParams
    target: TargetOfOneInput
