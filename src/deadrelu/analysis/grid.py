"""Compute how often networks are dead over depth and width, from the tables of `safe_region`.

A cell is a depth and a width and, where there are several, an initializer; tables have a row for each. rate, low, high
are a share of networks and its 95 % Wilson interval. Theory is NaN for initializers that are not symmetric.
"""

import numpy as np
import pandas as pd

from deadrelu.analysis import criteria, theory
from deadrelu.analysis.intervals import p_of_bounds, with_rates
from deadrelu.engine import initializers
from deadrelu.settings.initializer import Rai, Settings
from deadrelu.settings.params import Params
from deadrelu.settings.stages import MAIN

CELL = ["initializer", "depth", "width"]


def _with_theory(counts: pd.DataFrame, initializer: Settings | Rai) -> pd.DataFrame:
    """Add rate, low, high of `count` among `networks`, and probabilities: positive_theory, theory_low, theory_high."""
    known = initializers.is_symmetric(initializer)
    cells = [[width] * depth for depth, width in zip(counts["depth"], counts["width"], strict=True)]
    rows = [(theory.born_dead_on_half_line(widths), *theory.born_dead_on_interval(widths)) for widths in cells]
    names = ["positive_theory", "theory_low", "theory_high"]
    return with_rates(counts, trials="networks").join(pd.DataFrame(rows if known else np.nan, counts.index, names))


def born_dead_grid(counts: pd.DataFrame, initializer: Settings) -> pd.DataFrame:
    """Count dead untrained networks in each cell, and add their theoretical probabilities.

    `counts` has the columns depth, width, networks, born_dead_high, born_dead (networks dead for x > 0, for every x).
    The result has depth, width, networks; positive_count, positive, positive_low, positive_high (networks dead for
    every x > 0, their share, its interval) with positive_theory (probability) and positive_p (exact test); count, rate,
    low, high (dead for every x) with theory_low, theory_high (bounds) and p.
    """
    cells = counts.rename(columns={"born_dead_high": "positive_count", "born_dead": "count"})
    cells = _with_theory(cells.sort_values(["width", "depth"], ignore_index=True), initializer)
    cells = with_rates(cells, "positive_count", "networks", "positive_").rename(columns={"positive_rate": "positive"})
    n, exact = cells["networks"], cells["positive_theory"]
    cells["positive_p"] = p_of_bounds(cells["positive_count"], n, exact, exact)
    cells["p"] = p_of_bounds(cells["count"], n, cells["theory_low"], cells["theory_high"])
    shares = ["positive_count", "positive", "positive_low", "positive_high", "count", "rate", "low", "high"]
    known = ["positive_theory", "theory_low", "theory_high", "positive_p", "p"]
    return cells[["depth", "width", "networks", *shares, *known]]


def trained_grid(trials: pd.DataFrame, tolerance: float) -> pd.DataFrame:
    """Count the trained networks of each cell whose predictions have a range of at most `tolerance`.

    `trials` has the columns depth, width, born_dead, dead, range_initial, range. The result has depth, width,
    born_dead, dead (shares with a range of exactly 0 before and after training), before (share within the tolerance
    before training); trials, count, rate, low, high (within the tolerance after training).
    """
    before, after = (criteria.within(trials[name], tolerance) for name in ("range_initial", "range"))
    in_cells = trials.assign(before=before, after=after).groupby(["width", "depth"], as_index=False)
    means = {name: (name, "mean") for name in ("born_dead", "dead", "before")}
    cells = in_cells.agg(**means, trials=("after", "size"), count=("after", "sum"))
    return with_rates(cells[["depth", "width", *means, "trials", "count"]])


def cells(born_dead: pd.DataFrame, others: pd.DataFrame, trained: pd.DataFrame, params: Params) -> pd.DataFrame:
    """Count constant networks in each cell of each initializer.

    `born_dead` is the table of `born_dead_grid` for the main initializer; `others` has initializer, depth, width,
    networks, born_dead of the others; `trained` has a row for each trial: initializer, depth, width, range. The result
    has initializer, depth, width; networks, count, rate, low, high (exactly constant before training), theory_low,
    theory_high (bounds); trained (number of trials), trained_count, trained_rate, trained_low, trained_high (constant
    within the tolerance after training), NaN in cells that were not trained.
    """
    parts, counts = [born_dead.assign(initializer=MAIN)], others.rename(columns={"born_dead": "count"})
    for key, other in params.safe_region.other_initializers.items():
        parts.append(_with_theory(counts[counts["initializer"] == key], other.initializer))
    names = [*CELL, "networks", "count", "rate", "low", "high", "theory_low", "theory_high"]
    constant = trained.assign(constant=criteria.within(trained["range"], params.collapse.tolerance))
    in_cells = constant.groupby(CELL, as_index=False)
    after = in_cells.agg(trained=("constant", "size"), trained_count=("constant", "sum"))
    after = with_rates(after, "trained_count", "trained", "trained_")
    return pd.concat(parts, ignore_index=True)[names].merge(after, on=CELL, how="left")
