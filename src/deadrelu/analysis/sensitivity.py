"""Measure how published rates depend on settings: variations of a case, and interpretations of Lu et al.

`trials` are the tables of cases of `collapse` by their keys, with one row per trial, `varied` those of `sensitivity`,
which have the column variation, too, and `params` the settings that made them. In the columns published, published_p
and z are a rate in print, p of Fisher's test that ours is the same, and the distance of ours in standard errors.
"""

import numpy as np
import pandas as pd

from deadrelu.analysis import criteria, published
from deadrelu.analysis.criteria import Bools, Frames
from deadrelu.analysis.intervals import fisher_exact, holm, independent_difference, paired_difference, table_of_rates
from deadrelu.engine import Network
from deadrelu.settings.params import Params
from deadrelu.settings.stages import CollapseCase, Variation
from deadrelu.stages import experiments

ALPHA = 0.05  # familywise level of each set of tests
TOLERANCES = (0.0, 1e-6, 1e-5, 1e-4, 1e-3, 1e-2, 1e-1)
NO_BETTER = 0.99  # multiple of the best constant's loss from which on a loss counts as no better than that
ROWS = [row for row in published.LU if row[0] != "abs_sum_abs_difference"]  # of the rates for one input
RATES = ["table", "variation", "trials", "born_dead", "dead", "count", "rate", "low", "high"]
COMPARED = ["shared_layers", "layers", "pairs_differ", "difference", "difference_low", "difference_high", "p"]
COLUMNS = [*RATES, *COMPARED, "differs", "published", "published_p", "z"]


def variations(trials: Frames, varied: Frames, params: Params) -> pd.DataFrame:
    """Compare each variation with its case, trial by trial if both share initial layers.

    There is a row for each table and variation ("": the case): trials; born_dead, dead (shares with range exactly 0
    before and after training); count, rate, low, high (constant after training); shared_layers, layers (number of all),
    pairs_differ (trials with another result, if paired); difference, difference_low, difference_high, p, differs
    (significant by Holm's method); published, published_p, z.
    """
    parts = []
    for key, table in params.sensitivity.items():
        cases: dict[str, CollapseCase | Variation] = {"": params.collapse.cases[table.of], **table.variations}
        frames = {"": trials[table.of], **dict(iter(varied[key].groupby("variation")))}
        constant = {(key, name): criteria.within(frames[name]["range"], params.collapse.tolerance) for name in cases}
        part = table_of_rates(constant, ["table", "variation"])
        part[["born_dead", "dead"]] = [frames[name][["born_dead", "dead"]].mean().tolist() for name in cases]
        in_print = pd.Series([published.lu_rate(params, case) for case in cases.values()], dtype=float)
        part["published"] = in_print.fillna(in_print[0])
        networks = {name: variation.network for name, variation in experiments.of_variations(params, key).items()}
        base = experiments.of_case(params, table.of).network, constant[key, ""]
        compared = [_compare(*base, network, constant[key, name]) for name, network in networks.items()]
        part = part.join(pd.DataFrame(compared, range(1, len(part)), COMPARED))
        parts.append(part.assign(differs=[False, *holm(part["p"][1:].to_numpy(), ALPHA)]))
    compared_all = pd.concat(parts, ignore_index=True) if parts else pd.DataFrame(columns=COLUMNS)
    return _with_published(compared_all)[COLUMNS]


def shared_layers(case: Network, variation: Network) -> int:
    """Return the number of layers, from the first on, whose initial kernels are equal in trial k of both networks.

    Layers are drawn one after the other from one stream, so they are equal up to the first one with another shape or
    initializer. The samples of trials are independent only if they share no layer.
    """
    same = [pair == other for pair, other in zip(case.layers, variation.layers, strict=False)]
    return [*same, False].index(False)


def _compare(case: Network, before: Bools, variation: Network, after: Bools) -> tuple[float, ...]:
    """Return the numbers `COMPARED` from whether networks of a case, (n,), and of a variation, (m,), are constant."""
    shared, layers = shared_layers(case, variation), len(variation.layers)
    if not shared:
        return shared, layers, np.nan, *independent_difference(before, after)
    n = min(len(before), len(after))
    return shared, layers, int((before[:n] != after[:n]).sum()), *paired_difference(before[:n], after[:n])


