"""Measure how published rates depend on settings: variations of a case, and interpretations of Lu et al."""

from itertools import takewhile

import numpy as np
import pandas as pd

from deadrelu.analysis import criteria, published
from deadrelu.analysis.intervals import COUNTED, fisher_exact, holm, independent_difference, paired_difference, rate_of
from deadrelu.engine import Network
from deadrelu.settings.params import CollapseCase, FanScaled, Params, Rai, Variation
from deadrelu.stages import experiments

ALPHA = 0.05
"""Familywise level of each set of tests."""

TOLERANCES = (0.0, 1e-6, 1e-5, 1e-4, 1e-3, 1e-2, 1e-1)
NO_BETTER = 0.99
"""Multiple of the best constant's loss from which on a loss counts as no better than that of the constant."""

Frames = dict[str, pd.DataFrame]


def variations(trials: Frames, varied: Frames, params: Params) -> pd.DataFrame:
    """Compare each variation with its case, trial by trial if both share initial layers.

    Args:
        trials: table of each case of `collapse`, one row per trial.
        varied: table of each key of `sensitivity`, with the columns of `trials` and the column variation.
        params: settings with which these tables were made.

    Returns:
        One row for each table and variation ("": the case): trials; born_dead, dead (shares with range exactly 0 before
        and after training); count, rate, low, high (constant after training); shared_layers, layers (number of all),
        pairs_differ (trials with another result, if paired); difference, difference_low, difference_high, p, differs
        (significant by Holm's method); published, published_p, z (difference from `published` in standard errors).
    """
    parts = []
    for key, table in params.sensitivity.items():
        rows = [_row(key, "", trials[table.of], params, params.collapse.cases[table.of])]
        by_name = dict(iter(varied[key].groupby("variation", sort=False)))
        for name, case in table.variations.items():
            row = _row(key, name, by_name[name], params, case)
            rows.append(row | _difference(params, key, name, trials[table.of], by_name[name]))
        frame = pd.DataFrame(rows)
        frame["published"] = frame["published"].fillna(frame["published"].iloc[0])
        tested = frame["p"].notna()
        frame["differs"] = False
        frame.loc[tested, "differs"] = holm(frame["p"][tested].to_numpy(float), ALPHA)
        parts.append(frame)
    compared = pd.concat(parts, ignore_index=True) if parts else pd.DataFrame(columns=COLUMNS)
    return _with_published(compared)[COLUMNS]


COLUMNS = [
    *("table", "variation", "trials", "born_dead", "dead", *COUNTED[1:], "shared_layers", "layers", "pairs_differ"),
    *("difference", "difference_low", "difference_high", "p", "differs", "published", "published_p", "z"),
]
Row = dict[str, object]


def _row(table: str, name: str, frame: pd.DataFrame, params: Params, case: CollapseCase | Variation) -> Row:
    constant = criteria.within(frame["range"], params.collapse.tolerance)
    row: Row = {"table": table, "variation": name, **rate_of(constant), "published": published.lu_rate(params, case)}
    row |= {"born_dead": frame["born_dead"].mean(), "dead": frame["dead"].mean()}
    return row | dict.fromkeys(("shared_layers", "layers", "pairs_differ", "difference", "p"), np.nan)


def shared_layers(case: Network, variation: Network) -> int:
    """Return the number of layers, from the first on, whose initial kernels are equal in trial k of both networks.

    Layers are drawn one after the other from one stream, so they are equal up to the first one with another shape or
    initializer. The samples of trials are independent only if they share no layer.
    """
    pairs = zip(case.layers, variation.layers, strict=False)
    return len(list(takewhile(lambda pair: pair[0] == pair[1], pairs)))


def _difference(params: Params, key: str, name: str, base: pd.DataFrame, varied: pd.DataFrame) -> Row:
    case = experiments.of_case(params, params.sensitivity[key].of)
    before, after = (criteria.within(frame["range"], params.collapse.tolerance) for frame in (base, varied))
    varied_network = experiments.of_variations(params, key)[name].network
    shared = shared_layers(case.network, varied_network)
    if shared:
        n = min(len(before), len(after))
        before, after = before[:n], after[:n]
    difference = (paired_difference if shared else independent_difference)(before, after)
    row: Row = {"shared_layers": shared, "layers": len(varied_network.layers)}
    row |= {"pairs_differ": int((before != after).sum()) if shared else None}
    row |= {"difference": difference.difference, "difference_low": difference.low, "difference_high": difference.high}
    return row | {"p": difference.p}


