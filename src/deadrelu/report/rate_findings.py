"""Derive the report's sentences on dead networks from its tables, so that both agree."""

from collections.abc import Mapping

import numpy as np
import pandas as pd

from deadrelu.analysis import published
from deadrelu.analysis.intervals import fisher_exact, holm
from deadrelu.report import labels
from deadrelu.report.findings import interval, percent, sentence_list

ALPHA = 0.05


def agrees(count: int, trials: int, in_print: float) -> tuple[bool, float]:
    """Return whether `count` of `trials` is consistent with a published rate at the level `ALPHA`, and p of the test.

    The test is Fisher's exact one; the published rate, `in_print`, is taken as a share of 1,000 networks.
    """
    p = float(fisher_exact(int(count), int(trials), round(in_print * published.TRIALS), published.TRIALS))
    return p >= ALPHA, p


def over_training(rows: pd.DataFrame, tolerance: float) -> str:
    """Return a sentence on the share of constant networks of a case over training.

    Args:
        rows: rows of `outcomes.over_training` for one case.
        tolerance: tolerance of the criterion "within".
    """
    parts = []
    for criterion, name in (("exact", "exactly constant"), ("within", f"within {tolerance:g} of a constant")):
        moments = rows[rows["criterion"] == criterion].sort_values("epoch")
        if not moments["count"].any():
            parts.append(f"no network is {name} at any of the {len(moments)} moments")
            continue
        shares = []
        epochs = list(moments["epoch"])
        chosen = {epochs[0], epochs[-1]} | ({10, 100} & set(epochs))
        for row in moments[moments["epoch"].isin(chosen)].to_dict("records"):
            when = "before training" if row["epoch"] == 0 else f"after {labels.count_of(row['epoch'], 'epoch')}"
            shares.append(f"{percent(row['rate'])} {when}")
        parts.append(f"{name}: {', '.join(shares)}")
    return "; ".join(parts) + "."


def printed(rate: pd.Series) -> str:
    """Return a comparison of the notebook's number with our share within the tolerance; '' if there is no number.

    Args:
        rate: a row of `rates.collapse_rates` for the event "collapsed".
    """
    if pd.isna(rate["notebook"]):
        return ""
    agree, p = agrees(rate["count"], rate["trials"], rate["notebook"])
    verdict = "are consistent" if agree else "differ significantly"
    return (
        f"The 2019 notebook printed {rate['notebook']:g}; within the tolerance after training here: "
        f"{percent(rate['rate'])} (95 % interval {interval(rate['low'], rate['high'])}). If its number is a share of "
        f"{published.TRIALS:,} independent trainings, as it says, the two {verdict} (Fisher's exact test, p = {p:.2g})."
    )


def question(
    within: pd.Series, exact: pd.Series, followed: pd.DataFrame, tolerance: float, epochs: int
) -> tuple[str, str]:
    """Return the short answer to "what becomes of this network?" and its explanation.

    Args:
        within: row of `outcomes.before_and_after` of a case for the criterion "within".
        exact: row of the same case for the criterion "exact".
        followed: rows of `outcomes.over_training` of the same case; may be empty.
        tolerance: tolerance of the criterion "within".
        epochs: number of epochs of training after which `within` and `exact` count networks.
    """
    n, when = int(exact["trials"]), f"after {labels.count_of(epochs, 'epoch')}"
    if exact["after"] > 0:
        answer = f"{percent(exact['after_rate'])} dead"
        text = (
            f"{int(exact['before']):,} of {n:,} networks predict exactly the same for all training inputs before "
            f"training, {int(exact['after']):,} {when}: {int(exact['enter']):,} died and {int(exact['leave']):,} came "
            "back."
        )
    else:
        answer = "none dead" if within["leave"] <= within["enter"] else "none dead, many slow"
        text = f"None of {n:,} networks predicts exactly the same for all training inputs, before training or {when}."
    text += (
        f" Within {tolerance:g}: {percent(within['before_rate'])} before training, {percent(within['after_rate'])} "
        f"{when} ({int(within['stay']):,} stay, {int(within['enter']):,} enter, {int(within['leave']):,} leave)"
    )
    if len(followed):
        last = followed["epoch"].max()
        end = followed[followed["epoch"] == last].set_index("criterion")["rate"]
        later = f"after {labels.count_of(int(last), 'epoch')}"
        text += f", {percent(end['within'])} {later}, when {percent(end['exact'])} are exactly constant"
    return answer, f"{text}."


