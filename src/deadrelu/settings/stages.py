"""The groups of `params.yaml` in the order of the file, a class for each group and for each part of it."""

from itertools import pairwise
from typing import Annotated, Literal, TypeVar

from pydantic import Field, field_validator

from deadrelu.functions import FUNCTIONS
from deadrelu.settings.group import Ascending, CaseKey, Group, Problems, Real, did_you_mean, problem
from deadrelu.settings.initializer import FanScaled, Initializer, InitializerOrRai, Rai, Settings

MAIN = "main"  # key of `safe_region.initializer` in tables; each of the other initializers has its own key
MAX_WEIGHTS = 1_000_000  # between hidden layers: 128 networks, drawn together, then take half a gigabyte

Trials = Annotated[int, Field(ge=1, le=10_000_000)]
Epochs = Annotated[int, Field(ge=1, le=100_000)]
Sizes = Annotated[list[Annotated[int, Field(ge=1, le=100)]], Field(min_length=1, max_length=100), Ascending]
Case = TypeVar("Case", bound="Trainable")


class MnistParams(Group):
    source: Literal["auto", "official", "bundled"]


class TargetParams(Group):
    function: str
    low: Real
    high: Real
    points: int = Field(ge=1, le=1_000_000)

    def _problems(self) -> Problems:
        if self.function not in FUNCTIONS:
            guess, known = did_you_mean(self.function, FUNCTIONS), ", ".join(FUNCTIONS)
            yield problem(f"unknown function{guess}; expected one of {known}", "function")
        if self.low >= self.high:
            yield problem("low must be below high")

    @property
    def of_one_input(self) -> bool:
        """True if the target function has one input and one output."""
        function = FUNCTIONS[self.function]
        return function.inputs == function.outputs == 1


class DataParams(Group):
    old_keys = {"target": "data.targets.NAME, which each case names"}
    mnist: MnistParams
    targets: dict[CaseKey, TargetParams] = Field(min_length=1)  # the report's main questions are about the first

    @property
    def main_target(self) -> str:
        """Key of the first target."""
        return next(iter(self.targets))


class MlpParams(Group):
    hidden_layers: int = Field(ge=1, le=200)
    width: int = Field(ge=1, le=10_000)


class ActivationCase(Group):
    activation: Literal["relu", "tanh", "sigmoid"]
    initializer: Initializer


class EnsembleParams(Group):
    networks: int = Field(ge=2, le=10_000)  # of each case
    images: int = Field(ge=2, le=1000)


class ActivationsParams(Group):
    network: MlpParams
    ensemble: EnsembleParams  # for estimates of a signal's growth factor per layer
    layer_seeds: Literal["independent", "shared"]
    every: int = Field(ge=1)
    cases: dict[CaseKey, ActivationCase] = Field(min_length=1)

    def _problems(self) -> Problems:
        if taken := {"summary", "networks"} & self.cases.keys():
            yield problem(f"a case cannot be called {min(taken)!r}: that is the name of a table of all cases", "cases")


class TrainingCase(Group):
    network: Literal["mlp", "cnn"]
    activation: Literal["relu", "tanh", "sigmoid"] = "relu"
    initializer: Initializer

    def _problems(self) -> Problems:
        if self.network == "cnn" and self.activation != "relu":
            yield problem("the notebook's cnn has the activation relu")
        if self.network == "cnn" and self.initializer.name == "identity":
            yield problem("identity is for dense layers; the cnn has kernels of four axes")


class SizesOfTraining(Group):
    examples: int = Field(ge=1, le=60_000)
    validation: int = Field(ge=1, le=10_000)
    epochs: int = Field(ge=1, le=10_000)
    batch_size: int = Field(ge=1)
    trials: int = Field(ge=1, le=1000)


