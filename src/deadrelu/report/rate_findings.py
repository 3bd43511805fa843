"""Sentences of the report on dead networks, derived from its tables: none is typed that could be false."""

from collections.abc import Mapping

import numpy as np
import pandas as pd

from deadrelu.analysis import published
from deadrelu.analysis.intervals import fisher_exact
from deadrelu.report import labels
from deadrelu.report.findings import interval, percent, sentence_list

ALPHA = 0.05


def agrees(count: int, trials: int, in_print: float) -> tuple[bool, float]:
    """Fisher's exact test of our rate against a published one, which is itself a sample of 1000.

    Returns:
        Whether the two are consistent at `ALPHA`, and the p value.
    """
    counts = (int(count), int(trials), round(in_print * published.TRIALS), published.TRIALS)
    p = float(fisher_exact(*(np.array([number]) for number in counts))[0])
    return p >= ALPHA, p


def over_training(rows: pd.DataFrame, tolerance: float) -> str:
    """Return how the share of constant networks of a case goes over training.

    Args:
        rows: of `outcomes.over_training`, of one case.
        tolerance: of the criterion "within".
    """
    parts = []
    for criterion, name in (("exact", "exactly constant"), ("within", f"within {tolerance:g} of a constant")):
        of_criterion = rows[rows["criterion"] == criterion].sort_values("epoch")
        if not of_criterion["count"].any():
            parts.append(f"no network is {name} at any of the {len(of_criterion)} moments")
            continue
        shares = []
        epochs = list(of_criterion["epoch"])
        chosen = {epochs[0], epochs[-1]} | ({10, 100} & set(epochs))
        for row in of_criterion[of_criterion["epoch"].isin(chosen)].to_dict("records"):
            when = "before training" if row["epoch"] == 0 else f"after {labels.count_of(row['epoch'], 'epoch')}"
            shares.append(f"{percent(row['rate'])} {when}")
        parts.append(f"{name}: {', '.join(shares)}")
    return "; ".join(parts) + "."


def printed(rate: pd.Series) -> str:
    """Return the notebook's number against ours by the same criterion; '' where it has none.

    Args:
        rate: a row of `rates.collapse_rates` for the event "collapsed".
    """
    if pd.isna(rate["notebook"]):
        return ""
    agree, p = agrees(rate["count"], rate["trials"], rate["notebook"])
    verdict = "are consistent" if agree else "differ significantly"
    return (
        f"The 2019 notebook printed {rate['notebook']:g}; within the tolerance here: {percent(rate['rate'])} "
        f"(95 % interval {interval(rate['low'], rate['high'])}). If its number is a share of {published.TRIALS:,} "
        f"independent trainings, as it says, the two {verdict} (Fisher's exact test, p = {p:.2g})."
    )


def question(before: pd.Series, exact: pd.Series, followed: pd.DataFrame, tolerance: float) -> tuple[str, str]:
    """Return the short answer to "what becomes of this network?" and what stands behind it.

    Args:
        before: a row of `outcomes.before_and_after` of the case, criterion "within".
        exact: the same, criterion "exact".
        followed: rows of `outcomes.over_training` of the case; may be empty.
        tolerance: of "within".
    """
    n = int(exact["trials"])
    if exact["after"] > 0:
        answer = f"{percent(exact['after_rate'])} dead"
        text = (
            f"{int(exact['before']):,} of {n:,} networks predict exactly the same for all training inputs before "
            f"training, {int(exact['after']):,} after it: {int(exact['enter']):,} died in training, and "
            f"{int(exact['leave']):,} came back."
        )
    else:
        answer = "none dead"
        text = f"None of {n:,} networks ever predicts exactly the same for all training inputs."
    text += (
        f" Within {tolerance:g}: {percent(before['before_rate'])} before training, {percent(before['after_rate'])} "
        f"after it ({int(before['stay']):,} stay, {int(before['enter']):,} enter, {int(before['leave']):,} leave)."
    )
    if len(followed):
        last = followed["epoch"].max()
        end = followed[followed["epoch"] == last].set_index("criterion")["rate"]
        when = labels.count_of(int(last), "epoch")
        text += f" After {when}: {percent(end['within'])} within it, {percent(end['exact'])} exactly constant."
    return answer, text


