"""Test that hypothesis tests keep their level, have the stated power, and agree with SciPy's where it has them."""

import numpy as np
import pytest
from scipy import stats

from deadrelu.analysis import intervals
from deadrelu.check import hypothesis_tests

RNG = np.random.default_rng(0)


@pytest.mark.parametrize(
    ("a", "n", "b", "m"), [(960, 1000, 934, 1000), (0, 50, 7, 60), (3, 10, 3, 10), (128, 128, 1, 128)]
)
def test_fisher_exact_is_twice_fishers_smaller_tail(a: int, n: int, b: int, m: int) -> None:
    table = [[a, n - a], [b, m - b]]
    tails = [stats.fisher_exact(table, alternative=way).pvalue for way in ("less", "greater")]
    (p,) = intervals.fisher_exact(*(np.array([number]) for number in (a, n, b, m)))
    assert p == pytest.approx(min(1.0, 2 * min(tails)), rel=1e-9)


def test_paired_is_the_binomial_test_of_trials_that_differ() -> None:
    before, after = RNG.random((2, 1000)) < 0.3
    up, down = int((after & ~before).sum()), int((before & ~after).sum())
    assert up != down
    expected = stats.binomtest(up, up + down, 0.5).pvalue
    assert hypothesis_tests.mcnemar_exact(before, after) == pytest.approx(expected, rel=1e-9)
    assert hypothesis_tests.mcnemar_exact(before, before) == 1.0


@pytest.mark.parametrize("shared", [0.0, 0.9])
def test_paired_keeps_its_level_whatever_the_runs_share(shared: float) -> None:
    """In 4,000 pairs of unchanged runs, at most 1 % of p-values lie below 0.01, to 4 standard errors."""
    runs, trials, level = 4000, 300, 0.01
    u, v = RNG.random((2, runs, trials))
    v = np.where(RNG.random((runs, trials)) < shared, u, v)
    p = np.array([hypothesis_tests.mcnemar_exact(a < 0.2, b < 0.2) for a, b in zip(u, v, strict=True)])
    assert np.mean(p <= 0.05) > 0
    assert np.mean(p <= level) <= level + 4 * (level / runs) ** 0.5


def test_fisher_exact_keeps_its_level() -> None:
    runs, level = 40_000, 0.01
    a, b = RNG.binomial(300, 0.9, (2, runs))
    n = np.full(runs, 300)
    assert 0.2 * level < np.mean(intervals.fisher_exact(a, n, b, n) <= level) <= level + 4 * (level / runs) ** 0.5


def test_over_seeds_keeps_its_level() -> None:
    """For a further seed and 20 others of one normal distribution, the rate of false alarms is exactly the level."""
    runs, seeds, level = 100_000, 20, 0.01
    others, further = RNG.normal(3, 2, (runs, seeds)), RNG.normal(3, 2, runs)
    p = hypothesis_tests.over_seeds(further, others.mean(axis=1), others.std(axis=1, ddof=1), np.full(runs, seeds))
    assert abs(np.mean(p <= level) - level) < 4 * (level / runs) ** 0.5


def test_smallest_mcnemar_exact_change_is_the_first_that_is_found() -> None:
    level, trials = 1e-5, 1000
    fewest = round(hypothesis_tests.smallest_mcnemar_exact(trials, level) * trials)
    before = np.zeros(trials, bool)
    detected, missed = (np.arange(trials) < changed for changed in (fewest, fewest - 1))
    assert hypothesis_tests.mcnemar_exact(before, detected) <= level < hypothesis_tests.mcnemar_exact(before, missed)
    assert np.isnan(hypothesis_tests.smallest_mcnemar_exact(6, level))


@pytest.mark.parametrize(
    ("count", "trials", "now"), [(960, 1000, 1000), (0, 1000, 500), (217, 1000, 1000), (64, 128, 128)]
)
def test_smallest_change_of_two_samples_is_found_as_often_as_stated(count: int, trials: int, now: int) -> None:
    """In 20,000 simulated reruns, the direction that is easier to find has the stated power, to 4 standard errors."""
    level, runs = 1e-4, 20_000
    unit = np.array([1])
    (change,) = hypothesis_tests.smallest_fisher_exact(count * unit, trials * unit, now * unit, level)
    powers = []
    for share in (count / trials - change, count / trials + change):
        if 0 <= share <= 1:
            rerun = RNG.binomial(now, share, runs)
            p = intervals.fisher_exact(
                *(np.full(runs, number) for number in (count, trials)), rerun, np.full(runs, now)
            )
            powers.append(np.mean(p <= level))
    assert abs(max(powers) - hypothesis_tests.POWER) < 4 * (0.8 * 0.2 / runs) ** 0.5


def test_no_change_of_six_trials_can_be_found() -> None:
    six = np.array([6])
    assert np.isnan(hypothesis_tests.smallest_fisher_exact(six, six, six, 1e-5)).all()


def test_smallest_shift_over_seeds_is_found_about_as_often_as_stated() -> None:
    runs, seeds, level = 20_000, 20, 1e-5
    others, further = RNG.normal(0, 1, (runs, seeds)), RNG.normal(0, 1, runs)
    sd, n = others.std(axis=1, ddof=1), np.full(runs, seeds)
    shift = hypothesis_tests.smallest_over_seeds(np.ones(1), np.array([seeds]), level)
    p = hypothesis_tests.over_seeds(further + shift, others.mean(axis=1), sd, n)
    assert 0.7 < np.mean(p <= level) < 0.9


def test_holm_by_hand_and_by_its_definition() -> None:
    assert intervals.holm(np.array([0.006, 0.5, 0.001, 0.003]), 0.01).tolist() == [False, False, True, True]
    # 0.0045 is below 0.01 / 2, but 0.004 is not below 0.01 / 3.
    assert intervals.holm(np.array([0.0045, 0.5, 0.001, 0.004]), 0.01).tolist() == [False, False, True, False]
    assert intervals.holm(np.array([]), 0.01).tolist() == []
    for _ in range(200):
        p = RNG.random(6) ** 4
        least = [i for i in range(6) if all(sorted(p)[k] <= 0.05 / (6 - k) for k in range(sorted(p).index(p[i]) + 1))]
        assert np.flatnonzero(intervals.holm(p, 0.05)).tolist() == least
