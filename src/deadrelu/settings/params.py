"""`params.yaml` as frozen, typed groups.

Pydantic checks the values: it reports where in the file a value stands, it refuses unknown keys and
silent conversions (`strict`), and discriminated unions give every initializer its own arguments.
"""

import re
from itertools import pairwise
from pathlib import Path
from typing import Annotated, Any, Literal, Self, get_args, get_origin

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator
from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

from deadrelu.errors import InputError

CASE_KEY = re.compile(r"[a-z0-9][a-z0-9_-]*")


class Group(BaseModel):
    """A part of `params.yaml`: no unknown key, no converted value, no later change."""

    model_config = ConfigDict(frozen=True, strict=True, extra="forbid", allow_inf_nan=False)


def _case_key(key: str) -> str:
    # A dot would end the name of a DVC parameter, a slash or a space would change a stage or a file name.
    if not CASE_KEY.fullmatch(key) or len(key) > 64:
        raise ValueError("a case key has 1 to 64 of a-z, 0-9, _ and -, and starts with a letter or digit")
    return key


CaseKey = Annotated[str, AfterValidator(_case_key)]


Real = Annotated[float, Field(ge=-1e6, le=1e6)]
"""Beyond, float32 overflows within a few layers and nothing is left to measure."""


class Uniform(Group):
    name: Literal["random_uniform"]
    minval: Real
    maxval: Real

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        if self.minval >= self.maxval:
            raise ValueError("minval must be below maxval")
        return self


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
    """Lu et al.'s randomized asymmetric initialization (arXiv:1903.06733): of weights and biases together."""

    name: Literal["rai"]


Settings = Uniform | Normal | FanScaled | VarianceScaling | Orthogonal | Identity | Constant | ZerosOrOnes
Initializer = Annotated[Settings, Field(discriminator="name")]


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


class DataParams(Group):
    mnist: MnistParams
    target: TargetParams

    @field_validator("target")
    @classmethod
    def _of_one_input(cls, target: TargetParams) -> TargetParams:
        if target.function == "abs_sum_abs_difference":
            raise ValueError("a function of one input; one of two is for the target of a case of collapse")
        return target


class MlpParams(Group):
    hidden_layers: int = Field(ge=1, le=200)
    width: int = Field(ge=1, le=10_000)


class ActivationCase(Group):
    activation: Literal["relu", "tanh", "sigmoid"]
    initializer: Initializer


class ActivationsParams(Group):
    network: MlpParams
    layer_seeds: Literal["independent", "shared"]
    every: int = Field(ge=1)
    cases: dict[CaseKey, ActivationCase] = Field(min_length=1)

    @field_validator("cases")
    @classmethod
    def _summary_is_taken(cls, cases: dict[str, ActivationCase]) -> dict[str, ActivationCase]:
        if "summary" in cases:
            raise ValueError("a case cannot be called 'summary': that is the name of the table of all cases")
        return cases


class TrainingCase(Group):
    network: Literal["mlp", "cnn"]
    activation: Literal["relu", "tanh", "sigmoid"] = "relu"
    initializer: Initializer

    @model_validator(mode="after")
    def _cnn_is_the_notebooks(self) -> Self:
        if self.network == "cnn" and self.activation != "relu":
            raise ValueError("the notebook's cnn has the activation relu")
        if self.network == "cnn" and self.initializer.name == "identity":
            raise ValueError("identity is for dense layers; the cnn has kernels of four axes")
        return self


class CnnParams(Group):
    examples: int = Field(ge=1, le=60_000)
    validation: int = Field(ge=1, le=10_000)
    batch_size: int = Field(ge=1)


class TrainingParams(Group):
    examples: int = Field(ge=1, le=60_000)
    validation: int = Field(ge=1, le=10_000)
    epochs: int = Field(ge=1, le=10_000)
    batch_size: int = Field(ge=1)
    trials: int = Field(ge=1, le=1000)
    mlp: MlpParams
    cnn: CnnParams
    cases: dict[CaseKey, TrainingCase] = Field(min_length=1)


MAX_WEIGHTS = 1_000_000
"""Of a network between its hidden layers: 128 of them are drawn together, in half a gigabyte."""

Trials = Annotated[int, Field(ge=1, le=10_000_000)]
Epochs = Annotated[int, Field(ge=1, le=100_000)]


class AdamParams(Group):
    name: Literal["adam"] = "adam"
    learning_rate: float = Field(default=0.001, gt=0)


class SgdParams(Group):
    name: Literal["sgd"]
    learning_rate: float = Field(default=0.01, gt=0)


