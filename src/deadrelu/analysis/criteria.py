"""When a network counts as constant, and what the best constant costs. One tolerance rules the report."""

import numpy as np
import numpy.typing as npt

from deadrelu.engine import Target

Bools = npt.NDArray[np.bool_]


def within(ranges: npt.ArrayLike, tolerance: float) -> Bools:
    """Return which networks' predictions differ by at most `tolerance`.

    A range that is not finite is no constant; one that is missing (NaN) was not measured, and counts as none.
    """
    values = np.asarray(ranges, float)
    found: Bools = np.isfinite(values) & (values <= tolerance)
    return found


def best_constant(target: Target, loss: str, seed: int) -> float:
    """Return the least loss of a network that predicts the same for every point of the training set."""
    _, y = target.sample(seed)
    values = y.astype(float)
    if loss == "mean_squared_error":
        return float(values.var(axis=0).mean())
    return float(np.abs(values - np.median(values, axis=0)).mean())
