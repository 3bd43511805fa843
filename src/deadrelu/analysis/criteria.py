"""Criteria of a constant network, and the least loss of a constant; the whole report uses one tolerance."""

import numpy as np
import numpy.typing as npt

from deadrelu.engine import Target

Bools = npt.NDArray[np.bool_]


def within(ranges: npt.ArrayLike, tolerance: float) -> Bools:
    """Return which networks' predictions differ by at most `tolerance`, in the shape of `ranges`.

    A range that is not finite does not meet the criterion, and neither does one that was not measured (NaN).
    """
    values = np.asarray(ranges, float)
    met: Bools = np.isfinite(values) & (values <= tolerance)
    return met


def best_constant(target: Target, loss: str, seed: int) -> float:
    """Return the least loss of a network that predicts the same value for every point of the training set."""
    _, y = target.sample(seed)
    values = y.astype(float)
    if loss == "mean_squared_error":
        return float(values.var(axis=0).mean())
    return float(np.abs(values - np.median(values, axis=0)).mean())
