"""Sentences on rates follow the numbers: each can come out the other way."""

import numpy as np
import pandas as pd
import pytest

from deadrelu.analysis.intervals import wilson
from deadrelu.report import rate_findings


def rate_row(count: int, trials: int, **more: float) -> pd.Series:
    values: dict[str, object] = {"trials": trials, "count": count, "notebook": np.nan, "lu": np.nan}
    values |= {"theory_low": np.nan, "theory_high": np.nan, "theory_p": np.nan}
    return pd.Series(values | dict(wilson(count, trials)._asdict()) | more)


def test_sentences_follow_the_numbers() -> None:
    """Each sentence can come out the other way."""
    assert "the two are consistent" in rate_findings.collapse_answer(rate_row(950, 1000, notebook=0.956))
    assert "differ significantly" in rate_findings.collapse_answer(rate_row(900, 1000, notebook=0.956))
    assert "notebook" not in rate_findings.collapse_answer(rate_row(900, 1000))
    answers = [rate_findings.against_lu(rate_row(count, 1000)) for count in (940, 910, 890, 800)]
    assert [next(w for w in ("Yes", "Undecided", "No:") if w in text) for text in answers] == [
        "Yes",
        "Undecided",
        "Undecided",
        "No:",
    ]


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
    assert "every tolerance from 0.126 to 0.158 reproduces 0.956 and 0.192." in interval
    assert probes == "On the 5 probes, no tolerance reproduces 0.956 and 0.192."
    assert "0.5? No (" in rate_findings.joint_tolerances(curve, {"a": 0.956, "b": 0.5})[0]
    assert "nothing to compare" in rate_findings.joint_tolerances(curve, {})[0]


@pytest.mark.parametrize(
    ("theirs", "told"),
    [
        (0.41, "consistent (p = 0.68)"),
        (0.6, "lies above both"),
        (0.292, "lies between the two"),
        (0.24, "consistent with the share that is dead at initialization (22.9 % here)"),
        (0.1, "More are dead here at initialization (22.9 %)"),
    ],
)
def test_number_of_the_paper_and_ours(theirs: float, told: str) -> None:
    """Of 1,000: 400 (370 to 431) collapsed here, 229 (204 to 256) are dead at initialization."""
    text = rate_findings.against_print(rate_row(400, 1000, lu=theirs), rate_row(229, 1000))
    assert told in text
    assert f"published {100 * theirs:.1f} %, here 40.0 % (interval 37.0 to 43.1 %)" in text
    assert ("significantly different" in text) == (theirs != 0.41)


@pytest.mark.parametrize(("middle", "nearer"), [(0.16, "closer to the mean"), (0.14, "closer to the median")])
def test_constant_is_the_mean_or_the_median(middle: float, nearer: str) -> None:
    row = {"loss": "mean_squared_error", "collapsed": 9, "mean": 0.16, "median": 0.139}
    quartiles = {"q25": middle, "q50": middle, "q75": middle}
    assert nearer in rate_findings.collapse_value(pd.Series(row | quartiles))
    assert "close to neither" in rate_findings.collapse_value(pd.Series(row | quartiles | {"q50": 0.04}))
    none = rate_findings.collapse_value(pd.Series(row | quartiles | {"collapsed": 0}))
    assert none == "0 collapsed networks under the mean squared error."


def test_loops_toss_coins_or_not() -> None:
    numbers = pd.DataFrame({"number": [0, 0.94, 1.0], "loops": [18, 1, 981], "total": 1000})
    text = rate_findings.loop(numbers, 0.956)
    assert "981 would print exactly 1, 18 exactly 0 and 1 a number between; 1 of them within 0.05 of" in text
    assert rate_findings.loop(numbers, None).endswith("1 a number between.")
    assert rate_findings.coin(numbers).startswith(
        "99.9 % of these loops print 0 or 1. The loop's number tells whether its one network died"
    )
    assert "one network died" in rate_findings.coin(numbers.assign(loops=[600, 1, 399]))
    assert "one network died" not in rate_findings.coin(numbers.assign(loops=[10, 100, 890]))
    assert "one network died" not in rate_findings.coin(numbers.assign(loops=[18, 500, 482]))


def test_dying_counts_those_that_start_alive() -> None:
    rows = pd.DataFrame({"fate": ["born_dead", "dies", "half_dead", "alive"], "count": [900, 25, 50, 25]})
    text = "of 100 alive at initialization, 25 (25.0 %) collapsed; 50 more became constant on one side of 0."
    assert rate_findings.dying(rows) == text
    none_half = rows.assign(count=[900, 50, 0, 50])
    assert rate_findings.dying(none_half) == "of 100 alive at initialization, 50 (50.0 %) collapsed."
    assert rate_findings.dying(rows.assign(count=[5, 0, 0, 0])) == "all are dead at initialization."
