"""Draw rates, published numbers and theory with matplotlib from tables."""

import itertools
from collections.abc import Mapping
from typing import Any

import matplotlib as mpl
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch

from deadrelu.report.figures.style import (
    ACCENT,
    INK,
    MUTED,
    PALETTE,
    PAPER,
    STYLE,
    empty,
    legend_below,
    message,
    most_lines,
    wrapped,
)

UP = 0.3
"""Distance of a published number above its row, in rows, so that it does not hide the measured rate."""


def collapse_rates(rates: pd.DataFrame, cases: Mapping[str, str], events: Mapping[str, str]) -> Figure:
    """Draw the share of trials in which each event happened, in one panel for each case.

    Args:
        rates: one row for each case and event: case, event, rate, low, high, theory_low, theory_high, notebook.
        cases: name of each case.
        events: words for each event, in the order of the rows of a panel.
    """
    if rates.empty:
        return message("No independent trials on the common target: there are no rates to draw.")
    columns = min(2, len(cases))
    rows = -(-len(cases) // columns)
    titles = {case: wrapped(name, 36) for case, name in cases.items()}
    with mpl.rc_context(STYLE):
        height = (0.4 + 0.17 * most_lines(titles.values()) + 0.45 * len(events)) * rows + 0.5
        figure = Figure(figsize=(9, height), layout="constrained")
        grid = figure.subplots(rows, columns, sharex=True, sharey=True, squeeze=False)
        for ax, case in itertools.zip_longest(grid.flat, cases):
            if case is None:
                ax.set_visible(False)
                continue
            case_rows = rates[rates["case"] == case].set_index("event").reindex(list(events))
            at = np.arange(len(case_rows), dtype=float)
            _theory(ax, case_rows, at)
            _measured(ax, case_rows, at, filled=True)
            _in_print(ax, case_rows["notebook"], at)
            ax.set_title(titles[case])
        _shares(grid, [wrapped(name, 28) for name in events.values()])
        legend_below(figure, _key(rates, "2019 notebook"), 4)
    return figure


def paper_rates(rates: pd.DataFrame, cases: Mapping[str, str], tolerance: float) -> Figure:
    """Draw shares of constant networks before (hollow) and after training (filled), with paper and theory, by case.

    There are two panels, one for each criterion: within the tolerance, and exactly constant.

    Args:
        rates: one row for each case and event: case, event, rate, low, high, theory_low, theory_high, lu (published
            rate, or NaN), lu_above (published lower bound, or NaN).
        cases: name of each case.
        tolerance: tolerance of the criterion in the first panel.
    """
    if rates.empty:
        return message("No case on another target: there are no rates to draw.")
    names = [wrapped(name, 34) for name in cases.values()]
    with mpl.rc_context(STYLE):
        row = max(0.52, 0.1 + 0.18 * most_lines(names))
        figure = Figure(figsize=(9, 0.9 + row * len(cases)), layout="constrained")
        grid = figure.subplots(1, 2, squeeze=False, sharey=True)
        at = np.arange(len(cases), dtype=float)
        by_event = {event: rows.set_index("case").reindex(list(cases)) for event, rows in rates.groupby("event")}
        panels = ((f"range ≤ {tolerance:g}", "collapsed_before", "collapsed"), ("range exactly 0", "born_dead", "dead"))
        for ax, (title, before, after) in zip(grid[0], panels, strict=True):
            _theory(ax, by_event[before], at)
            _measured(ax, by_event[before], at, filled=False)
            _measured(ax, by_event[after], at, filled=True)
            _in_print(ax, by_event["collapsed"]["lu"], at)
            for place, value in zip(at, by_event["collapsed"]["lu_above"], strict=True):
                if pd.notna(value):
                    arrow: dict[str, Any] = {"arrowstyle": "->", "color": ACCENT, "linewidth": 1.5}
                    ax.annotate("", (1.0, place - UP), (value, place - UP), arrowprops=arrow)
                    ax.plot([value], [place - UP], "|", color=ACCENT, markersize=9, markeredgewidth=1.5)
            ax.set_title(title)
        _shares(grid, names)
        hollow = Line2D([], [], color=INK, marker="o", markerfacecolor=PAPER, linestyle="", label="before training")
        legend_below(figure, [*_key(rates, "Lu et al."), hollow], 5)
    return figure


def _measured(ax: Axes, rows: pd.DataFrame, at: np.ndarray, *, filled: bool) -> None:
    ax.hlines(at, rows["low"], rows["high"], color=INK, linewidth=2.2, zorder=3)
    ax.plot(rows["rate"], at, "o", color=INK, markerfacecolor=INK if filled else PAPER, markersize=7, zorder=4)
    if filled:
        for row, rate in zip(at, rows["rate"], strict=True):
            if pd.notna(rate):
                place: dict[str, Any] = {"xycoords": ("axes fraction", "data"), "va": "center", "fontsize": 10}
                ax.annotate(f"{rate:.3f}", (1, row), (4, 0), textcoords="offset points", **place)


def _theory(ax: Axes, rows: pd.DataFrame, at: np.ndarray) -> None:
    exact = (rows["theory_low"] == rows["theory_high"]).to_numpy()
    apart = rows["theory_low"].notna().to_numpy() & ~exact
    ax.hlines(at[apart], rows["theory_low"][apart], rows["theory_high"][apart], color=MUTED, alpha=0.45, linewidth=13)
    ax.plot(rows["theory_low"][exact], at[exact], "|", color=MUTED, markersize=22, markeredgewidth=2.5)


def _in_print(ax: Axes, numbers: pd.Series, at: np.ndarray) -> None:
    ax.plot(numbers, at - UP, "D", color=ACCENT, markersize=6, zorder=5)


def _shares(grid: np.ndarray, names: list[str]) -> None:
    for ax in grid.flat:
        ax.set_yticks(range(len(names)), names)
        ax.set(xlim=(-0.03, 1.03), ylim=(len(names) - 0.4, -0.75))
        ax.grid(visible=False, axis="y")
    for ax in grid[-1]:
        ax.set_xlabel("share of trials")


def _key(rates: pd.DataFrame, source: str) -> list[Any]:
    handles: list[Any] = [
        Line2D([], [], color=INK, marker="o", markersize=7, linewidth=2.2, label="measured, 95 % interval"),
        Line2D([], [], color=ACCENT, marker="D", markersize=6, linestyle="", label=source),
    ]
    exact = rates["theory_low"] == rates["theory_high"]
    if exact.any():
        tick: dict[str, Any] = {"marker": "|", "markersize": 14, "markeredgewidth": 2.5}
        handles.append(Line2D([], [], color=MUTED, linestyle="", label="theory, exact", **tick))
    if (rates["theory_low"].notna() & ~exact).any():
        handles.append(Patch(color=MUTED, alpha=0.45, label="theory, bounds"))
    return handles


def rate_by_tolerance(
    curve: pd.DataFrame,
    labels: Mapping[str, str],
    criteria: Mapping[str, str],
    notebook: Mapping[str, float],
    agreeing: Mapping[str, list[float]],
    tolerance: float,
) -> Figure:
    """Draw the collapse rate against the tolerance, in one panel for each key of `rates.PLACES`.

    Args:
        curve: one row for each case, criterion and tolerance: case, criterion, tolerance, rate, low, high.
        labels: name of each case.
        criteria: words for each key of `rates.PLACES`.
        notebook: rate that the notebook printed, by the key of its case.
        agreeing: tolerances consistent with all of the notebook's numbers, by criterion; their span is shaded.
        tolerance: tolerance of the event "collapsed" in the report, drawn as a vertical line.
    """
    if curve.empty:
        return message("No independent trials on the common target: there is no rate to draw against the tolerance.")
    with mpl.rc_context(STYLE):
        figure = Figure(figsize=(9, 5.4), layout="constrained")
        axes = figure.subplots(2, -(-len(criteria) // 2), sharex=True, sharey=True, squeeze=False)
        colours = dict(zip(labels, itertools.cycle((INK, ACCENT, *PALETTE)), strict=False))
        for ax, (criterion, place) in zip(axes.flat, criteria.items(), strict=False):
            ax.set(title=f"on {place}", xscale="log", ylim=(-0.02, 1.08))
            ax.minorticks_off()
            criterion_rows = curve[curve["criterion"] == criterion]
            if criterion_rows.empty:
                empty(ax, "not compared here")
                continue
            if spans := agreeing.get(criterion):
                ax.axvspan(spans[0], spans[-1], color=PALETTE[2], alpha=0.22, linewidth=0)
            _rate_curves(ax, criterion_rows, colours, notebook)
            if tolerance > 0:
                ax.axvline(tolerance, color=MUTED, linewidth=1)
        for ax in axes[-1]:
            ax.set_xlabel("tolerance: largest difference between predictions")
        figure.supylabel("share of trials that collapsed", fontsize=11)
        handles: list[Any] = [Line2D([], [], color=colours[c], label=n) for c, n in labels.items()]
        if notebook:
            numbers = ", ".join(f"{rate:g}" for rate in notebook.values())
            handles.append(Line2D([], [], color=INK, linestyle=":", label=f"2019 notebook: {numbers}"))
        if any(agreeing.values()):
            handles.append(Patch(color=PALETTE[2], alpha=0.22, label="reproduces all of its numbers"))
        legend_below(figure, handles, 2)
    return figure


def _rate_curves(ax: Axes, curve: pd.DataFrame, colours: Mapping[str, Any], notebook: Mapping[str, float]) -> None:
    """Draw the rate of each case against the tolerance for one criterion, with its interval and the notebook's rate."""
    for case, colour in colours.items():
        rows, style = curve[curve["case"] == case], {"color": colour}
        ax.fill_between(rows["tolerance"], rows["low"], rows["high"], alpha=0.22, linewidth=0, **style)
        ax.plot(rows["tolerance"], rows["rate"], linewidth=1.8, **style)
        if case in notebook:
            ax.axhline(notebook[case], linestyle=":", linewidth=1.5, **style)
