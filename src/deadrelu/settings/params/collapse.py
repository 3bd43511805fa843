"""The group `collapse`: small networks that are trained many times."""

from itertools import pairwise
from typing import Annotated, Literal, Self, TypeVar

from pydantic import Field, field_validator, model_validator

from deadrelu.settings.params.group import Ascending, CaseKey, Epochs, Group, Trials
from deadrelu.settings.params.initializer import FanScaled, InitializerOrRai, Rai, Settings

MAX_WEIGHTS = 1_000_000
"""Maximum number of weights between hidden layers: 128 networks, drawn together, then take half a gigabyte."""


class AdamParams(Group):
    name: Literal["adam"] = "adam"
    learning_rate: float = Field(default=0.001, gt=0)


class SgdParams(Group):
    name: Literal["sgd"]
    learning_rate: float = Field(default=0.01, gt=0)


class Trainable(Group):
    """A network with hidden layers of given widths and a linear output, and its training; defaults are those of Keras.

    Unlike in Keras, biases are absent by default. `first_initializer` and `last_initializer` replace `initializer` in
    the first and output layer. `trials`, `epochs` and `batch_size` replace the values of the group `collapse`. `follow`
    lists additional epochs after which each network is measured; they may exceed `epochs`. With protocol "independent",
    a trial is one `fit` of a network; with "refit", it is `fits` successive fits of a network, as in the notebook.
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
    trials: Trials | None = None
    epochs: Epochs | None = None
    batch_size: Annotated[int, Field(ge=1)] | None = None
    follow: Annotated[list[Annotated[int, Field(ge=0, le=100_000)]], Ascending] = Field(default=[], max_length=1000)
    protocol: Literal["independent", "refit"] = "independent"
    fits: int | None = Field(default=None, ge=1, le=100_000)

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
        if any(isinstance(one, Rai) for one in self.initializers) and not self.biases:
            raise ValueError("rai draws biases, too: biases must be true")
        return self

    @model_validator(mode="after")
    def _fits_belong_to_refits(self) -> Self:
        if (self.protocol == "refit") != (self.fits is not None):
            raise ValueError("fits must be given with protocol: refit and be absent with every other")
        if self.fits and self.follow:
            raise ValueError("follow is for independent trials; with protocol: refit, each fit is measured")
        return self

    @property
    def initializers(self) -> tuple[Settings | Rai, Settings | Rai, Settings | Rai]:
        """Initializers of the first layer, of all middle layers, and of the output layer."""
        return self.first_initializer or self.initializer, self.initializer, self.last_initializer or self.initializer


class CollapseCase(Trainable):
    """A network and its training on `target`, a key of `data.targets`."""

    target: str

    @field_validator("target", mode="before")
    @classmethod
    def _name_of_a_target(cls, target: object) -> object:
        if isinstance(target, dict):
            raise ValueError("a target is described in data.targets: expected its name there")
        return target


Case = TypeVar("Case", bound=Trainable)


class CollapseParams(Group):
    trials: Trials
    epochs: Epochs
    batch_size: int = Field(ge=1)
    tolerance: float = Field(ge=0)
    cases: dict[CaseKey, CollapseCase] = Field(min_length=1)

    @property
    def refit(self) -> list[str]:
        """Keys of the cases with the protocol "refit", in which a network is fitted repeatedly, as in the notebook."""
        return [key for key, case in self.cases.items() if case.protocol == "refit"]

    @property
    def independent(self) -> list[str]:
        """Keys of the cases with independent trials."""
        return [key for key in self.cases if key not in self.refit]

    def complete(self, case: Case) -> Case:
        """Return the case with missing trials, epochs and batch size filled in from this group."""
        shared = {name: getattr(case, name) or getattr(self, name) for name in ("trials", "epochs", "batch_size")}
        return case.model_copy(update=shared)

    def trials_of(self, key: str) -> int:
        """Return the number of trials of the case `key`."""
        return self.cases[key].trials or self.trials

    def epochs_of(self, key: str) -> int:
        """Return the number of epochs of a trial of the case `key` or, for the protocol "refit", of each fit."""
        return self.cases[key].epochs or self.epochs