def _with_published(table: pd.DataFrame) -> pd.DataFrame:
    """Add published_p (Fisher's exact test against the column published) and z (difference in standard errors)."""
    n, other = table["trials"].astype(float), published.TRIALS
    in_print = pd.to_numeric(table["published"]).astype(float)
    pooled = (table["count"] + in_print * other) / (n + other)
    error = np.sqrt((pooled * (1 - pooled) * (1 / n + 1 / other)).astype(float))
    p = np.full(len(table), np.nan)
    known = in_print.notna().to_numpy()
    if known.any():
        count, trials = (table[name][known].to_numpy(np.int64) for name in ("count", "trials"))
        theirs = np.rint(in_print[known].to_numpy() * other).astype(np.int64)
        p[known] = fisher_exact(count, trials, theirs, np.full(len(count), other))
    return table.assign(published=in_print, published_p=p, z=(table["rate"] - in_print) / error)


ROWS = (("x_sin_5x", "he"), ("x_sin_5x", "rai"), ("step_sin_5x", "he"), ("step_sin_5x", "rai"))
"""Function and initializer of each rate in Lu et al. that is a number for one input."""


def readings(trials: Frames, varied: Frames, params: Params) -> pd.DataFrame:
    """Compare the four rates of `ROWS`, published by Lu et al., with ours under each interpretation of the paper.

    An interpretation is an initializer of RAI's first layer and at most one variation that all of `ROWS` were run with.

    Returns:
        One row for each interpretation: first ("rai" or "he": initializer of RAI's first layer), variation ("": none);
        x_sin_5x_he, x_sin_5x_rai, step_sin_5x_he, step_sin_5x_rai (our rates) and, with suffix _z, their differences
        from published ones in standard errors; p (4 times the least p of Fisher's tests), consistent (p >= `ALPHA`).
    """
    in_print = {key: case for key, case in params.collapse.cases.items() if published.lu_rate(params, case) is not None}
    measured: list[tuple[str, CollapseCase | Variation, pd.DataFrame]]
    measured = [("", case, trials[key]) for key, case in in_print.items()]
    for key, table in params.sensitivity.items():
        by_name = dict(iter(varied[key].groupby("variation", sort=False)))
        measured += [(name, case, by_name[name]) for name, case in table.variations.items() if table.of in in_print]
    cells: dict[tuple[str, str], dict[tuple[str, str], pd.DataFrame]] = {}
    for name, case, frame in measured:
        rai = isinstance(case.initializer, Rai)
        row = (params.target(case).function, "rai" if rai else "he")
        firsts = ["he" if case.first_initializer == FanScaled(name="he_normal") else "rai"] if rai else ["rai", "he"]
        for first in firsts:
            cells.setdefault((first, name), {})[row] = frame
    rows = []
    for (first, name), frames in cells.items():
        if not set(ROWS) <= frames.keys():
            continue
        constant = [criteria.within(frames[row]["range"], params.collapse.tolerance) for row in ROWS]
        counted = {"count": [int(trials.sum()) for trials in constant], "trials": [len(trials) for trials in constant]}
        frame = pd.DataFrame({**counted, "published": [published.LU[row] for row in ROWS]})
        frame = _with_published(frame.assign(rate=frame["count"] / frame["trials"]))
        columns: dict[str, object] = {"first": first, "variation": name}
        for (function, initializer), rates in zip(ROWS, frame.to_dict("records"), strict=True):
            columns |= {f"{function}_{initializer}": rates["rate"], f"{function}_{initializer}_z": rates["z"]}
        p = min(1.0, len(ROWS) * float(frame["published_p"].min()))
        rows.append({**columns, "p": p, "consistent": p >= ALPHA})
    names = [f"{function}_{initializer}{end}" for function, initializer in ROWS for end in ("", "_z")]
    return pd.DataFrame(rows, columns=["first", "variation", *names, "p", "consistent"])


def by_criterion(trials: Frames, params: Params) -> pd.DataFrame:
    """Count constant trials under several criteria, for the case that the first table of `sensitivity` varies.

    Returns:
        One row for each criterion ("range" <= limit, or "loss" >= limit times that of the best constant) and limit:
        case, count, trials, rate, low, high, published (rate), published_p and z (comparison, as in `variations`).
    """
    rows = []
    for table in list(params.sensitivity.values())[:1]:
        frame, experiment = trials[table.of], experiments.of_case(params, table.of)
        met = [("range", limit, criteria.within(frame["range"], limit)) for limit in TOLERANCES]
        best = criteria.best_constant(experiment.target, experiment.training.loss, params.seed)
        met.append(("loss", NO_BETTER, (frame["loss_final"] >= NO_BETTER * best).to_numpy()))
        for criterion, limit, happened in met:
            row = {"case": table.of, "criterion": criterion, "limit": limit, **rate_of(happened)}
            rows.append(row | {"published": published.lu_rate(params, params.collapse.cases[table.of])})
    names = ["case", "criterion", "limit", "count", "trials", "rate", "low", "high", "published"]
    return _with_published(pd.DataFrame(rows, columns=names))
