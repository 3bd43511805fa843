"""Sentences of the report on dead networks, derived from its tables: none is typed that could be false."""

from collections.abc import Mapping

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
    p = fisher_exact(int(count), int(trials), round(in_print * published.TRIALS), published.TRIALS)
    return p >= ALPHA, p


def collapse_answer(rate: pd.Series) -> str:
    """The notebook's second and third question.

    Args:
        rate: a row of `rates.collapse_rates` for the event "collapsed".
    """
    text = (
        f"{rate['count']:,} of {labels.count_of(rate['trials'], 'independent training')} collapsed: "
        f"{percent(rate['rate'])} (95 % interval {interval(rate['low'], rate['high'])})."
    )
    if pd.notna(rate["notebook"]):
        agree, p = agrees(rate["count"], rate["trials"], rate["notebook"])
        verdict = "are consistent" if agree else "differ significantly"
        text += (
            f" The 2019 notebook printed {rate['notebook']:g}. If that is a share of {published.TRIALS:,} independent "
            f"trainings, as it says, the two {verdict} (Fisher's exact test, p = {p:.2g})."
        )
    return text


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


def dying(fates: pd.DataFrame) -> str:
    """How many of those that start alive die in training. Rows of `fates.tables` of one case."""
    count = dict(zip(fates["fate"], fates["count"], strict=True))
    started = int(fates["count"].sum()) - int(count["born_dead"])
    if not started:
        return "all are dead at initialization."
    text = f"of {started:,} alive at initialization, {count['dies']:,} ({percent(count['dies'] / started)}) collapsed"
    return text + (f"; {count['half_dead']:,} more became constant on one side of 0." if count["half_dead"] else ".")


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
        place = labels.CRITERIA[criterion]
        if tolerances:
            found.append(place)
            span = f"from {tolerances[0]:.3g} to {tolerances[-1]:.3g}"
            texts.append(f"On {place}, every tolerance {span} reproduces {numbers}.")
        else:
            texts.append(f"On {place}, no tolerance reproduces {numbers}.")
    places = f"Yes, if predictions are compared on {sentence_list(found)}" if found else "No"
    test = f"(Fisher's exact test for each number, p ≥ {ALPHA:g})"
    return [f"Does one criterion reproduce the notebook's {numbers}? {places} {test}.", *texts]


def against_print(constant: pd.Series, dead_untrained: pd.Series) -> str:
    """Our rate beside one of Lu et al.'s, and where theirs lies if they differ.

    Args:
        constant: a row of `rates.collapse_rates` for the event "collapsed", with a number in `lu`.
        dead_untrained: the row of the same case for the event "born_dead".
    """
    theirs = constant["lu"]
    agree, p = agrees(constant["count"], constant["trials"], theirs)
    ours = f"{percent(constant['rate'])} (interval {interval(constant['low'], constant['high'])})"
    if agree:
        return f"published {percent(theirs)}, here {ours}: consistent (p = {p:.2g})."
    text = f"published {percent(theirs)}, here {ours}: significantly different (p = {p:.2g})."
    untrained = f"{percent(dead_untrained['rate'])} are dead at initialization"
    unknown = "What the published rates depend on is measured below."
    if theirs > constant["high"]:
        return f"{text} Here {untrained}; the published number lies above both. {unknown}"
    if theirs > dead_untrained["high"]:
        return f"{text} Here {untrained}; the published number lies between the two. {unknown}"
    if theirs >= dead_untrained["low"]:
        share = percent(dead_untrained["rate"])
        return f"{text} It is consistent with the share that is dead at initialization ({share} here)."
    return f"{text} More are dead here at initialization ({percent(dead_untrained['rate'])})."


def nearest_reading(readings: pd.DataFrame, names: Mapping[str, str]) -> str:
    """Does one reading give all four published rates? `sensitivity.readings`; names of the readings."""
    best = readings.iloc[int(readings["furthest"].argmin())]
    name, limit = names[best["reading"]], 1.96
    others = f"the nearest, {name}, is {best['furthest']:.1f} standard errors away in one of them"
    if best["furthest"] <= limit:
        within = "none is further away than 1.96 standard errors"
        return f"{name[0].upper()}{name[1:]} is consistent with all four published rates: {within}."
    return f"None of these readings is consistent with all four published rates: {others}."


def deaths_in_training(table: pd.DataFrame, name: str) -> str:
    """When networks of one initializer die. Rows of `sensitivity.death_epochs`."""
    networks, revived = int(table["networks"].iloc[0]), int(table["revived"].iloc[0])
    later = table[table["epoch"] > 0]
    died = int(later["count"].sum())
    before = int(table["count"].sum()) - died
    early = int(later["count"][later["epoch"] <= 3].sum())
    through = later[later["layer"] > 0].groupby("layer")["count"].sum()
    where = f", most through layer {through.idxmax()}" if len(through) else ""
    return (
        f"{name}: of {labels.count_of(networks, 'network')}, {before:,} have collapsed before training and {died:,} in "
        f"it, {early:,} of these in the first three epochs{where}; {revived:,} had collapsed and came back."
    )


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
