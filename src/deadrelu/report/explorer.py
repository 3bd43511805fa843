"""The explorer in the page: choose depth, width and initializer; see how many die, and what a few networks compute."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd

from deadrelu.analysis import theory
from deadrelu.analysis.intervals import wilson
from deadrelu.engine import criteria
from deadrelu.report import labels, page
from deadrelu.settings import initializers, targets
from deadrelu.settings.params import Params

CELL = ["initializer", "depth", "width"]

MOST = 5000
"""Cells that go into a page; more would make it slow to open."""


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
    after = trained.assign(constant=criteria.collapsed(trained["range"].to_numpy(), params.collapse.tolerance))
    rows = []
    for key, of_cell in after.groupby(CELL, sort=False)["constant"]:
        counted = wilson(int(of_cell.sum()), len(of_cell))
        rows.append([*key, len(of_cell), int(of_cell.sum()), *counted])
    learned = pd.DataFrame(
        rows, columns=[*CELL, *(f"trained{name}" for name in ("", "_count", "_rate", "_low", "_high"))]
    )
    return pd.concat(parts, ignore_index=True)[["initializer", *names]].merge(learned, on=CELL, how="left")


def html_of(cells: pd.DataFrame, functions: pd.DataFrame, params: Params) -> str:
    """The explorer as HTML, hidden until its script, `templates/explorer.js`, shows it.

    Args:
        cells: of the function above.
        functions: columns initializer, depth, width, trained, network, x, value.
        params: the settings that made them.
    """
    if len(cells) > MOST:
        return (
            f"<p>An explorer would have {len(cells):,} cells, more than the {MOST:,} that go into a page: "
            "their numbers are in <code>reports/tables/explorer.csv</code>.</p>"
        )
    known = cells[cells["trained"].notna()] if cells["trained"].notna().any() else cells
    start = known.iloc[len(known) // 4]
    sliders = [
        (name, what, cells[name].min(), cells[name].max(), start[name])
        for name, what in (("depth", "Hidden layers"), ("width", "Units in each"))
    ]
    return page.rendered(
        "explorer.html.j2",
        sliders=sliders,
        initializers=list(dict.fromkeys(cells["initializer"])),
        after=f"After {labels.count_of(params.safe_region.trained.epochs, 'epoch')}",
        data=_data(cells, functions, params),
    )


def _data(cells: pd.DataFrame, functions: pd.DataFrame, params: Params) -> dict[str, Any]:
    """What the script reads: of each initializer and cell the counts, theory, and functions as lists of values."""
    grid, target = params.safe_region.trained, params.data.target
    in_order = functions.sort_values([*CELL, "trained", "network", "x"])
    by_cell = dict(iter(in_order.groupby([*CELL, "trained"], sort=False)))
    found = []
    for name, of_name in cells.groupby("initializer", sort=False):
        x = sorted(set(functions["x"][(functions["initializer"] == name) & ~functions["trained"]]))
        own = {}
        for row in of_name.to_dict("records"):
            key = (name, row["depth"], row["width"])
            cell: dict[str, Any] = {"untrained": _counts(row, ("networks", "count", "low", "high"))}
            if pd.notna(row["theory_low"]):
                cell["theory"] = [_short(row["theory_low"], 5), _short(row["theory_high"], 5)]
            cell["functions"] = _drawn(by_cell.get((*key, False)), 0.0)
            if pd.notna(row["trained"]):
                cell["trained"] = _counts(row, ("trained", "trained_count", "trained_low", "trained_high"))
                cell["learned"] = _drawn(by_cell.get((*key, True)), params.collapse.tolerance)
            own[f"{row['depth']},{row['width']}"] = cell
        trained = bool(of_name["trained"].notna().any())
        found.append({"name": name, "x": [_short(value) for value in x], "trained": trained, "cells": own})
    at = np.linspace(target.low, target.high, 61)
    y = targets.FUNCTIONS[target.function].of(at) if targets.FUNCTIONS[target.function].inputs == 1 else at * 0
    after = functions[functions["trained"]]
    return {
        "initializers": found,
        "x": [_short(value) for value in sorted(set(after["x"]))],
        "target": [[_short(value) for value in values] for values in (at, y)],
        "tolerance": params.collapse.tolerance,
        "trained": f"{_or(grid.depths)} layers of {_or(grid.widths)} units",
    }


def _counts(row: Mapping[Any, Any], names: tuple[str, str, str, str]) -> list[float]:
    networks, count, low, high = (row[name] for name in names)
    return [int(networks), int(count), _short(low, 5), _short(high, 5)]


def _drawn(rows: pd.DataFrame | None, tolerance: float) -> dict[str, list[Any]]:
    """Of each network its values in the order of x, and whether they are constant; none that is not finite."""
    if rows is None:
        return {"constant": [], "values": []}
    values = rows["value"].to_numpy(float).reshape(rows["network"].nunique(), -1)
    values = values[np.isfinite(values).all(axis=1)]
    constant = np.ptp(values, axis=1) <= tolerance
    return {"constant": constant.tolist(), "values": [[_short(value) for value in of] for of in values]}


def _short(value: float, digits: int = 3) -> float:
    """Three digits say all that a picture shows; no -0."""
    return float(f"{value:.{digits}g}") + 0.0


def _or(sizes: list[int]) -> str:
    return f"{', '.join(map(str, sizes[:-1]))} or {sizes[-1]}" if len(sizes) > 1 else str(sizes[0])
