"""Compute the report's small tables of rates, with intervals, from the tables of `collapse`."""

import numpy as np
import numpy.typing as npt
import pandas as pd

from deadrelu.analysis import criteria, published, theory
from deadrelu.analysis.intervals import p_of_bounds, wilson
from deadrelu.engine import initializers, ranges
from deadrelu.settings.params import Params
from deadrelu.stages import experiments

TOLERANCES = np.logspace(-8, 0, 81)
PLACES = {"interval": "range", "negative": "range_low", "positive": "range_high", "probes": "probe_range"}
"""Places where predictions are compared (interval, half-lines, the notebook's five probes), and their columns."""

Trials = dict[str, pd.DataFrame]
"""The table of each case, one row per trial."""


def collapse_rates(trials: Trials, params: Params) -> pd.DataFrame:
    """Count how often each event happened, for each case.

    Args:
        trials: table of each case, one row per trial.
        params: the settings with which these tables were made.

    Returns:
        Columns case, event, trials, count, rate, low, high (95 % Wilson), notebook, lu (published rates), theory_low,
        theory_high (bounds of the probability), theory_p (exact test against them), NaN where there is none. Events:
        collapsed_before and collapsed (within the tolerance on the training inputs, before and after training),
        probes_equal (after training, for one input only), born_dead and dead (range exactly 0, before and after).
    """
    rows = []
    for key, frame in trials.items():
        notebook, lu = published.notebook_rate(params, key), published.lu_rate(params, params.collapse.cases[key])
        tolerance = params.collapse.tolerance
        happened = {
            "collapsed_before": criteria.within(frame["range_initial"], tolerance),
            "collapsed": criteria.within(frame["range"], tolerance),
        }
        happened |= {
            event: frame[event].to_numpy(bool)
            for event in ("probes_equal", "born_dead", "dead")
            if frame[event].notna().all()
        }
        in_print = {"collapsed": {"notebook": notebook, "lu": lu}, "probes_equal": {"notebook": notebook}}
        for event, occurred in happened.items():
            known = {"notebook": None, "lu": None, **in_print.get(event, {})}
            counted = rate_of(occurred)
            bounds = born_dead_bounds(params, key) if event == "born_dead" else None
            if bounds:
                p = p_of_bounds(int(counted["count"]), int(counted["trials"]), *bounds)
                known |= {"theory_low": bounds.low, "theory_high": bounds.high, "theory_p": p}
            rows.append({"case": key, "event": event, **counted, **known})
    beside = ["notebook", "lu", "theory_low", "theory_high", "theory_p"]
    return pd.DataFrame(rows, columns=["case", "event", *COUNTED, *beside]).astype(dict.fromkeys(beside, float))


COUNTED = ("trials", "count", "rate", "low", "high")


def rate_of(happened: npt.NDArray[np.bool_]) -> dict[str, float]:
    """Return trials, count, rate, low and high (95 % Wilson) of an event; `happened` has shape (trials,)."""
    count = int(happened.sum())
    return {"trials": len(happened), "count": count, **wilson(count, len(happened))._asdict()}


def born_dead_bounds(params: Params, key: str) -> theory.Bounds | None:
    """Return theory's bounds for a case where its assumptions hold: ReLU, zero biases, symmetric continuous weights."""
    case = params.collapse.cases[key]
    if case.activation != "relu" or not all(map(initializers.is_symmetric, case.initializers)):
        return None
    target = experiments.of_case(params, key).target
    if target.inputs > 1:
        return theory.born_dead_on_any_inputs(case.widths)
    x, _ = target.sample(params.seed)
    if x.min() < 0 < x.max():
        return theory.born_dead_on_interval(case.widths)
    on_half_line = theory.born_dead_on_half_line(case.widths)
    return theory.Bounds(on_half_line, on_half_line)


def rate_by_tolerance(trials: Trials) -> pd.DataFrame:
    """Return the collapse rate of each case for every place of `PLACES` and every tolerance of `TOLERANCES`.

    Returns:
        Columns case, criterion, tolerance, trials, count, rate, low, high (95 % Wilson).
    """
    rows = []
    for key, frame in trials.items():
        probes = frame[[f"probe_{k}" for k in range(1, len(ranges.PROBES) + 1)]].to_numpy()
        measured = {"probe_range": np.ptp(probes, axis=1)} | {name: frame[name].to_numpy() for name in RANGES}
        for criterion, column in PLACES.items():
            for tolerance in TOLERANCES:
                counted = rate_of(criteria.within(measured[column], tolerance))
                rows.append({"case": key, "criterion": criterion, "tolerance": tolerance, **counted})
    return pd.DataFrame(rows, columns=["case", "criterion", "tolerance", *COUNTED])


