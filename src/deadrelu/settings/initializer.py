"""Initializers of `params.yaml`: each has its own arguments and, except for RAI, its name in Keras."""

from typing import Annotated, Literal

from pydantic import Field

from deadrelu.settings.group import Group, Problems, Real, problem


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
