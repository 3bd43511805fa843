"""Figures of signals by layer: a table in, a matplotlib figure out."""

import itertools
from collections.abc import Mapping

import matplotlib as mpl
import numpy as np
import pandas as pd
import seaborn as sns
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from deadrelu.labels import Panel
from deadrelu.style import INK, MARKERS, MUTED, PALETTE, STYLE, by_activation, colours_of

ENOUGH = 3000
"""Values in a violin, on average over layers: with more, the eye sees no difference, but the clock does."""

TAIL = 0.05
WIDEST = 4
"""Panels side by side: more would be too small to read."""


def activation_violins(sample: pd.DataFrame, summary: pd.DataFrame, panels: Mapping[str, Panel]) -> Figure:
    """Draw one violin per hidden layer, one panel per case, one row of panels per activation function.

    A violin is a smooth density and would hide that half of a ReLU layer is exactly 0: violins show the other
    values, and the share of exact zeros (of the whole layer, not of the sample) stands below.

    Args:
        sample: of each layer; columns case, layer, activation.
        summary: columns case, layer, zero_fraction.
        panels: names of each case.
    """
    return _violins(sample.rename(columns={"activation": "value"}), summary, panels, zeros="zero_fraction")


def gradient_violins(sample: pd.DataFrame, summary: pd.DataFrame, panels: Mapping[str, Panel]) -> Figure:
    """Draw the same of gradients: violins of the exponent of their size, log10 |g|, since they span many.

    The smallest `TAIL` of each layer are left out: single gradients that cancel to next to nothing.

    Args:
        sample: of each layer; columns case, layer, gradient.
        summary: columns case, layer, gradient_zero_fraction.
        panels: names of each case.
    """
    size = sample["gradient"].abs().astype(float)
    value = pd.Series(np.log10(size.where(size > 0)))  # NaN for a gradient of 0
    by_layer = value.groupby([sample["case"], sample["layer"]])
    value = value.where(value >= by_layer.transform("quantile", TAIL))
    return _violins(sample.assign(value=value), summary, panels, zeros="gradient_zero_fraction")


def some(sample: pd.DataFrame) -> pd.DataFrame:
    """Of the rows of one case, as many as are drawn, and as many again for the zeros, which are not."""
    # At random, not every so many: that would meet the same units again and again.
    return sample.sample(min(len(sample), 2 * ENOUGH * sample["layer"].nunique()), random_state=0)


def _violins(sample: pd.DataFrame, summary: pd.DataFrame, panels: Mapping[str, Panel], *, zeros: str) -> Figure:
    rows = [
        (activation, cases[at : at + WIDEST])
        for activation, cases in by_activation(panels).items()
        for at in range(0, len(cases), WIDEST)
    ]
    columns = max(len(cases) for _, cases in rows)
    colours = colours_of(panels)
    by_case = dict(iter(sample.groupby("case")))
    with mpl.rc_context(STYLE):
        figure = Figure(figsize=(3.2 * max(columns, 2), 2.7 * len(rows)), layout="constrained")
        grid = figure.subplots(len(rows), columns, squeeze=False)
        for axes, (activation, cases) in zip(grid, rows, strict=True):
            for ax, case in itertools.zip_longest(axes, cases):
                if case is None:
                    ax.set_visible(False)
                    continue
                shares = summary[summary["case"] == case].set_index("layer")[zeros]
                initializer = panels[case].initializer
                _panel(ax, by_case[case], shares, colours[initializer])
                ax.set_title(f"{activation}\n{initializer}", linespacing=1.3)
    return figure


def _panel(ax: Axes, sample: pd.DataFrame, zeros: pd.Series, colour: str) -> None:
    drawn = sample[(sample["value"] != 0) & np.isfinite(sample["value"])]
    drawn = drawn[: ENOUGH * len(zeros)]
    sns.violinplot(
        drawn,
        x="layer",
        y="value",
        order=list(zeros.index),
        density_norm="width",
        cut=0,
        inner=None,
        gridsize=50,  # the eye sees no difference to 100, the clock does
        linewidth=0.8,
        color=colour,
        ax=ax,
    )
    ax.set(xlabel="hidden layer", ylabel="")
    if zeros.max() >= 0.005:
        ax.set_xticks(range(len(zeros)), [f"{layer}\n{100 * share:.0f} %" for layer, share in zeros.items()])
        ax.set_xlabel("hidden layer, share exactly 0")


def signal_strength(summary: pd.DataFrame, panels: Mapping[str, Panel]) -> Figure:
    """Draw the strength of the signal (above) and of its gradient (below) by layer, a column per activation function.

    The axes are logarithmic, so that a constant factor per layer is a straight line. Values of 0 are left out.

    Args:
        summary: columns case, layer, input_std, gradient_rms.
        panels: names of each case.
    """
    groups, colours = by_activation(panels), colours_of(panels)
    markers = dict(zip(colours, itertools.cycle(MARKERS), strict=False))
    with mpl.rc_context(STYLE):
        figure = Figure(figsize=(max(3.4 * len(groups), 7), 6.2), layout="constrained")
        grid = figure.subplots(2, len(groups), sharex=True, sharey="row", squeeze=False)
        for axes, (activation, cases) in zip(grid.T, groups.items(), strict=True):
            for case in cases:
                rows = summary[summary["case"] == case].sort_values("layer")
                name = panels[case].initializer
                for ax, column in zip(axes, ("input_std", "gradient_rms"), strict=True):
                    drawn = rows[rows[column] > 0]
                    ax.plot(drawn["layer"], drawn[column], color=colours[name], marker=markers[name], markersize=5)
            axes[0].set_title(activation)
            axes[1].set_xlabel("hidden layer")
        grid[0, 0].set(ylabel="activations: standard\ndeviation over inputs", yscale="log")
        grid[1, 0].set(ylabel="rms of the gradient\nwith respect to them", yscale="log")
        grid[0, 0].set_xticks(sorted(summary["layer"].unique()))
        handles = [Line2D([], [], color=colours[n], marker=markers[n], markersize=5, label=n) for n in colours]
        figure.legend(handles=handles, loc="outside lower center", ncols=3, frameon=False, fontsize=10)
    return figure


KIND_COLOURS = dict(zip(("weights", "normalization", "activation", "merge", "output"), PALETTE, strict=False))
NAMED = 70
"""Layers whose names fit below the axis; of more, every so many is named."""


def layer_by_layer(table: pd.DataFrame) -> Figure:
    """Draw a model's signals from its first layer to its last.

    Above, each layer's activations: the middle half of them (thick), 98 % (thin) and the median. Then the standard
    deviation over inputs and the rms of the gradient, on logarithmic axes, where a line joins the layers of a kind
    that every path goes through; open marks are layers in branches. Below, of activation layers and outputs, the
    shares of zeros, of dead units and of saturated outputs.

    Args:
        table: of `inspection.inspect`.
    """
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
    """One mark for each layer but the outputs, which may be probabilities; a line along the trunk for each kind.

    Zeros have no logarithm and are left out.
    """
    size = 5 if len(table) <= 60 else 3
    drawn = (table[column] > 0) & np.isfinite(table[column])
    for kind, colour in KIND_COLOURS.items():
        if kind == "output":
            continue
        for on_trunk, filled in ((True, colour), (False, "white")):
            at = (drawn & (table["kind"] == kind) & (table["on_trunk"] == on_trunk)).to_numpy()
            line = "o-" if on_trunk else "o"
            ax.plot(x[at], table[column][at], line, color=colour, markerfacecolor=filled, markersize=size, linewidth=1)
    if drawn.any():
        ax.set_yscale("log")
