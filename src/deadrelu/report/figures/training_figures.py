"""Draw loss histories with matplotlib from tables."""

import itertools
from collections.abc import Mapping

import matplotlib as mpl
import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from deadrelu.report.figures.style import INK, STYLE, by_activation, legend_below, markers, message, wrapped
from deadrelu.report.labels import Panel

MAX_PANEL_COLUMNS = 2
"""Largest number of panels side by side."""


def loss_curves(
    curves: pd.DataFrame, epochs: pd.DataFrame, cases: Mapping[str, Panel], colours: Mapping[str, str]
) -> Figure:
    """Draw the running mean of the loss by step, with its range over trials; marks show the validation loss.

    There is one panel per network and activation, and one colour per initializer. The scale is logarithmic, since
    losses range from hundredths to thousands.

    Args:
        curves: table from `summaries.loss_curves`.
        epochs: table from `summaries.epochs_over_trials`.
        cases: name of each case of `training`.
        colours: colour of each initializer, by its name.
    """
    if curves.empty:
        return message("No network was trained: there is no loss to draw.")
    groups, marks = by_activation(cases), markers(colours)
    rows = -(-len(groups) // MAX_PANEL_COLUMNS)
    per_epoch = curves.groupby("case")["step"].max() / epochs.groupby("case")["epoch"].max().clip(lower=1)
    with mpl.rc_context(STYLE):
        figure = Figure(figsize=(9, 2.7 * rows + 0.5), layout="constrained")
        grid = figure.subplots(rows, MAX_PANEL_COLUMNS, sharex=True, sharey=True, squeeze=False)
        for ax, group in itertools.zip_longest(grid.flat, groups.items()):
            if group is None:
                ax.set_visible(False)
                continue
            for case in group[1]:
                name = cases[case].initializer
                curve, checks = (_finite(frame[frame["case"] == case]) for frame in (curves, epochs))
                style = {"color": colours[name]}
                ax.fill_between(curve["step"], curve["loss_low"], curve["loss_high"], alpha=0.2, linewidth=0, **style)
                ax.plot(curve["step"], curve["loss"], linewidth=1.5, **style)
                ax.plot(
                    checks["epoch"] * per_epoch[case], checks["validation_loss"], marks[name], markersize=6, **style
                )
            ax.set_title(wrapped(group[0], 40))
            ax.set_yscale("log")
            ax.minorticks_off()
        for ax in grid[:, 0]:
            ax.set_ylabel("cross-entropy")
        for ax in grid[-1]:
            ax.set_xlabel("step")
        used = dict.fromkeys(panel.initializer for panel in cases.values())
        handles = [Line2D([], [], color=colours[n], marker=marks[n], markersize=6, label=n) for n in used]
        handles.append(Line2D([], [], color=INK, marker="o", linestyle="", markersize=6, label="marks: validation"))
        legend_below(figure, handles, 3)
    return figure


def _finite(frame: pd.DataFrame) -> pd.DataFrame:
    """Replace infinities, which come from diverged trainings, by NaN, which a figure leaves out."""
    return frame.replace([np.inf, -np.inf], np.nan)
