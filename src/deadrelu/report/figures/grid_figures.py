"""Draw shares of dead networks over depth and width with matplotlib from tables."""

from typing import Any

import matplotlib as mpl
import numpy as np
import pandas as pd
from matplotlib import patheffects
from matplotlib.axes import Axes
from matplotlib.colors import BoundaryNorm, ListedColormap
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from deadrelu.analysis import theory
from deadrelu.report.figures.style import STYLE, message

SHADES = (0, 0.001, 0.01, 0.05, 0.1, 0.25, 0.5, 0.75, 0.9, 0.99, 1)
"""Boundaries of the colours, closest near 0 and 1, since an even scale would show no difference there."""

MAX_CURVES = 10
"""Largest number of widths that are drawn as lines."""

WHITE = "#fefefe"
"""Colour on dark cells; unlike `PAPER`, it is the same on dark pages."""

BLACK = "#101418"
"""Colour on light cells; unlike `INK`, it is the same on dark pages."""

TOLERABLE = 0.1
"""Share of dead trained networks at which a dashed line separates the cells."""

LEVELS = (0.01, 0.1, 0.5, 0.9)
"""Probabilities of a dead network at which theory's contour lines are drawn."""


def born_dead(cells: pd.DataFrame) -> Figure:
    """Draw the share of dead untrained networks and its theory against depth, for x > 0 (left) and every x (right).

    Args:
        cells: table from `grid.born_dead_grid`.
    """
    if cells.empty:
        return message("No network was drawn: there is no share to show.")
    with mpl.rc_context(STYLE):
        figure = Figure(figsize=(9, 4.6), layout="constrained")
        axes = figure.subplots(1, 2, sharey=True)
        widths = cells["width"].unique()
        widths = widths[:: -(-len(widths) // MAX_CURVES)]
        right = widths[:: -(-len(widths) // 4)]  # the bands of more widths would overlap
        known = bool(cells["theory_low"].notna().all())
        for width, colour in zip(widths, mpl.colormaps["viridis"](np.linspace(0, 0.92, len(widths))), strict=True):
            rows = cells[cells["width"] == width]
            _points(axes[0], rows, ("positive", "positive_low", "positive_high"), colour)
            axes[0].plot(rows["depth"], rows["positive_theory"], color=colour, linewidth=1.2)
            if width in right:
                _points(axes[1], rows, ("rate", "low", "high"), colour)
                band: dict[str, Any] = {"color": colour, "alpha": 0.3, "linewidth": 0}
                axes[1].fill_between(rows["depth"], rows["theory_low"], rows["theory_high"], **band)
        axes[0].set(title="for every x > 0" + "; lines: theory, exact" * known, ylabel="share dead at initialization")
        axes[1].set(title="for every x" + "; bands: theory, bounds" * known)
        for ax in axes:
            first, last = cells["depth"].min(), cells["depth"].max()
            ax.set(
                xlim=(first - 0.6, last + 0.12 * (last - first) + 0.6), xlabel="hidden layers, and width at the right"
            )
            ax.set(yscale="log", ylim=(0.5 / cells["networks"].max(), 4))
            ax.minorticks_off()
            ticks = MaxNLocator(integer=True).tick_values(first, last)
            ax.set_xticks([tick for tick in ticks if first <= tick <= last])
            _widths_apart(ax)
    return figure


def _points(ax: Axes, rows: pd.DataFrame, columns: tuple[str, str, str], colour: tuple[float, float, float]) -> None:
    """Draw rates above 0 with intervals (`columns`: rate, low, high) by depth, and the width next to the last rate."""
    width = rows["width"].iloc[0]
    rows = rows[rows[columns[0]] > 0]
    rate, low, high = (rows[name] for name in columns)
    look: dict[str, Any] = {"fmt": "o", "markersize": 3.5, "elinewidth": 1, "color": colour}
    ax.errorbar(rows["depth"], rate, [rate - low, high - rate], **look)
    if len(rows):
        ax.annotate(f"{width}", (rows["depth"].iloc[-1], rate.iloc[-1]), fontsize=9.5, va="center")


def _widths_apart(ax: Axes) -> None:
    """Move the texts in `ax`, the widths, to the right of their points, and upwards so that they do not overlap."""
    below = 0.0
    for name in sorted(ax.texts, key=lambda text: (text.xy[1], -int(text.get_text()))):  # type: ignore[attr-defined]
        x, y = name.xy  # type: ignore[attr-defined]
        below = max(y, below * 1.5)
        name.set_position((x + 0.03 * (ax.get_xlim()[1] - ax.get_xlim()[0]), below))


def safe_region(cells: pd.DataFrame, trained: pd.DataFrame) -> Figure:
    """Draw how wide a deep ReLU network must be: shares of dead networks over depth and width, and theory's contours.

    Args:
        cells: table from `grid.born_dead_grid`; the colour of each cell shows networks that are dead for every x.
        trained: table from `grid.trained_grid`; circles show networks that are exactly constant after training.
    """
    if cells.empty:
        return message("No network was drawn: there is no region to show.")
    with mpl.rc_context({**STYLE, "axes.grid": False}):
        figure = Figure(figsize=(9, 5.4), layout="constrained")
        ax = figure.subplots()
        table = cells.pivot_table(index="width", columns="depth", values="rate")
        shades = BoundaryNorm(SHADES, 256, clip=True)
        look: dict[str, Any] = {"cmap": _map(), "norm": shades}
        sizes = (table.columns.to_numpy(float), table.index.to_numpy(float))
        edges = [np.append(size - 0.5, size.max() + 0.5) for size in sizes]
        mesh = ax.pcolormesh(*edges, table, linewidth=0.3, edgecolors="face", **look)
        lines = ""
        if cells["theory_low"].notna().all() and table.shape[1] > 1:
            lines = " Lines: theory's upper bound."
            _contours(ax, np.array(table.columns), cells["width"].max())
        if len(trained):
            circles: dict[str, Any] = {"s": 190, "edgecolors": WHITE, "linewidths": 2.2, "zorder": 3}
            ax.scatter(trained["depth"], trained["width"], c=trained["dead"], **circles, **look)
            _contour_after_training(ax, trained)
        both = pd.concat([cells[["depth", "width"]], trained[["depth", "width"]]]) if len(trained) else cells
        ends = {axis: (both[axis].min() - 0.5, both[axis].max() + 0.5) for axis in ("depth", "width")}
        ax.set(xlabel="hidden layers", ylabel="units in each", xlim=ends["depth"], ylim=ends["width"])
        for axis in (ax.xaxis, ax.yaxis):
            axis.set_major_locator(MaxNLocator(integer=True))
        bar = figure.colorbar(mesh, label="share of dead networks", spacing="uniform", ticks=SHADES)
        bar.ax.set_yticklabels([f"{100 * share:g} %" for share in SHADES])
        bar.ax.tick_params(length=0)
        bar.outline.set_visible(False)
        circles_too = " Circles: after training." * bool(len(trained))
        ax.set_title(f"Colour: at initialization.{circles_too}{lines}")
    return figure


def _map() -> ListedColormap:
    """Return a colour map from light (no dead network) to dark (all dead), without the palest end of `magma_r`."""
    return ListedColormap(mpl.colormaps["magma_r"](np.linspace(0.07, 1, 256)))


def _contour_after_training(ax: Axes, trained: pd.DataFrame) -> None:
    """Draw a dashed line where the share dead is `TOLERABLE`, if `trained` is a full grid with cells on both sides."""
    # Logarithms of shares change evenly with the width; a share of 0 is taken as half of one trial.
    shares = trained.assign(log=np.log(trained["dead"].clip(lower=0.5 / trained["trials"])))
    table = shares.pivot_table(index="width", columns="depth", values="log").to_numpy()
    level = np.log(TOLERABLE)
    if min(table.shape) < 2 or np.isnan(table).any() or not table.min() < level < table.max():
        return
    at = np.sort(trained["depth"].unique()), np.sort(trained["width"].unique())
    line = ax.contour(*at, table, levels=[level], colors=[BLACK], linewidths=2.2, linestyles="dashed", zorder=2)
    points = np.concatenate([path.vertices for path in line.get_paths()])
    x, y = points[points[:, 0].argmax()]
    _label(ax, f"{100 * TOLERABLE:g} % after training", (x, y + 0.3), ha="left")


def _contours(ax: Axes, depths: np.ndarray, widest: int) -> None:
    """Draw for each of `LEVELS` the width above which theory's upper bound is below it; labels stay below `widest`."""
    chosen = depths[depths >= 2][:: max(1, len(depths) // 50)]
    halo = patheffects.withStroke(linewidth=3.5, foreground=WHITE, alpha=0.75)
    for level in LEVELS:
        width = np.array([theory.width_at(level, int(depth)).high for depth in chosen])
        ax.plot(chosen, width, color=BLACK, linewidth=1.6, path_effects=[halo])
        inside = np.flatnonzero(width < widest)
        if len(inside):
            at = inside[int(0.8 * (len(inside) - 1))]
            _label(ax, f"{100 * level:g} %", (chosen[at], width[at]))


def _label(ax: Axes, text: str, at: tuple[float, float], ha: str = "center") -> None:
    """Write a text at a point (x, y), with horizontal alignment `ha`, in a white box, which covers the line below."""
    box: dict[str, Any] = {"boxstyle": "round,pad=0.15", "facecolor": WHITE, "edgecolor": "none"}
    ax.annotate(text, at, ha=ha, va="center", fontsize=9.5, color=BLACK, bbox=box)
