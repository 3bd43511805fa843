"""Statistics of one layer's signal, batch by batch."""

from math import gcd

import numpy as np
import numpy.typing as npt

Float = npt.NDArray[np.float32] | npt.NDArray[np.float64]

QUANTILES = (0.01, 0.25, 0.5, 0.75, 0.99)
QUANTILE_SAMPLE = 50_000
"""Values of a layer that quantiles are taken of, at least: the 1 % quantile is then that of 0.9 to 1.1 %."""

MAX_AT_ONCE = 2**18
"""Numbers of a signal whose moments are taken at once."""

SATURATED = {
    "tanh": (-0.99, 0.99),
    "sigmoid": (0.01, 0.99),
    "hard_sigmoid": (0.0, 1.0),
    "hard_tanh": (-1.0, 1.0),
    "relu6": (-np.inf, 6.0),
}
"""Outputs at or beyond these are saturated: the slope there is under 2 % (tanh), under 1 % (sigmoid), or 0."""


class Spread:
    """How much a signal depends on the input, from batches; two numbers for each number of the signal."""

    def __init__(self, dtype: npt.DTypeLike = np.float64) -> None:
        self.seen, self.dtype = 0, dtype

    def add(self, signal: Float) -> None:
        """Take in one batch, shape (n, …)."""
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
        """Root mean square, over positions and units, of the standard deviation over inputs; 0 before any batch."""
        return float(np.sqrt(self.squares.mean(dtype=np.float64) / self.seen)) if self.seen else 0.0


def moments(signal: Float) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """Mean and sum of squared deviations over the first axis."""
    if signal.size > MAX_AT_ONCE:  # some columns at a time, so that their float64 copies stay small
        columns = signal.reshape(len(signal), -1)
        step = max(1, MAX_AT_ONCE // len(signal))
        parts = [moments(columns[:, at : at + step]) for at in range(0, columns.shape[1], step)]
        mean, squares = (np.concatenate(values).reshape(signal.shape[1:]) for values in zip(*parts, strict=True))
        return mean, squares
    mean = signal.mean(axis=0, dtype=np.float64)
    deviation = signal - mean
    return mean, np.einsum("i...,i...->...", deviation, deviation)


class Running:
    """Statistics of one layer over all inputs, from batches.

    Memory: four numbers for each number that the layer puts out for one input, and `QUANTILE_SAMPLE` values.

    Args:
        inputs: how many inputs there will be.
        activation: name of the function that made the signal, for its saturation; None for a gradient.
        dtype: of the numbers that are kept between batches; moments of one batch are always computed in float64.
    """

    def __init__(self, inputs: int, activation: str | None = None, dtype: npt.DTypeLike = np.float64) -> None:
        self.inputs, self.seen, self.dtype = inputs, 0, dtype
        self.low, self.high = SATURATED.get(activation or "", (-np.inf, np.inf))
        self.zeros = self.saturated = 0
        self.infinite = self.broken = False
        self.kept: list[Float] = []

    def add(self, signal: Float) -> None:
        """Take in one batch, shape (n, …, units)."""
        n, shape = len(signal), signal.shape[1:]
        if self.seen == 0:
            self.mean, self.squares = np.zeros((2, *shape), self.dtype)
            self.alive, self.responsive = np.zeros((2, *shape[-1:]), bool)
            # Every so many values of the flattened layer; no divisor in common with a layer's size, so that all
            # units and positions are met.
            self.every = max(1, self.inputs * self.mean.size // QUANTILE_SAMPLE)
            while gcd(self.every, self.mean.size) > 1:
                self.every -= 1
        with np.errstate(over="ignore", invalid="ignore"):  # an exploded signal may hold infinities
            # Moments of two groups from those of each (Chan, Golub, LeVeque 1983): no cancellation, one pass.
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
        """See `Spread.over_inputs`."""
        return float(np.sqrt(self.squares.mean(dtype=np.float64) / self.seen))

    def saturated_units(self) -> int:
        """Units whose every output is saturated."""
        return int(np.sum(~self.responsive))

    def statistics(self) -> dict[str, float]:
        """Describe the layer.

        Returns:
            mean, std, rms over inputs, positions and units; input_std: what of the signal depends on the input, the
            root mean square over positions and units of the standard deviation over inputs (a sigmoid unit stuck at
            0.6 adds to std and says nothing of the input); zero_fraction: share of exact zeros; dead_units: units
            (entries of the last axis) that are 0 on every input, everywhere; saturated_fraction: share at or beyond
            `SATURATED` (0 where the activation has no saturation); q01, q25, …: quantiles of `QUANTILE_SAMPLE` values
            or more, or of all. std, rms and input_std are infinite where an output is, and NaN where one is.
        """
        with np.errstate(over="ignore", invalid="ignore"):
            mean, variance = self.mean.mean(dtype=np.float64), self.squares.mean(dtype=np.float64) / self.seen
            spread = self.mean.var(dtype=np.float64) + variance
            levels = np.quantile(np.concatenate(self.kept), QUANTILES)
        if self.infinite or self.broken:  # not the difference of infinities
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