def _with_published(table: pd.DataFrame) -> pd.DataFrame:
    """Add published_p (Fisher's exact test against the column published) and z (difference in standard errors)."""
    n, theirs, rate = table["trials"].astype(float), published.TRIALS, table["published"].astype(float)
    pooled = (table["count"].astype(float) + rate * theirs) / (n + theirs)
    error = np.sqrt(pooled * (1 - pooled) * (1 / n + 1 / theirs))
    p = fisher_exact(table["count"], n, np.rint(rate * theirs), theirs)
    return table.assign(published=rate, published_p=p, z=(table["rate"] - rate) / error)


def readings(trials: Frames, varied: Frames, params: Params) -> pd.DataFrame:
    """Compare the four rates of `ROWS`, published by Lu et al., with ours under each interpretation of the paper.

    An interpretation is an initializer of RAI's first layer and at most one variation that all of `ROWS` were run with.
    There is a row for each: first ("rai" or "he": initializer of RAI's first layer), variation ("": none); x_sin_5x_he,
    x_sin_5x_rai, step_sin_5x_he, step_sin_5x_rai (our rates) and, with suffix _z, z of each; p (4 times the least p of
    Fisher's tests), consistent (p >= `ALPHA`).
    """
    in_print = {key: case for key, case in params.collapse.cases.items() if published.lu_rate(params, case)}
    measured: list[tuple[str, CollapseCase | Variation, pd.DataFrame]]
    measured = [("", case, trials[key]) for key, case in in_print.items()]
    for key, table in params.sensitivity.items():
        by_name = dict(iter(varied[key].groupby("variation")))
        measured += [(name, case, by_name[name]) for name, case in table.variations.items() if table.of in in_print]
    happened = {}
    for name, case, frame in measured:
        row = published.lu_row(params, case)
        firsts = ["he" if case.first_initializer == published.HE else "rai"] if row[1] == "rai" else ["rai", "he"]
        for first in firsts:
            happened[first, name, *row] = criteria.within(frame["range"], params.collapse.tolerance)
    counts = table_of_rates(happened, ["first", "variation", "function", "initializer"])
    counts = _with_published(counts.assign(published=[published.LU.get(key[2:], np.nan) for key in happened]))
    rows = []
    for interpretation, group in counts.groupby(["first", "variation"], sort=False):
        rates = group.set_index(["function", "initializer"]).reindex(ROWS)
        if rates["count"].notna().all():
            p = min(1.0, len(ROWS) * rates["published_p"].min())
            rows.append((*interpretation, *rates[["rate", "z"]].to_numpy().ravel(), p, p >= ALPHA))
    names = [f"{'_'.join(row)}{end}" for row in ROWS for end in ("", "_z")]
    return pd.DataFrame(rows, columns=["first", "variation", *names, "p", "consistent"])


def by_criterion(trials: Frames, params: Params) -> pd.DataFrame:
    """Count constant trials by several criteria, for the case that the first table of `sensitivity` varies.

    There is a row for each criterion ("range" <= limit, or "loss" >= limit times that of the best constant) and limit:
    case, count, trials, rate, low, high, published, published_p, z.
    """
    happened, in_print = {}, None
    for key in [table.of for table in params.sensitivity.values()][:1]:
        experiment, frame = experiments.of_case(params, key), trials[key]
        in_print = published.lu_rate(params, params.collapse.cases[key])
        happened = {(key, "range", limit): criteria.within(frame["range"], limit) for limit in TOLERANCES}
        best = criteria.best_constant(experiment.target, experiment.training.loss, params.seed)
        happened[key, "loss", NO_BETTER] = (frame["loss_final"] >= NO_BETTER * best).to_numpy()
    rates = table_of_rates(happened, ["case", "criterion", "limit"]).assign(published=in_print)
    rates.insert(3, "count", rates.pop("count"))  # before the column trials
    return _with_published(rates)
