"""Derive the report's sentences on signals and training from its tables, so that both agree."""

from collections.abc import Hashable, Mapping, Sequence
from math import gcd

import pandas as pd

from deadrelu.analysis import summaries
from deadrelu.report import labels
from deadrelu.report.labels import Panel
from deadrelu.settings.params import Params


def percent(share: float) -> str:
    """Format a share, such as '94.3 %'."""
    return f"{100 * share:.1f} %"


def interval(low: float, high: float) -> str:
    """Format an interval of shares, such as '92.7 to 95.6 %'."""
    return f"{100 * low:.1f} to {100 * high:.1f} %"


def percent_or_nothing(share: float) -> str:
    """Format a share, such as '94.3 %'; return '' for NaN."""
    return "" if pd.isna(share) else percent(share)


def bounds(low: float, high: float) -> str:
    """Format bounds of a share as '94.3 %' if they are equal, else as '92.7 to 95.6 %'; return '' for NaN."""
    return percent_or_nothing(low) if pd.isna(low) or low == high else interval(low, high)


def with_interval(table: pd.DataFrame) -> list[str]:
    """Format the rate and interval of each row, such as '94.3 % (92.7 to 95.6 %)', from columns rate, low and high."""
    rows = table[["rate", "low", "high"]].to_numpy()
    return [f"{percent(rate)} ({interval(low, high)})" for rate, low, high in rows]


def sentence_list(names: Sequence[str]) -> str:
    """Join names as 'none', 'a', 'a and b' or 'a; b; and c'; names may contain commas."""
    if len(names) < 3:
        return " and ".join(names) or "none"
    return "; ".join(names[:-1]) + "; and " + names[-1]


def healthy_panels(ratios: pd.DataFrame, panels: Mapping[str, Panel], activation: str) -> str:
    """Return text with the initializers with which `activation` keeps signal and gradient: 'He normal' or 'none'."""
    holds = (ratios["forward_verdict"] == "holds") & (ratios["backward_verdict"] == "holds")
    healthy = [panels[case] for case in ratios["case"][holds] if panels[case].activation == activation]
    return sentence_list([panel.initializer for panel in healthy])


def factor(ratio: pd.Series, direction: str) -> str:
    """Format a factor per layer and its 95 % interval (if known), such as '×0.66 (0.64 to 0.69)'; return '' for NaN.

    Args:
        ratio: row of `summaries.signal_ratios`.
        direction: "forward" (the signal) or "backward" (its gradient).
    """
    if pd.isna(ratio[direction]):
        return ""
    text = f"×{ratio[direction]:.3g}"
    if pd.notna(ratio[f"{direction}_low"]):
        text += f" ({ratio[f'{direction}_low']:.3g} to {ratio[f'{direction}_high']:.3g})"
    return text


def factors(ratios: pd.DataFrame, panels: Mapping[str, Panel], layers: int) -> list[str]:
    """Return sentences on the share of the signal left in the last layer, and on the distance of factors from theory.

    Args:
        ratios: table from `summaries.signal_ratios`.
        panels: name of each case of `activations`, by the key of the case.
        layers: number of hidden layers of the networks.
    """
    known = ratios[ratios["forward"].between(0, float("inf"), inclusive="neither")]
    if layers < 2 or known.empty:
        return ["No factor is known: the signals die out or overflow, or there is one hidden layer."]
    left = [
        f"{panels[row['case']]} {percent(row['forward'] ** (layers - 1))}"
        for row in known.to_dict("records")
        if row["forward_verdict"] == "vanishes"
    ]
    texts = [f"Share of the first hidden layer's signal left in the last one, where it vanishes: {'; '.join(left)}."]
    theory = known[known["forward_theory"].notna()].to_dict("records")
    if theory:
        away = [abs(row["forward"] / row["forward_theory"] - 1) for row in theory]
        most = theory[away.index(max(away))]
        outside = sum(not row["forward_low"] <= row["forward_theory"] <= row["forward_high"] for row in theory)
        texts.append(
            f"Measured forward factors differ from mean field's by {percent(max(away))} at most "
            f"({panels[most['case']]}: ×{most['forward']:.3f}, theory ×{most['forward_theory']:.3f}); {outside} of "
            f"{len(theory)} intervals of 95 % exclude it, unrounded and not corrected for their number. Theory is for "
            "wide layers."
        )
    return texts if left else texts[1:]


def training(params: Params, numbers: Mapping[str, pd.DataFrame]) -> list[str]:
    """Return sentences on networks that learn although their signal vanishes, and on those that do not learn.

    Args:
        params: settings in params.yaml.
        numbers: tables of the report by name (`load.Results.small`).
    """
    group = params.training
    ratios = {row["case"]: row for row in numbers["signal_ratios"].to_dict("records")}
    last = {row["case"]: row for row in summaries.last_epochs(numbers["epochs"]).to_dict("records")}
    panels = {(case.activation, case.initializer): key for key, case in params.activations.cases.items()}
    same = params.activations.network == group.mlp and params.activations.layer_seeds == "independent"
    texts = []
    for key, case in group.cases.items():
        panel = panels.get((case.activation, case.initializer)) if case.network == "mlp" and same else None
        sizes, row = group.sizes(case.network), last[key]
        steps = labels.count_of(sizes.epochs * -(-sizes.examples // sizes.batch_size), "step")
        name, reached = labels.trained(group.cases)[key], learned(row)
        span = bounds(row["validation_accuracy_low"], row["validation_accuracy_high"])
        if reached == "no":
            texts.append(f"{name}: in {steps}, it does not do better than guessing ({span} of new digits).")
        elif panel and ratios[panel]["forward_verdict"] == "vanishes" and reached == "yes":
            left = percent(ratios[panel]["forward"] ** (group.mlp.hidden_layers - 1))
            texts.append(
                f"{name}: the signal vanishes ({left} of that of the first hidden layer is left in the last), and yet "
                f"the network learns ({span} of new digits in {steps}). A conjecture: RMSprop divides each gradient by "
                "its size, so a small one moves the weights as far as a large one."
            )
    return texts or ["None of these stays at guessing in all trials, and none learns although its signal vanishes."]


def units_sampled(width: int, every: int) -> str:
    """Return sentences on how many of `width` units are in every `every`-th value of a flat (image, unit) array."""
    units = width // gcd(width, every)
    which = f"one of every {every} values" if every > 1 else "every value"
    text = f"The sample is {which} of the flattened (image, unit) array"
    if units == width:
        return f"{text}. It contains all {width} units of a layer."
    as_it_did = ", as in the notebook" if (width, every) == (100, 20) else ""
    same = ", the same for every image" if width % every == 0 else ""
    return f"{text}{as_it_did}. It contains only {units} of the {width} units of a layer{same}."


CLASSES = 10
LEARNS = 2 / CLASSES
"""Validation accuracy above which a network has learned: twice that of guessing."""


def learned(last: Mapping[Hashable, float]) -> str:
    """Return whether a case learns: 'yes', 'no' or 'in some trials'.

    Args:
        last: row of `summaries.epochs_over_trials` for the last epoch of the case.
    """
    if last["validation_accuracy_low"] > LEARNS:
        return "yes"
    return "no" if last["validation_accuracy_high"] <= LEARNS else "in some trials"