def against_lu(rate: pd.Series) -> str:
    """Is it close to the 90 % and more that Lu et al. report?"""
    bound = published.LU_AT_LEAST
    return (
        f"Lu et al. report that more than {percent(bound)} collapse, for |x|, with biases and He's initialization. "
        f"Is the rate here above that? {above(rate, bound)}."
    )


def above(rate: pd.Series, bound: float) -> str:
    """Whether a rate lies above a bound: 'Yes: …', 'No: …' or 'Undecided: …'."""
    if rate["low"] > bound:
        return f"Yes: the whole interval lies above {percent(bound)}"
    if rate["high"] < bound:
        return f"No: the whole interval lies below {percent(bound)}"
    return f"Undecided: the interval contains {percent(bound)}"


def born_dead(rate: pd.Series) -> str:
    """Theory against the count before training; a row for the event "born_dead"."""
    text = f"{percent(rate['rate'])} (interval {interval(rate['low'], rate['high'])}) are dead at initialization"
    low, high = rate["theory_low"], rate["theory_high"]
    if pd.isna(low):
        return f"{text}."
    exact = f"theory gives {percent(low)}" if low == high else f"theory gives bounds of {interval(low, high)}"
    return f"{text}; {exact} (exact binomial test, p = {rate['theory_p']:.2g})."


def outcomes(counts: pd.DataFrame, names: Mapping[str, str]) -> str:
    """Return how many networks had which outcome. Rows of `outcomes.tables` of one case."""
    happened = [(names[row["outcome"]], row["count"]) for row in counts.to_dict("records") if row["count"]]
    return ", ".join(f"{count:,} {name}" for name, count in happened) + "."


def agreeing(curve: pd.DataFrame, notebook: Mapping[str, float]) -> dict[str, list[float]]:
    """For each place where predictions can be compared, the tolerances that give all of the notebook's numbers.

    Args:
        curve: `rates.rate_by_tolerance`.
        notebook: the notebook's rate of each case that has one.
    """
    if not notebook:
        return {}
    found: dict[str, list[float]] = {str(criterion): [] for criterion in curve["criterion"].unique()}
    counts = curve.pivot(index=["criterion", "tolerance"], columns="case", values=["count", "trials"])
    for (criterion, tolerance), row in zip(counts.index, counts.to_dict("records"), strict=True):
        if all(agrees(int(row["count", case]), int(row["trials", case]), rate)[0] for case, rate in notebook.items()):
            found[str(criterion)].append(float(tolerance))
    return found


def joint_tolerances(curve: pd.DataFrame, notebook: Mapping[str, float]) -> list[str]:
    """Is there one criterion under which all of the notebook's numbers come out?

    Args:
        curve: `rates.rate_by_tolerance`.
        notebook: the notebook's rate of each case that has one.

    Returns:
        A sentence for each place where predictions can be compared, and one that sums up.
    """
    if not notebook:
        return ["No case of this run has the notebook's settings, so there is nothing to compare."]
    numbers = " and ".join(f"{rate:g}" for rate in notebook.values())
    texts, found = [], []
    for criterion, tolerances in agreeing(curve, notebook).items():
        place = labels.PLACES[criterion]
        if tolerances:
            found.append(place)
            span = f"from {tolerances[0]:.3g} to {tolerances[-1]:.3g}"
            texts.append(f"On {place}, every tolerance {span} reproduces {numbers}.")
        else:
            texts.append(f"On {place}, no tolerance reproduces {numbers}.")
    places = f"Yes, if predictions are compared on {sentence_list(found)}" if found else "No"
    test = f"(Fisher's exact test for each number, p ≥ {ALPHA:g})"
    return [f"Does one criterion reproduce the notebook's {numbers}? {places} {test}.", *texts]


def against_print(collapsed: pd.Series, dead: pd.Series, tolerance: float) -> str:
    """Return our rates against one of Lu et al.'s; their criterion is not known, so both of ours are given.

    Args:
        collapsed: a row of `rates.collapse_rates` for the event "collapsed", with a number in `lu`.
        dead: the row of the same case for the event "dead".
        tolerance: of the event "collapsed".
    """
    texts = []
    for row, name in ((collapsed, f"range ≤ {tolerance:g}"), (dead, "range exactly 0")):
        agree, p = agrees(row["count"], row["trials"], collapsed["lu"])
        ours = f"{percent(row['rate'])} ({interval(row['low'], row['high'])})"
        texts.append(f"{name} {ours}, {'consistent' if agree else 'different'} (p = {p:.2g})")
    return f"published {percent(collapsed['lu'])}; here {'; '.join(texts)}."


