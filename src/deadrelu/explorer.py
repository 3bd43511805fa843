"""The explorer in the page: choose depth, width and initializer; see how many die, and what a few networks compute."""

import html
import json
from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd

from deadrelu import collapse, initializers, theory
from deadrelu.intervals import wilson
from deadrelu.params import Params

CELL = ["initializer", "depth", "width"]


def cells(born_dead: pd.DataFrame, beside: pd.DataFrame, trained: pd.DataFrame, params: Params) -> pd.DataFrame:
    """How many networks are constant, for each initializer, depth and width.

    Args:
        born_dead: `rates.born_dead_grid`, of the diagram's initializer.
        beside: counts of the others: columns initializer, depth, width, networks, born_dead.
        trained: columns initializer, depth, width, trial, range.
        params: the settings that made them.

    Returns:
        Columns initializer, depth, width; networks, count, rate, low, high (95 % Wilson): constant before training;
        theory_low, theory_high (bounds; NaN where there is no theory); trained, trained_count, trained_rate,
        trained_low, trained_high: trials, and those that are constant within the tolerance after it (NaN: not trained).
    """
    own, others = initializers.label(params.safe_region.initializer), params.safe_region.beside.values()
    names = ["depth", "width", "networks", "count", "rate", "low", "high", "theory_low", "theory_high"]
    parts = [born_dead[names].assign(initializer=own)]
    for initializer in (other.initializer for other in others):
        counts = beside[beside["initializer"] == initializers.label(initializer)].rename(columns={"born_dead": "count"})
        found = [wilson(count, n) for count, n in zip(counts["count"], counts["networks"], strict=True)]
        counts = counts.assign(**pd.DataFrame(found, counts.index, ["rate", "low", "high"]))
        if initializers.is_symmetric(initializer):
            bounds = [
                theory.born_dead_on_interval([width] * depth)
                for depth, width in zip(counts["depth"], counts["width"], strict=True)
            ]
            counts = counts.assign(**pd.DataFrame(bounds, counts.index, ["theory_low", "theory_high"]))
        parts.append(counts)
    after = trained.assign(constant=collapse.collapsed(trained["range"].to_numpy(), params.collapse.tolerance))
    rows = []
    for key, of_cell in after.groupby(CELL, sort=False)["constant"]:
        counted = wilson(int(of_cell.sum()), len(of_cell))
        rows.append([*key, len(of_cell), int(of_cell.sum()), *counted])
    learned = pd.DataFrame(
        rows, columns=[*CELL, *(f"trained{name}" for name in ("", "_count", "_rate", "_low", "_high"))]
    )
    return pd.concat(parts, ignore_index=True)[["initializer", *names]].merge(learned, on=CELL, how="left")
