"""Draw what loops print and what collapsed networks predict with matplotlib from tables."""

import itertools
from collections.abc import Mapping

import matplotlib as mpl
import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch

from deadrelu.report.figures.style import ACCENT, INK, MUTED, PAPER, STYLE, legend_below, message, most_lines, wrapped


def loop_numbers(numbers: pd.DataFrame, labels: Mapping[str, str], notebook: Mapping[str, float]) -> Figure:
    """Draw how many of the notebook's loops would print 0, 1, or a number between, in one panel for each case.

    Args:
        numbers: one row for each case, criterion and printed number: case, criterion, number, loops (that print it).
        labels: name of each case.
        notebook: number between 0 and 1 that the notebook printed, by the key of its case.
    """
    if numbers.empty:
        return message("The notebook's loop was not run: there is nothing to draw.")
    columns = min(2, len(labels))
    rows = -(-len(labels) // columns)
    with mpl.rc_context(STYLE):
        titles = {case: wrapped(name, 36) for case, name in labels.items()}
        height = (2.4 + 0.2 * most_lines(titles.values())) * rows + 0.3
        figure = Figure(figsize=(9, height), layout="constrained")
        axes = figure.subplots(rows, columns, squeeze=False)
        names = {"probes_equal": "equal at the notebook's 5 probes", "collapsed": "collapsed"}
        looks = dict(zip(names, ((-0.2, INK), (0.2, MUTED)), strict=True))
        for ax, case in itertools.zip_longest(axes.flat, labels):
            if case is None:
                ax.set_visible(False)
                continue
            between = f"between\n(notebook: {notebook[case]:g})" if case in notebook else "between"
            for criterion, name in names.items():
                case_rows = numbers[(numbers["case"] == case) & (numbers["criterion"] == criterion)]
                at_ends = [int(case_rows["loops"][case_rows["number"] == end].sum()) for end in (0, 1)]
                loops = [at_ends[0], int(case_rows["loops"].sum()) - sum(at_ends), at_ends[1]]
                shift, colour = looks[criterion]
                bars = ax.bar(np.arange(3) + shift, loops, 0.38, color=colour, label=name)
                ax.bar_label(bars, fmt="{:,.0f}", fontsize=10, padding=2)
            ax.set_xticks(range(3), ["exactly 0", between, "exactly 1"])
            ax.grid(visible=False, axis="x")
            ax.margins(y=0.14)
            ax.set_title(titles[case])
        for ax in axes[-1]:
            ax.set_xlabel("number that a loop prints")
        for ax in axes[:, 0]:
            ax.set_ylabel("loops")
        legend_below(figure, [Patch(color=looks[key][1], label=name) for key, name in names.items()], 2)
    return figure


def collapse_values(values: pd.DataFrame, labels: Mapping[str, str]) -> Figure:
    """Draw what collapsed networks predict, on a scale on which the targets' mean is 0 and their median is 1.

    Args:
        values: one row per case: case, mean, median (of the targets), q05, q25, q50, q75, q95 (of the predictions).
        labels: name of each case; cases without a name are left out.
    """
    quantiles = ["q05", "q25", "q50", "q75", "q95"]
    shown = values[values["case"].isin(labels)] if len(values) else values
    if shown.empty:
        return message("No case whose dead networks can learn a constant: there is nothing to draw.")
    length = (shown["median"] - shown["mean"]).astype(float)
    scaled = shown[quantiles].sub(shown["mean"], axis=0).div(length.where(length != 0), axis=0).astype(float)
    with mpl.rc_context(STYLE):
        names = [wrapped(labels[case], 34) for case in shown["case"]]
        height = max(0.45, 0.1 + 0.18 * most_lines(names)) * len(shown)
        figure = Figure(figsize=(9, 1.0 + height), layout="constrained")
        ax = figure.subplots()
        at = np.arange(len(shown))
        for place, name in ((0, "mean of the targets"), (1, "median of the targets")):
            ax.axvline(place, color=ACCENT, linewidth=1.5, linestyle="-" if place == 0 else "--", label=name)
        ax.hlines(at, scaled["q05"], scaled["q95"], color=INK, linewidth=1.5)
        ax.hlines(at, scaled["q25"], scaled["q75"], color=INK, linewidth=7)
        ax.plot(scaled["q50"], at, "o", color=INK, markerfacecolor=PAPER, markersize=6)
        for row, known in zip(at, scaled["q50"].notna(), strict=True):
            if not known:
                ax.annotate(
                    "no collapsed network, or mean and median are equal",
                    (0.5, row),
                    ha="center",
                    va="center",
                    fontsize=10,
                )
        ax.set_yticks(at, names)
        ax.set(ylim=(len(shown) - 0.5, -0.5), xlabel="prediction of a collapsed network, relative to its targets")
        ax.set_xticks([0, 1], ["mean", "median"])
        low, high = np.nanmin([0, *scaled.min()]), np.nanmax([1, *scaled.max()])
        ax.set_xlim(low - 0.1, high + 0.1)
        handles = [
            Line2D([], [], color=INK, linewidth=1.5, label="5 to 95 % of them"),
            Line2D([], [], color=INK, linewidth=7, label="25 to 75 %"),
            Line2D([], [], color=INK, marker="o", markerfacecolor=PAPER, linestyle="", label="their median"),
        ]
        legend_below(figure, handles, 3)
    return figure
