"""Build the page's explorer of shares of dead networks, and functions of some, by depth, width and initializer."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd

from deadrelu.analysis.grid import CELL
from deadrelu.functions import FUNCTIONS
from deadrelu.report import labels, page
from deadrelu.settings.params import Params

EVERY = 3
"""The explorer draws each trained network at every `EVERY`-th of its saved points."""

MAX_CELLS = 5000
"""Largest number of cells (a depth, width and initializer) in a page; a page with more would be slow to open."""


def html_of(cells: pd.DataFrame, functions: pd.DataFrame, params: Params) -> str:
    """Return HTML of the explorer, hidden until `templates/explorer.js` shows it, or a note if it has too many cells.

    Args:
        cells: table from `grid.cells`.
        functions: one row for each point of a network: initializer, depth, width, trained, network, x, value.
        params: settings with which both tables were made.
    """
    if len(cells) > MAX_CELLS:
        return (
            f"<p>An explorer would have {len(cells):,} cells, more than the {MAX_CELLS:,} that go into a page: "
            "their numbers are in <code>reports/tables/explorer.csv</code>.</p>"
        )
    names = labels.grid_initializers(params)
    known = cells[cells["trained"].notna()] if cells["trained"].notna().any() else cells
    start = known.iloc[len(known) // 4]
    sliders = [
        (name, what, cells[name].min(), cells[name].max(), start[name])
        for name, what in (("depth", "Hidden layers"), ("width", "Units in each"))
    ]
    return page.rendered(
        "explorer.html.j2",
        sliders=sliders,
        initializers=[names[key] for key in dict.fromkeys(cells["initializer"])],
        after=f"After {labels.count_of(params.grid_epochs, 'epoch')}",
        data=_data(cells, functions, params),
    )


def _data(cells: pd.DataFrame, functions: pd.DataFrame, params: Params) -> dict[str, Any]:
    """Return data for `explorer.js`: by initializer and cell, counts, theory's bounds, functions; and the target."""
    grid, target = params.safe_region.trained, params.target_of_grid
    shown = sorted(set(functions["x"][functions["trained"]]))[::EVERY]
    functions = functions[~functions["trained"] | functions["x"].isin(shown)]
    in_order = functions.sort_values([*CELL, "trained", "network", "x"])
    by_cell = dict(iter(in_order.groupby([*CELL, "trained"], sort=False)))
    initializers = []
    for name, initializer_cells in cells.groupby("initializer", sort=False):
        x = sorted(set(functions["x"][(functions["initializer"] == name) & ~functions["trained"]]))
        own = {}
        for row in initializer_cells.to_dict("records"):
            key = (name, row["depth"], row["width"])
            cell: dict[str, Any] = {"untrained": _counts(row, ("networks", "count", "low", "high"))}
            if pd.notna(row["theory_low"]):
                cell["theory"] = [_short(row["theory_low"], 5), _short(row["theory_high"], 5)]
            cell["functions"] = _drawn(by_cell.get((*key, False)), 0.0)
            if pd.notna(row["trained"]):
                cell["trained"] = _counts(row, ("trained", "trained_count", "trained_low", "trained_high"))
                cell["learned"] = _drawn(by_cell.get((*key, True)), params.collapse.tolerance)
            own[f"{row['depth']},{row['width']}"] = cell
        trained = bool(initializer_cells["trained"].notna().any())
        initializers.append({"x": [_short(value) for value in x], "trained": trained, "cells": own})
    at = np.linspace(target.low, target.high, 61)
    y = FUNCTIONS[target.function].compute(at)
    after = functions[functions["trained"]]
    return {
        "initializers": initializers,
        "x": [_short(value) for value in sorted(set(after["x"]))],
        "target": [[_short(value) for value in values] for values in (at, y)],
        "tolerance": params.collapse.tolerance,
        "trained": f"{_or(grid.depths)} layers of {_or(grid.widths)} units",
    }


def _counts(row: Mapping[Any, Any], names: tuple[str, str, str, str]) -> list[float]:
    networks, count, low, high = (row[name] for name in names)
    return [int(networks), int(count), _short(low, 5), _short(high, 5)]


def _drawn(rows: pd.DataFrame | None, tolerance: float) -> dict[str, list[Any]]:
    """Return "values", a list by x for each finite network, and "constant", whether each has a range ≤ `tolerance`."""
    if rows is None:
        return {"constant": [], "values": []}
    values = rows["value"].to_numpy(float).reshape(rows["network"].nunique(), -1)
    values = values[np.isfinite(values).all(axis=1)]
    constant = np.ptp(values, axis=1) <= tolerance
    return {"constant": constant.tolist(), "values": [[_short(value) for value in outputs] for outputs in values]}


def _short(value: float, digits: int = 3) -> float:
    """Round a number to significant digits (a drawing needs no more than three), and turn -0 into 0."""
    return float(f"{value:.{digits}g}") + 0.0


def _or(sizes: list[int]) -> str:
    return f"{', '.join(map(str, sizes[:-1]))} or {sizes[-1]}" if len(sizes) > 1 else str(sizes[0])
