"""Test that sentences on rates follow the numbers, so that each can come out the other way."""

import numpy as np
import pandas as pd
import pytest

from deadrelu.analysis.intervals import wilson
from deadrelu.report import loop_findings, rate_findings


def rate_row(count: int, trials: int, **more: float) -> pd.Series:
    values: dict[str, object] = {"trials": trials, "count": count, "notebook": np.nan, "lu": np.nan}
    values |= {"theory_low": np.nan, "theory_high": np.nan, "theory_p": np.nan}
    return pd.Series(values | dict(wilson(count, trials)._asdict()) | more)


def test_sentences_follow_the_numbers() -> None:
    """Each sentence can come out the other way."""
    consistent = rate_findings.printed(rate_row(950, 1000, notebook=0.956))
    assert consistent.startswith("The 2019 notebook printed 0.956; within the tolerance after training here: 95.0 % (")
    assert "the two are consistent" in consistent
    assert "the two differ significantly" in rate_findings.printed(rate_row(900, 1000, notebook=0.956))
    assert rate_findings.printed(rate_row(900, 1000)) == ""
    answers = [rate_findings.against_lu(rate_row(count, 1000)) for count in (940, 910, 890, 800)]
    assert [next(w for w in ("Yes", "Undecided", "No:") if w in text) for text in answers] == [
        "Yes",
        "Undecided",
        "Undecided",
        "No:",
    ]


def pair(criterion: str, before: int, after: int, enter: int, leave: int) -> pd.Series:
    """Return a row of `outcomes.before_and_after` for 1,000 networks."""
    rates = {f"{name}_rate": count / 1000 for name, count in (("before", before), ("after", after))}
    counts = {"before": before, "after": after, "stay": after - enter, "enter": enter, "leave": leave}
    return pd.Series({"criterion": criterion, "trials": 1000, **counts, **rates})


FOLLOWED = pd.DataFrame(
    [("exact", 0, 0.92), ("within", 0, 0.94), ("exact", 500, 0.961), ("within", 500, 0.97)],
    columns=["criterion", "epoch", "rate"],
)


def test_what_becomes_of_a_network_that_dies() -> None:
    within, exact = pair("within", 946, 960, 27, 13), pair("exact", 924, 959, 36, 1)
    answer, text = rate_findings.question(within, exact, FOLLOWED, 1e-3, 10)
    assert answer == "95.9 % dead"
    assert text == (
        "924 of 1,000 networks predict exactly the same for all training inputs before training, 959 after 10 epochs: "
        "36 died and 1 came back. Within 0.001: 94.6 % before training, 96.0 % after 10 epochs (933 stay, 27 enter, 13 "
        "leave), 97.0 % after 500 epochs, when 96.1 % are exactly constant."
    )


def test_what_becomes_of_a_network_that_does_not_die() -> None:
    """A network constant within the tolerance is not dead; if more leave the tolerance than enter it, many are slow."""
    exact = pair("exact", 0, 0, 0, 0)
    answer, text = rate_findings.question(pair("within", 690, 217, 17, 490), exact, FOLLOWED[:0], 0.1, 1)
    assert answer == "none dead, many slow"
    assert text == (
        "None of 1,000 networks predicts exactly the same for all training inputs, before training or after 1 epoch. "
        "Within 0.1: 69.0 % before training, 21.7 % after 1 epoch (200 stay, 17 enter, 490 leave)."
    )
    assert rate_findings.question(pair("within", 10, 20, 15, 5), exact, FOLLOWED[:0], 0.1, 1)[0] == "none dead"


