"""Figures: a long-form table in, a matplotlib figure out. One function each."""

from collections.abc import Mapping
from typing import Any

import matplotlib as mpl
import numpy as np
import pandas as pd
import seaborn as sns
from matplotlib.axes import Axes
from matplotlib.figure import Figure

INK = "#1f2933"
MUTED = "#7b8794"
COLOURS = {"tanh": "#0072b2", "sigmoid": "#009e73", "relu": "#d55e00", "leaky_relu": "#56b4e9"}
"""By activation; from Okabe and Ito's palette, which colour-blind readers can tell apart."""

LINE_STYLES = ("-", "--", ":", "-.", (0, (5, 1, 1, 1, 1, 1)))

STYLE: dict[Any, Any] = {
    **sns.axes_style("whitegrid"),
    **sns.plotting_context("notebook"),
    "axes.edgecolor": MUTED,
    "axes.labelcolor": INK,
    "axes.titlesize": 11,
    "axes.titleweight": "bold",
    "axes.titlelocation": "left",
    "figure.dpi": 110,
    "font.family": "DejaVu Sans",  # comes with matplotlib: the same bytes on every machine
    "grid.color": "#e4e7eb",
    "text.color": INK,
    "xtick.color": INK,
    "ytick.color": INK,
}


def activation_violins(activations: pd.DataFrame, labels: Mapping[str, str], kinds: Mapping[str, str]) -> Figure:
    """Draw one panel per case with one violin per hidden layer; exact zeros stand apart, as a percentage.

    A violin is a smooth density and would hide that half of a ReLU layer is exactly 0.

    Args:
        activations: columns case, layer, activation.
        labels: title of each case; the order of the panels.
        kinds: activation function of each case.
    """
    columns = min(4, len(labels))
    rows = -(-len(labels) // columns)
    with mpl.rc_context(STYLE):
        figure = Figure(figsize=(3.3 * columns, 2.7 * rows), layout="constrained")
        axes = figure.subplots(rows, columns, squeeze=False).ravel()
        for ax, (case, label) in zip(axes, labels.items(), strict=False):
            _violins(ax, activations[activations["case"] == case], COLOURS[kinds[case]])
            ax.set_title(label.replace(", ", "\n", 1), linespacing=1.3)
        for ax in axes[len(labels) :]:
            ax.set_visible(False)
    return figure


def _violins(ax: Axes, panel: pd.DataFrame, colour: str) -> None:
    zero = panel["activation"] == 0
    sns.violinplot(
        panel[~zero],
        x="layer",
        y="activation",
        order=sorted(panel["layer"].unique()),
        density_norm="width",
        cut=0,
        inner=None,
        linewidth=0.8,
        color=colour,
        ax=ax,
    )
    ax.set(xlabel="hidden layer", ylabel="")
    if zero.any():
        share = zero.groupby(panel["layer"]).mean()
        ticks = [f"{layer}\n{_percent(value)}" for layer, value in share.items()]
        ax.set_xticks(range(len(ticks)), ticks)
        ax.set_xlabel("hidden layer / exactly 0")


def _percent(share: float) -> str:
    return f"{100 * share:.0f} %"


def signal_strength(summary: pd.DataFrame, labels: Mapping[str, str], kinds: Mapping[str, str]) -> Figure:
    """Draw the strength of the signal forward and of the gradient backward, layer by layer, on log axes.

    Args:
        summary: columns case, layer, std, gradient_rms.
        labels: name of each case in the legend.
        kinds: activation function of each case: its colour.
    """
    with mpl.rc_context(STYLE):
        figure = Figure(figsize=(11, 4.8), layout="constrained")
        forward, backward = figure.subplots(1, 2)
        used: dict[str, int] = {}
        for case, label in labels.items():
            rows = summary[summary["case"] == case].sort_values("layer")
            style = LINE_STYLES[used.setdefault(kinds[case], 0) % len(LINE_STYLES)]
            used[kinds[case]] += 1
            for ax, column in ((forward, "std"), (backward, "gradient_rms")):
                drawn = rows[rows[column] > 0]
                ax.plot(
                    drawn["layer"], drawn[column], color=COLOURS[kinds[case]], linestyle=style, marker="o", label=label
                )
        forward.set(title="Activations: standard deviation", xlabel="hidden layer", yscale="log")
        backward.set(title="Gradient with respect to activations: rms", xlabel="hidden layer", yscale="log")
        for ax in (forward, backward):
            ax.set_xticks(sorted(summary["layer"].unique()))
        figure.legend(*forward.get_legend_handles_labels(), loc="outside right center", fontsize=9, frameon=False)
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
    curve: pd.DataFrame,
    labels: Mapping[str, str],
    kinds: Mapping[str, str],
    notebook: Mapping[str, float],
    tolerance: float,
) -> Figure:
    """Draw the collapse rate against the criterion: how far predictions may differ in a "constant" network.

    Args:
        curve: columns case, tolerance, rate, low, high.
        labels: name of each case.
        kinds: activation function of each case: its colour.
        notebook: the rate the notebook printed, for the cases that are the notebook's.
        tolerance: the one used elsewhere in the report; a vertical line.
    """
    with mpl.rc_context(STYLE):
        figure = Figure(figsize=(9, 4.6), layout="constrained")
        ax = figure.subplots()
        for case, label in labels.items():
            rows, colour = curve[curve["case"] == case], COLOURS[kinds[case]]
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
