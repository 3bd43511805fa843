"""Test intervals and tests of shares and of their differences against SciPy, published examples and simulation."""

import numpy as np
import pytest
from scipy import stats

from deadrelu.analysis import intervals

RNG = np.random.default_rng(5)


def happened(count: int, n: int) -> np.ndarray:
    """Return n outcomes, of which the first `count` are true."""
    return np.arange(n) < count


@pytest.mark.parametrize(("count", "n"), [(0, 1), (1, 1), (0, 1000), (956, 1000), (1000, 1000), (3, 10)])
def test_wilson_is_scipys(count: int, n: int) -> None:
    interval = intervals.wilson(count, n)
    expected = stats.binomtest(count, n).proportion_ci(method="wilson")
    assert interval.rate == count / n
    assert (interval.low, interval.high) == pytest.approx((expected.low, expected.high), abs=1e-12)
    assert interval.low <= interval.rate <= interval.high


@pytest.mark.parametrize(("count", "n"), [(-1, 10), (11, 10), (0, 0)])
def test_wilson_of_no_share_is_refused(count: int, n: int) -> None:
    with pytest.raises(ValueError, match="count must be"):
        intervals.wilson(count, n)


def test_test_of_bounds_is_that_of_one_probability_where_they_are_equal() -> None:
    """For equal bounds, p is twice the smaller tail of SciPy's one-sided tests; for a share between bounds, p is 1."""
    for count in (0, 3, 50, 100):
        tails = [stats.binomtest(count, 100, 0.4, alternative=way).pvalue for way in ("less", "greater")]
        assert intervals.p_of_bounds(count, 100, 0.4, 0.4) == pytest.approx(min(1, 2 * min(tails)), rel=1e-9)
    assert intervals.p_of_bounds(50, 100, 0.2, 0.8) == 1
    assert intervals.p_of_bounds(10, 100, 0.2, 0.8) == pytest.approx(2 * stats.binom.cdf(10, 100, 0.2), rel=1e-9)


def pairs(up: int, down: int, both: int, neither: int) -> tuple[np.ndarray, np.ndarray]:
    """Return outcomes before and after, true only after, only before, both times and never, in random order."""
    before = np.repeat([False, True, True, False], [up, down, both, neither])
    after = np.repeat([True, False, True, False], [up, down, both, neither])
    order = RNG.permutation(len(before))
    return before[order], after[order]


@pytest.mark.parametrize(("up", "down"), [(0, 0), (7, 0), (0, 7), (30, 12), (12, 30), (5, 5)])
def test_paired_difference_is_mcnemars(up: int, down: int) -> None:
    comparison = intervals.paired_difference(*pairs(up, down, 40, 20))
    n = up + down + 60
    assert comparison.difference == pytest.approx((up - down) / n)
    expected = stats.binomtest(up, up + down, 0.5).pvalue if up + down else 1.0
    assert comparison.p == pytest.approx(expected, rel=1e-9)
    assert comparison.low <= comparison.difference <= comparison.high
    # Half a pair is added to each cell; Wald's interval is then that of a mean of -1, 0 and 1.
    values, weights = np.array([1, -1, 0]), np.array([up + 0.5, down + 0.5, 61]) / (n + 2)
    centre = values @ weights
    half = stats.norm.ppf(0.975) * np.sqrt((values**2 @ weights - centre**2) / (n + 2))
    assert (comparison.low, comparison.high) == pytest.approx((centre - half, centre + half))


def test_independent_difference_is_newcombes_and_fishers() -> None:
    """In Newcombe's example (1998, table II, method 10), 56 of 70 and 48 of 80 differ by 0.2 (0.0524 to 0.3339)."""
    comparison = intervals.independent_difference(happened(48, 80), happened(56, 70))
    assert comparison.difference == pytest.approx(0.2)
    assert (comparison.low, comparison.high) == pytest.approx((0.0524, 0.3339), abs=5e-5)
    tails = [stats.fisher_exact([[56, 14], [48, 32]], alternative=way).pvalue for way in ("less", "greater")]
    assert comparison.p == pytest.approx(2 * min(tails), rel=1e-9)
    turned = intervals.independent_difference(happened(56, 70), happened(48, 80))
    assert (turned.difference, turned.low, turned.high) == pytest.approx((-0.2, -comparison.high, -comparison.low))
    assert turned.p == pytest.approx(comparison.p)


@pytest.mark.parametrize("paired", [True, False])
def test_intervals_hold_the_true_difference_as_often_as_they_say(paired: bool) -> None:
    """Over 2,000 samples of 300 networks, shares 0.3 and 0.36, 95 % of intervals hold 0.06, to 5 standard errors."""
    runs, n, held = 2000, 300, 0
    for _ in range(runs):
        before = RNG.random(n) < 0.3
        # Paired, 0.06 / 0.7 of those that are not constant enter, and others replace as many as leave.
        enters, leaves = RNG.random(n) < (0.06 + 0.03) / 0.7, RNG.random(n) < 0.03 / 0.3
        after = np.where(before, ~leaves, enters) if paired else RNG.random(n) < 0.36
        comparison = (intervals.paired_difference if paired else intervals.independent_difference)(before, after)
        held += comparison.low <= 0.06 <= comparison.high
    assert abs(held / runs - 0.95) < 5 * (0.95 * 0.05 / runs) ** 0.5


def test_fishers_test_is_twice_scipys_smaller_tail() -> None:
    for _ in range(100):
        n, m = RNG.integers(1, 1200, 2)
        a, b = RNG.integers(0, n + 1), RNG.integers(0, m + 1)
        tails = [stats.fisher_exact([[a, n - a], [b, m - b]], alternative=way).pvalue for way in ("less", "greater")]
        (p,) = intervals.fisher_exact(*(np.array([k]) for k in (a, n, b, m)))
        assert p == pytest.approx(min(1, 2 * min(tails)), rel=1e-9)


def test_holm_stops_at_the_first_that_is_not_rejected() -> None:
    """The limits are 0.05 / 4, / 3, / 2, / 1: the third smallest is above its own, so the largest stays, too."""
    assert intervals.holm(np.array([0.01, 0.04, 0.03, 0.005]), 0.05).tolist() == [True, False, False, True]
    assert intervals.holm(np.array([0.01, 0.04, 0.02, 0.005]), 0.05).tolist() == [True] * 4
    assert intervals.holm(np.array([0.02, 0.02, 0.02]), 0.05).tolist() == [False] * 3
    assert intervals.holm(np.array([]), 0.05).tolist() == []
