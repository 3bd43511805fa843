"""Draw signals by layer with matplotlib from tables."""

from collections.abc import Mapping

import matplotlib as mpl
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from deadrelu.report.figures.style import (
    GRID,
    INK,
    MUTED,
    STYLE,
    by_activation,
    empty,
    legend_below,
    markers,
    message,
    most_lines,
    wrapped,
)
from deadrelu.report.labels import Panel

VALUES_PER_VIOLIN = 1500
"""Largest number of values in a violin, on average over layers; more would take longer and look the same."""

OMITTED_TAIL = 0.05
MAX_PANEL_COLUMNS = 4
"""Largest number of panels side by side; more would be too small to read."""

MIN_ZERO_FRACTION_SHOWN = 0.005
"""Smallest share of zeros that is drawn as a bar."""


def activation_violins(
    sample: pd.DataFrame, summary: pd.DataFrame, panels: Mapping[str, Panel], colours: Mapping[str, str]
) -> Figure:
    """Draw one violin per hidden layer and one panel per case; each activation function begins a new row of panels.

    A violin is a smooth density and would hide that half of a ReLU layer is exactly 0. Violins therefore show the
    other values, and bars below them the share of exact zeros (of the whole layer, not of the sample).

    Args:
        sample: one row for each sampled value: case, layer, activation.
        summary: one row for each case and layer: case, layer, zero_fraction.
        panels: name of each case.
        colours: colour of each initializer, by its name.
    """
    values = sample.rename(columns={"activation": "value"})
    return _violins(values, summary, panels, colours, zeros="zero_fraction")


def gradient_violins(
    sample: pd.DataFrame, summary: pd.DataFrame, panels: Mapping[str, Panel], colours: Mapping[str, str]
) -> Figure:
    """Draw violins of log10 |g| for gradients g, which span many orders of magnitude, like those of activations.

    The smallest gradients of each layer, a share of `OMITTED_TAIL`, are left out: they are sums that nearly cancel.

    Args:
        sample: one row for each sampled value: case, layer, gradient.
        summary: one row for each case and layer: case, layer, gradient_zero_fraction.
        panels: name of each case.
        colours: colour of each initializer, by its name.
    """
    size = sample["gradient"].abs().astype(float)
    value = pd.Series(np.log10(size.where(size > 0)), dtype=float)  # NaN for a gradient of 0
    by_layer = value.groupby([sample["case"], sample["layer"]])
    value = value.where(value >= by_layer.transform("quantile", OMITTED_TAIL))
    return _violins(sample.assign(value=value), summary, panels, colours, zeros="gradient_zero_fraction")


def subset(sample: pd.DataFrame) -> pd.DataFrame:
    """Return a random subset of the rows of one case: at most twice as many as violins show, which omit zeros."""
    # The subset is random: a fixed step would select the same units again and again.
    return sample.sample(min(len(sample), 2 * VALUES_PER_VIOLIN * sample["layer"].nunique()), random_state=0)


def _violins(
    sample: pd.DataFrame,
    summary: pd.DataFrame,
    panels: Mapping[str, Panel],
    colours: Mapping[str, str],
    *,
    zeros: str,
) -> Figure:
    if summary.empty:
        return message("No layer was measured: there is nothing to draw.")
    rows = [
        (activation, cases[at : at + MAX_PANEL_COLUMNS])
        for activation, cases in by_activation(panels).items()
        for at in range(0, len(cases), MAX_PANEL_COLUMNS)
    ]
    columns = max(*(len(cases) for _, cases in rows), 2)
    by_case = dict(iter(sample.groupby("case")))
    shares = {case: summary[summary["case"] == case].set_index("layer")[zeros] for case in panels}
    below = [any(shares[case].max() >= MIN_ZERO_FRACTION_SHOWN for case in cases) for _, cases in rows]
    heights = [height for bars in below for height in ((3.0, 1.0) if bars else (3.0,))]
    titles = {case: f"{wrapped(p.activation, 24)}\n{wrapped(p.initializer, 24)}" for case, p in panels.items()}
    with mpl.rc_context(STYLE):
        height = 0.72 * sum(heights) + (0.2 + 0.17 * most_lines(titles.values())) * len(rows)
        figure = Figure(figsize=(2.5 * columns, height), layout="constrained")
        grid = figure.add_gridspec(len(heights), columns, height_ratios=heights)
        at = 0
        for (_, cases), bars in zip(rows, below, strict=True):
            for column, case in enumerate(cases):
                has_zeros = shares[case].max() >= MIN_ZERO_FRACTION_SHOWN
                ax = figure.add_subplot(grid[at : at + 1 + (bars and not has_zeros), column])
                _density(ax, by_case.get(case), shares[case].index, colours[panels[case].initializer])
                ax.set_title(titles[case], linespacing=1.3, fontsize=9.5)
                if has_zeros:
                    ax.tick_params(labelbottom=False)
                    ax = figure.add_subplot(grid[at + 1, column])
                    _zeros(ax, shares[case])
                ax.set_xlabel("hidden layer")
            at += 1 + bars
    return figure


