"""Weight initializers of the engine: those of Keras, with its names and formulas, and RAI."""

from collections.abc import Callable
from functools import reduce
from typing import Any, get_args

import numpy as np
import numpy.typing as npt

from deadrelu.settings.initializer import (
    Constant,
    FanScaled,
    Identity,
    Normal,
    Orthogonal,
    Rai,
    Settings,
    Uniform,
    VarianceScaling,
    ZerosOrOnes,
)

RAI_STD = 0.6007  # standard deviation of RAI's symmetric entries, times the root of the fan-in (arXiv:1903.06733)
CUT_STD = 0.8796256610342398  # standard deviation of a standard normal truncated at ±2, by which Keras divides, too

# A function sample(rng, n, fan_in, fan_out) that returns n kernels as `sampler` describes, float32.
Sampler = Callable[[np.random.Generator, int, int, int], npt.NDArray[np.float32]]


def by_name(name: str) -> Settings | Rai:
    """Return the initializer with a given name and its default arguments.

    Raises:
        ValueError: no initializer has this name, or it has arguments without defaults.
    """
    known: dict[str, Any] = {}
    for kind in get_args(Settings | Rai):
        if not any(field.is_required() for key, field in kind.model_fields.items() if key != "name"):
            known |= dict.fromkeys(get_args(kind.model_fields["name"].annotation), kind)
    if name not in known:
        expected = ", ".join(sorted(known))
        raise ValueError(f"initialize: received {name!r}; expected: {expected}, or a function that draws kernels")
    initializer: Settings | Rai = known[name].model_validate({"name": name})
    return initializer


def sampler(settings: Settings | Rai | str) -> Sampler:
    """Return a function `sample(rng, n, fan_in, fan_out)` that draws n kernels, shape (n, fan_in, fan_out), float32.

    Kernels are distributed as by Keras's initializer of this name, or by RAI, which also draws biases, as one more row
    below each kernel: shape (n, fan_in + 1, fan_out). `settings` is an initializer of `params.yaml` or its name.
    The variance is 2 / (fan_in + fan_out) for Glorot, 2 / fan_in for He, and 1 / fan_in for LeCun. Their normal
    distributions are truncated at two standard deviations, and scaled so that the truncated one has this variance.
    """
    named = by_name(settings) if isinstance(settings, str) else settings

    def sample(rng: np.random.Generator, n: int, fan_in: int, fan_out: int) -> npt.NDArray[np.float32]:
        return _draw(named, rng, (n, fan_in, fan_out)).astype(np.float32)

    return sample


def _draw(settings: Settings | Rai, rng: np.random.Generator, shape: tuple[int, int, int]) -> npt.NDArray[np.float64]:
    _, fan_in, fan_out = shape
    match settings:
        case Rai():
            return _rai(rng, shape)
        case Uniform():
            return _uniform(rng, settings.minval, settings.maxval, shape)
        case Normal(name="truncated_normal"):
            return settings.mean + settings.stddev * _cut_normal(rng, shape)
        case Normal():
            return settings.mean + settings.stddev * rng.standard_normal(shape)
        case Orthogonal():
            return settings.gain * _orthogonal(rng, shape)
        case Constant():
            return np.full(shape, settings.value)
        case Identity():
            return np.broadcast_to(settings.gain * np.eye(fan_in, fan_out), shape)
        case ZerosOrOnes():
            return np.full(shape, float(settings.name == "ones"))
    scaling = settings if isinstance(settings, VarianceScaling) else _as_variance_scaling(settings)
    stddev = float(np.sqrt(scaling.scale / _fan(scaling, fan_in, fan_out)))
    if scaling.distribution == "uniform":
        return _uniform(rng, -stddev * np.sqrt(3), stddev * np.sqrt(3), shape)
    if scaling.distribution == "untruncated_normal":
        return stddev * rng.standard_normal(shape)
    return stddev / CUT_STD * _cut_normal(rng, shape)


def is_symmetric(initializer: Settings | Rai) -> bool:
    """Return whether an initializer draws continuous, independent weights, symmetric about 0, and zero biases."""
    return (
        isinstance(initializer, FanScaled | VarianceScaling)
        or (isinstance(initializer, Normal) and initializer.mean == 0)
        or (isinstance(initializer, Uniform) and initializer.minval == -initializer.maxval)
    )


