"""From the tables of `collapse` and `safe_region` to the report's small tables: how often, with intervals."""

import numpy as np
import numpy.typing as npt
import pandas as pd

from deadrelu import collapse, printed, targets, theory
from deadrelu.intervals import wilson
from deadrelu.params import FanScaled, Normal, Params, Rai, Settings, Uniform, VarianceScaling

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
        Columns case, event, trials, count, rate, low, high (95 % Wilson), notebook, lu (numbers in print), theory_low,
        theory_high (equal where theory is exact). NaN: none. Events: constant (within the tolerance on the training
        inputs), probes_equal (of one input only), dead, born_dead.
    """
    rows = []
    for key, frame in trials.items():
        notebook, lu = printed.notebook_rate(params, key), printed.lu_rate(params, key)
        happened = {"constant": collapse.collapsed(frame["range"].to_numpy(), params.collapse.tolerance)}
        happened |= {
            event: frame[event].to_numpy(bool)
            for event in ("probes_equal", "dead", "born_dead")
            if frame[event].notna().all()
        }
        in_print = {"constant": {"notebook": notebook, "lu": lu}, "probes_equal": {"notebook": notebook}}
        for event, of_trial in happened.items():
            known = {"notebook": None, "lu": None, **in_print.get(event, {})}
            bounds = born_dead_bounds(params, key) if event == "born_dead" else None
            known |= {"theory_low": bounds and bounds.low, "theory_high": bounds and bounds.high}
            rows.append({"case": key, "event": event, **_counted(of_trial), **known})
    return pd.DataFrame(rows).astype(dict.fromkeys(["notebook", "lu", "theory_low", "theory_high"], float))


def _counted(happened: npt.NDArray[np.bool_]) -> dict[str, float]:
    count = int(happened.sum())
    return {"trials": len(happened), "count": count, **wilson(count, len(happened))._asdict()}


def born_dead_bounds(params: Params, key: str) -> theory.Bounds | None:
    """What theory says of a case, where its assumptions hold: ReLU, zero biases, weights symmetric and continuous."""
    case, target = params.collapse.cases[key], params.target_of(key)
    if case.activation != "relu" or not is_symmetric(case.initializer) or target.points < 100:
        return None  # few points may all have one sign
    across = target.low < 0 < target.high
    if targets.FUNCTIONS[target.function].inputs > 1:
        return theory.born_dead_on_many_inputs(case.widths) if across else None
    if across:
        return theory.born_dead_on_interval(case.widths)
    on_half_line = theory.born_dead_on_half_line(case.widths)
    return theory.Bounds(on_half_line, on_half_line)


def is_symmetric(initializer: Settings | Rai) -> bool:
    """Whether weights are symmetric about 0, continuous, and independent; biases are then zero."""
    return (
        isinstance(initializer, FanScaled | VarianceScaling)
        or (isinstance(initializer, Normal) and initializer.mean == 0)
        or (isinstance(initializer, Uniform) and initializer.minval == -initializer.maxval)
    )


def rate_by_tolerance(trials: Trials) -> pd.DataFrame:
    """Collapse rate of each case by every criterion of `CRITERIA` and under every tolerance of `TOLERANCES`.

    Returns:
        Columns case, criterion, tolerance, trials, count, rate, low, high (95 % Wilson).
    """
    rows = []
    for key, frame in trials.items():
        probes = frame[[f"probe_{k}" for k in range(1, len(collapse.PROBES) + 1)]].to_numpy()
        ranges = {"probe_range": np.ptp(probes, axis=1)} | {name: frame[name].to_numpy() for name in RANGES}
        for criterion, column in CRITERIA.items():
            for tolerance in TOLERANCES:
                found = _counted(collapse.collapsed(ranges[column], tolerance))
                rows.append({"case": key, "criterion": criterion, "tolerance": tolerance, **found})
    return pd.DataFrame(rows)


RANGES = ("range", "range_low", "range_high")


def half_lines(trials: Trials, tolerance: float) -> pd.DataFrame:
    """How far the notebook's probes, all positive, stand for the whole interval.

    Returns:
        Columns case, trials; probes_only: trials with exactly equal probes that are not constant on the interval;
        positive_only, negative_only: constant within the tolerance on that half-line alone.
    """
    rows = []
    for key, frame in trials.items():
        constant, low, high = (collapse.collapsed(frame[name].to_numpy(), tolerance) for name in RANGES)
        counts = {
            "probes_only": np.sum(frame["probes_equal"] & ~constant),
            "positive_only": np.sum(high & ~low),
            "negative_only": np.sum(low & ~high),
        }
        rows.append({"case": key, "trials": len(frame)} | counts)
    return pd.DataFrame(rows)


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
        case, target = params.collapse.cases[key], params.target_of(key)
        if not case.biases or targets.FUNCTIONS[target.function].outputs > 1:
            continue
        values = frame["prediction_min"][collapse.collapsed(frame["range"].to_numpy(), params.collapse.tolerance)]
        _, y = targets.sample(target.function, target.low, target.high, target.points, seed=params.seed)
        row = {"case": key, "loss": case.loss, "collapsed": len(values)}
        row |= {"mean": y.mean(dtype=float), "median": float(np.median(y))}
        rows.append(row | {f"q{100 * q:02.0f}": values.quantile(q) for q in QUANTILES})
    names = ["case", "loss", "collapsed", "mean", "median", *(f"q{100 * q:02.0f}" for q in QUANTILES)]
    return pd.DataFrame(rows, columns=names)


def loop_numbers(fits: Trials, tolerance: float) -> pd.DataFrame:
    """What the print-out's loop would print: of its fits, the share after which the network is constant.

    Args:
        fits: of each continued case, columns trial, fit, range, probe_range.
        tolerance: of the second criterion.

    Returns:
        Columns case, criterion, number, loops, total: so many of all loops print this number. Criteria: probes_equal
        (as printed), constant (within the tolerance on the training inputs).
    """
    parts = []
    for key, frame in fits.items():
        events = {"probes_equal": frame["probe_range"] == 0, "constant": _constant(frame, tolerance)}
        for criterion, happened in events.items():
            numbers = happened.groupby(frame["trial"]).mean()
            counts = numbers.value_counts().sort_index()
            named = {"case": key, "criterion": criterion, "total": len(numbers)}
            parts.append(pd.DataFrame({"number": counts.index, "loops": counts.to_numpy(), **named}))
    columns = ["case", "criterion", "number", "loops", "total"]
    return pd.concat(parts)[columns] if parts else pd.DataFrame(columns=columns)


def _constant(frame: pd.DataFrame, tolerance: float) -> pd.Series:
    return pd.Series(collapse.collapsed(frame["range"].to_numpy(), tolerance), frame.index)


def born_dead_grid(counts: pd.DataFrame, initializer: Settings) -> pd.DataFrame:
    """Untrained networks over depth and width beside theory.

    Args:
        counts: columns depth, width, networks, born_dead_low, born_dead_high, born_dead.
        initializer: that drew them; without symmetry there is no theory.

    Returns:
        Columns depth, width, networks; positive_count, positive, positive_low, positive_high: dead for every x > 0,
        with its 95 % Wilson interval; count, rate, low, high: for every x; and theory: positive_theory (exact),
        theory_low, theory_high (bounds; equal where exact). NaN: none.
    """
    rows = []
    for row in counts.sort_values(["width", "depth"]).to_dict("records"):
        positive, both = (wilson(row[name], row["networks"]) for name in ("born_dead_high", "born_dead"))
        widths = [row["width"]] * row["depth"]
        known = is_symmetric(initializer)
        bounds = theory.born_dead_on_interval(widths) if known else theory.Bounds(np.nan, np.nan)
        rows.append(
            {
                **{name: row[name] for name in ("depth", "width", "networks")},
                "positive_count": row["born_dead_high"],
                **dict(zip(("positive", "positive_low", "positive_high"), positive, strict=True)),
                "count": row["born_dead"],
                **both._asdict(),
                "positive_theory": theory.born_dead_on_half_line(widths) if known else np.nan,
                "theory_low": bounds.low,
                "theory_high": bounds.high,
            }
        )
    return pd.DataFrame(rows)


def trained_grid(trials: pd.DataFrame, tolerance: float) -> pd.DataFrame:
    """Trained networks over depth and width.

    Args:
        trials: columns depth, width, trial, born_dead, range.
        tolerance: what "constant" means.

    Returns:
        Columns depth, width, born_dead (share before training), trials, count, rate, low, high: constant after it.
    """
    rows = []
    for (width, depth), cell in trials.groupby(["width", "depth"]):
        found = _counted(collapse.collapsed(cell["range"].to_numpy(), tolerance))
        rows.append({"depth": depth, "width": width, "born_dead": cell["born_dead"].mean(), **found})
    return pd.DataFrame(rows)