@pytest.mark.parametrize(
    ("counts", "ending"),
    [
        ({0: 690, 10: 217, 500: 20}, "one moment of a falling curve: 69.0 % before training, 2.0 % after 500 epochs."),
        ({0: 20, 10: 217, 500: 690}, "one moment of a rising curve: 2.0 % before training, 69.0 % after 500 epochs."),
        (
            {0: 210, 10: 217, 500: 230},
            "it is consistent with this curve: 21.0 % before training and 23.0 % after 500 epochs.",
        ),
        ({0: 690, 10: 300, 500: 20}, "is not consistent with this curve after 10 epochs."),
        ({0: 690, 5: 217, 500: 20}, "is not consistent with this curve after 10 epochs."),
    ],
)
def test_the_notebooks_number_is_a_moment_of_a_curve(counts: dict[int, int], ending: str) -> None:
    """The sentence is on the curve within the tolerance; the other curve is flat here."""
    curve = pd.concat([followed("exact", dict.fromkeys(counts, 217)), followed("within", counts)]).assign(trials=1000)
    text = rate_findings.moment(curve.sample(frac=1, random_state=1), 10, 0.2, 1e-3)
    assert text.endswith(ending)
    assert "0.2" in text


def followed(criterion: str, counts: dict[int, int]) -> pd.DataFrame:
    rows = [(criterion, epoch, count, count / 1000) for epoch, count in counts.items()]
    return pd.DataFrame(rows, columns=["criterion", "epoch", "count", "rate"])


def test_shares_over_training_are_told_at_the_ends_and_at_10_and_100() -> None:
    counts = {0: 924, 1: 933, 10: 959, 20: 960, 100: 961, 500: 962}
    both = pd.concat([followed("within", {k: n + 10 for k, n in counts.items()}), followed("exact", counts)])
    assert rate_findings.over_training(both.sample(frac=1, random_state=1), 1e-3) == (
        "exactly constant: 92.4 % before training, 95.9 % after 10 epochs, 96.1 % after 100 epochs, 96.2 % after 500 "
        "epochs; within 0.001 of a constant: 93.4 % before training, 96.9 % after 10 epochs, 97.1 % after 100 epochs, "
        "97.2 % after 500 epochs."
    )
    none = pd.concat([followed("exact", dict.fromkeys(counts, 0)), followed("within", {1: 5})])
    assert rate_findings.over_training(none, 0.1) == (
        "no network is exactly constant at any of the 6 moments; within 0.1 of a constant: 0.5 % after 1 epoch."
    )


def test_outcomes_are_told_where_they_happened() -> None:
    rows = pd.DataFrame({"outcome": ["born_dead", "died", "alive"], "count": [1924, 0, 75]})
    names = {"born_dead": "dead at initialization", "died": "died in training", "alive": "alive"}
    assert rate_findings.outcomes(rows, names) == (
        "each network in the first class that fits: 1,924 dead at initialization, 75 alive."
    )


def test_theory_is_exact_or_bounds() -> None:
    assert "theory" not in rate_findings.born_dead(rate_row(9, 10))
    exact = rate_findings.born_dead(rate_row(90, 100, theory_low=0.8, theory_high=0.8, theory_p=0.0123))
    assert "theory gives 80.0 % (exact binomial test, p = 0.012)" in exact
    bounds = rate_findings.born_dead(rate_row(90, 100, theory_low=0.8, theory_high=0.95, theory_p=1.0))
    assert "bounds of 80.0 to 95.0 %" in bounds


def test_fisher_at_five_percent() -> None:
    """A pair with p between 0.01 and 0.05 differs."""
    agree, p = rate_findings.agrees(936, 1000, 0.956)
    assert 0.04 < p < 0.06
    assert agree == (p >= 0.05)
    agree, p = rate_findings.agrees(934, 1000, 0.956)
    assert 0.01 < p < 0.05
    assert not agree