def variance(settings: Settings | Rai, fan_in: int, fan_out: int) -> float:
    """Return the variance of a weight of a layer with `fan_in` inputs and `fan_out` units.

    Raises:
        ValueError: `is_symmetric` is false for the initializer.
    """
    if not is_symmetric(settings):
        raise ValueError(f"weights must be independent and symmetric about 0, got {settings.name}")
    if isinstance(settings, Uniform):
        return settings.maxval**2 / 3
    if isinstance(settings, Normal):
        return (settings.stddev * (CUT_STD if settings.name == "truncated_normal" else 1)) ** 2
    scaling = settings if isinstance(settings, VarianceScaling) else _as_variance_scaling(settings)  # type: ignore[arg-type]
    return scaling.scale / _fan(scaling, fan_in, fan_out)


def _fan(scaling: VarianceScaling, fan_in: int, fan_out: int) -> float:
    return {"fan_in": fan_in, "fan_out": fan_out, "fan_avg": (fan_in + fan_out) / 2}[scaling.mode]


def _as_variance_scaling(settings: FanScaled) -> VarianceScaling:
    """Return the variance scaling that is equivalent to a Glorot, He or LeCun initializer (formulas of Keras)."""
    family, distribution = settings.name.split("_")
    scale, mode = {"glorot": (1.0, "fan_avg"), "he": (2.0, "fan_in"), "lecun": (1.0, "fan_in")}[family]
    kind = "uniform" if distribution == "uniform" else "truncated_normal"
    return VarianceScaling.model_validate(
        {"name": "variance_scaling", "scale": scale, "mode": mode, "distribution": kind}
    )


def _cut_normal(rng: np.random.Generator, shape: tuple[int, ...]) -> npt.NDArray[np.float64]:
    # Values beyond ±2 are redrawn, as in Keras: inverting the distribution function with SciPy takes ten times as long.
    drawn = rng.standard_normal(shape)
    while len(cut := np.flatnonzero(np.abs(drawn) > 2)):
        drawn.ravel()[cut] = rng.standard_normal(len(cut))
    return drawn


def _uniform(rng: np.random.Generator, low: float, high: float, shape: tuple[int, ...]) -> npt.NDArray[np.float64]:
    # Neither rng.uniform nor rng.normal(mean, stddev) is used: some processors round their product and sum only once.
    return low + (high - low) * rng.random(shape)


def _orthogonal(rng: np.random.Generator, shape: tuple[int, int, int]) -> npt.NDArray[np.float64]:
    """Draw kernels with orthonormal rows or columns, whichever are fewer (Saxe et al., arXiv:1312.6120), float64.

    `shape` is (n, fan_in, fan_out). Gram-Schmidt is used, with sums from first to last, because the last bits of
    `numpy.linalg.qr` vary by processor.
    """
    n, fan_in, fan_out = shape
    drawn = rng.standard_normal((n, max(fan_in, fan_out), min(fan_in, fan_out)))
    left: npt.NDArray[np.float64] = drawn.transpose(1, 2, 0).copy()
    for k in range(left.shape[1]):
        left[:, k] /= np.sqrt(reduce(np.add, left[:, k] * left[:, k]))
        left[:, k + 1 :] -= left[:, k, None] * reduce(np.add, left[:, k, None] * left[:, k + 1 :])
    return np.asarray(left.transpose(2, 0, 1) if fan_in >= fan_out else left.transpose(2, 1, 0))


def _rai(rng: np.random.Generator, shape: tuple[int, int, int]) -> npt.NDArray[np.float64]:
    """Draw n kernels with a last row of biases from N(0, 0.6007² / fan_in), but one entry per unit from Beta(2, 1)."""
    n, fan_in, fan_out = shape
    drawn = RAI_STD / float(np.sqrt(fan_in)) * rng.standard_normal((n, fan_in + 1, fan_out))
    replaced = rng.integers(fan_in + 1, size=(n, 1, fan_out))
    beta = np.sqrt(rng.random((n, 1, fan_out)))  # P(beta <= b) = b²; rng.beta uses logarithms
    np.put_along_axis(drawn, replaced, beta, axis=1)
    return drawn
