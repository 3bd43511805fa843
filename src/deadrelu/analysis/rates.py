"""Compute the report's tables of rates from the trials of the stage `collapse`.

In all functions, `trials` are the tables of cases of `collapse` by their keys, with one row per trial, and `params` are
the settings that made them. A network counts as constant if its predictions have a range of at most `tolerance`. The
columns trials, count, rate, low, high are numbers of trials and of events, their ratio, and its 95 % Wilson interval.
"""

import numpy as np
import pandas as pd

from deadrelu.analysis import criteria, published, theory
from deadrelu.analysis.intervals import p_of_bounds, table_of_rates
from deadrelu.engine import initializers
from deadrelu.settings.params import Params
from deadrelu.stages import experiments

TOLERANCES = np.logspace(-8, 0, 81)
QUANTILES = [0.05, 0.25, 0.5, 0.75, 0.95]
# Columns of ranges, by the inputs over which they are taken: all, x < 0, x > 0, or the notebook's five probes.
PLACES = {"interval": "range", "negative": "range_low", "positive": "range_high", "probes": "probe_range"}


def collapse_rates(trials: criteria.Frames, params: Params) -> pd.DataFrame:
    """Return how often each event of `criteria.events` happened: one row for each case and event.

    The columns are case, event, trials, count, rate, low, high; notebook, lu (published rates), theory_low, theory_high
    (bounds of the probability), theory_p (exact test of the bounds), each of which is NaN where there is none.
    """
    events = {key: criteria.events(frame, params.collapse.tolerance) for key, frame in trials.items()}
    happened = {(key, event): occurred for key in events for event, occurred in events[key].items()}
    table = table_of_rates(happened, ["case", "event"])
    notebook = published.notebook_rates(params, params.collapse.independent)
    table["notebook"] = table["case"].map(notebook).where(table["event"].isin(["collapsed", "probes_equal"]))
    lu = {key: published.lu_rate(params, params.collapse.cases[key]) for key in trials}
    table["lu"] = table["case"].map(lu).where(table["event"] == "collapsed").astype(float)
    bounds = [born_dead_bounds(params, key) if event == "born_dead" else (np.nan, np.nan) for key, event in happened]
    table["theory_low"], table["theory_high"] = low, high = np.array(bounds).T
    return table.assign(theory_p=p_of_bounds(table["count"], table["trials"], low, high))


def born_dead_bounds(params: Params, key: str) -> theory.Bounds:
    """Return bounds of P(dead before training) of a case; NaN without ReLU, zero biases and symmetric weights."""
    case, target = params.collapse.cases[key], experiments.of_case(params, key).target
    if case.activation != "relu" or not all(map(initializers.is_symmetric, case.initializers)):
        return theory.Bounds(np.nan, np.nan)
    if target.inputs > 1:
        return theory.born_dead_on_any_inputs(case.widths)
    x, _ = target.sample(params.seed)
    if x.min() < 0 < x.max():
        return theory.born_dead_on_interval(case.widths)
    on_half_line = theory.born_dead_on_half_line(case.widths)
    return theory.Bounds(on_half_line, on_half_line)


def rate_by_tolerance(trials: criteria.Frames) -> pd.DataFrame:
    """Count constant trials: one row for each case, criterion (key of `PLACES`) and tolerance (of `TOLERANCES`)."""
    happened = {}
    for key, frame in trials.items():
        measured = frame.assign(probe_range=np.ptp(frame.filter(regex=r"^probe_\d$").to_numpy(), axis=1))
        for criterion, column in PLACES.items():
            for tolerance in TOLERANCES:
                happened[key, criterion, tolerance] = criteria.within(measured[column], tolerance)
    return table_of_rates(happened, ["case", "criterion", "tolerance"])


def half_lines(trials: criteria.Frames, tolerance: float) -> pd.DataFrame:
    """Count trials in which the notebook's probes, all positive, do not represent the whole interval.

    There is a row for each case with training inputs on both sides of 0: case, trials; probes_only (networks with equal
    predictions at all probes that are not constant on all inputs), positive_only, negative_only (networks constant for
    x > 0 but not for x < 0, and the other way round).
    """
    rows = []
    for key, frame in trials.items():
        names = ["range", "range_low", "range_high"]
        if frame[names].notna().any().all():  # if not, no training input lies on one side
            constant, low, high = (criteria.within(frame[name], tolerance) for name in names)
            masks = frame["probes_equal"].to_numpy(bool) & ~constant, high & ~low, low & ~high
            rows.append((key, len(frame), *map(np.count_nonzero, masks)))
    return pd.DataFrame(rows, columns=["case", "trials", "probes_only", "positive_only", "negative_only"])


def collapse_values(trials: criteria.Frames, params: Params) -> pd.DataFrame:
    """Return quantiles of the constants that collapsed networks predict; with biases, these can differ from 0.

    There is a row for each case that `learns_constants`: case, loss, collapsed (number of constant networks), mean,
    median (of the target's values), q05, q25, q50, q75, q95 (quantiles of the constants).
    """
    rows = []
    for key in [key for key in trials if learns_constants(params, key)]:
        values = trials[key]["prediction_min"][criteria.within(trials[key]["range"], params.collapse.tolerance)]
        _, y = experiments.of_case(params, key).target.sample(params.seed)
        about = key, params.collapse.cases[key].loss, len(values), y.mean(dtype=float), float(np.median(y))
        rows.append((*about, *values.quantile(QUANTILES)))
    names = ["case", "loss", "collapsed", "mean", "median", *(f"q{100 * q:02.0f}" for q in QUANTILES)]
    return pd.DataFrame(rows, columns=names)


def learns_constants(params: Params, key: str) -> bool:
    """Return whether dead networks of a case can learn a constant: they have biases, one input and one output."""
    return params.collapse.cases[key].biases and params.target_of(key).of_one_input


def loop_numbers(fits: criteria.Frames, tolerance: float) -> pd.DataFrame:
    """Count the notebook's loops by the number that each would print: the share of its fits with a constant network.

    `fits` are the tables of cases of the protocol "refit", one row per fit. There is a row for each case, criterion
    ("probes_equal": equal predictions at all probes, as in the notebook; "collapsed": range at most `tolerance`) and
    number (printed share): loops (number of those that print it), total (number of all).
    """
    rows = []
    for key, frame in fits.items():
        equal, constant = frame["probe_range"] == 0, criteria.within(frame["range"], tolerance)
        events = frame[["trial"]].assign(probes_equal=equal, collapsed=constant)
        for criterion, printed in events.groupby("trial").mean().items():
            counts = printed.value_counts().sort_index()
            rows += [(key, criterion, number, loops, len(printed)) for number, loops in counts.items()]
    return pd.DataFrame(rows, columns=["case", "criterion", "number", "loops", "total"])