def test_joint_tolerances() -> None:
    rows = [("a", 950, 100), ("a", 955, 200), ("a", 957, 205), ("a", 999, 200)]
    tolerances = [0.1, 0.126, 0.158, 0.2]
    curve = pd.DataFrame(
        [
            {"case": case, "tolerance": tolerance, "count": count, "trials": 1000}
            for (_, a, b), tolerance in zip(rows, tolerances, strict=True)
            for case, count in (("a", a), ("b", b))
        ]
    )
    curve = pd.concat([curve.assign(criterion="interval"), curve.assign(criterion="probes", count=0)])
    answer, interval, probes = rate_findings.joint_tolerances(curve, {"a": 0.956, "b": 0.192})
    assert "Yes, if predictions are compared on the interval (" in answer
    assert "every tolerance from 0.126 to 0.158 is consistent with 0.956 and 0.192." in interval
    assert probes == "On the 5 probes, no tolerance is consistent with 0.956 and 0.192."
    assert "0.5? No (" in rate_findings.joint_tolerances(curve, {"a": 0.956, "b": 0.5})[0]
    assert "nothing to compare" in rate_findings.joint_tolerances(curve, {})[0]


@pytest.mark.parametrize(
    ("theirs", "within", "exact"),
    [
        (0.41, "not different (p = 0.68)", "different"),
        (0.6, "different", "different"),
        (0.292, "different", "different (p = 0.0016)"),
        (0.24, "different", "not different (p = 0.6)"),
    ],
)
def test_number_of_the_paper_and_ours_by_both_criteria(theirs: float, within: str, exact: str) -> None:
    """Here 400 of 1,000 networks (370 to 431) are within the tolerance, and 229 (204 to 256) are exactly constant."""
    (text,) = rate_findings.against_print({"A": (rate_row(400, 1000, lu=theirs), rate_row(229, 1000))}, 1e-3)
    start, within_text, exact_text = text.replace("; here ", "; ").split("; ")
    assert start == f"A: published {100 * theirs:.1f} %"
    assert within_text.startswith(f"range ≤ 0.001 40.0 % (37.0 to 43.1 %), {within}")
    assert exact_text.startswith(f"range exactly 0 22.9 % (20.4 to 25.6 %), {exact}")


def test_numbers_of_the_paper_are_corrected_for_their_number() -> None:
    """A p of 0.027 is significant alone, but not among two; each criterion is corrected by itself."""
    row = (rate_row(339, 1000, lu=0.292), rate_row(700, 1000))
    assert "(31.0 to 36.9 %), different (p = 0.027)" in rate_findings.against_print({"A": row}, 1e-3)[0]
    same = (rate_row(292, 1000, lu=0.292), rate_row(292, 1000))
    first, second = rate_findings.against_print({"A": row, "B": same}, 1e-3)
    assert "(31.0 to 36.9 %), not different (p = 0.027)" in first
    assert "range exactly 0 70.0 % (67.1 to 72.8 %), different" in first
    assert second.count("not different (p = 1)") == 2
    assert rate_findings.against_print({}, 1e-3) == []


def test_interpretations_that_agree_are_named() -> None:
    readings = pd.DataFrame({"p": [0.2, 0.001, 1.0], "consistent": [True, False, True]})
    text = rate_findings.paper_rows(readings, ["one", "two", "three"])
    assert text.startswith("Consistent with all four published rows (")
    assert text.endswith(": one and three.")
    none = rate_findings.paper_rows(readings.assign(p=[0.04, 0.001, 0.01], consistent=False), ["one", "two", "three"])
    assert none.startswith("Each of 3 interpretations differs from the published rows in one or more (")
    assert none.endswith("the largest p is 0.04).")
    assert "No interpretation was measured" in rate_findings.paper_rows(readings[:0], [])


def test_variations_that_differ_are_named() -> None:
    table = pd.DataFrame(
        {
            "variation": ["", "sgd", "deep", "slow"],
            "p": [np.nan, 0.001, 0.5, 0.03],
            "differs": [False, True, False, False],
            "pairs_differ": [np.nan, 20, np.nan, 3],
        }
    )
    names = {"": "nothing", "sgd": "SGD (0.01)", "deep": "8 hidden layers", "slow": "Adam (0.0001)"}
    start = "3 variations, 2 of them compared network by network. With Holm's correction at 5%, "
    assert rate_findings.variations(table, names) == f"{start}these differ from the case: SGD (0.01)."
    none = rate_findings.variations(table.assign(differs=False), names)
    assert none == f"{start}none differs from the case."


