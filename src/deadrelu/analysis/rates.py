"""From the tables of `collapse` to the report's small tables: how often, with intervals."""

import numpy as np
import numpy.typing as npt
import pandas as pd

from deadrelu.analysis import published, theory
from deadrelu.analysis.intervals import p_of_bounds, wilson
from deadrelu.engine import criteria
from deadrelu.settings import initializers, targets
from deadrelu.settings.params import Params

TOLERANCES = np.logspace(-8, 0, 81)
CRITERIA = {"interval": "range", "negative": "range_low", "positive": "range_high", "probes": "probe_range"}
"""Where predictions are compared: on the interval, its half-lines, the notebook's five probes; and the column."""

Trials = dict[str, pd.DataFrame]
"""The table of each case, one row per trial."""


def collapse_rates(trials: Trials, params: Params) -> pd.DataFrame:
    """How often each event happened, for each case.

    Args:
        trials: one row per trial, the table of each case.
        params: the settings that made them.

    Returns:
        Columns case, event, trials, count, rate, low, high (95 % Wilson), notebook, lu (published numbers), theory_low,
        theory_high (equal where theory is exact), theory_p (of an exact test of the two). NaN: none. Events: constant
        (within the tolerance on the training inputs), probes_equal (of one input only), dead, born_dead.
    """
    rows = []
    for key, frame in trials.items():
        notebook, lu = published.notebook_rate(params, key), published.lu_rate(params, key)
        happened = {"collapsed": criteria.collapsed(frame["range"].to_numpy(), params.collapse.tolerance)}
        happened |= {
            event: frame[event].to_numpy(bool)
            for event in ("probes_equal", "dead", "born_dead")
            if frame[event].notna().all()
        }
        in_print = {"collapsed": {"notebook": notebook, "lu": lu}, "probes_equal": {"notebook": notebook}}
        for event, of_trial in happened.items():
            known = {"notebook": None, "lu": None, **in_print.get(event, {})}
            counted = rate_of(of_trial)
            bounds = born_dead_bounds(params, key) if event == "born_dead" else None
            if bounds:
                p = p_of_bounds(int(counted["count"]), int(counted["trials"]), *bounds)
                known |= {"theory_low": bounds.low, "theory_high": bounds.high, "theory_p": p}
            rows.append({"case": key, "event": event, **counted, **known})
    beside = ["notebook", "lu", "theory_low", "theory_high", "theory_p"]
    return pd.DataFrame(rows, columns=["case", "event", *COUNTED, *beside]).astype(dict.fromkeys(beside, float))


COUNTED = ("trials", "count", "rate", "low", "high")


def rate_of(happened: npt.NDArray[np.bool_]) -> dict[str, float]:
    """How many trials it happened in, shape (trials,): trials, count, rate, and low and high, 95 % Wilson."""
    count = int(happened.sum())
    return {"trials": len(happened), "count": count, **wilson(count, len(happened))._asdict()}


def born_dead_bounds(params: Params, key: str) -> theory.Bounds | None:
    """What theory says of a case, where its assumptions hold: ReLU, zero biases, weights symmetric and continuous."""
    case, target = params.collapse.cases[key], params.target_of(key)
    if case.activation != "relu" or not all(map(initializers.is_symmetric, case.initializers)):
        return None
    x, _ = _points(params, key)
    if targets.FUNCTIONS[target.function].inputs > 1:
        return theory.born_dead_on_any_inputs(case.widths)
    if x.min() < 0 < x.max():
        return theory.born_dead_on_interval(case.widths)
    on_half_line = theory.born_dead_on_half_line(case.widths)
    return theory.Bounds(on_half_line, on_half_line)


def _points(params: Params, key: str) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.float32]]:
    target = params.target_of(key)
    return targets.sample(target.function, target.low, target.high, target.points, seed=params.seed)


def rate_by_tolerance(trials: Trials) -> pd.DataFrame:
    """Collapse rate of each case by every criterion of `CRITERIA` and under every tolerance of `TOLERANCES`.

    Returns:
        Columns case, criterion, tolerance, trials, count, rate, low, high (95 % Wilson).
    """
    rows = []
    for key, frame in trials.items():
        probes = frame[[f"probe_{k}" for k in range(1, len(criteria.PROBES) + 1)]].to_numpy()
        ranges = {"probe_range": np.ptp(probes, axis=1)} | {name: frame[name].to_numpy() for name in RANGES}
        for criterion, column in CRITERIA.items():
            for tolerance in TOLERANCES:
                found = rate_of(criteria.collapsed(ranges[column], tolerance))
                rows.append({"case": key, "criterion": criterion, "tolerance": tolerance, **found})
    return pd.DataFrame(rows, columns=["case", "criterion", "tolerance", *COUNTED])


RANGES = ("range", "range_low", "range_high")


def half_lines(trials: Trials, tolerance: float) -> pd.DataFrame:
    """How far the notebook's probes, all positive, stand for the whole interval.

    Returns:
        Columns case, trials; probes_only: trials with exactly equal probes that are not constant on the interval;
        positive_only, negative_only: constant within the tolerance on that half-line alone.
    """
    rows = []
    for key, frame in trials.items():
        constant, low, high = (criteria.collapsed(frame[name].to_numpy(), tolerance) for name in RANGES)
        counts = {
            "probes_only": np.sum(frame["probes_equal"] & ~constant),
            "positive_only": np.sum(high & ~low),
            "negative_only": np.sum(low & ~high),
        }
        rows.append({"case": key, "trials": len(frame)} | counts)
    return pd.DataFrame(rows, columns=["case", "trials", "probes_only", "positive_only", "negative_only"])


QUANTILES = (0.05, 0.25, 0.5, 0.75, 0.95)


def collapse_values(trials: Trials, params: Params) -> pd.DataFrame:
    """What collapsed networks predict: those with biases can be another constant than 0.

    Args:
        trials: the cases with biases are used, if their targets have one output.
        params: the settings that made them.

    Returns:
        Columns case, loss, collapsed (networks constant within the tolerance), mean, median (of the targets), and the
        quantiles of the constants: q05, q25, q50, q75, q95.
    """
    rows = []
    for key, frame in trials.items():
        if not learns_constants(params, key):
            continue
        values = frame["prediction_min"][criteria.collapsed(frame["range"].to_numpy(), params.collapse.tolerance)]
        _, y = _points(params, key)
        row = {"case": key, "loss": params.collapse.cases[key].loss, "collapsed": len(values)}
        row |= {"mean": y.mean(dtype=float), "median": float(np.median(y))}
        rows.append(row | {f"q{100 * q:02.0f}": values.quantile(q) for q in QUANTILES})
    names = ["case", "loss", "collapsed", "mean", "median", *(f"q{100 * q:02.0f}" for q in QUANTILES)]
    return pd.DataFrame(rows, columns=names)


def learns_constants(params: Params, key: str) -> bool:
    """Whether a dead network of a case can still learn one number, which may be the mean or the median."""
    return params.collapse.cases[key].biases and targets.FUNCTIONS[params.target_of(key).function].outputs == 1


def loop_numbers(fits: Trials, tolerance: float) -> pd.DataFrame:
    """What the notebook's loop would print: of its fits, the share after which the network is constant.

    Args:
        fits: of each case of refits, columns trial, fit, range, probe_range.
        tolerance: of the second criterion.

    Returns:
        Columns case, criterion, number, loops, total: so many of all loops print this number. Criteria: probes_equal
        (the notebook's criterion), constant (within the tolerance on the training inputs).
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
    return pd.Series(criteria.collapsed(frame["range"].to_numpy(), tolerance), frame.index)
