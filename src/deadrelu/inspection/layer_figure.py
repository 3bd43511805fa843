"""The figure of the layers of one model, drawn with matplotlib from the table of an inspection."""

import matplotlib as mpl
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from deadrelu.report.figures.style import INK, MUTED, PALETTE, PAPER, STYLE, message

KIND_COLOURS = dict(zip(("weights", "normalization", "activation", "merge", "block", "output"), PALETTE, strict=False))
NAMED = 70
"""Maximum number of layer names below the axis; a model with more layers has names at regular intervals only."""


def layer_by_layer(table: pd.DataFrame) -> Figure:
    """Draw a model's signals from its first layer to its last.

    The first chart shows each layer's activations: the middle 50 % (thick), the middle 98 % (thin) and the median. The
    next two charts show the standard deviation over inputs and the rms of the gradient on logarithmic axes. For each
    kind, a line joins the layers that every path goes through; open marks are layers in branches. The last chart shows
    the shares of zeros, dead units and saturated outputs of activation layers and outputs.

    Args:
        table: the table of an `inspect.Inspection`.
    """
    if table.empty:
        return message("The model has no layer: there is nothing to draw.")
    x = np.arange(len(table))
    colours = table["kind"].map(KIND_COLOURS)
    with mpl.rc_context(STYLE):
        figure = Figure(figsize=(11, 11), layout="constrained")
        axes = figure.subplots(4, 1, sharex=True)
        bar = min(4.0, 350 / len(table))
        spread, *strengths, shares = axes
        spread.vlines(x, table["q01"], table["q99"], color=colours, linewidth=bar / 4)
        spread.vlines(x, table["q25"], table["q75"], color=colours, linewidth=bar)
        spread.plot(x, table["q50"], "_", color=INK, markersize=1.5 * bar)
        widest = np.abs(table[["q01", "q99"]].to_numpy()).max(axis=1)
        if np.all(np.isfinite(widest)) and widest.max() > 100 * np.median(widest):
            spread.set_yscale("symlog", linthresh=max(float(np.median(widest)), 1e-30))
        spread.set_ylabel("activations")
        for ax, column in zip(strengths, ("input_std", "gradient_rms"), strict=True):
            _by_kind(ax, x, table, column)
        strengths[0].set_ylabel("standard deviation\nover inputs")
        strengths[1].set_ylabel("rms of the\ngradient")
        at = np.flatnonzero(table["kind"].isin(["activation", "output"]))
        for share, colour, name in (
            (table["zero_fraction"], MUTED, "exactly 0"),
            (table["saturated_fraction"], PALETTE[5], "saturated"),
            (table["dead_units"] / table["units"], PALETTE[1], "dead units"),
        ):
            shares.plot(x[at], share.iloc[at], "o-", markersize=3, linewidth=1, color=colour, label=name)
        shares.set(ylim=(-0.03, 1.03), ylabel="share of an\nactivation layer")
        shares.legend(loc="upper left", ncols=3, fontsize=9)
        step = -(-len(x) // NAMED)
        shares.set_xticks(x[::step], table["layer"][::step], rotation=90, fontsize=8, parse_math=False)
        shares.set_xlim(-0.5, len(x) - 0.5)
        handles = [
            Line2D([], [], color=colour, marker="o", markersize=5, label=kind)
            for kind, colour in KIND_COLOURS.items()
            if (table["kind"] == kind).any()
        ]
        figure.legend(handles=handles, loc="outside upper right", ncols=5, frameon=False, fontsize=10)
    return figure


def _by_kind(ax: Axes, x: np.ndarray, table: pd.DataFrame, column: str) -> None:
    """Draw a column of the table at `x`, shape (layers,): a mark for each layer, for each kind a line along the trunk.

    Outputs are left out because they may be probabilities, and values that are 0 because they have no logarithm.
    """
    size = 5 if len(table) <= 60 else 3
    drawn = (table[column] > 0) & np.isfinite(table[column])
    for kind, colour in KIND_COLOURS.items():
        if kind == "output":
            continue
        for on_trunk, filled in ((True, colour), (False, PAPER)):
            at = (drawn & (table["kind"] == kind) & (table["on_trunk"] == on_trunk)).to_numpy()
            line = "o-" if on_trunk else "o"
            ax.plot(x[at], table[column][at], line, color=colour, markerfacecolor=filled, markersize=size, linewidth=1)
    if drawn.any():
        ax.set_yscale("log")