def moment(followed: pd.DataFrame, epochs: int, in_print: float, tolerance: float) -> str:
    """Return a sentence on whether the notebook's number lies on the curve of its case over training.

    Args:
        followed: rows of `outcomes.over_training` of the case.
        epochs: number of epochs in the notebook.
        in_print: number that the notebook printed for the case.
        tolerance: tolerance of the criterion "within".
    """
    rows = followed[followed["criterion"] == "within"].sort_values("epoch")
    at = rows[rows["epoch"] == epochs]
    if at.empty or not agrees(at["count"].iloc[0], at["trials"].iloc[0], in_print)[0]:
        return f"The notebook's {in_print:g} is not consistent with this curve after {epochs} epochs."
    first, last = rows.iloc[0], rows.iloc[-1]
    before = f"{percent(first['rate'])} before training"
    after = f"{percent(last['rate'])} after {last['epoch']:,} epochs"
    text = f"If the notebook's {in_print:g} is a share of independent trainings within {tolerance:g}, it is"
    if abs(first["rate"] - last["rate"]) < 0.1:
        return f"{text} consistent with this curve: {before} and {after}."
    course = "falling" if first["rate"] > last["rate"] else "rising"
    return f"{text} one moment of a {course} curve: {before}, {after}."


def against_lu(rate: pd.Series) -> str:
    """Return sentences on whether a rate, a row with columns low and high, is above the 90 % that Lu et al. report."""
    bound = published.LU_AT_LEAST
    return (
        f"Lu et al. report that more than {percent(bound)} collapse, for |x|, with biases and He's initialization. "
        f"Is the rate here above that? {above(rate, bound)}."
    )


def above(rate: pd.Series, bound: float) -> str:
    """Return a clause with 'Yes', 'No' or 'Undecided' on whether a rate's interval (low, high) is above a bound."""
    if rate["low"] > bound:
        return f"Yes: the whole interval lies above {percent(bound)}"
    if rate["high"] < bound:
        return f"No: the whole interval lies below {percent(bound)}"
    return f"Undecided: the interval contains {percent(bound)}"


def born_dead(rate: pd.Series) -> str:
    """Return a sentence on the share of networks born dead, and theory's if known, from a row of `collapse_rates`."""
    text = f"{percent(rate['rate'])} (interval {interval(rate['low'], rate['high'])}) are dead at initialization"
    low, high = rate["theory_low"], rate["theory_high"]
    if pd.isna(low):
        return f"{text}."
    exact = f"theory gives {percent(low)}" if low == high else f"theory gives bounds of {interval(low, high)}"
    return f"{text}; {exact} (exact binomial test, p = {rate['theory_p']:.2g})."


def outcomes(counts: pd.DataFrame, names: Mapping[str, str]) -> str:
    """Return a clause with the number of networks of each outcome that occurs; `counts`: "outcomes" of one case."""
    happened = [(names[row["outcome"]], row["count"]) for row in counts.to_dict("records") if row["count"]]
    return "each network in the first class that fits: " + ", ".join(f"{n:,} {name}" for name, n in happened) + "."


def agreeing(curve: pd.DataFrame, notebook: Mapping[str, float]) -> dict[str, list[float]]:
    """Return, for each key of `rates.PLACES`, the tolerances that are consistent with all of the notebook's numbers.

    Args:
        curve: table from `rates.rate_by_tolerance`.
        notebook: rate in the notebook by the key of its case; the result is empty if there is none.
    """
    if not notebook:
        return {}
    consistent: dict[str, list[float]] = {str(criterion): [] for criterion in curve["criterion"].unique()}
    counts = curve.pivot(index=["criterion", "tolerance"], columns="case", values=["count", "trials"])
    for (criterion, tolerance), row in zip(counts.index, counts.to_dict("records"), strict=True):
        if all(agrees(int(row["count", case]), int(row["trials", case]), rate)[0] for case, rate in notebook.items()):
            consistent[str(criterion)].append(float(tolerance))
    return consistent


def joint_tolerances(curve: pd.DataFrame, notebook: Mapping[str, float]) -> list[str]:
    """Return a sentence on whether a criterion agrees with all of the notebook's numbers, and one for each criterion.

    Args:
        curve: table from `rates.rate_by_tolerance`.
        notebook: rate in the notebook by the key of its case; if empty, one sentence says so.
    """
    if not notebook:
        return ["No case of this run has the notebook's settings, so there is nothing to compare."]
    numbers = " and ".join(f"{rate:g}" for rate in notebook.values())
    texts, consistent_places = [], []
    for criterion, tolerances in agreeing(curve, notebook).items():
        place = labels.PLACES[criterion]
        if tolerances:
            consistent_places.append(place)
            span = f"from {tolerances[0]:.3g} to {tolerances[-1]:.3g}"
            texts.append(f"On {place}, every tolerance {span} is consistent with {numbers}.")
        else:
            texts.append(f"On {place}, no tolerance is consistent with {numbers}.")
    places = f"Yes, if predictions are compared on {sentence_list(consistent_places)}" if consistent_places else "No"
    test = f"(Fisher's exact test for each number, p ≥ {ALPHA:g}, not corrected for the number of places)"
    return [f"Is one criterion consistent with the notebook's {numbers}? {places} {test}.", *texts]


