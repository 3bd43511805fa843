"""Weight initializers by Keras's names: for Keras layers, for the trial engine, and as labels."""

from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.stats import truncnorm

from deadrelu.params import FanScaled, Normal, Uniform

Settings = Uniform | Normal | FanScaled

CUT_STD = float(truncnorm.std(-2, 2))
"""Standard deviation of a standard normal cut at two: Keras divides by it to keep the variance."""


def keras_initializer(settings: Settings, seed: int) -> Any:
    """Build the Keras initializer. Give every layer its own seed: with one seed, equal shapes get equal weights."""
    import keras

    names = {"random_uniform": "RandomUniform", "random_normal": "RandomNormal", "truncated_normal": "TruncatedNormal"}
    name = names.get(settings.name, settings.name.title().replace("_", ""))
    return getattr(keras.initializers, name)(**settings.model_dump(exclude={"name"}), seed=seed)


def sampler(settings: Settings) -> Callable[[np.random.Generator, int, int], npt.NDArray[np.float32]]:
    """`sample(rng, fan_in, fan_out)` draws a kernel of shape (fan_in, fan_out), float32, as Keras's initializer does.

    Glorot: variance 2 / (fan_in + fan_out); He: 2 / fan_in; LeCun: 1 / fan_in. The normal ones are cut at two
    standard deviations of the normal that, once cut, has this variance.
    """

    def sample(rng: np.random.Generator, fan_in: int, fan_out: int) -> npt.NDArray[np.float32]:
        shape = (fan_in, fan_out)
        if isinstance(settings, Uniform):
            return rng.uniform(settings.minval, settings.maxval, shape).astype(np.float32)
        if isinstance(settings, Normal):
            if settings.name == "truncated_normal":
                return (settings.mean + settings.stddev * _cut_normal(rng, shape)).astype(np.float32)
            return rng.normal(settings.mean, settings.stddev, shape).astype(np.float32)
        family, shape_name = settings.name.split("_")
        variance = {"glorot": 2 / (fan_in + fan_out), "he": 2 / fan_in, "lecun": 1 / fan_in}[family]
        if shape_name == "uniform":
            limit = float(np.sqrt(3 * variance))
            return rng.uniform(-limit, limit, shape).astype(np.float32)
        return (float(np.sqrt(variance)) / CUT_STD * _cut_normal(rng, shape)).astype(np.float32)

    return sample


def _cut_normal(rng: np.random.Generator, shape: tuple[int, int]) -> npt.NDArray[np.float64]:
    return np.asarray(truncnorm.rvs(-2, 2, size=shape, random_state=rng))


def label(settings: Settings) -> str:
    """A readable name, made from the settings: 'Random normal (σ = 0.1)', 'Glorot uniform'."""
    if isinstance(settings, Uniform):
        return f"Random uniform ({settings.minval:g} to {settings.maxval:g})"
    if isinstance(settings, Normal):
        mean = f"μ = {settings.mean:g}, " if settings.mean else ""
        return f"{settings.name.replace('_', ' ').capitalize()} ({mean}σ = {settings.stddev:g})"
    family, shape_name = settings.name.split("_")
    return f"{'LeCun' if family == 'lecun' else family.capitalize()} {shape_name}"
