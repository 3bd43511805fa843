"""Figures of dead, half-dead and living networks: a table in, a matplotlib figure out."""

import itertools
from collections.abc import Iterator, Mapping
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
    FATE_COLOURS,
    FATE_LINES,
    MUTED,
    PAPER,
    STYLE,
    empty,
    legend_below,
    message,
    wrapped,
)

MAX_PANEL_COLUMNS = 3
"""Panels side by side."""


def functions(
    drawn: pd.DataFrame,
    fates: pd.DataFrame,
    targets: Mapping[str, tuple[np.ndarray, np.ndarray]],
    cases: Mapping[str, str],
    names: Mapping[str, str],
) -> Figure:
    """Draw what a few trained networks of each fate compute, over what they were to learn.

    Args:
        drawn: columns case, fate, trial, x, trained.
        fates: columns case, fate, count, trials.
        targets: of each case, x and y of the function it learns.
        cases: name of each case that is drawn.
        names: of each fate.
    """
    if not cases or drawn.empty:
        return message("No network of one input and one output: there is no function to draw.")
    with mpl.rc_context(STYLE):
        figure = Figure(figsize=(9, 2.75 * -(-len(cases) // MAX_PANEL_COLUMNS)), layout="constrained")
        for ax, case in _panels(figure, cases):
            x, y = targets[case]
            ax.plot(x, y, color=MUTED, linewidth=5, alpha=0.45)
            for (fate, _), rows in drawn[drawn["case"] == case].groupby(["fate", "trial"], sort=False):
                ax.plot(rows["x"], rows["trained"], linewidth=1.6, **_line(fate))
            room = 0.35 * (y.max() - y.min()) or 1.0
            ax.set_ylim(y.min() - room, y.max() + room)
            ax.yaxis.set_major_locator(MaxNLocator(4))
            _title(ax, cases[case], fates[fates["case"] == case])
        handles = [Line2D([], [], color=MUTED, linewidth=5, alpha=0.45, label="target"), *_key(fates, names)]
        legend_below(figure, handles, 3)
    return figure


def losses(table: pd.DataFrame, fates: pd.DataFrame, cases: Mapping[str, str], names: Mapping[str, str]) -> Figure:
    """Draw the loss of each epoch for networks of each fate, a panel for each case: when networks die.

    Args:
        table: columns case, fate, epoch, low, median, high, best_constant.
        fates: columns case, fate, count, trials.
        cases: name of each case.
        names: of each fate.
    """
    if not cases or table.empty:
        return message("No independent trials: there is no loss to draw.")
    with mpl.rc_context(STYLE):
        figure = Figure(figsize=(9, 2.5 * -(-len(cases) // MAX_PANEL_COLUMNS)), layout="constrained")
        for ax, case in _panels(figure, cases):
            rows = table[table["case"] == case].replace([np.inf, -np.inf], np.nan)
            for fate, of_fate in rows.groupby("fate", sort=False):
                band: dict[str, Any] = {"color": FATE_COLOURS[str(fate)], "alpha": 0.18, "linewidth": 0}
                ax.fill_between(of_fate["epoch"], of_fate["low"], of_fate["high"], **band)
                ax.plot(of_fate["epoch"], of_fate["median"], linewidth=1.8, **_line(fate))
            if rows["median"].notna().any():
                ax.axhline(rows["best_constant"].iloc[0], color=MUTED, linestyle=":", linewidth=1.5)
                if (rows["low"] > 0).all() and rows["high"].max() > 20 * rows["low"].min():
                    ax.set_yscale("log")
                    ax.minorticks_off()
                ax.xaxis.set_major_locator(MaxNLocator(4, integer=True))
            else:
                empty(ax, "every training diverged")
            _title(ax, cases[case], fates[fates["case"] == case])
            ax.set(xlabel="epoch", ylabel="loss")
        best = Line2D([], [], color=MUTED, linestyle=":", linewidth=1.5, label="best constant")
        legend_below(figure, [*_key(fates, names), best], 3)
    return figure


MAX_EPOCH_SHOWN = 12
"""Later deaths share the last bar."""


def death_epochs(table: pd.DataFrame, names: Mapping[str, str]) -> Figure:
    """Draw in which epoch networks die, and through which layer, a panel for each initializer.

    Args:
        table: columns initializer, epoch (0: before training), layer (0: none is dead), count, networks.
        names: of the initializers.
    """
    shown = [name for name in names if (table["initializer"] == name).any()]
    if not shown:
        return message("No network died: there is nothing to draw.")
    with mpl.rc_context(STYLE):
        figure = Figure(figsize=(9, 3.4), layout="constrained")
        axes = figure.subplots(1, len(shown), squeeze=False, sharey=True)[0]
        deepest = max(1, int(table["layer"].max()))
        shades = mpl.colormaps["viridis_r"]
        for ax, name in zip(axes, shown, strict=True):
            rows = table[(table["initializer"] == name) & (table["epoch"] > 0)]
            rows = rows.assign(epoch=rows["epoch"].clip(upper=MAX_EPOCH_SHOWN))
            bottom = np.zeros(MAX_EPOCH_SHOWN)
            for layer in sorted(set(rows["layer"])):
                of_layer = rows[rows["layer"] == layer].groupby("epoch")["count"].sum()
                heights = of_layer.reindex(range(1, MAX_EPOCH_SHOWN + 1), fill_value=0).to_numpy(float)
                colour = MUTED if layer == 0 else shades(layer / deepest)
                ax.bar(range(1, MAX_EPOCH_SHOWN + 1), heights, bottom=bottom, color=colour, width=0.85)
                bottom += heights
            networks = int(table[table["initializer"] == name]["networks"].iloc[0])
            born = int(table[(table["initializer"] == name) & (table["epoch"] == 0)]["count"].sum())
            ax.set_title(f"{names[name]}: {born:,} of {networks:,} before training", fontsize=10.5)
            ax.set_xlabel(f"epoch ({MAX_EPOCH_SHOWN}: or later)")
        axes[0].set_ylabel("networks that die")
        layers = sorted(set(table[table["epoch"] > 0]["layer"]))
        handles = [
            Rectangle(
                (0, 0),
                1,
                1,
                color=MUTED if k == 0 else shades(k / deepest),
                label=f"layer {k}" if k else "no dead layer",
            )
            for k in layers
        ]
        legend_below(figure, handles, 6)
    return figure


def _line(fate: object) -> dict[str, Any]:
    return {"color": FATE_COLOURS[str(fate)], "linestyle": FATE_LINES[str(fate)]}


def _panels(figure: Figure, cases: Mapping[str, str]) -> Iterator[tuple[Axes, str]]:
    columns = min(MAX_PANEL_COLUMNS, len(cases))
    grid = figure.subplots(-(-len(cases) // columns), columns, squeeze=False)
    for ax, case in itertools.zip_longest(grid.flat, cases):
        if case is None:
            ax.set_visible(False)
        else:
            yield ax, case


def _title(ax: Axes, name: str, fates: pd.DataFrame) -> None:
    """The name of a case, and below it a bar of its trials: how many met which fate."""
    ax.set_title(wrapped(name, 28), fontsize=10.5, pad=19)
    for fate, count, end in zip(fates["fate"], fates["count"], fates["count"].cumsum(), strict=True):
        left, width = (end - count) / fates["trials"].max(), count / fates["trials"].max()
        place: dict[str, Any] = {"transform": ax.transAxes, "clip_on": False}
        ax.add_patch(Rectangle((left, 1.02), width, 0.09, facecolor=FATE_COLOURS[fate], edgecolor=PAPER, **place))
        if width > 0.12:
            text: dict[str, Any] = {"ha": "center", "va": "center_baseline", "fontsize": 8.5, "color": PAPER}
            ax.text(left + width / 2, 1.06, f"{count:,}", **text, **place)


def _key(fates: pd.DataFrame, names: Mapping[str, str]) -> list[Line2D]:
    happened = set(fates["fate"][fates["count"] > 0])
    return [
        Line2D([], [], linewidth=1.8, label=name, **_line(fate)) for fate, name in names.items() if fate in happened
    ]