def paper_rows(readings: pd.DataFrame, names: list[str]) -> str:
    """Return whether an interpretation of the paper gives all four published rows; `sensitivity.readings`."""
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
    """Return which variations differ from their case. Rows of `sensitivity.variations` of one table."""
    varied = table[table["p"].notna()]
    differ = [names[row["variation"]] for row in varied.to_dict("records") if row["differs"]]
    paired = int(varied["pairs_differ"].notna().sum())
    text = (
        f"{labels.count_of(len(varied), 'variation')}, {paired} of them on the same networks as the case. With Holm's "
        f"correction at {ALPHA:.0%}, "
    )
    return text + (f"these differ from the case: {sentence_list(differ)}." if differ else "none differs from the case.")


def deaths(table: pd.DataFrame) -> str:
    """Return when networks die. Rows of `outcomes.deaths` of one case."""
    networks, revived = int(table["networks"].iloc[0]), int(table["revived"].iloc[0])
    later = table[table["epoch"] > 0]
    before, died = int(table["count"][table["epoch"] == 0].sum()), int(later["count"].sum())
    text = f"of {labels.count_of(networks, 'network')}, {before:,} are dead before training and {died:,} die in it"
    if died:
        first = int(later["epoch"].min())
        at_once = int(later["count"][later["epoch"] == first].sum())
        through = later[later["layer"] > 0].groupby("layer")["count"].sum()
        text += (
            f", {at_once:,} of these by epoch {first}; {int(through.sum()):,} of them have a layer that is 0 on all "
        )
        text += "inputs" + (f", most often layer {through.idxmax()} ({through.max():,})" if len(through) else "")
    return f"{text}; {revived:,} were exactly constant at a checkpoint and came back."


def collapse_value(row: pd.Series) -> str:
    """Do collapsed networks predict the mean or the median of the targets? A row of `rates.collapse_values`."""
    loss, text = row["loss"].replace("_", " "), f"{row['collapsed']:,} collapsed networks"
    if row["mean"] == row["median"] or not row["collapsed"]:
        return f"{text} under the {loss}."
    distance = {name: abs(row["q50"] - row[name]) for name in ("mean", "median")}
    nearer = min(distance, key=lambda name: distance[name])
    near = (
        f"closer to the {nearer}"
        if distance[nearer] < abs(row["mean"] - row["median"])
        else "close to neither the mean nor the median"
    )
    return (
        f"{text} under the {loss} predict {row['q50']:.3f} (middle half: {row['q25']:.3f} to {row['q75']:.3f}), {near} "
        f"of the targets (mean {row['mean']:.3f}, median {row['median']:.3f})."
    )


def loop(numbers: pd.DataFrame, notebook: float | None) -> str:
    """What the notebook's loop measures. Rows of `rates.loop_numbers` of one case for "probes_equal"."""
    total = int(numbers["total"].iloc[0])
    ones, zeros = (int(numbers["loops"][numbers["number"] == end].sum()) for end in (1, 0))
    between = total - ones - zeros
    text = f"of {total:,} loops, {ones:,} would print exactly 1, {zeros:,} exactly 0 and {between:,} a number between"
    if notebook is None:
        return f"{text}."
    near = numbers["number"].between(notebook - 0.05, notebook + 0.05) & ~numbers["number"].isin([0, 1])
    return f"{text}; {int(numbers['loops'][near].sum()):,} of them within 0.05 of the notebook's {notebook:g}."


def coin(numbers: pd.DataFrame) -> str:
    """What that says of the loop. Rows of `rates.loop_numbers` of all cases for "probes_equal"."""
    ends = numbers["loops"][numbers["number"].isin([0, 1])].sum() / numbers["loops"].sum()
    if ends > 1 - ALPHA:
        return (
            f"{percent(ends)} of these loops print 0 or 1. The loop's number tells whether its one network died; it is "
            "not a rate over networks."
        )
    return f"{percent(ends)} of these loops print 0 or 1; the others print how long their one network is constant."