def deaths(*rows: tuple[int, int, int], revived: int = 0) -> pd.DataFrame:
    """Return a table of deaths among 1,000 networks; each row is an epoch, a layer and a count."""
    return pd.DataFrame(rows, columns=["epoch", "layer", "count"]).assign(networks=1000, revived=revived)


def test_deaths_are_told_by_their_moment_and_layer() -> None:
    table = deaths((0, 2, 245), (0, 3, 679), (5, 4, 7), (1, 3, 6), (1, 4, 1), (20, 0, 2), revived=3)
    assert rate_findings.deaths(table) == (
        "of 1,000 networks, 924 are dead before training and 16 die in it, 7 of these by epoch 1; 14 of them have a "
        "hidden layer that is 0 on all inputs; 3 were exactly constant at a checkpoint and came back by the last one."
    )
    assert rate_findings.deaths(deaths((0, 2, 5))) == (
        "of 1,000 networks, 5 are dead before training and 0 die in it; 0 were exactly constant at a checkpoint and "
        "came back by the last one."
    )
    without_layer = rate_findings.deaths(deaths((2, 0, 5)))
    assert "5 of these by epoch 2; 0 of them have a hidden layer that is 0 on all inputs; 0 were" in without_layer


@pytest.mark.parametrize(("middle", "nearer"), [(0.16, "closer to the mean"), (0.14, "closer to the median")])
def test_constant_is_the_mean_or_the_median(middle: float, nearer: str) -> None:
    row = {"loss": "mean_squared_error", "collapsed": 9, "mean": 0.16, "median": 0.139}
    quartiles = {"q25": middle, "q50": middle, "q75": middle}
    assert nearer in rate_findings.collapse_value(pd.Series(row | quartiles))
    assert "close to neither" in rate_findings.collapse_value(pd.Series(row | quartiles | {"q50": 0.04}))
    none = rate_findings.collapse_value(pd.Series(row | quartiles | {"collapsed": 0}))
    assert none == "0 collapsed networks under the mean squared error."


def test_loops_toss_coins_or_not() -> None:
    """Loops are counted by the notebook's criterion and by the tolerance; the conclusion is drawn from the first."""
    numbers = pd.DataFrame({"criterion": "probes_equal", "number": [0, 0.94, 1.0], "loops": [18, 1, 981]})
    within = pd.DataFrame({"criterion": "collapsed", "number": [0, 0.5, 0.92], "loops": [900, 60, 40]})
    both = pd.concat([within, numbers], ignore_index=True).assign(total=1000)
    assert loop_findings.loop(both, 0.956, 1e-3) == (
        "by equality at the probes, 981 of 1,000 loops would print 1, 18 0 and 1 a number between, 1 of these within "
        "0.05 of the notebook's 0.956; within 0.001 on the interval, 0 of 1,000 loops would print 1, 900 0 and 100 a "
        "number between, 40 of these within 0.05 of the notebook's 0.956."
    )
    assert "of these" not in loop_findings.loop(both, None, 1e-3)
    ends = both[both["number"].isin([0, 1])]
    assert "of these" not in loop_findings.loop(ends, 0.956, 1e-3)
    numbers = numbers.assign(case="relu")
    same = pd.DataFrame({"case": "leaky", "criterion": "probes_equal", "number": [0.0], "loops": [10_000]})
    assert loop_findings.coin(pd.concat([numbers, same])) == (
        "By equality at the probes, 99.9 % of the loops print 0 or 1 (cases whose loops all print the same are left "
        "out). By this criterion, the number of a loop says what became of its one network."
    )
    assert "says nothing of independence" in loop_findings.coin(same)
    assert "became of its one network" in loop_findings.coin(numbers.assign(loops=[600, 1, 399]))
    assert "became of its one network" not in loop_findings.coin(numbers.assign(loops=[10, 100, 890]))
    assert "became of its one network" not in loop_findings.coin(numbers.assign(loops=[18, 500, 482]))