def against_print(rows: Mapping[str, tuple[pd.Series, pd.Series]], tolerance: float) -> list[str]:
    """Return a sentence per case that compares our rates, by two criteria, with that of Lu et al. (criterion unknown).

    Args:
        rows: rows of `rates.collapse_rates` for "collapsed" (with a number in `lu`) and "dead", by the case's name.
        tolerance: tolerance of the event "collapsed".
    """
    names = (f"range ≤ {tolerance:g}", "range exactly 0")
    p = np.array([[agrees(r["count"], r["trials"], pair[0]["lu"])[1] for r in pair] for pair in rows.values()])
    differ = np.stack([holm(column, ALPHA) for column in p.T], axis=1) if len(p) else p
    texts = []
    for (case, pair), p_values, differences in zip(rows.items(), p, differ, strict=True):
        parts = [
            f"{name} {percent(row['rate'])} ({interval(row['low'], row['high'])}), "
            f"{'different' if differs else 'not different'} (p = {one:.2g})"
            for name, row, one, differs in zip(names, pair, p_values, differences, strict=True)
        ]
        texts.append(f"{case}: published {percent(pair[0]['lu'])}; here {'; '.join(parts)}.")
    return texts


def paper_rows(readings: pd.DataFrame, names: list[str]) -> str:
    """Return a sentence on which interpretations (a name per row of `readings`) agree with all published rates."""
    if readings.empty:
        return "No interpretation was measured on all four published rows."
    agreeing_ones = [name for name, yes in zip(names, readings["consistent"], strict=True) if yes]
    test = "Fisher's exact test of each row, the smallest of four p values times four"
    best = readings["p"].max()
    if agreeing_ones:
        return f"Consistent with all four published rows ({test}): {sentence_list(agreeing_ones)}."
    return (
        f"Each of {labels.count_of(len(readings), 'interpretation')} differs from the published rows in one or more "
        f"({test}; the largest p is {best:.2g})."
    )


def variations(table: pd.DataFrame, names: Mapping[str, str]) -> str:
    """Return sentences on which variations of a case differ from it significantly.

    Args:
        table: rows of one key of `sensitivity` in the table of `sensitivity.variations`.
        names: what each variation changes, in words, by the key of the variation.
    """
    varied = table[table["p"].notna()]
    differ = [names[row["variation"]] for row in varied.to_dict("records") if row["differs"]]
    paired = int(varied["pairs_differ"].notna().sum())
    text = (
        f"{labels.count_of(len(varied), 'variation')}, {paired} of them compared network by network. With Holm's "
        f"correction at {ALPHA:.0%}, "
    )
    return text + (f"these differ from the case: {sentence_list(differ)}." if differ else "none differs from the case.")


def deaths(table: pd.DataFrame) -> str:
    """Return a sentence on when the networks of a case die and revive; `table` has its rows of `outcomes.deaths`."""
    networks, revived = int(table["networks"].iloc[0]), int(table["revived"].iloc[0])
    later = table[table["epoch"] > 0]
    before, died = int(table["count"][table["epoch"] == 0].sum()), int(later["count"].sum())
    text = f"of {labels.count_of(networks, 'network')}, {before:,} are dead before training and {died:,} die in it"
    if died:
        first = int(later["epoch"].min())
        at_once = int(later["count"][later["epoch"] == first].sum())
        through = int(later["count"][later["layer"] > 0].sum())
        text += (
            f", {at_once:,} of these by epoch {first}; {through:,} of them have a hidden layer that is 0 on all inputs"
        )
    return f"{text}; {revived:,} were exactly constant at a checkpoint and came back by the last one."


def collapse_value(row: pd.Series) -> str:
    """Return a clause on whether collapsed networks predict mean or median; `row` is from `rates.collapse_values`."""
    loss, text = row["loss"].replace("_", " "), f"{row['collapsed']:,} collapsed networks"
    if row["mean"] == row["median"] or not row["collapsed"]:
        return f"{text} under the {loss}."
    distance = {name: abs(row["q50"] - row[name]) for name in ("mean", "median")}
    nearer = min(distance, key=lambda name: distance[name])
    is_near = distance[nearer] < abs(row["mean"] - row["median"])
    near = f"closer to the {nearer}" if is_near else "close to neither the mean nor the median"
    return (
        f"{text} under the {loss} predict {row['q50']:.3f} (middle half: {row['q25']:.3f} to {row['q75']:.3f}), {near} "
        f"of the targets (mean {row['mean']:.3f}, median {row['median']:.3f})."
    )
