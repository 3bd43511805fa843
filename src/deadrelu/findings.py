"""Sentences of the report, derived from its tables: none is typed that could be false."""

from collections.abc import Mapping, Sequence
from math import gcd

import numpy as np
import pandas as pd
from scipy.stats import binomtest, fisher_exact

from deadrelu import printed
from deadrelu.labels import Panel

ALPHA = 0.05


def percent(share: float) -> str:
    """'94.3 %'."""
    return f"{100 * share:.1f} %"


def interval(low: float, high: float) -> str:
    """'92.7 to 95.6 %'."""
    return f"{100 * low:.1f} to {100 * high:.1f} %"


def agrees_with_notebook(count: int, trials: int, notebook: float) -> tuple[bool, float]:
    """Fisher's exact test of our rate against the notebook's, which is itself a sample of 1000.

    Returns:
        Whether the two are consistent at `ALPHA`, and the p value.
    """
    theirs = round(notebook * printed.NOTEBOOK_TRIALS)
    table = np.array([[count, trials - count], [theirs, printed.NOTEBOOK_TRIALS - theirs]])
    p = float(fisher_exact(table)[1])
    return p >= ALPHA, p


def collapse_answer(rate: pd.Series, tolerance: float) -> str:
    """The homework's second and third question.

    Args:
        rate: a row of `summaries.collapse_rates` for the event "constant".
        tolerance: what "constant" means.
    """
    text = (
        f"Of {rate['trials']:,} independent trainings, {rate['count']:,} collapse to a constant: "
        f"{percent(rate['rate'])} (95 % interval {interval(rate['low'], rate['high'])}), where constant means that "
        f"predictions differ by at most {tolerance:g} over the training inputs."
    )
    if pd.notna(rate["notebook"]):
        agrees, p = agrees_with_notebook(rate["count"], rate["trials"], rate["notebook"])
        verdict = "differ by no more than chance allows" if agrees else "differ by more than chance allows"
        text += (
            f" The notebook printed {rate['notebook']:g}. Taken as {printed.NOTEBOOK_TRIALS:,} independent trainings, "
            f"which it says it is, the two {verdict} (Fisher's exact test, p = {p:.2g})."
        )
    return text


def against_lu(rate: pd.Series) -> str:
    """Is it close to the 90 % and more that Lu et al. report?"""
    bound = printed.LU_AT_LEAST
    if rate["low"] > bound:
        answer = f"Yes: the whole interval lies above {percent(bound)}"
    elif rate["high"] < bound:
        answer = f"No: the whole interval lies below {percent(bound)}"
    else:
        answer = f"Undecided: the interval contains {percent(bound)}"
    return f"Lu et al. report more than {percent(bound)} (for |x|). {answer}."


def born_dead(rate: pd.Series) -> str:
    """Theory against the count before training; a row for the event "born_dead"."""
    text = f"{percent(rate['rate'])} (interval {interval(rate['low'], rate['high'])}) are dead before training"
    if pd.isna(rate["theory"]):
        return f"{text}."
    p = float(binomtest(int(rate["count"]), int(rate["trials"]), rate["theory"]).pvalue)
    return (
        f"{text}; theory's exact value is {percent(rate['theory'])}, and chance alone makes a deviation at least as "
        f"large with probability {p:.2g}."
    )


def joint_tolerances(curve: pd.DataFrame, notebook: Mapping[str, float]) -> str:
    """Is there one criterion under which all of the notebook's numbers come out?

    Args:
        curve: `summaries.rate_by_tolerance`.
        notebook: the notebook's rate of each case that has one.
    """
    if not notebook:
        return "No case of this run has the notebook's settings, so its numbers are not compared."
    agreeing = []
    for tolerance, rows in curve.groupby("tolerance"):
        counted = rows.set_index("case")
        if all(
            agrees_with_notebook(int(counted["count"][case]), int(counted["trials"][case]), rate)[0]
            for case, rate in notebook.items()
        ):
            agreeing.append(tolerance)
    numbers = " and ".join(f"{rate:g}" for rate in notebook.values())
    if not agreeing:
        return f"Under no tolerance on the whole interval do the notebook's {numbers} come out (Fisher's exact test)."
    return (
        f"With one tolerance from {agreeing[0]:.1g} to {agreeing[-1]:.1g} on the whole interval, our rates agree with "
        f"the notebook's {numbers} (Fisher's exact test for each, p ≥ {ALPHA:g})."
    )


def sentence_list(names: Sequence[str]) -> str:
    """'a', 'a and b', 'a; b; and c'; names may hold commas."""
    if len(names) < 3:
        return " and ".join(names) or "none"
    return "; ".join(names[:-1]) + "; and " + names[-1]


def healthy_panels(ratios: pd.DataFrame, panels: Mapping[str, Panel], activation: str) -> str:
    """Of the panels with this activation, those that hold signal and gradient, with the factors of a layer."""
    holds = (ratios["forward_verdict"] == "holds") & (ratios["backward_verdict"] == "holds")
    found = [row for _, row in ratios[holds].iterrows() if panels[row["case"]].activation == activation]
    return sentence_list(
        [
            f"{panels[row['case']].initializer} (signal {_factor(row, 'forward')}; gradient {_factor(row, 'backward')})"
            for row in found
        ]
    )


def _factor(ratio: pd.Series, direction: str) -> str:
    text = f"×{ratio[direction]:.3g} a layer"
    if pd.notna(ratio[f"{direction}_low"]):
        text += f", 95 % interval {ratio[f'{direction}_low']:.3g} to {ratio[f'{direction}_high']:.3g}"
    return text


def units_sampled(width: int, every: int) -> str:
    """Which units every so many values of a flattened (image, unit) array belong to."""
    units = width // gcd(width, every)
    text = f"One value in {every} of the flattened (image, unit) array is kept"
    if units == width:
        return f"{text}, which meets all {width} units of a layer."
    as_it_did = ", as in the notebook" if (width, every) == (100, 20) else ""
    return f"{text}{as_it_did}: that meets only {units} of the {width} units of a layer, the same for every image."


CLASSES = 10
LEARNS = 2 / CLASSES
"""A network has learned when it gives more than this share of new digits their class: twice what guessing does."""


def learned(last: pd.Series) -> str:
    """Whether a case learns: 'yes', 'no' or 'in some trials'.

    Args:
        last: its row of `summaries.epochs_over_trials` for the last epoch.
    """
    if last["validation_accuracy_low"] > LEARNS:
        return "yes"
    return "no" if last["validation_accuracy_high"] <= LEARNS else "in some trials"


def panel(ratio: pd.Series, label: str) -> str:
    """What becomes of signal and gradient in one panel."""
    text = f"{label}: with one hidden layer there is no factor per layer"
    if pd.notna(ratio["forward"]):
        text = (
            f"{label}: the signal {ratio['forward_verdict']} ({_factor(ratio, 'forward')}), "
            f"the gradient {ratio['backward_verdict']} ({_factor(ratio, 'backward')})"
        )
    if ratio["saturated_largest"] >= 0.01:
        text += f"; {interval(ratio['saturated_least'], ratio['saturated_largest'])} of the outputs are saturated"
    return text + "."