class CollapseCase(Group):
    """Hidden layers of these widths and a linear output; the defaults are Keras's, but for the biases.

    `trials`, `epochs` and `target`: instead of those of all cases. `protocol`: an independent trial is one `fit` of
    a new network; a continued one is the notebook's loop, one network fitted `fits` times.
    """

    activation: Literal["relu", "leaky_relu", "elu", "gelu", "tanh", "sigmoid"]
    negative_slope: float = Field(default=0.0, ge=0, lt=1)
    widths: list[Annotated[int, Field(ge=1, le=512)]] = Field(min_length=1, max_length=100)
    biases: bool = False
    initializer: Annotated[Settings | Rai, Field(discriminator="name")] = FanScaled(name="glorot_uniform")
    optimizer: Annotated[AdamParams | SgdParams, Field(discriminator="name")] = AdamParams()
    loss: Literal["mean_squared_error", "mean_absolute_error"] = "mean_squared_error"
    target: TargetParams | None = None
    trials: Trials | None = None
    epochs: Epochs | None = None
    protocol: Literal["independent", "continued"] = "independent"
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
        if self.initializer.name == "rai" and not self.biases:
            raise ValueError("rai draws biases, too: biases must be true")
        return self

    @model_validator(mode="after")
    def _fits_belong_to_continued(self) -> Self:
        if (self.protocol == "continued") != (self.fits is not None):
            raise ValueError("fits must be given with protocol: continued and be absent with every other")
        if self.protocol == "continued" and self.target and self.target.function == "abs_sum_abs_difference":
            raise ValueError("protocol: continued looks at the notebook's five probes: a function of one input")
        return self


class CollapseParams(Group):
    trials: Trials
    epochs: Epochs
    batch_size: int = Field(ge=1)
    tolerance: float = Field(ge=0)
    cases: dict[CaseKey, CollapseCase] = Field(min_length=1)

    @property
    def continued(self) -> list[str]:
        """Cases that are the notebook's loop."""
        return [key for key, case in self.cases.items() if case.protocol == "continued"]

    @property
    def own_target(self) -> list[str]:
        """Cases of independent trials with a target of their own."""
        return [key for key, case in self.cases.items() if case.target and key not in self.continued]

    @property
    def main(self) -> list[str]:
        """Cases of independent trials on the target that all share: the notebook's, and those beside them."""
        return [key for key in self.cases if key not in (*self.continued, *self.own_target)]

    def trials_of(self, key: str) -> int:
        """How many trials a case has."""
        return self.cases[key].trials or self.trials

    def epochs_of(self, key: str) -> int:
        """How many epochs a trial (a fit of a continued one) of a case has."""
        return self.cases[key].epochs or self.epochs


class Span(Group):
    """From `low` to `high`, both included."""

    low: int = Field(ge=1, le=1000)
    high: int = Field(ge=1, le=1000)

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        if self.low > self.high:
            raise ValueError("low must not be above high")
        return self

    @property
    def values(self) -> range:
        """All of them."""
        return range(self.low, self.high + 1)


Sizes = Annotated[list[Annotated[int, Field(ge=1, le=100)]], Field(min_length=1, max_length=100)]


class TrainedGrid(Group):
    depths: Sizes
    widths: Sizes
    trials: Trials
    epochs: Epochs
    batch_size: int = Field(ge=1)

    @field_validator("depths", "widths")
    @classmethod
    def _ascending(cls, sizes: list[int]) -> list[int]:
        if sizes != sorted(set(sizes)):
            raise ValueError("sizes must ascend, each once")
        return sizes


class BesideParams(Group):
    initializer: Annotated[Settings | Rai, Field(discriminator="name")]


class SafeRegionParams(Group):
    initializer: Initializer
    depth: Span
    width: Span
    networks: int = Field(ge=1, le=10_000_000)
    trained: TrainedGrid
    beside: dict[CaseKey, BesideParams] = {}

    @field_validator("width")
    @classmethod
    def _fits_into_memory(cls, width: Span) -> Span:
        if width.high > 100:
            raise ValueError("high must be at most 100")
        return width


class Params(Group):
    seed: int = Field(ge=0, lt=2**32)
    data: DataParams
    activations: ActivationsParams
    training: TrainingParams
    collapse: CollapseParams
    safe_region: SafeRegionParams

    def target_of(self, key: str) -> TargetParams:
        """What the networks of a case of `collapse` are to learn."""
        return self.collapse.cases[key].target or self.data.target

    def of_target(self) -> dict[str, object]:
        """What the training points depend on."""
        return {"seed": self.seed, "target": self.data.target.model_dump()}

    def of_activations(self) -> dict[str, object]:
        """What the tables of `activations` depend on."""
        return {"seed": self.seed, "activations": self.activations.model_dump()}

    def of_training(self) -> dict[str, object]:
        """What the tables of `training` depend on."""
        return {"seed": self.seed, "training": self.training.model_dump()}

    def of_collapse(self, key: str) -> dict[str, object]:
        """What the table of one case of `collapse` depends on: not the other cases, not the tolerance."""
        shared = {
            "trials": self.collapse.trials_of(key),
            "epochs": self.collapse.epochs_of(key),
            "batch_size": self.collapse.batch_size,
            "target": self.target_of(key).model_dump(),
        }
        return {"seed": self.seed, **shared, "case": self.collapse.cases[key].model_dump()}

    def of_safe_region(self) -> dict[str, object]:
        """What the tables of `safe_region` depend on."""
        return {
            "seed": self.seed,
            "safe_region": self.safe_region.model_dump(),
            "target": self.data.target.model_dump(),
        }


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