def _density(ax: Axes, sample: pd.DataFrame | None, layers: pd.Index, colour: str) -> None:
    """Draw a violin per layer of the finite numbers other than 0 in `sample`, or a text if there are none."""
    ax.set(xlim=(-0.6, len(layers) - 0.4))
    drawn = None if sample is None else sample[(sample["value"] != 0) & np.isfinite(sample["value"])]
    if drawn is None or drawn.empty:
        empty(ax, "no value other than 0")
    else:
        import seaborn as sns  # the import takes half a second, and only some figures need it

        sns.violinplot(
            drawn[: VALUES_PER_VIOLIN * len(layers)],
            x="layer",
            y="value",
            order=list(layers),
            density_norm="width",
            cut=0,
            inner=None,
            gridsize=50,  # 100 take longer and look the same
            linewidth=0.6,
            linecolor=INK,
            color=colour,
            saturation=1,
            ax=ax,
        )
    ax.set_xticks(range(len(layers)), [str(layer) for layer in layers])
    ax.set(xlabel="", ylabel="")


def _zeros(ax: Axes, shares: pd.Series) -> None:
    """Draw a bar for the share of zeros in each layer, on a scale from 0 to 1, with its percentage."""
    ax.bar(range(len(shares)), 1, 0.62, color=GRID)
    bars = ax.bar(range(len(shares)), shares, 0.62, color=MUTED)
    numbers = [f"{100 * share:.0f} %" if share >= MIN_ZERO_FRACTION_SHOWN else "" for share in shares]
    ax.bar_label(bars, numbers, fontsize=8.5, padding=1)
    ax.set(xlim=(-0.6, len(shares) - 0.4), ylim=(0, 1), yticks=[], ylabel="zeros")
    ax.set_xticks(range(len(shares)), [str(layer) for layer in shares.index])
    ax.grid(visible=False)
    for side in ("left", "top", "right"):
        ax.spines[side].set_visible(False)


def signal_strength(summary: pd.DataFrame, panels: Mapping[str, Panel], colours: Mapping[str, str]) -> Figure:
    """Draw the strength of the signal (above) and of its gradient (below) by layer, in one column per activation.

    The axes are logarithmic, so that a constant factor per layer is a straight line. Values of 0 are left out.

    Args:
        summary: one row for each case and layer: case, layer, input_std, gradient_rms.
        panels: name of each case.
        colours: colour of each initializer, by its name.
    """
    measured = {
        "input_std": "activations: standard\ndeviation over inputs",
        "gradient_rms": "rms of the gradient\nwith respect to them",
    }
    return _by_layer(summary, panels, colours, measured, {})


def beside_theory(summary: pd.DataFrame, panels: Mapping[str, Panel], colours: Mapping[str, str]) -> Figure:
    """Draw the rms of activations (above) and their share of zeros (below): measurements as marks, theory as lines.

    Args:
        summary: one row per case and layer: case, layer, rms, zero_fraction, rms_theory, zero_theory (or NaN).
        panels: name of each case.
        colours: colour of each initializer, by its name.
    """
    measured = {"rms": "rms of activations", "zero_fraction": "share exactly 0"}
    return _by_layer(summary, panels, colours, measured, {"rms": "rms_theory", "zero_fraction": "zero_theory"})


def _by_layer(
    summary: pd.DataFrame,
    panels: Mapping[str, Panel],
    colours: Mapping[str, str],
    measured: Mapping[str, str],
    theory: Mapping[str, str],
) -> Figure:
    """Draw a row of panels per column in `measured` (to its label), with lines for its column in `theory`, if any."""
    if summary.empty:
        return message("No layer was measured: there is nothing to draw.")
    groups = by_activation(panels)
    used = dict.fromkeys(panel.initializer for panel in panels.values())
    marks = markers(colours)
    sizes = {name: 9 - 4 * at / max(1, len(used) - 1) for at, name in enumerate(used)}  # overlapping marks all show
    with mpl.rc_context(STYLE):
        figure = Figure(figsize=(max(3 * len(groups), 7), 5.6), layout="constrained")
        grid = figure.subplots(2, len(groups), sharex=True, sharey="row", squeeze=False)
        for axes, (activation, cases) in zip(grid.T, groups.items(), strict=True):
            for case in cases:
                rows, name = summary[summary["case"] == case].sort_values("layer"), panels[case].initializer
                for ax, column in zip(axes, measured, strict=True):
                    style = {"color": colours[name], "linewidth": 1.4}
                    drawn = rows[rows[column] > 0] if column != "zero_fraction" else rows
                    line = "none" if theory else "-"
                    mark = {"marker": marks[name], "markersize": sizes[name], "linestyle": line}
                    ax.plot(drawn["layer"], drawn[column], **mark, **style)
                    if column in theory:
                        ax.plot(rows["layer"], rows[theory[column]], **style)
            axes[0].set_title(wrapped(activation, 30))
            axes[1].set_xlabel("hidden layer")
        for ax, (column, label) in zip(grid[:, 0], measured.items(), strict=True):
            ax.set_ylabel(label)
            if column == "zero_fraction":
                ax.set_ylim(-0.04, 1.04)
            elif (summary[column] > 0).any():
                ax.set_yscale("log")
                ax.minorticks_off()
        layers = sorted(summary["layer"].unique())
        grid[0, 0].set_xticks(layers[:: -(-len(layers) // 12)])
        handles = [
            Line2D([], [], color=colours[n], marker=marks[n], markersize=6, linestyle="" if theory else "-", label=n)
            for n in used
        ]
        handles += [Line2D([], [], color=MUTED, label="theory")] * bool(theory)
        legend_below(figure, handles, 3)
    return figure