RANGES = ("range", "range_low", "range_high")


def half_lines(trials: Trials, tolerance: float) -> pd.DataFrame:
    """Count trials in which the notebook's probes, all positive, do not represent the whole interval.

    Returns:
        Columns case, trials; probes_only: trials with equal predictions at all probes, but not on the interval;
        positive_only, negative_only: constant within the tolerance on that half-line alone. No row for a case without
        training inputs on both sides of 0.
    """
    rows = []
    for key, frame in trials.items():
        if frame[["range_low", "range_high"]].isna().all().any():
            continue
        constant, low, high = (criteria.within(frame[name].to_numpy(), tolerance) for name in RANGES)
        counts = {
            "probes_only": np.sum(frame["probes_equal"] & ~constant),
            "positive_only": np.sum(high & ~low),
            "negative_only": np.sum(low & ~high),
        }
        rows.append({"case": key, "trials": len(frame)} | counts)
    return pd.DataFrame(rows, columns=["case", "trials", "probes_only", "positive_only", "negative_only"])


QUANTILES = (0.05, 0.25, 0.5, 0.75, 0.95)


def collapse_values(trials: Trials, params: Params) -> pd.DataFrame:
    """Return quantiles of the constants that collapsed networks predict; with biases, these can differ from 0.

    Args:
        trials: table of each case; only cases with biases and with targets of one output are used.
        params: the settings with which these tables were made.

    Returns:
        Columns case, loss, collapsed (networks constant within the tolerance), mean, median (of the targets), and the
        quantiles of the constants: q05, q25, q50, q75, q95.
    """
    rows = []
    for key, frame in trials.items():
        if not learns_constants(params, key):
            continue
        values = frame["prediction_min"][criteria.within(frame["range"].to_numpy(), params.collapse.tolerance)]
        _, y = experiments.of_case(params, key).target.sample(params.seed)
        row = {"case": key, "loss": params.collapse.cases[key].loss, "collapsed": len(values)}
        row |= {"mean": y.mean(dtype=float), "median": float(np.median(y))}
        rows.append(row | {f"q{100 * q:02.0f}": values.quantile(q) for q in QUANTILES})
    names = ["case", "loss", "collapsed", "mean", "median", *(f"q{100 * q:02.0f}" for q in QUANTILES)]
    return pd.DataFrame(rows, columns=names)


def learns_constants(params: Params, key: str) -> bool:
    """Return whether a dead network of a case can still learn one number, which may be the mean or the median."""
    return params.collapse.cases[key].biases and params.target_of(key).of_one_input


def loop_numbers(fits: Trials, tolerance: float) -> pd.DataFrame:
    """Count the notebook's loops by the number that each would print: the share of its fits with a constant network.

    Args:
        fits: table of each case of refits, one row per fit, with columns trial, epoch, range, probe_range.
        tolerance: largest range that counts as constant under the criterion "collapsed".

    Returns:
        Columns case, criterion ("probes_equal": the notebook's; "collapsed": range on the training inputs is at most
        `tolerance`), number (a printed share), loops (number of loops that print it), total (number of all loops).
    """
    parts = []
    for key, frame in fits.items():
        events = {"probes_equal": frame["probe_range"] == 0, "collapsed": _constant(frame, tolerance)}
        for criterion, happened in events.items():
            numbers = happened.groupby(frame["trial"]).mean()
            counts = numbers.value_counts().sort_index()
            named = {"case": key, "criterion": criterion, "total": len(numbers)}
            parts.append(pd.DataFrame({"number": counts.index, "loops": counts.to_numpy(), **named}))
    columns = ["case", "criterion", "number", "loops", "total"]
    return pd.concat(parts)[columns] if parts else pd.DataFrame(columns=columns)


def _constant(frame: pd.DataFrame, tolerance: float) -> pd.Series:
    return pd.Series(criteria.within(frame["range"].to_numpy(), tolerance), frame.index)
