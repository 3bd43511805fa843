"""Criterion by which a network counts as constant, and the least loss that a constant can have."""

import numpy as np
import numpy.typing as npt

from deadrelu.engine import Target

Bools = npt.NDArray[np.bool_]


def within(ranges: npt.ArrayLike, tolerance: float) -> Bools:
    """Return whether each network's predictions differ by at most `tolerance`, in the shape of `ranges`, bool.

    `ranges` are max - min of predictions; one that is infinite, or NaN (not measured), does not meet the criterion.
    """
    values = np.asarray(ranges, float)
    met: Bools = np.isfinite(values) & (values <= tolerance)
    return met


def best_constant(target: Target, loss: str, seed: int) -> float:
    """Return the least `loss` (a name in Keras) of a constant prediction on the training set that `seed` draws."""
    _, y = target.sample(seed)
    values = y.astype(float)
    if loss == "mean_squared_error":
        return float(values.var(axis=0).mean())
    return float(np.abs(values - np.median(values, axis=0)).mean())
