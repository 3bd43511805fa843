"""Statistics of one layer's signal, batch by batch, and what to call what becomes of it from layer to layer."""

from math import gcd
from typing import Literal

import numpy as np
import numpy.typing as npt
from scipy.special import stdtrit  # not scipy.stats, which takes half a second to import

Float = npt.NDArray[np.float32]

QUANTILES = (0.01, 0.25, 0.5, 0.75, 0.99)
KEPT = 50_000
"""Values of a layer that quantiles are taken of, at least: the 1 % quantile is then that of 0.9 to 1.1 %."""

SATURATED = {
    "tanh": (-0.99, 0.99),
    "sigmoid": (0.01, 0.99),
    "hard_sigmoid": (0.0, 1.0),
    "hard_tanh": (-1.0, 1.0),
    "relu6": (-np.inf, 6.0),
}
"""Outputs at or beyond these are saturated: the slope there is under 2 % (tanh), under 1 % (sigmoid), or 0."""


class Running:
    """Statistics of one layer over all inputs, from batches.

    Memory: four numbers for each number that the layer puts out for one input, and `KEPT` values.

    Args:
        inputs: how many inputs there will be.
        activation: name of the function that made the signal, for its saturation; None for a gradient.
    """

    def __init__(self, inputs: int, activation: str | None = None) -> None:
        self.inputs, self.seen = inputs, 0
        self.low, self.high = SATURATED.get(activation or "", (-np.inf, np.inf))
        self.zeros = self.saturated = 0
        self.infinite = self.broken = False
        self.kept: list[Float] = []

    def add(self, signal: Float) -> None:
        """Take in one batch, shape (n, …, units)."""
        n, shape = len(signal), signal.shape[1:]
        if self.seen == 0:
            self.mean, self.squares = np.zeros(shape), np.zeros(shape)
            self.alive = np.zeros(shape[-1:], bool)
            # Every so many values of the flattened layer; no divisor in common with a layer's size, so that all
            # units and positions are met.
            self.every = max(1, self.inputs * self.mean.size // KEPT)
            while gcd(self.every, self.mean.size) > 1:
                self.every -= 1
        with np.errstate(over="ignore", invalid="ignore"):  # an exploded signal may hold infinities
            # Moments of two groups from those of each (Chan, Golub, LeVeque 1983): no cancellation, one pass.
            mean = signal.mean(axis=0, dtype=np.float64)
            deviation = signal - mean
            squares = np.einsum("i...,i...->...", deviation, deviation)
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
            self.saturated += int(np.count_nonzero((signal <= self.low) | (signal >= self.high)))
        self.kept.append(signal.ravel()[-self.seen * self.mean.size % self.every :: self.every].copy())
        self.seen = total

    def statistics(self) -> dict[str, float]:
        """Describe the layer.

        Returns:
            mean, std, rms over inputs, positions and units; input_std: what of the signal depends on the input, the
            root mean square over positions and units of the standard deviation over inputs (a sigmoid unit stuck at
            0.6 adds to std and says nothing of the input); zero_fraction: share of exact zeros; dead_units: units
            (entries of the last axis) that are 0 on every input, everywhere; saturated_fraction: share at or beyond
            `SATURATED` (0 where the activation has no saturation); q01, q25, …: quantiles of `KEPT` values or more, or
            of all. std, rms and input_std are infinite where an output is, and NaN where one is.
        """
        with np.errstate(over="ignore", invalid="ignore"):
            mean, variance = self.mean.mean(), self.squares.mean() / self.seen
            spread = self.mean.var() + variance
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


VANISHES, EXPLODES = 0.8, 1.25
"""A signal vanishes when a layer leaves less than this share of it, and explodes when it leaves more than that: over
ten layers, less than a ninth or more than nine times."""

Verdict = Literal["vanishes", "holds", "explodes", "varies", "not measured"]


def verdict(factor: float, low: float = np.nan, high: float = np.nan) -> Verdict:
    """Name what becomes of a signal that each layer multiplies by `factor`; NaN stands for no second layer.

    Args:
        factor: per layer.
        low: end of its 95 % interval; NaN: there is none, and the factor alone decides.
        high: the other end.

    Returns:
        'vanishes' or 'explodes' beyond the limits, if the interval excludes 1; 'holds' between them, unless the
        interval reaches beyond both; else 'varies': from layer to layer, too much to say.
    """
    if np.isnan(factor):
        return "not measured"
    inside = VANISHES <= factor <= EXPLODES
    if (low < VANISHES and high > EXPLODES) or (not inside and low <= 1 <= high):
        return "varies"
    return "holds" if inside else "vanishes" if factor < 1 else "explodes"


def factor(strength: npt.NDArray[np.float64]) -> tuple[float, float, float]:
    """What one layer does to a signal: the geometric mean of the ratios between neighbours.

    Args:
        strength: of the signal in each layer, in the order in which it passes them, shape (layers,).

    Returns:
        The factor per layer and its 95 % t interval over layers. NaN for fewer than two layers (the interval: three),
        and if a strength is NaN; infinite if one is infinite; 0 if one is 0, where the signal has died out.
    """
    if len(strength) < 2 or np.any(np.isnan(strength)):
        return np.nan, np.nan, np.nan
    if not np.all(np.isfinite(strength)):
        return np.inf, np.nan, np.nan
    if not np.all(strength > 0):
        return 0.0, np.nan, np.nan
    logs = np.diff(np.log(strength))
    mean, n = float(logs.mean()), len(logs)
    half = float(stdtrit(n - 1, 0.975) * logs.std(ddof=1) / np.sqrt(n)) if n > 1 else np.nan
    return float(np.exp(mean)), float(np.exp(mean - half)), float(np.exp(mean + half))
