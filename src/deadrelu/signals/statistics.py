"""Accumulate statistics of the signal of a layer, batch by batch."""

from math import gcd

import numpy as np
import numpy.typing as npt

Float = npt.NDArray[np.float32] | npt.NDArray[np.float64]

QUANTILES = (0.01, 0.25, 0.5, 0.75, 0.99)
QUANTILE_SAMPLE = 50_000
"""Minimum number of values for quantiles; the sample's 1 % quantile usually lies between those of 0.9 and 1.1 %."""

MAX_AT_ONCE = 2**18
"""Maximum number of values of a signal whose moments are computed in one step."""

SATURATED = {
    "tanh": (-0.99, 0.99),
    "sigmoid": (0.01, 0.99),
    "hard_sigmoid": (0.0, 1.0),
    "hard_tanh": (-1.0, 1.0),
    "relu6": (-np.inf, 6.0),
}
"""Bounds at or beyond which outputs are saturated: slopes there are below 0.02 (tanh), below 0.01 (sigmoid), or 0."""


class Spread:
    """An accumulator of a signal's variation over inputs, with two numbers of `dtype` for each position and unit."""

    def __init__(self, dtype: npt.DTypeLike = np.float64) -> None:
        self.seen, self.dtype = 0, dtype

    def add(self, signal: Float) -> None:
        """Add the signals of one batch of inputs; the first axis is the input."""
        n = len(signal)
        if self.seen == 0:
            self.mean, self.squares = np.zeros((2, *signal.shape[1:]), self.dtype)
        with np.errstate(over="ignore", invalid="ignore"):
            mean, squares = moments(signal)
            step, total = mean - self.mean, self.seen + n
            self.squares += squares + np.square(step) * (self.seen * n / total)
            self.mean += step * (n / total)
        self.seen = total

    def over_inputs(self) -> float:
        """Return the standard deviation over inputs, as a root mean square over positions and units; initially 0."""
        return float(np.sqrt(self.squares.mean(dtype=np.float64) / self.seen)) if self.seen else 0.0


def moments(signal: Float) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """Return means and sums of squared deviations over the first axis, two float64 arrays of shape signal.shape[1:]."""
    if signal.size > MAX_AT_ONCE:  # in groups of columns, so that float64 copies stay small
        columns = signal.reshape(len(signal), -1)
        step = max(1, MAX_AT_ONCE // len(signal))
        parts = [moments(columns[:, at : at + step]) for at in range(0, columns.shape[1], step)]
        mean, squares = (np.concatenate(values).reshape(signal.shape[1:]) for values in zip(*parts, strict=True))
        return mean, squares
    mean = signal.mean(axis=0, dtype=np.float64)
    deviation = signal - mean
    return mean, np.einsum("i...,i...->...", deviation, deviation)


class Running:
    """An accumulator of the statistics of one layer over all inputs, batch by batch.

    It stores two numbers for each position and unit, two flags for each unit, and outputs sampled for quantiles.

    Args:
        inputs: total number of inputs of all batches.
        activation: name of the layer's activation, which determines saturation; None for a gradient.
        dtype: type of numbers stored between batches; moments of one batch are always computed in float64.
    """

    def __init__(self, inputs: int, activation: str | None = None, dtype: npt.DTypeLike = np.float64) -> None:
        self.inputs, self.seen, self.dtype = inputs, 0, dtype
        self.low, self.high = SATURATED.get(activation or "", (-np.inf, np.inf))
        self.zeros = self.saturated = 0
        self.infinite = self.broken = False
        self.kept: list[Float] = []

    def add(self, signal: Float) -> None:
        """Add the signals of one batch of inputs; the first axis is the input, the last axis is the unit."""
        # A transposed signal is copied here once; otherwise, many of the following lines would copy it.
        signal = signal if signal.flags.c_contiguous else signal.copy(order="C")
        n, shape = len(signal), signal.shape[1:]
        if self.seen == 0:
            self.mean, self.squares = np.zeros((2, *shape), self.dtype)
            self.alive, self.responsive = np.zeros((2, *shape[-1:]), bool)
            # The stride of sampled values in the flattened signal has no common divisor with the layer's size, so that
            # values of all units and positions are sampled.
            self.every = max(1, self.inputs * self.mean.size // QUANTILE_SAMPLE)
            while gcd(self.every, self.mean.size) > 1:
                self.every -= 1
        with np.errstate(over="ignore", invalid="ignore"):  # a signal that explodes may contain infinities
            # Moments of two groups are combined (Chan, Golub, LeVeque 1983), in one pass and without cancellation.
            mean, squares = moments(signal)
            step, total = mean - self.mean, self.seen + n
            self.squares += squares + np.square(step) * (self.seen * n / total)
            self.mean += step * (n / total)
        if not np.isfinite(mean).all():
            self.infinite = self.infinite or bool(np.isinf(signal).any())
            self.broken = self.broken or bool(np.isnan(signal).any())
        nonzero = signal != 0
        self.zeros += signal.size - int(np.count_nonzero(nonzero))
        self.alive |= nonzero.reshape(-1, *self.alive.shape).any(axis=0)
        if np.isfinite(self.low) or np.isfinite(self.high):
            saturated = (signal <= self.low) | (signal >= self.high)
            self.saturated += int(np.count_nonzero(saturated))
            self.responsive |= ~saturated.reshape(-1, *self.alive.shape).all(axis=0)
        self.kept.append(signal.ravel()[-self.seen * self.mean.size % self.every :: self.every].copy())
        self.seen = total

    def over_inputs(self) -> float:
        """Return the standard deviation over inputs, as a root mean square over positions and units."""
        return float(np.sqrt(self.squares.mean(dtype=np.float64) / self.seen))

    def saturated_units(self) -> int:
        """Return the number of units whose every output is saturated, for an activation in `SATURATED`."""
        return int(np.sum(~self.responsive))

    def statistics(self) -> dict[str, float]:
        """Return the statistics of the layer over all batches.

        Returns:
            mean, std, rms: over all inputs, positions and units; input_std: standard deviation over inputs, as a root
            mean square over positions and units (a unit stuck at 0.6 contributes 0); zero_fraction: share of outputs
            that are exactly 0; dead_units: number of units (entries of the last axis) that are 0 for all inputs and
            positions; saturated_fraction: share of outputs at or beyond the bounds in `SATURATED`, 0 for activations
            without bounds; q01 to q99: quantiles of at least `QUANTILE_SAMPLE` outputs, or of all if there are fewer.
            std, rms and input_std are infinite if an output is infinite, and NaN if an output is NaN.
        """
        with np.errstate(over="ignore", invalid="ignore"):
            mean, variance = self.mean.mean(dtype=np.float64), self.squares.mean(dtype=np.float64) / self.seen
            spread = self.mean.var(dtype=np.float64) + variance
            levels = np.quantile(np.concatenate(self.kept), QUANTILES)
        if self.infinite or self.broken:  # differences of infinities would be NaN
            spread = variance = np.nan if self.broken else np.inf
        values = self.mean.size * self.seen
        return {
            "mean": float(mean),
            "std": float(np.sqrt(spread)),
            "rms": float(np.sqrt(spread + mean**2)) if np.isfinite(spread) else float(spread),
            "input_std": float(np.sqrt(variance)),
            "zero_fraction": self.zeros / values,
            "dead_units": float(np.sum(~self.alive)),
            "saturated_fraction": self.saturated / values,
            **{f"q{round(100 * q):02d}": level for q, level in zip(QUANTILES, levels.tolist(), strict=True)},
        }
