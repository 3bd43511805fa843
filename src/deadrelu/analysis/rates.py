"""Compute the report's tables of rates, with confidence intervals, from the trials of the stage `collapse`."""

import numpy as np
import pandas as pd

from deadrelu.analysis import criteria, published, theory
from deadrelu.analysis.intervals import COUNTED, p_of_bounds, rate_of
from deadrelu.engine import initializers, ranges
from deadrelu.settings.params import Params
from deadrelu.stages import experiments

TOLERANCES = np.logspace(-8, 0, 81)
PLACES = {"interval": "range", "negative": "range_low", "positive": "range_high", "probes": "probe_range"}
"""Columns of ranges, by the inputs over which they are taken: all, x < 0, x > 0, or the notebook's five probes."""

Trials = dict[str, pd.DataFrame]
"""Tables by the key of a case of `collapse`, with one row per trial (in `loop_numbers`, per fit)."""


def collapse_rates(trials: Trials, params: Params) -> pd.DataFrame:
    """Count the trials in which each event happened, for each case.

    Args:
        trials: table of each case, one row per trial.
        params: settings with which `trials` were made.

    Returns:
        One row for each case and event: case, event, trials, count, rate, low, high (95 % Wilson interval); notebook,
        lu (published rates), theory_low, theory_high (bounds of the probability), theory_p (exact test of the bounds),
        or NaN. Events: collapsed_before, collapsed (range at most the tolerance before and after training), born_dead,
        dead (range exactly 0 before and after), probes_equal (equal at all probes after training, for one input only).
    """
    rows = []
    for key, frame in trials.items():
        notebook, lu = published.notebook_rate(params, key), published.lu_rate(params, params.collapse.cases[key])
        tolerance = params.collapse.tolerance
        happened = {
            "collapsed_before": criteria.within(frame["range_initial"], tolerance),
            "collapsed": criteria.within(frame["range"], tolerance),
        }
        for event in ("probes_equal", "born_dead", "dead"):
            if frame[event].notna().all():
                happened[event] = frame[event].to_numpy(bool)
        in_print = {"collapsed": {"notebook": notebook, "lu": lu}, "probes_equal": {"notebook": notebook}}
        for event, occurred in happened.items():
            known = {"notebook": None, "lu": None, **in_print.get(event, {})}
            counted = rate_of(occurred)
            bounds = born_dead_bounds(params, key) if event == "born_dead" else None
            if bounds:
                p = p_of_bounds(int(counted["count"]), int(counted["trials"]), *bounds)
                known |= {"theory_low": bounds.low, "theory_high": bounds.high, "theory_p": p}
            rows.append({"case": key, "event": event, **counted, **known})
    theirs = ["notebook", "lu", "theory_low", "theory_high", "theory_p"]
    return pd.DataFrame(rows, columns=["case", "event", *COUNTED, *theirs]).astype(dict.fromkeys(theirs, float))


def born_dead_bounds(params: Params, key: str) -> theory.Bounds | None:
    """Return bounds of P(dead before training) of a case; None without ReLU, zero biases and symmetric weights."""
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
    """Count constant trials of each case for every criterion of `PLACES` and every tolerance of `TOLERANCES`.

    Returns:
        One row for each case, criterion and tolerance, with trials, count, rate, low, high (95 % Wilson interval).
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
        One row for each case with training inputs on both sides of 0: case, trials; probes_only: networks with equal
        predictions at all probes that are not constant within the tolerance on all inputs; positive_only,
        negative_only: networks constant within the tolerance for x > 0 but not for x < 0, and the other way round.
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
        trials: table of each case, one row per trial.
        params: settings with which `trials` were made.

    Returns:
        One row for each case that `learns_constants`: case, loss, collapsed (number of networks constant within the
        tolerance), mean, median (of the target's values), q05, q25, q50, q75, q95 (quantiles of the constants).
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
    """Return whether dead networks of a case can learn a constant: they have biases, one input and one output."""
    return params.collapse.cases[key].biases and params.target_of(key).of_one_input


def loop_numbers(fits: Trials, tolerance: float) -> pd.DataFrame:
    """Count the notebook's loops by the number that each would print: the share of its fits with a constant network.

    Args:
        fits: table of each case of the protocol "refit", one row per fit: trial, epoch, range, probe_range.
        tolerance: largest range that counts as constant under the criterion "collapsed".

    Returns:
        One row for each case, criterion ("probes_equal": equal predictions at all probes, as in the notebook;
        "collapsed": range at most `tolerance`) and number (printed share): loops (number that print it), total (all).
    """
    parts = []
    for key, frame in fits.items():
        constant = pd.Series(criteria.within(frame["range"].to_numpy(), tolerance), frame.index)
        events = {"probes_equal": frame["probe_range"] == 0, "collapsed": constant}
        for criterion, happened in events.items():
            numbers = happened.groupby(frame["trial"]).mean()
            counts = numbers.value_counts().sort_index()
            named = {"case": key, "criterion": criterion, "total": len(numbers)}
            parts.append(pd.DataFrame({"number": counts.index, "loops": counts.to_numpy(), **named}))
    columns = ["case", "criterion", "number", "loops", "total"]
    return pd.concat(parts)[columns] if parts else pd.DataFrame(columns=columns)
