"""Compute how often networks are dead over depth and width, from the tables of `safe_region`."""

import pandas as pd

from deadrelu.analysis import criteria, theory
from deadrelu.analysis.intervals import COUNTED, p_of_bounds, rate_of, wilson
from deadrelu.engine import initializers
from deadrelu.settings.params import MAIN, Params, Settings

CELL = ["initializer", "depth", "width"]


def born_dead_grid(counts: pd.DataFrame, initializer: Settings) -> pd.DataFrame:
    """Count dead untrained networks for each depth and width, and add their theoretical probabilities.

    Args:
        counts: one row per cell: depth, width, networks; born_dead_low, born_dead_high, born_dead (x < 0, x > 0, all).
        initializer: initializer of the weights; theory covers only symmetric ones.

    Returns:
        One row for each cell: depth, width, networks; positive_count, positive, positive_low, positive_high (networks
        dead for every x > 0, their share, its 95 % Wilson interval) with positive_theory (probability) and positive_p
        (exact test); count, rate, low, high (dead for every x), theory_low, theory_high (bounds), p; theory may be NaN.
    """
    rows = []
    for row in counts.sort_values(["width", "depth"]).to_dict("records"):
        networks, dead, dead_positive = row["networks"], row["born_dead"], row["born_dead_high"]
        columns = {
            **{name: row[name] for name in ("depth", "width", "networks")},
            "positive_count": dead_positive,
            **dict(zip(("positive", "positive_low", "positive_high"), wilson(dead_positive, networks), strict=True)),
            "count": dead,
            **wilson(dead, networks)._asdict(),
        }
        if initializers.is_symmetric(initializer):
            widths = [row["width"]] * row["depth"]
            exact, bounds = theory.born_dead_on_half_line(widths), theory.born_dead_on_interval(widths)
            columns |= {"positive_theory": exact, "theory_low": bounds.low, "theory_high": bounds.high}
            columns |= {"positive_p": p_of_bounds(dead_positive, networks, exact, exact)}
            columns |= {"p": p_of_bounds(dead, networks, *bounds)}
        rows.append(columns)
    known = ["positive_theory", "theory_low", "theory_high", "positive_p", "p"]
    return pd.DataFrame(rows, columns=[*(name for name in rows[0] if name not in known), *known])


def trained_grid(trials: pd.DataFrame, tolerance: float) -> pd.DataFrame:
    """Count constant trained networks for each depth and width.

    Args:
        trials: one row per trial: depth, width, trial, born_dead, dead, range_initial, range.
        tolerance: largest range of predictions that counts as constant.

    Returns:
        One row for each cell: depth, width, born_dead, dead (shares with a range of exactly 0 before and after
        training), before (share constant before training); trials, count, rate, low, high (constant after training).
    """
    rows = []
    for (width, depth), cell in trials.groupby(["width", "depth"]):
        shares = {name: cell[name].mean() for name in ("born_dead", "dead")}
        shares["before"] = criteria.within(cell["range_initial"], tolerance).mean()
        counted = rate_of(criteria.within(cell["range"], tolerance))
        rows.append({"depth": depth, "width": width, **shares, **counted})
    return pd.DataFrame(rows)


def cells(born_dead: pd.DataFrame, others: pd.DataFrame, trained: pd.DataFrame, params: Params) -> pd.DataFrame:
    """Count constant networks for each initializer, depth and width.

    Args:
        born_dead: table from `born_dead_grid` for the main initializer.
        others: counts for other initializers, one row per cell: initializer, depth, width, networks, born_dead.
        trained: trained networks, one row per trial: initializer, depth, width, trial, range.
        params: settings with which these tables were made.

    Returns:
        One row for each cell: initializer, depth, width; networks, count, rate, low, high (exactly constant before
        training, 95 % Wilson interval); theory_low, theory_high (bounds, or NaN); trained (number of trials),
        trained_count, trained_rate, trained_low, trained_high (constant within the tolerance after training, or NaN).
    """
    names = ["depth", "width", "networks", "count", "rate", "low", "high", "theory_low", "theory_high"]
    parts = [born_dead[names].assign(initializer=MAIN)]
    for key, other in params.safe_region.other_initializers.items():
        counts = others[others["initializer"] == key].rename(columns={"born_dead": "count"})
        intervals = [wilson(count, n) for count, n in zip(counts["count"], counts["networks"], strict=True)]
        counts = counts.assign(**pd.DataFrame(intervals, counts.index, ["rate", "low", "high"]))
        if initializers.is_symmetric(other.initializer):
            bounds = [
                theory.born_dead_on_interval([width] * depth)
                for depth, width in zip(counts["depth"], counts["width"], strict=True)
            ]
            counts = counts.assign(**pd.DataFrame(bounds, counts.index, ["theory_low", "theory_high"]))
        parts.append(counts)
    after = trained.assign(constant=criteria.within(trained["range"].to_numpy(), params.collapse.tolerance))
    constant = after.groupby(CELL, sort=False)["constant"]
    rows = [[*at, *rate_of(in_cell.to_numpy()).values()] for at, in_cell in constant]
    learned = pd.DataFrame(rows, columns=[*CELL, "trained", *(f"trained_{name}" for name in COUNTED[1:])])
    return pd.concat(parts, ignore_index=True)[["initializer", *names]].merge(learned, on=CELL, how="left")