class TrainingParams(SizesOfTraining):
    mlp: MlpParams
    cnn: SizesOfTraining
    cases: dict[CaseKey, TrainingCase] = Field(min_length=1)

    def sizes(self, network: str) -> SizesOfTraining:
        """Return the group with the numbers of examples, epochs, trials and so on for a network, "mlp" or "cnn"."""
        return self.cnn if network == "cnn" else self


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

    def _problems(self) -> Problems:
        if (self.activation == "leaky_relu") != (self.negative_slope > 0):
            yield problem("negative_slope must be above 0 for leaky_relu and absent for every other activation")
        weights = sum(fan_in * fan_out for fan_in, fan_out in pairwise(self.widths))
        if weights > MAX_WEIGHTS:
            yield problem(f"widths must make a network of at most {MAX_WEIGHTS:,} weights, not {weights:,}")
        if any(isinstance(one, Rai) for one in self.initializers) and not self.biases:
            yield problem("rai draws biases, too: biases must be true")
        if (self.protocol == "refit") != (self.fits is not None):
            yield problem("fits must be given with protocol: refit and be absent with every other")
        if self.fits and self.follow:
            yield problem("follow is for independent trials; with protocol: refit, each fit is measured")

    @property
    def initializers(self) -> tuple[Settings | Rai, Settings | Rai, Settings | Rai]:
        """Initializers of the first layer, of all middle layers, and of the output layer."""
        return self.first_initializer or self.initializer, self.initializer, self.last_initializer or self.initializer


class CollapseCase(Trainable):
    """A network and its training on `target`, a key of `data.targets`."""

    target: str

    @field_validator("target", mode="before")
    @classmethod
    def _is_a_name(cls, target: object) -> object:
        if isinstance(target, dict):
            raise ValueError("a target is described in data.targets: expected its name there")
        return target


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

    def epochs_of(self, key: str) -> int:
        """Return the number of epochs of a trial of the case `key` or, for the protocol "refit", of each fit."""
        return self.cases[key].epochs or self.epochs


class Span(Group):
    """A range of integers from `low` to `high`, both included."""

    low: int = Field(ge=1, le=1000)
    high: int = Field(ge=1, le=1000)

    def _problems(self) -> Problems:
        if self.low > self.high:
            yield problem("low must not be above high")

    @property
    def values(self) -> range:
        """All integers of the range."""
        return range(self.low, self.high + 1)


class TrainedGrid(Group):
    """Trained cells of the grid: the case `collapse.cases[of]` with these depths, widths and initializers."""

    old_keys = dict.fromkeys(("target", "biases", "batch_size"), "of, a case of collapse that has it")
    of: str
    depths: Sizes
    widths: Sizes
    initializers: list[str] = [MAIN]  # keys of `SafeRegionParams.initializers`, "main" first
    trials: Trials | None = None
    epochs: Epochs | None = None


class OtherInitializer(Group):
    initializer: InitializerOrRai


class SafeRegionParams(Group):
    """A grid of depths and widths: untrained ReLU networks in all of its cells, trained ones in some."""

    old_keys = {"beside": "other_initializers"}
    initializer: Initializer
    depth: Span
    width: Span
    networks: int = Field(ge=1, le=10_000_000)
    trained: TrainedGrid
    other_initializers: dict[CaseKey, OtherInitializer] = {}

    def _problems(self) -> Problems:
        if self.width.high > 100:
            yield problem("high must be at most 100", "width")
        if MAIN in self.other_initializers:
            message = f"another initializer cannot be called {MAIN!r}: that is safe_region.initializer"
            yield problem(message, "other_initializers")
        keys, known = self.trained.initializers, list(self.initializers)
        if keys[:1] != [MAIN] or len(set(keys)) < len(keys) or not set(keys) <= set(known):
            yield problem(f"trained.initializers must be some of {', '.join(known)}, {MAIN} first, each once")

    @property
    def initializers(self) -> dict[str, Settings | Rai]:
        """All initializers by their keys; the first key is "main"."""
        return {MAIN: self.initializer, **{key: other.initializer for key, other in self.other_initializers.items()}}


class Variation(Trainable):
    """A case of `collapse`, and its target, with some of their keys replaced."""

    target: TargetParams


class SensitivityTable(Group):
    """Variations of the case `collapse.cases[of]`; in params.yaml, each variation contains only the keys it changes."""

    of: str
    variations: dict[CaseKey, Variation] = Field(min_length=1)
