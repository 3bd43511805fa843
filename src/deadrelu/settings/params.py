"""`params.yaml` as frozen, typed groups in the order of the file, after the initializers that several groups use."""

from collections.abc import Mapping
from itertools import pairwise
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar

from pydantic import Field, ValidationError, field_validator, model_validator
from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

from deadrelu.errors import InputError
from deadrelu.functions import FUNCTIONS
from deadrelu.settings.group import Ascending, CaseKey, Group, Problems, did_you_mean, first_error, problem

MAIN = "main"  # key of `safe_region.initializer` in tables; each of the other initializers has its own key
MAX_WEIGHTS = 1_000_000  # between hidden layers: 128 networks, drawn together, then take half a gigabyte

Real = Annotated[float, Field(ge=-1e6, le=1e6)]  # a larger number would overflow float32 within a few layers
Trials = Annotated[int, Field(ge=1, le=10_000_000)]
Epochs = Annotated[int, Field(ge=1, le=100_000)]
Sizes = Annotated[list[Annotated[int, Field(ge=1, le=100)]], Field(min_length=1, max_length=100), Ascending]
Case = TypeVar("Case", bound="Trainable")


class Uniform(Group):
    name: Literal["random_uniform"]
    minval: Real
    maxval: Real

    def _problems(self) -> Problems:
        if self.minval >= self.maxval:
            yield problem("minval must be below maxval")


class Normal(Group):
    name: Literal["random_normal", "truncated_normal"]
    mean: Real = 0.0
    stddev: float = Field(gt=0, le=1e6)


class FanScaled(Group):
    name: Literal["glorot_normal", "glorot_uniform", "he_normal", "he_uniform", "lecun_normal", "lecun_uniform"]


class VarianceScaling(Group):
    name: Literal["variance_scaling"]
    scale: float = Field(default=1.0, gt=0, le=1e6)
    mode: Literal["fan_in", "fan_out", "fan_avg"] = "fan_in"
    distribution: Literal["truncated_normal", "untruncated_normal", "uniform"] = "truncated_normal"


class Orthogonal(Group):
    name: Literal["orthogonal"]
    gain: Real = 1.0


class Identity(Group):
    name: Literal["identity"]
    gain: Real = 1.0


class Constant(Group):
    name: Literal["constant"]
    value: Real


class ZerosOrOnes(Group):
    name: Literal["zeros", "ones"]


class Rai(Group):
    """Randomized asymmetric initialization of weights and biases (Lu et al., arXiv:1903.06733)."""

    name: Literal["rai"]


Settings = Uniform | Normal | FanScaled | VarianceScaling | Orthogonal | Identity | Constant | ZerosOrOnes
Initializer = Annotated[Settings, Field(discriminator="name")]
InitializerOrRai = Annotated[Settings | Rai, Field(discriminator="name")]


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
    """How often ReLU networks are dead, over a grid of depths and widths."""

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


