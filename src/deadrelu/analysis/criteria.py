"""Criteria by which a network counts as constant, and the least loss that a constant can have."""

import numpy as np
import numpy.typing as npt
import pandas as pd

from deadrelu.engine import Target

Bools = npt.NDArray[np.bool_]
Frames = dict[str, pd.DataFrame]  # tables by name, or by the key of a case or variation


def within(ranges: npt.ArrayLike, tolerance: float) -> Bools:
    """Return whether each network's predictions differ by at most `tolerance`, in the shape of `ranges`, bool.

    `ranges` are max - min of predictions; one that is infinite, or NaN (not measured), does not meet the criterion.
    """
    values = np.asarray(ranges, float)
    return np.asarray(np.isfinite(values) & (values <= tolerance))


def events(trials: pd.DataFrame, tolerance: float) -> dict[str, Bools]:
    """Return whether each event happened in each trial of a table, shape (trials,), bool, by the name of the event.

    Events are collapsed_before, collapsed (range at most `tolerance` before and after training) and, if all trials have
    them, probes_equal (equal at all probes after training), born_dead, dead (range 0 before and after training).
    """
    before, after = (within(trials[name], tolerance) for name in ("range_initial", "range"))
    others = ("probes_equal", "born_dead", "dead")
    measured = [name for name in others if name in trials and trials[name].notna().all()]
    happened = {name: trials[name].to_numpy(bool) for name in measured}
    return {"collapsed_before": before, "collapsed": after, **happened}


def best_constant(target: Target, loss: str, seed: int) -> float:
    """Return the least `loss` (a name in Keras) of a constant prediction on the training set that `seed` draws."""
    values = target.sample(seed)[1].astype(float)
    if loss == "mean_squared_error":
        return float(values.var(axis=0).mean())
    return float(np.abs(values - np.median(values, axis=0)).mean())
