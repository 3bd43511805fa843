"""Figures: a long-form table in, a matplotlib figure out. One function each."""

import itertools
from collections.abc import Mapping
from typing import Any

import matplotlib as mpl
import numpy as np
import pandas as pd
import seaborn as sns
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from deadrelu.labels import Panel

INK = "#1f2933"
MUTED = "#7b8794"
PALETTE = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#56b4e9", "#e69f00", "#6b4c9a", "#8c6d31")
"""The first six are Okabe and Ito's, which colour-blind readers can tell apart."""

MARKERS = "osD^vPX*"
ENOUGH = 3000
"""Values in a violin, on average over layers: with more, the eye sees no difference, but the clock does."""

WIDEST = 4
"""Panels side by side: more would be too small to read."""

STYLE: dict[Any, Any] = {
    **sns.axes_style("whitegrid"),
    **sns.plotting_context("notebook"),
    "axes.edgecolor": MUTED,
    "axes.labelcolor": INK,
    "axes.titlesize": 11,
    "axes.titleweight": "bold",
    "axes.titlelocation": "left",
    "figure.dpi": 144,
    "font.family": "DejaVu Sans",  # comes with matplotlib: the same bytes on every machine
    "grid.color": "#e4e7eb",
    "text.color": INK,
    "xtick.color": INK,
    "ytick.color": INK,
}


def _by_activation(panels: Mapping[str, Panel]) -> dict[str, list[str]]:
    """Cases of each activation function, both in the order given."""
    groups: dict[str, list[str]] = {}
    for case, panel in panels.items():
        groups.setdefault(panel.activation, []).append(case)
    return groups


def _colours(panels: Mapping[str, Panel]) -> dict[str, str]:
    """One colour per initializer, the same in every figure."""
    initializers = dict.fromkeys(panel.initializer for panel in panels.values())
    return dict(zip(initializers, itertools.cycle(PALETTE), strict=False))


def activation_violins(activations: pd.DataFrame, summary: pd.DataFrame, panels: Mapping[str, Panel]) -> Figure:
    """Draw one violin per hidden layer, one panel per case, one row of panels per activation function.

    A violin is a smooth density and would hide that half of a ReLU layer is exactly 0: violins show the other
    values, and the share of exact zeros (of the whole layer, not of the sample) stands below.

    Args:
        activations: a sample of each layer; columns case, layer, activation.
        summary: columns case, layer, zero_fraction.
        panels: names of each case.
    """
    rows = [
        (activation, cases[at : at + WIDEST])
        for activation, cases in _by_activation(panels).items()
        for at in range(0, len(cases), WIDEST)
    ]
    columns = max(len(cases) for _, cases in rows)
    colours = _colours(panels)
    by_case = dict(iter(activations.groupby("case")))
    with mpl.rc_context(STYLE):
        figure = Figure(figsize=(3.2 * max(columns, 2), 2.7 * len(rows)), layout="constrained")
        grid = figure.subplots(len(rows), columns, squeeze=False)
        for axes, (activation, cases) in zip(grid, rows, strict=True):
            for ax, case in itertools.zip_longest(axes, cases):
                if case is None:
                    ax.set_visible(False)
                    continue
                zeros = summary[summary["case"] == case].set_index("layer")["zero_fraction"]
                initializer = panels[case].initializer
                _violins(ax, by_case[case], zeros, colours[initializer])
                ax.set_title(f"{activation}\n{initializer}", linespacing=1.3)
    return figure


def _violins(ax: Axes, sample: pd.DataFrame, zeros: pd.Series, colour: str) -> None:
    drawn = sample[(sample["activation"] != 0) & np.isfinite(sample["activation"])]
    # At random, not every so many: that would meet the same units again and again.
    drawn = drawn.sample(min(len(drawn), ENOUGH * len(zeros)), random_state=0)
    sns.violinplot(
        drawn,
        x="layer",
        y="activation",
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
    groups, colours = _by_activation(panels), _colours(panels)
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


def collapse_rates(rates: pd.DataFrame, labels: Mapping[str, str]) -> Figure:
    """Draw one row per case and event: the rate with its interval, beside the notebook's number and theory's.

    Args:
        rates: columns case, event, rate, low, high, and notebook and theory (NaN where there is none).
        labels: name of each case.
    """
    with mpl.rc_context(STYLE):
        figure = Figure(figsize=(9, 1.1 + 0.42 * len(rates)), layout="constrained")
        ax = figure.subplots()
        at = np.arange(len(rates))
        ax.hlines(at, rates["low"], rates["high"], color="#0072b2", linewidth=3)
        ax.plot(rates["rate"], at, "o", color="#0072b2", label="measured, 95 % Wilson interval")
        ax.plot(rates["theory"], at, "|", color=INK, markersize=18, markeredgewidth=2, label="theory, exact")
        ax.plot(
            rates["notebook"], at, "D", color="#d55e00", markerfacecolor="none", markersize=9, label="2019 notebook"
        )
        names = [f"{labels[case]}: {event}" for case, event in zip(rates["case"], rates["event"], strict=True)]
        ax.set_yticks(at, names)
        ax.set(xlim=(-0.02, 1.02), ylim=(len(rates) - 0.5, -0.5), xlabel="share of trials")
        figure.legend(loc="outside upper right", ncols=3, frameon=False, fontsize=9)
    return figure


def rate_by_tolerance(
    curve: pd.DataFrame, labels: Mapping[str, str], notebook: Mapping[str, float], tolerance: float
) -> Figure:
    """Draw the collapse rate against the criterion: how far predictions may differ in a "constant" network.

    Args:
        curve: columns case, tolerance, rate, low, high.
        labels: name of each case.
        notebook: the rate the notebook printed, for the cases that are the notebook's.
        tolerance: the one used elsewhere in the report; a vertical line.
    """
    with mpl.rc_context(STYLE):
        figure = Figure(figsize=(9, 4.6), layout="constrained")
        ax = figure.subplots()
        for (case, label), colour in zip(labels.items(), itertools.cycle(PALETTE[1::-1] + PALETTE[2:]), strict=False):
            rows = curve[curve["case"] == case]
            ax.fill_between(rows["tolerance"], rows["low"], rows["high"], color=colour, alpha=0.25, linewidth=0)
            ax.plot(rows["tolerance"], rows["rate"], color=colour, label=label)
            if case in notebook:
                ax.axhline(notebook[case], color=colour, linestyle=":", linewidth=1.5)
                at = (curve["tolerance"].min(), notebook[case])
                ax.annotate(f"notebook: {notebook[case]:g}", at, (2, 4), textcoords="offset points", fontsize=9)
        if tolerance > 0:
            ax.axvline(tolerance, color=MUTED, linewidth=1)
            ax.annotate(f"tolerance {tolerance:g}", (tolerance, 0.5), (4, 0), textcoords="offset points", fontsize=9)
        ax.set(xscale="log", ylim=(-0.02, 1.02))
        ax.set(xlabel="tolerance: largest difference between predictions on the interval", ylabel="share of trials")
        ax.legend(loc="center left", frameon=False)
    return figure
