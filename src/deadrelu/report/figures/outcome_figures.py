"""Draw the outcomes of networks with matplotlib from tables."""

import itertools
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import matplotlib as mpl
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Rectangle
from matplotlib.ticker import MaxNLocator

from deadrelu.report.figures.style import (
    MUTED,
    OUTCOME_COLOURS,
    OUTCOME_LINES,
    PAPER,
    STYLE,
    empty,
    legend_below,
    message,
    wrapped,
)

MAX_PANEL_COLUMNS = 3
"""Largest number of panels side by side."""


def functions(
    drawn: pd.DataFrame,
    outcomes: pd.DataFrame,
    targets: Mapping[str, tuple[np.ndarray, np.ndarray]],
    cases: Mapping[str, str],
    names: Mapping[str, str],
) -> Figure:
    """Draw the functions that a few trained networks of each outcome compute, in front of their target.

    Args:
        drawn: one row for each case, trial and x: case, outcome, trial, x, trained.
        outcomes: one row for each case and outcome: case, outcome, count, trials.
        targets: x and y of the function that a case learns, by its key, shape (n,) each.
        cases: name of each case that is drawn.
        names: words for each outcome.
    """
    if not cases or drawn.empty:
        return message("No network of one input and one output: there is no function to draw.")
    with mpl.rc_context(STYLE):
        figure = Figure(figsize=(9, 2.75 * -(-len(cases) // MAX_PANEL_COLUMNS)), layout="constrained")
        for ax, case in _panels(figure, cases):
            x, y = targets[case]
            ax.plot(x, y, color=MUTED, linewidth=5, alpha=0.45)
            for (outcome, _), rows in drawn[drawn["case"] == case].groupby(["outcome", "trial"], sort=False):
                ax.plot(rows["x"], rows["trained"], linewidth=1.6, **_line(outcome))
            room = 0.35 * (y.max() - y.min()) or 1.0
            ax.set_ylim(y.min() - room, y.max() + room)
            ax.yaxis.set_major_locator(MaxNLocator(4))
            _title(ax, cases[case], outcomes[outcomes["case"] == case])
        handles = [Line2D([], [], color=MUTED, linewidth=5, alpha=0.45, label="target"), *_key(outcomes, names)]
        legend_below(figure, handles, 3)
    return figure


def losses(table: pd.DataFrame, outcomes: pd.DataFrame, cases: Mapping[str, str], names: Mapping[str, str]) -> Figure:
    """Draw the loss after each epoch for the networks of each outcome, in one panel for each case.

    Args:
        table: one row per case, outcome and epoch: case, outcome, epoch, low, median, high, best_constant.
        outcomes: one row for each case and outcome: case, outcome, count, trials.
        cases: name of each case.
        names: words for each outcome.
    """
    if not cases or table.empty:
        return message("No independent trials: there is no loss to draw.")
    with mpl.rc_context(STYLE):
        figure = Figure(figsize=(9, 2.5 * -(-len(cases) // MAX_PANEL_COLUMNS)), layout="constrained")
        for ax, case in _panels(figure, cases):
            rows = table[table["case"] == case].replace([np.inf, -np.inf], np.nan)
            for outcome, outcome_rows in rows.groupby("outcome", sort=False):
                band: dict[str, Any] = {"color": OUTCOME_COLOURS[str(outcome)], "alpha": 0.18, "linewidth": 0}
                ax.fill_between(outcome_rows["epoch"], outcome_rows["low"], outcome_rows["high"], **band)
                ax.plot(outcome_rows["epoch"], outcome_rows["median"], linewidth=1.8, **_line(outcome))
            if rows["median"].notna().any():
                ax.axhline(rows["best_constant"].iloc[0], color=MUTED, linestyle=":", linewidth=1.5)
                if (rows["low"] > 0).all() and rows["high"].max() > 20 * rows["low"].min():
                    ax.set_yscale("log")
                    ax.minorticks_off()
                ax.xaxis.set_major_locator(MaxNLocator(4, integer=True))
            else:
                empty(ax, "every training diverged")
            _title(ax, cases[case], outcomes[outcomes["case"] == case])
            ax.set(xlabel="epoch", ylabel="loss")
        best = Line2D([], [], color=MUTED, linestyle=":", linewidth=1.5, label="best constant")
        legend_below(figure, [*_key(outcomes, names), best], 3)
    return figure


def deaths(table: pd.DataFrame, cases: Mapping[str, str], checkpoints: Mapping[str, Sequence[int]]) -> Figure:
    """Draw in which epochs networks die, and which layer dies first, in one panel for each case of `table`.

    Args:
        table: rows of `outcomes.deaths`, one per case, epoch of death (0: untrained) and first dead layer (0: none).
        cases: name of each case.
        checkpoints: epochs after which the networks of each case were measured.
    """
    shown = {case: name for case, name in cases.items() if (table["case"] == case).any()}
    if not shown:
        return message("No network died: there is nothing to draw.")
    with mpl.rc_context(STYLE):
        columns = min(2, len(shown))
        rows = -(-len(shown) // columns)
        figure = Figure(figsize=(9, 2.9 * rows), layout="constrained")
        grid = figure.subplots(rows, columns, squeeze=False)
        deepest, shades = max(1, int(table["layer"].max())), mpl.colormaps["viridis_r"]
        layers = sorted(set(table[table["epoch"] > 0]["layer"]))
        colours = {layer: MUTED if layer == 0 else shades(layer / deepest) for layer in layers}
        for ax, case in itertools.zip_longest(grid.flat, shown):
            if case is None:
                ax.set_visible(False)
                continue
            case_rows = table[table["case"] == case]
            before = int(case_rows["count"][case_rows["epoch"] == 0].sum())
            title = f"{shown[case]}: {before:,} of {case_rows['networks'].iloc[0]:,} before training"
            ax.set_title(wrapped(title, 84 // columns), fontsize=10.5)
            _death_bars(ax, case_rows[case_rows["epoch"] > 0], colours, checkpoints[case])
        for ax in grid[:, 0]:
            ax.set_ylabel("networks")
        handles = [
            Rectangle((0, 0), 1, 1, color=colour, label=f"layer {layer}" if layer else "no dead layer")
            for layer, colour in colours.items()
        ]
        if handles:
            legend_below(figure, handles, 6)
    return figure


def _death_bars(ax: Axes, deaths: pd.DataFrame, colours: Mapping[int, Any], checkpoints: Sequence[int]) -> None:
    """Draw a bar for each checkpoint before which networks of a case die, stacked by their first dead layer."""
    epochs = sorted(set(deaths["epoch"]))
    bottom = np.zeros(len(epochs))
    for layer in sorted(set(deaths["layer"])):
        layer_rows = deaths[deaths["layer"] == layer]
        heights = layer_rows.set_index("epoch")["count"].reindex(epochs, fill_value=0).to_numpy(float)
        ax.bar(range(len(epochs)), heights, bottom=bottom, color=colours[layer], width=0.85)
        bottom += heights
    ax.set_xticks(range(len(epochs)), [_span(checkpoints, epoch) for epoch in epochs], fontsize=8.5)
    ax.set_xlabel("epoch in which networks die")
    ax.grid(visible=False, axis="x")


def _span(checkpoints: Sequence[int], epoch: int) -> str:
    """Return the epochs after the last of `checkpoints` (epochs) before `epoch`, up to `epoch`, such as '3–5'."""
    before = max((one for one in checkpoints if one < epoch), default=0)
    return f"{epoch}" if epoch == before + 1 else f"{before + 1}–{epoch}"


def _line(outcome: object) -> dict[str, Any]:
    return {"color": OUTCOME_COLOURS[str(outcome)], "linestyle": OUTCOME_LINES[str(outcome)]}


def _panels(figure: Figure, cases: Mapping[str, str]) -> Iterator[tuple[Axes, str]]:
    columns = min(MAX_PANEL_COLUMNS, len(cases))
    grid = figure.subplots(-(-len(cases) // columns), columns, squeeze=False)
    for ax, case in itertools.zip_longest(grid.flat, cases):
        if case is None:
            ax.set_visible(False)
        else:
            yield ax, case


def _title(ax: Axes, name: str, outcomes: pd.DataFrame) -> None:
    """Write the name of a case above its panel, and below the name a bar of its trials by outcome."""
    ax.set_title(wrapped(name, 28), fontsize=10.5, pad=19)
    for outcome, count, end in zip(outcomes["outcome"], outcomes["count"], outcomes["count"].cumsum(), strict=True):
        left, width = (end - count) / outcomes["trials"].max(), count / outcomes["trials"].max()
        place: dict[str, Any] = {"transform": ax.transAxes, "clip_on": False}
        colour = OUTCOME_COLOURS[outcome]
        ax.add_patch(Rectangle((left, 1.02), width, 0.09, facecolor=colour, edgecolor=PAPER, **place))
        if width > 0.12:
            text: dict[str, Any] = {"ha": "center", "va": "center_baseline", "fontsize": 8.5, "color": PAPER}
            ax.text(left + width / 2, 1.06, f"{count:,}", **text, **place)


def _key(outcomes: pd.DataFrame, names: Mapping[str, str]) -> list[Line2D]:
    happened = set(outcomes["outcome"][outcomes["count"] > 0])
    return [
        Line2D([], [], linewidth=1.8, label=name, **_line(outcome))
        for outcome, name in names.items()
        if outcome in happened
    ]
