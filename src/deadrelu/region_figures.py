"""Figures over depth and width: a table in, a matplotlib figure out."""

from typing import Any

import matplotlib as mpl
import numpy as np
import pandas as pd
import seaborn as sns
from matplotlib import patheffects
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from deadrelu import theory
from deadrelu.style import INK, STYLE

LEVELS = (0.01, 0.1, 0.5, 0.9)
"""Probabilities of the contour lines."""


def born_dead(cells: pd.DataFrame) -> Figure:
    """Draw the share of untrained networks that are dead against depth, with theory through the points.

    Args:
        cells: `rates.born_dead_grid`.
    """
    with mpl.rc_context(STYLE):
        figure = Figure(figsize=(9, 4.6), layout="constrained")
        axes = figure.subplots(1, 2, sharey=True)
        widths = cells["width"].unique()
        colours = sns.color_palette("viridis_r", len(widths))
        right = widths[1::2] if len(widths) > 5 else widths  # the bands of many would lie over each other
        for width, colour in zip(widths, colours, strict=True):
            rows = cells[cells["width"] == width]
            _points(axes[0], rows, ("positive", "positive_low", "positive_high"), colour)
            axes[0].plot(rows["depth"], rows["positive_theory"], color=colour, linewidth=1.2)
            if width in right:
                _points(axes[1], rows, ("rate", "low", "high"), colour)
                band: dict[str, Any] = {"color": colour, "alpha": 0.3, "linewidth": 0}
                axes[1].fill_between(rows["depth"], rows["theory_low"], rows["theory_high"], **band)
        least = 0.5 / cells["networks"].max()
        known = bool(cells["theory_low"].notna().all())
        axes[0].set(
            title="for every x > 0" + "; lines: theory, exact" * known, ylabel="share of networks that are dead"
        )
        axes[1].set(title="for every x" + "; bands: theory, bounds" * known)
        if len(right) < len(widths):
            axes[1].annotate("every other width", (0.97, 0.03), xycoords="axes fraction", ha="right", fontsize=9)
        for ax in axes:
            ax.set(xlabel="hidden layers", yscale="log", ylim=(least, 1.5))
            ax.xaxis.set_major_locator(MaxNLocator(integer=True))
        handles, names = axes[0].get_legend_handles_labels()
        figure.legend(handles, names, loc="outside right center", title="width", frameon=False, fontsize=9)
    return figure


def _points(ax: Axes, rows: pd.DataFrame, columns: tuple[str, str, str], colour: tuple[float, float, float]) -> None:
    """Rates with their intervals; none of 0, which a logarithmic axis does not have."""
    width = rows["width"].iloc[0]
    rows = rows[rows[columns[0]] > 0]
    rate, low, high = (rows[name] for name in columns)
    look: dict[str, Any] = {
        "fmt": "o",
        "markersize": 3.5,
        "elinewidth": 1,
        "color": colour,
        "label": f"{width}",
    }
    ax.errorbar(rows["depth"], rate, [rate - low, high - rate], **look)


def safe_region(cells: pd.DataFrame, trained: pd.DataFrame) -> Figure:
    """Draw how wide a deep ReLU network must be: shares of dead networks over depth and width, and theory's contours.

    Args:
        cells: `rates.born_dead_grid`: the colour of each cell, networks that are dead for every x.
        trained: `rates.trained_grid`: circles, networks that are constant after training.
    """
    with mpl.rc_context({**STYLE, "axes.grid": False}):
        figure = Figure(figsize=(9, 5.4), layout="constrained")
        ax = figure.subplots()
        table = cells.pivot_table(index="width", columns="depth", values="rate")
        look: dict[str, Any] = {"cmap": sns.color_palette("rocket_r", as_cmap=True), "vmin": 0, "vmax": 1}
        sizes = (table.columns.to_numpy(float), table.index.to_numpy(float))
        edges = [np.append(size - 0.5, size.max() + 0.5) for size in sizes]
        mesh = ax.pcolormesh(*edges, table, **look)
        lines = ""
        if cells["theory_low"].notna().all() and table.shape[1] > 1:
            lines = " Lines: theory's upper bound, untrained"
            _contours(ax, np.array(table.columns), cells["width"].max())
        circles: dict[str, Any] = {"s": 170, "edgecolors": "white", "linewidths": 2, "zorder": 3}
        ax.scatter(trained["depth"], trained["width"], c=trained["rate"], **circles, **look)
        ends = {
            axis: (min(cells[axis].min(), trained[axis].min()) - 0.5, max(cells[axis].max(), trained[axis].max()) + 0.5)
            for axis in ("depth", "width")
        }
        ax.set(xlabel="hidden layers", ylabel="units in each", xlim=ends["depth"], ylim=ends["width"])
        for axis in (ax.xaxis, ax.yaxis):
            axis.set_major_locator(MaxNLocator(integer=True))
        bar = figure.colorbar(mesh, label="share of networks that are dead", format="{x:.0%}")
        bar.outline.set_visible(False)
        ax.set_title(f"Colour: untrained. Circles: after training.{lines}")
    return figure


def _contours(ax: Axes, depths: np.ndarray, widest: int) -> None:
    """Lines above which surely fewer are dead, by the upper bound."""
    chosen = depths[depths >= 2][:: max(1, len(depths) // 50)]
    halo = patheffects.withStroke(linewidth=3.5, foreground="white", alpha=0.7)
    for level in LEVELS:
        width = np.array([theory.width_at(level, int(depth)).high for depth in chosen])
        ax.plot(chosen, width, color=INK, linewidth=1.6, path_effects=[halo])
        inside = np.flatnonzero(width < widest)
        if len(inside):
            at = inside[int(0.8 * (len(inside) - 1))]
            box: dict[str, Any] = {"boxstyle": "round,pad=0.15", "facecolor": "white", "edgecolor": "none"}
            ax.annotate(f"{level:.0%}", (chosen[at], width[at]), ha="center", va="center", fontsize=9, bbox=box)
