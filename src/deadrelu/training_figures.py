"""Figures of loss histories: a table in, a matplotlib figure out."""

import itertools
from collections.abc import Mapping

import matplotlib as mpl
import pandas as pd
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from deadrelu.labels import Panel
from deadrelu.style import INK, STYLE, by_activation, colours_of

WIDEST = 2
"""Panels side by side."""


def loss_curves(curves: pd.DataFrame, epochs: pd.DataFrame, cases: Mapping[str, Panel]) -> Figure:
    """Draw the loss of a batch by step, with its band over trials; diamonds are the loss on the validation images.

    One panel per network and activation, one colour per initializer; logarithmic, since a loss may be in the
    thousands or in the hundredths.

    Args:
        curves: `summaries.loss_curves`.
        epochs: `summaries.epochs_over_trials`.
        cases: name of each case.
    """
    groups, colours = by_activation(cases), colours_of(cases)
    rows = -(-len(groups) // WIDEST)
    per_epoch = curves["step"].max() / max(1, epochs["epoch"].max())
    with mpl.rc_context(STYLE):
        figure = Figure(figsize=(11, 3.4 * rows + 0.8), layout="constrained")
        grid = figure.subplots(rows, WIDEST, sharex=True, sharey=True, squeeze=False)
        for ax, group in itertools.zip_longest(grid.flat, groups.items()):
            if group is None:
                ax.set_visible(False)
                continue
            for case in group[1]:
                colour = colours[cases[case].initializer]
                curve, checks = (frame[frame["case"] == case] for frame in (curves, epochs))
                ax.fill_between(
                    curve["step"], curve["loss_low"], curve["loss_high"], color=colour, alpha=0.2, linewidth=0
                )
                ax.plot(curve["step"], curve["loss"], color=colour, linewidth=1.5)
                ax.plot(checks["epoch"] * per_epoch, checks["validation_loss"], "D", color=colour, markersize=5)
            ax.set_title(group[0])
            ax.set_yscale("log")
        for ax in grid[:, 0]:
            ax.set_ylabel("cross-entropy")
        for ax in grid[-1]:
            ax.set_xlabel("step")
        handles = [Line2D([], [], color=colour, label=name) for name, colour in colours.items()]
        handles.append(Line2D([], [], color=INK, marker="D", linestyle="", markersize=5, label="validation"))
        figure.legend(handles=handles, loc="outside lower center", ncols=4, frameon=False, fontsize=10)
    return figure
