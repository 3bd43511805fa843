"""Sentences on rates follow the numbers: each can come out the other way."""

import numpy as np
import pandas as pd
import pytest
from scipy.stats import binomtest

from deadrelu import rate_findings, theory
from deadrelu.intervals import wilson


def rate_row(count: int, trials: int, **more: float) -> pd.Series:
    values: dict[str, object] = {"trials": trials, "count": count, "notebook": np.nan, "lu": np.nan}
    values |= {"theory_low": np.nan, "theory_high": np.nan}
    return pd.Series(values | dict(wilson(count, trials)._asdict()) | more)


def test_sentences_follow_the_numbers() -> None:
    """Each sentence can come out the other way."""
    assert "no more than chance allows" in rate_findings.collapse_answer(rate_row(950, 1000, notebook=0.956), 1e-3)
    assert "more than chance allows" in rate_findings.collapse_answer(rate_row(900, 1000, notebook=0.956), 1e-3)
    assert "notebook" not in rate_findings.collapse_answer(rate_row(900, 1000), 1e-3)
    answers = [rate_findings.against_lu(rate_row(count, 1000)) for count in (940, 900, 800)]
    assert [next(w for w in ("Yes", "Undecided", "No:") if w in text) for text in answers] == [
        "Yes",
        "Undecided",
        "No:",
    ]


def test_theory_is_exact_or_bounds() -> None:
    assert "theory" not in rate_findings.born_dead(rate_row(9, 10))
    p = binomtest(90, 100, 0.8).pvalue
    exact = rate_findings.born_dead(rate_row(90, 100, theory_low=0.8, theory_high=0.8))
    assert (
        f"exact value is 80.0 %, and chance alone makes a deviation at least as large with probability {p:.2g}" in exact
    )
    assert "bounds are 80.0 to 95.0 %" in rate_findings.born_dead(rate_row(90, 100, theory_low=0.8, theory_high=0.95))


@pytest.mark.parametrize(("count", "low", "high"), [(5, 0.2, 0.3), (50, 0.2, 0.3), (25, 0.2, 0.3), (20, 0.2, 0.2)])
def test_p_of_bounds(count: int, low: float, high: float) -> None:
    """Outside, the one-sided test of the nearer bound, doubled; between, nothing to object to."""
    p = rate_findings.p_of_bounds(count, 100, low, high)
    below = binomtest(count, 100, low, alternative="less").pvalue
    above = binomtest(count, 100, high, alternative="greater").pvalue
    if low == high:
        assert p == binomtest(count, 100, low).pvalue
    else:
        assert p == pytest.approx(min(1, 2 * min(below, above)))
    assert (p < 1e-3) == (count in (5, 50))


def test_joint_tolerances() -> None:
    rows = [("a", 0.1, 950), ("b", 0.1, 100), ("a", 0.2, 955), ("b", 0.2, 200), ("a", 0.3, 999), ("b", 0.3, 200)]
    curve = pd.DataFrame(rows, columns=["case", "tolerance", "count"]).assign(trials=1000)
    curve = pd.concat([curve.assign(criterion="interval"), curve.assign(criterion="probes", count=0)])
    answer, interval, probes = rate_findings.joint_tolerances(curve, {"a": 0.956, "b": 0.192})
    assert "Yes, by comparing predictions on the interval (" in answer
    assert "with one tolerance from 0.2 to 0.2" in interval
    assert probes == "Compared on the 5 probes, no tolerance gives 0.956 and 0.192."
    assert "No, by none of these" in rate_findings.joint_tolerances(curve, {"a": 0.956, "b": 0.5})[0]
    assert "not compared" in rate_findings.joint_tolerances(curve, {})[0]


def test_number_of_the_paper_and_ours() -> None:
    """Agreement; theirs between untrained and trained; below both; above both."""
    untrained = rate_row(229, 1000)
    close = rate_findings.against_print(rate_row(310, 1000, lu=0.292), untrained)
    assert "no more apart than chance allows" in close
    between = rate_findings.against_print(rate_row(400, 1000, lu=0.292), untrained)
    assert "further apart" in between
    assert "lies between" in between
    assert "below what is dead untrained" in rate_findings.against_print(rate_row(400, 1000, lu=0.1), untrained)
    assert "not explained by less training" in rate_findings.against_print(rate_row(400, 1000, lu=0.6), untrained)


@pytest.mark.parametrize(("middle", "nearer"), [(0.16, "nearer to the mean"), (0.14, "nearer to the median")])
def test_constant_is_the_mean_or_the_median(middle: float, nearer: str) -> None:
    row = {"loss": "mean_squared_error", "collapsed": 9, "mean": 0.16, "median": 0.139}
    quartiles = {"q25": middle, "q50": middle, "q75": middle}
    assert nearer in rate_findings.collapse_value(pd.Series(row | quartiles))
    none = rate_findings.collapse_value(pd.Series(row | quartiles | {"collapsed": 0}))
    assert none == "0 collapsed networks under the mean squared error."


def test_loops_toss_coins_or_not() -> None:
    numbers = pd.DataFrame({"number": [0, 0.94, 1.0], "loops": [18, 1, 981], "total": 1000})
    text = rate_findings.loop(numbers, 0.956)
    assert "981 would print exactly 1, 18 exactly 0, and 1 anything between; 1 within 0.05 of" in text
    assert rate_findings.loop(numbers, None).endswith("1 anything between.")
    assert "one coin" in rate_findings.coin(numbers)
    assert "one coin" not in rate_findings.coin(numbers.assign(loops=[18, 500, 482]))


def cell(depth: int, width: int, count: int, networks: int = 1000, **more: float) -> dict[str, float]:
    bounds = theory.born_dead_on_interval([width] * depth)
    half = theory.born_dead_on_half_line([width] * depth)
    row = {"depth": depth, "width": width, "networks": networks, "count": count, **wilson(count, networks)._asdict()}
    row |= {"positive_theory": half, "positive_count": round(half * networks)}
    return row | {"theory_low": bounds.low, "theory_high": bounds.high} | more


def test_grid_agrees_with_theory_or_not() -> None:
    good = pd.DataFrame([cell(10, 2, 905), cell(10, 3, 632)])
    assert "the counts agree with theory" in rate_findings.grid(good)
    assert "2 cells of 1,000 networks" in rate_findings.grid(good)
    assert "contradict" in rate_findings.grid(pd.DataFrame([cell(10, 2, 905), cell(10, 3, 100)]))
    assert "contradict" in rate_findings.grid(pd.DataFrame([cell(10, 2, 905, positive_count=500)]))
    assert "theory says nothing" in rate_findings.grid(good.assign(positive_theory=np.nan))


def test_width_that_is_enough() -> None:
    """The whole interval below the share, and all wider ones too."""
    cells = pd.DataFrame([cell(2, w, n) for w, n in ((1, 500), (2, 0), (3, 300), (4, 0), (5, 0))])
    cells = pd.concat([cells, cells.assign(depth=7, high=1.0)])
    assert rate_findings.wide_enough(cells, 0.01) == (
        "For fewer than 1.0 % dead before training, 2 layers: 4 units; 7 layers: more than 5 units."
    )


def test_training_kills_most_where_it_adds_most() -> None:
    trained = pd.DataFrame({"depth": [3, 6], "width": [4, 6], "born_dead": [0.1, 0.2], "rate": [0.2, 0.5]})
    text = rate_findings.training_kills(trained.assign(low=0.4, high=0.6, trials=128))
    assert "most at width 6 and depth 6: 20.0 % dead before, 50.0 % constant after it" in text
