"""Draw shares of constant networks before, during and after training with matplotlib from tables."""

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

from deadrelu.report.figures.style import ACCENT, INK, MUTED, PALETTE, PAPER, STYLE, legend_below, message, wrapped

CONSTANT, DIFFERENT = "#3b4754", "#0f7f78"
"""Colours of constant networks and of others, which are also those of the outcomes "born_dead" and "alive"."""

COLOURS = (INK, *PALETTE[1:3], PALETTE[0], *PALETTE[3:])
"""Colours of cases in the order of panels and legends, repeated if there are more cases."""
LINES: dict[str, Any] = {"within": "-", "exact": (0, (4, 2))}
"""Line styles of the two criteria of a constant network."""


def over_training(
    table: pd.DataFrame,
    groups: Mapping[str, Mapping[str, str]],
    notebook: Mapping[str, tuple[int, float]],
    criteria: Mapping[str, str],
) -> Figure:
    """Draw the share of constant networks against the epochs of training, in one panel for each group of cases.

    Args:
        table: one row for each case, criterion and epoch: case, criterion, epoch, rate, low, high.
        groups: names of the cases in each panel, by the title of the panel and the key of the case.
        notebook: epochs and rate of the notebook, by the key of its case; they are drawn as marks.
        criteria: words for each criterion ("exact" is drawn dashed, "within" solid).
    """
    groups = {title: cases for title, cases in groups.items() if cases}
    if not groups or table.empty:
        return message("No case is followed: there is no share to draw against the length of training.")
    last = int(table["epoch"].max())
    with mpl.rc_context(STYLE):
        figure = Figure(figsize=(9, 4.3), layout="constrained")
        axes = figure.subplots(1, len(groups), sharey=True, squeeze=False)[0]
        handles: list[Any] = []
        colours = itertools.cycle(COLOURS)
        for ax, (title, cases) in zip(axes, groups.items(), strict=True):
            for (case, name), colour in zip(cases.items(), colours, strict=False):
                for criterion, line in LINES.items():
                    rows = table[(table["case"] == case) & (table["criterion"] == criterion)].sort_values("epoch")
                    ax.fill_between(rows["epoch"], rows["low"], rows["high"], color=colour, alpha=0.16, linewidth=0)
                    ax.plot(rows["epoch"], rows["rate"], color=colour, linestyle=line, linewidth=1.9)
                    if criterion == "within":
                        ax.plot(rows["epoch"], rows["rate"], "o", color=colour, markersize=4)
                if case in notebook:
                    ax.plot(*notebook[case], "D", color=ACCENT, markersize=8, markeredgecolor=PAPER, zorder=5)
                handles.append(Line2D([], [], color=colour, linewidth=1.9, label=name))
            ax.set_title(wrapped(title, 84 // len(groups)))
            ax.set_xscale("symlog", linthresh=1, linscale=0.5)
            ticks = [0, 1, *(epoch for epoch in (2, 5, 10, 20, 50, 100, 200, 500, 1000) if epoch <= last)]
            ax.set_xticks(ticks, [str(epoch) for epoch in ticks])
            ax.minorticks_off()
            ax.set(
                xlabel=wrapped("epochs of training (0: before)", 84 // len(groups)),
                xlim=(-0.08, 1.15 * last),
                ylim=(-0.03, 1.03),
            )
        axes[0].set_ylabel("share of networks")
        handles += [Line2D([], [], color=MUTED, linestyle=line, label=criteria[key]) for key, line in LINES.items()]
        if notebook:
            handles.append(Line2D([], [], color=ACCENT, marker="D", linestyle="", markersize=7, label="2019 notebook"))
        legend_below(figure, handles, 2)
    return figure


def before_and_after(table: pd.DataFrame, cases: Mapping[str, str], criteria: Mapping[str, str]) -> Figure:
    """Draw how many networks are constant before and after training, and how many stay, become or cease to be so.

    Args:
        table: one row for each case and criterion: case, criterion, trials, before, after, stay, enter, leave.
        cases: name of each case; each has a row of panels.
        criteria: words for each criterion; each has a column of panels.
    """
    if not cases or table.empty:
        return message("No independent trials: there is nothing to compare before and after training.")
    with mpl.rc_context(STYLE):
        figure = Figure(figsize=(9, 0.5 + 2.35 * len(cases)), layout="constrained")
        grid = figure.subplots(len(cases), len(criteria), squeeze=False)
        counts = ["trials", "before", "after", "stay", "enter", "leave"]
        rows: dict[Any, Any] = table.set_index(["case", "criterion"])[counts].astype(int).to_dict("index")
        for (case, name), axes in zip(cases.items(), grid, strict=True):
            for (criterion, meaning), ax in zip(criteria.items(), axes, strict=True):
                _flow(ax, rows[case, criterion])
                ax.set_title(wrapped(f"{name}: {meaning}", 46), fontsize=10.5)
        handles = [Patch(color=CONSTANT, label="constant"), Patch(color=DIFFERENT, label="not constant")]
        legend_below(figure, handles, 2)
    return figure


def _flow(ax: Axes, row: Mapping[str, int]) -> None:
    """Draw the counts in `row` as bars before and after training, constant ones at the bottom, joined by ribbons."""
    n = row["trials"]
    remain = n - row["stay"] - row["enter"] - row["leave"]
    ends = {
        "stay": (0, 0, row["stay"], CONSTANT),
        "leave": (row["stay"], row["after"], row["leave"], DIFFERENT),
        "enter": (row["before"], row["stay"], row["enter"], CONSTANT),
        "remain": (row["before"] + row["enter"], row["after"] + row["leave"], remain, DIFFERENT),
    }
    t = np.linspace(0, 1, 40)
    ease = t * t * (3 - 2 * t)
    for left, right, width, colour in ends.values():
        if width > 0:
            low = left + (right - left) * ease
            ax.fill_between(0.12 + 0.76 * t, low, low + width, color=colour, alpha=0.35, linewidth=0)
    for at, count in ((0.06, row["before"]), (0.94, row["after"])):
        ax.bar(at, count, 0.12, color=CONSTANT)
        ax.bar(at, n - count, 0.12, bottom=count, color=DIFFERENT)
        if count >= 0.06 * n:
            ax.text(at, count / 2, f"{count:,}", ha="center", va="center", fontsize=9, color=PAPER)
        else:
            ax.text(at, count + 0.02 * n, f"{count:,}", ha="center", va="bottom", fontsize=9, color=PAPER)
    words = {"stay": "stay", "enter": "become constant", "leave": "leave"}
    texts = [f"{row[name]:,} {word}" for name, word in words.items()]
    ax.text(0.5, n * 1.03, ", ".join(texts), ha="center", va="bottom", fontsize=9, color=INK)
    ax.set(xlim=(0, 1), ylim=(0, n * 1.12), yticks=[])
    ax.set_xticks([0.06, 0.94], ["before", "after"])
    ax.grid(visible=False)
    for side in ("left", "right", "top", "bottom"):
        ax.spines[side].set_visible(False)
