"""Figures of collapse rates: a table in, a matplotlib figure out."""

import itertools
from collections.abc import Mapping

import matplotlib as mpl
import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from deadrelu.style import INK, MUTED, PALETTE, STYLE


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
