"""`params.yaml` as frozen, typed groups.

Pydantic checks the values: it reports where in the file a value stands, it refuses unknown keys and
silent conversions (`strict`), and discriminated unions give every initializer its own arguments.
"""

import re
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError, model_validator
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


class Uniform(Group):
    name: Literal["random_uniform"]
    minval: float
    maxval: float

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        if self.minval >= self.maxval:
            raise ValueError("minval must be below maxval")
        return self


class Normal(Group):
    name: Literal["random_normal", "truncated_normal"]
    mean: float = 0.0
    stddev: float = Field(gt=0)


class FanScaled(Group):
    name: Literal["glorot_normal", "glorot_uniform", "he_normal", "he_uniform", "lecun_normal", "lecun_uniform"]


class Orthogonal(Group):
    name: Literal["orthogonal"]
    gain: float = 1.0


class Identity(Group):
    name: Literal["identity"]
    gain: float = 1.0


class Constant(Group):
    name: Literal["constant"]
    value: float


Initializer = Annotated[
    Uniform | Normal | FanScaled | Orthogonal | Identity | Constant,
    Field(discriminator="name"),
]


class MnistParams(Group):
    source: Literal["auto", "official", "bundled"]


class TargetParams(Group):
    function: Literal["x_sin_x"]
    low: float
    high: float
    points: int = Field(ge=1, le=1_000_000)

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        if self.low >= self.high:
            raise ValueError("low must be below high")
        return self


class DataParams(Group):
    mnist: MnistParams
    target: TargetParams


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


class AdamParams(Group):
    name: Literal["adam"] = "adam"
    learning_rate: float = Field(default=0.001, gt=0)


class SgdParams(Group):
    name: Literal["sgd"]
    learning_rate: float = Field(default=0.01, gt=0)


class CollapseCase(Group):
    """Hidden layers of these widths and a linear output; the defaults are Keras's, but for the biases."""

    activation: Literal["relu", "leaky_relu", "elu", "gelu", "tanh", "sigmoid"]
    negative_slope: float = Field(default=0.0, ge=0, lt=1)
    widths: list[Annotated[int, Field(ge=1, le=512)]] = Field(min_length=1, max_length=100)
    biases: bool = False
    initializer: Initializer = FanScaled(name="glorot_uniform")
    optimizer: Annotated[AdamParams | SgdParams, Field(discriminator="name")] = AdamParams()
    loss: Literal["mean_squared_error", "mean_absolute_error"] = "mean_squared_error"

    @model_validator(mode="after")
    def _slope_belongs_to_leaky(self) -> Self:
        if (self.activation == "leaky_relu") != (self.negative_slope > 0):
            raise ValueError("negative_slope must be above 0 for leaky_relu and absent for every other activation")
        return self


class CollapseParams(Group):
    trials: int = Field(ge=1, le=10_000_000)
    epochs: int = Field(ge=1, le=100_000)
    batch_size: int = Field(ge=1)
    tolerance: float = Field(ge=0)
    cases: dict[CaseKey, CollapseCase] = Field(min_length=1)


class Params(Group):
    seed: int = Field(ge=0, lt=2**32)
    data: DataParams
    activations: ActivationsParams
    collapse: CollapseParams


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
        raise InputError(f"{path}: cannot be read: {error}") from None


def _one_line(path: Path, error: ValidationError) -> str:
    # An unknown key before a missing one: where both are, the first is the second, mistyped.
    first = min(error.errors(include_url=False), key=lambda e: e["type"] != "extra_forbidden")
    keys = [str(part) for part in first["loc"] if part != "[key]"]
    where = f"{path}:{'.'.join(keys)}" if keys else str(path)
    received = " ".join(repr(first["input"]).split())[:120]
    if first["type"] == "extra_forbidden":
        message = f"unknown key; known keys here: {', '.join(_known_keys(first['loc'][:-1])) or 'see README.md'}"
    elif first["type"] == "missing":
        message, received = "this key is required", "nothing"
    else:
        message = first["msg"].removeprefix("Value error, ")
    more = f" (and {error.error_count() - 1} more)" if error.error_count() > 1 else ""
    return f"{where}: {message}; received {received}{more}"


def _known_keys(location: tuple[Any, ...]) -> list[str]:
    """Field names of the group at a location such as ("collapse", "cases", "relu")."""
    group: Any = Params
    for part in location:
        if isinstance(group, type) and issubclass(group, BaseModel) and part in group.model_fields:
            group = group.model_fields[str(part)].annotation
        elif getattr(group, "__origin__", None) is dict:
            group = group.__args__[1]
        else:
            return []
    return list(group.model_fields) if isinstance(group, type) and issubclass(group, BaseModel) else []
