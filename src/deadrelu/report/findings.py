"""Sentences of the report on signals and training, derived from its tables: none is typed that could be false."""

from collections.abc import Mapping, Sequence
from math import gcd

import pandas as pd

from deadrelu.report.labels import Panel


def percent(share: float) -> str:
    """'94.3 %'."""
    return f"{100 * share:.1f} %"


def interval(low: float, high: float) -> str:
    """'92.7 to 95.6 %'."""
    return f"{100 * low:.1f} to {100 * high:.1f} %"


def percent_or_nothing(share: float) -> str:
    """'94.3 %', or '' for NaN."""
    return "" if pd.isna(share) else percent(share)


def bounds(low: float, high: float) -> str:
    """'94.3 %' where both are equal, else '92.7 to 95.6 %', or '' for NaN."""
    return percent_or_nothing(low) if pd.isna(low) or low == high else interval(low, high)


def sentence_list(names: Sequence[str]) -> str:
    """'a', 'a and b', 'a; b; and c'; names may hold commas."""
    if len(names) < 3:
        return " and ".join(names) or "none"
    return "; ".join(names[:-1]) + "; and " + names[-1]


def healthy_panels(ratios: pd.DataFrame, panels: Mapping[str, Panel], activation: str) -> str:
    """Initializers of the panels with this activation that keep both signal and gradient: 'He normal' or 'none'."""
    holds = (ratios["forward_verdict"] == "holds") & (ratios["backward_verdict"] == "holds")
    found = [panels[case] for case in ratios["case"][holds] if panels[case].activation == activation]
    return sentence_list([panel.initializer for panel in found])


def factor(ratio: pd.Series, direction: str) -> str:
    """What a layer multiplies by, '×0.66 (0.64 to 0.69)', or '' where one hidden layer has no factor.

    Args:
        ratio: a row of `summaries.signal_ratios`.
        direction: forward or backward.
    """
    if pd.isna(ratio[direction]):
        return ""
    text = f"×{ratio[direction]:.3g}"
    if pd.notna(ratio[f"{direction}_low"]):
        text += f" ({ratio[f'{direction}_low']:.3g} to {ratio[f'{direction}_high']:.3g})"
    return text


def units_sampled(width: int, every: int) -> str:
    """Which units every so many values of a flattened (image, unit) array belong to."""
    units = width // gcd(width, every)
    text = f"The sample is every {every}th value of the flattened (image, unit) array"
    if units == width:
        return f"{text}. It contains all {width} units of a layer."
    as_it_did = ", as in the notebook" if (width, every) == (100, 20) else ""
    return f"{text}{as_it_did}. It contains only {units} of the {width} units of a layer, the same for every image."


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