class Params(Group):
    seed: int = Field(ge=0, lt=2**32)
    data: DataParams
    activations: ActivationsParams
    training: TrainingParams
    collapse: CollapseParams
    safe_region: SafeRegionParams
    sensitivity: dict[CaseKey, SensitivityTable] = {}

    @model_validator(mode="before")
    @classmethod
    def _complete_variations(cls, values: Any) -> Any:
        """Complete each variation of `sensitivity` from its case, so that an error is reported at the variation."""
        tables = values.get("sensitivity") if isinstance(values, dict) else None
        if not isinstance(tables, dict):
            return values
        if old := {"trials", "epochs", "collapsed_within", "readings", "base", "deaths"} & tables.keys():
            expected = "sensitivity.NAME: {of: a case of collapse, variations: {…}}"
            raise problem(f"{min(old)} is an old key: expected {expected}", "sensitivity")
        return {**values, "sensitivity": {key: _completed(key, table, values) for key, table in tables.items()}}

    def _problems(self) -> Problems:
        cases, grid, of = self.collapse.cases, self.safe_region.trained, ("safe_region", "trained", "of")
        for key, case in cases.items():
            target = _known_target(key, case.target, self.data.targets)
            if case.protocol == "refit" and not target.of_one_input:
                yield problem("expected one of one input, for the probes of refits", "collapse", "cases", key, "target")
        _known_case(grid.of, self.collapse.model_dump()["cases"], *of)
        if not self.target_of_grid.of_one_input:
            yield problem("expected a case of one input", *of)
        if cases[grid.of].activation != "relu":
            yield problem("expected a case of ReLU networks", *of)
        rai = any(isinstance(self.safe_region.initializers[key], Rai) for key in grid.initializers)
        if rai and not cases[grid.of].biases:
            yield problem("RAI draws biases; expected a case with biases: true", *of[:2], "initializers")

    def target(self, case: CollapseCase | Variation) -> TargetParams:
        """Return the target that the networks of a case or variation learn."""
        return case.target if isinstance(case, Variation) else self.data.targets[case.target]

    def target_of(self, key: str) -> TargetParams:
        """Return the target that the networks of the case `key` of `collapse` learn."""
        return self.target(self.collapse.cases[key])

    @property
    def target_of_grid(self) -> TargetParams:
        """The target that the trained networks of `safe_region` learn."""
        return self.target_of(self.safe_region.trained.of)

    def grid_case(self, depth: int, width: int, initializer: str) -> CollapseCase:
        """Return the case of a cell of the trained grid; `initializer` is a key of `safe_region.initializers`."""
        grid, base = self.safe_region.trained, self.collapse.cases[self.safe_region.trained.of]
        size = {"widths": [width] * depth, "trials": grid.trials or base.trials, "epochs": self.grid_epochs}
        drawn = {"initializer": self.safe_region.initializers[initializer]}
        absent: dict[str, Any] = {"first_initializer": None, "last_initializer": None, "follow": []}
        return base.model_copy(update={**size, **drawn, **absent})

    @property
    def grid_epochs(self) -> int:
        """Number of epochs of a trial in the trained cells of the grid."""
        return self.safe_region.trained.epochs or self.collapse.epochs_of(self.safe_region.trained.of)

    @property
    def main_cases(self) -> list[str]:
        """Keys of the cases of independent trials on the first target, which the report's main questions are about."""
        return [key for key in self.collapse.independent if self.collapse.cases[key].target == self.data.main_target]

    @property
    def other_cases(self) -> list[str]:
        """Keys of the cases of independent trials on other targets than the first one."""
        return [key for key in self.collapse.independent if key not in self.main_cases]


def _completed(key: str, table: Any, values: Mapping[str, Any]) -> Any:
    """Return a table of `sensitivity` whose variations have all keys, or the table as it is if its fields reject it."""
    try:
        base = _known_case(table["of"], values["collapse"]["cases"], "sensitivity", key, "of")
        target = _known_target(table["of"], base["target"], values["data"]["targets"])
        variations = table["variations"].items()
        return {**table, "variations": {name: _changed(base, target, changes) for name, changes in variations}}
    except (KeyError, TypeError, AttributeError):
        return table


def _changed(base: Mapping[str, Any], target: Any, changes: Any) -> Any:
    """Return a case with changes of its keys and of those of its target; fields reject changes that are no group."""
    if not isinstance(changes, dict):
        return changes
    own = changes.get("target", {})
    return {**base, "follow": [], **changes, "target": {**target, **own} if isinstance(own, dict) else own}


def _known_case(case: str, cases: Mapping[str, Any], *keys: str) -> Any:
    """Return a case; raise a problem, at `keys`, if it is unknown or of protocol refit."""
    if case not in cases:
        raise problem(f"expected one of collapse.cases: {', '.join(cases)}", *keys)
    if cases[case].get("protocol") == "refit":
        raise problem("expected a case of independent trials, not of refits", *keys)
    return cases[case]


def _known_target(case: str, target: str, targets: Mapping[str, Any]) -> Any:
    """Return a target; raise a problem, at the case that names the target, if it is unknown."""
    if target not in targets:
        raise problem(f"expected one of data.targets: {', '.join(targets)}", "collapse", "cases", case, "target")
    return targets[target]


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
        raise InputError(f"{path}:{first_error(values, error)}") from None
    except YAMLError as error:
        raise InputError(f"{path}: not valid YAML: {' '.join(str(error).split())}") from None
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"{path}: cannot be read: {error}; run deadrelu in the project's root folder") from None
