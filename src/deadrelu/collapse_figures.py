"""Figures of collapse rates: a table in, a matplotlib figure out."""

import itertools
from collections.abc import Mapping
from typing import Any

import matplotlib as mpl
import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from deadrelu.style import INK, MUTED, PALETTE, STYLE

BLUE, ORANGE = PALETTE[:2]


def collapse_rates(rates: pd.DataFrame, rows: list[str], in_print: str, source: str) -> Figure:
    """Draw a row for each rate with its interval, beside the number in print and theory's.

    Args:
        rates: columns rate, low, high, theory_low, theory_high, and `in_print` (NaN where there is none).
        rows: what each row is called.
        in_print: name of that column.
        source: of the numbers in print.
    """
    with mpl.rc_context(STYLE):
        figure = Figure(figsize=(9, 1.1 + 0.42 * len(rates)), layout="constrained")
        ax = figure.subplots()
        at = np.arange(len(rates))
        known = rates["theory_low"].notna()
        exact = known & (rates["theory_low"] == rates["theory_high"])
        apart = known & ~exact
        bounds: dict[str, Any] = {"color": MUTED, "alpha": 0.35, "linewidth": 11, "label": "theory, bounds"}
        if apart.any():
            ax.hlines(at[apart], rates["theory_low"][apart], rates["theory_high"][apart], **bounds)
        ax.hlines(at, rates["low"], rates["high"], color=BLUE, linewidth=3)
        ax.plot(rates["rate"], at, "o", color=BLUE, label="measured, 95 % Wilson interval")
        if exact.any():
            theory: dict[str, Any] = {"color": INK, "markersize": 18, "markeredgewidth": 2, "label": "theory, exact"}
            ax.plot(rates["theory_low"][exact], at[exact], "|", **theory)
        open_diamond: dict[str, Any] = {"color": ORANGE, "markerfacecolor": "none", "markersize": 9}
        ax.plot(rates[in_print], at, "D", **open_diamond, label=source)
        ax.set_yticks(at, rows)
        ax.set(xlim=(-0.02, 1.02), ylim=(len(rates) - 0.5, -0.5), xlabel="share of trials")
        figure.legend(loc="outside upper right", ncols=4, frameon=False, fontsize=9)
    return figure


def rate_by_tolerance(
    curve: pd.DataFrame,
    labels: Mapping[str, str],
    criteria: Mapping[str, str],
    notebook: Mapping[str, float],
    tolerance: float,
) -> Figure:
    """Draw the collapse rate against the tolerance, a panel for each place where predictions are compared.

    Args:
        curve: columns case, criterion, tolerance, rate, low, high.
        labels: name of each case.
        criteria: name of each place.
        notebook: the rate the notebook printed, for the cases that are the notebook's.
        tolerance: the one used elsewhere in the report; a vertical line.
    """
    with mpl.rc_context(STYLE):
        figure = Figure(figsize=(9, 5.6), layout="constrained")
        axes = figure.subplots(2, -(-len(criteria) // 2), sharex=True, sharey=True)
        colours = dict(zip(labels, itertools.cycle(PALETTE[1::-1] + PALETTE[2:]), strict=False))
        for ax, (criterion, place) in zip(axes.flat, criteria.items(), strict=False):
            of_criterion = curve[curve["criterion"] == criterion]
            for case, label in labels.items():
                rows = of_criterion[of_criterion["case"] == case]
                ax.fill_between(
                    rows["tolerance"], rows["low"], rows["high"], color=colours[case], alpha=0.25, linewidth=0
                )
                ax.plot(rows["tolerance"], rows["rate"], color=colours[case], label=label)
                if case in notebook:
                    ax.axhline(notebook[case], color=colours[case], linestyle=":", linewidth=1.5)
                    at, room = (curve["tolerance"].min(), notebook[case]), (2, 4 if notebook[case] < 0.5 else -12)
                    ax.annotate(f"notebook: {notebook[case]:g}", at, room, textcoords="offset points", fontsize=9)
            if tolerance > 0:
                ax.axvline(tolerance, color=MUTED, linewidth=1)
            ax.set(title=f"on {place}", xscale="log", ylim=(-0.02, 1.05))
        figure.supxlabel("tolerance: largest difference between predictions", fontsize=11)
        figure.supylabel("share of trials that are constant", fontsize=11)
        axes.flat[0].legend(loc="center left", frameon=False, fontsize=9)
    return figure


def loop_numbers(numbers: pd.DataFrame, labels: Mapping[str, str], notebook: Mapping[str, float]) -> Figure:
    """Draw how many loops, as printed, would print 0, 1, or anything between: a panel for each case.

    Args:
        numbers: columns case, criterion, number, loops.
        labels: name of each case.
        notebook: the number that the notebook has for a case, which is one between.
    """
    with mpl.rc_context(STYLE):
        figure = Figure(figsize=(9, 3.4), layout="constrained")
        axes = np.atleast_1d(figure.subplots(1, len(labels)))
        names = {"probes_equal": "equal at the 5 probes, as printed", "constant": "constant within the tolerance"}
        for ax, (case, label) in zip(axes, labels.items(), strict=True):
            between = f"between\n(notebook: {notebook[case]:g})" if case in notebook else "between"
            for shift, (criterion, name) in zip((-0.2, 0.2), names.items(), strict=True):
                rows = numbers[(numbers["case"] == case) & (numbers["criterion"] == criterion)]
                at_ends = [int(rows["loops"][rows["number"] == end].sum()) for end in (0, 1)]
                loops = [at_ends[0], int(rows["loops"].sum()) - sum(at_ends), at_ends[1]]
                bars = ax.bar(np.arange(3) + shift, loops, 0.38, color=ORANGE if shift < 0 else BLUE, label=name)
                ax.bar_label(bars, fmt="{:,.0f}", fontsize=9, padding=2)
            ax.set_xticks(range(3), ["exactly 0", between, "exactly 1"])
            ax.margins(y=0.12)
            ax.set_title(label, wrap=True)
        figure.supxlabel("number that one loop prints: share of its fits that end constant", fontsize=11)
        axes[0].set_ylabel("loops")
        handles, _ = axes[0].get_legend_handles_labels()
        figure.legend(handles, names.values(), loc="outside upper right", ncols=2, frameon=False, fontsize=9)
    return figure


def collapse_values(values: pd.DataFrame, labels: Mapping[str, str]) -> Figure:
    """Draw what collapsed networks predict, beside the mean and the median of their targets.

    Args:
        values: columns case, mean, median, q05, q25, q50, q75, q95.
        labels: name of each case.
    """
    with mpl.rc_context(STYLE):
        figure = Figure(figsize=(9, 1.1 + 0.42 * len(values)), layout="constrained")
        ax = figure.subplots()
        at = np.arange(len(values))
        ax.hlines(at, values["q05"], values["q95"], color=MUTED, linewidth=1.5, label="constants: 5 to 95 %")
        ax.hlines(at, values["q25"], values["q75"], color=MUTED, linewidth=6, label="25 to 75 %")
        ax.plot(values["q50"], at, "o", color=INK, label="their median")
        marker: dict[str, Any] = {"markersize": 18, "markeredgewidth": 2}
        ax.plot(values["mean"], at, "|", color=BLUE, label="mean of the targets", **marker)
        ax.plot(values["median"], at, "|", color=ORANGE, label="median of the targets", **marker)
        ax.set_yticks(at, [labels[case] for case in values["case"]])
        ax.set(ylim=(len(values) - 0.5, -0.5), xlabel="prediction of a collapsed network")
        figure.legend(loc="outside upper right", ncols=5, frameon=False, fontsize=9)
    return figure
