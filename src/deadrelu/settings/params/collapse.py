"""`collapse`: small networks trained many times."""

from itertools import pairwise
from typing import Annotated, Literal, Self

from pydantic import Field, field_validator, model_validator

from deadrelu.settings.params.data import TargetParams
from deadrelu.settings.params.group import CaseKey, Epochs, Group, Trials
from deadrelu.settings.params.initializer import FanScaled, InitializerOrRai, Rai, Settings

MAX_WEIGHTS = 1_000_000
"""Of a network between its hidden layers: 128 of them are drawn together, in half a gigabyte."""


class AdamParams(Group):
    name: Literal["adam"] = "adam"
    learning_rate: float = Field(default=0.001, gt=0)


class SgdParams(Group):
    name: Literal["sgd"]
    learning_rate: float = Field(default=0.01, gt=0)


class CollapseCase(Group):
    """Hidden layers of these widths and a linear output; the defaults are Keras's, but for the biases.

    `first_initializer` and `last_initializer`: of the first layer and of the output layer, where they have another.
    `trials`, `epochs` and `target`: instead of those of all cases. `protocol`: an independent trial is one `fit` of
    a new network; a trial of refits is the notebook's loop, one network fitted `fits` times.
    """

    activation: Literal["relu", "leaky_relu", "elu", "gelu", "tanh", "sigmoid"]
    negative_slope: float = Field(default=0.0, ge=0, lt=1)
    widths: list[Annotated[int, Field(ge=1, le=512)]] = Field(min_length=1, max_length=100)
    biases: bool = False
    initializer: InitializerOrRai = FanScaled(name="glorot_uniform")
    first_initializer: InitializerOrRai | None = None
    last_initializer: InitializerOrRai | None = None
    optimizer: Annotated[AdamParams | SgdParams, Field(discriminator="name")] = AdamParams()
    loss: Literal["mean_squared_error", "mean_absolute_error"] = "mean_squared_error"
    target: TargetParams | None = None
    trials: Trials | None = None
    epochs: Epochs | None = None
    protocol: Literal["independent", "refit"] = "independent"
    fits: int | None = Field(default=None, ge=1, le=100_000)

    @field_validator("protocol", mode="before")
    @classmethod
    def _new_name(cls, protocol: object) -> object:
        if protocol == "continued":
            raise ValueError("renamed: expected refit")
        return protocol

    @model_validator(mode="after")
    def _slope_belongs_to_leaky(self) -> Self:
        if (self.activation == "leaky_relu") != (self.negative_slope > 0):
            raise ValueError("negative_slope must be above 0 for leaky_relu and absent for every other activation")
        return self

    @model_validator(mode="after")
    def _fits_into_memory(self) -> Self:
        weights = sum(fan_in * fan_out for fan_in, fan_out in pairwise(self.widths))
        if weights > MAX_WEIGHTS:
            raise ValueError(f"widths must make a network of at most {MAX_WEIGHTS:,} weights, not {weights:,}")
        return self

    @model_validator(mode="after")
    def _rai_needs_biases(self) -> Self:
        if any(one.name == "rai" for one in self.initializers) and not self.biases:
            raise ValueError("rai draws biases, too: biases must be true")
        return self

    @property
    def initializers(self) -> tuple[Settings | Rai, Settings | Rai, Settings | Rai]:
        """Of the first layer, of those between, and of the output layer."""
        return self.first_initializer or self.initializer, self.initializer, self.last_initializer or self.initializer

    @model_validator(mode="after")
    def _fits_belong_to_refits(self) -> Self:
        if (self.protocol == "refit") != (self.fits is not None):
            raise ValueError("fits must be given with protocol: refit and be absent with every other")
        if self.protocol == "refit" and self.target and self.target.function == "abs_sum_abs_difference":
            raise ValueError("protocol: refit looks at the notebook's five probes: a function of one input")
        return self


class CollapseParams(Group):
    trials: Trials
    epochs: Epochs
    batch_size: int = Field(ge=1)
    tolerance: float = Field(ge=0)
    cases: dict[CaseKey, CollapseCase] = Field(min_length=1)

    @property
    def refit(self) -> list[str]:
        """Cases that are the notebook's loop."""
        return [key for key, case in self.cases.items() if case.protocol == "refit"]

    @property
    def own_target(self) -> list[str]:
        """Cases of independent trials with a target of their own."""
        return [key for key, case in self.cases.items() if case.target and key not in self.refit]

    @property
    def main(self) -> list[str]:
        """Cases of independent trials on the target that all share: the notebook's, and those beside them."""
        return [key for key in self.cases if key not in (*self.refit, *self.own_target)]

    def trials_of(self, key: str) -> int:
        """How many trials a case has."""
        return self.cases[key].trials or self.trials

    def epochs_of(self, key: str) -> int:
        """How many epochs a trial (a fit, of refits) of a case has."""
        return self.cases[key].epochs or self.epochs
