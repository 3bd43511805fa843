"""Test the hypothesis that nothing changed, and compute the smallest change that each test can detect."""

import math

import numpy as np
import numpy.typing as npt
from scipy import special, stats

from deadrelu.analysis.intervals import fisher_exact, p_of_bounds

Float = npt.NDArray[np.float64]
Counts = npt.NDArray[np.int64]
Outcomes = npt.NDArray[np.bool_]

POWER = 0.8
"""Probability with which a test detects a change of its smallest size."""


def mcnemar_exact(before: Outcomes, after: Outcomes) -> float:
    """Return p of McNemar's exact test that an event is as likely as before; trial k is the same in both runs.

    Only trials whose outcomes differ count: if nothing changed, each of them gained or lost the event with probability
    1/2, whatever the other trials do (McNemar 1947, doi:10.1007/BF02295996). p is two-sided, twice the smaller tail.

    Args:
        before, after: whether the event happened in each trial, shape (n,), bool.
    """
    up, down = int(np.sum(after & ~before)), int(np.sum(before & ~after))
    return float(p_of_bounds(up, up + down, 0.5, 0.5))


def smallest_mcnemar_exact(trials: int, level: float) -> float:
    """Return the smallest change of a share of `trials` that `mcnemar_exact` detects at `level`, if all go one way.

    It is NaN if the test does not detect even a change of all trials.
    """
    needed = math.ceil(math.log2(2 / level))
    return needed / trials if needed <= trials else math.nan


def smallest_fisher_exact(count: Counts, trials: Counts, other_trials: Counts, level: float) -> Float:
    """Return the smallest change of each share, up or down, that `fisher_exact` detects with probability `POWER`.

    It has shape (n,) and is NaN if the test detects no change.

    Args:
        count, trials: numbers of events and of trials in the accepted run, shape (n,), int64.
        other_trials: number of trials in the present run, shape (n,), int64.
        level: level of the test, such as 0.01.
    """

    def is_significant(other: Counts) -> npt.NDArray[np.bool_]:
        return fisher_exact(count, trials, other, other_trials) <= level

    share = count / trials
    equal = np.rint(share * other_trials).astype(np.int64)
    # Bisection finds the significant counts next to `equal`, above and below, since p falls on both sides of it.
    low, high = equal.copy(), other_trials + 1
    while np.any(high - low > 1):
        middle = (low + high) // 2
        significant = is_significant(middle) & (middle <= other_trials)
        low, high = np.where(significant, low, middle), np.where(significant, middle, high)
    above = np.where(high <= other_trials, high, -1)
    low, high = np.full_like(equal, -1), equal.copy()
    while np.any(high - low > 1):
        middle = (low + high) // 2
        significant = is_significant(middle) & (middle >= 0)
        low, high = np.where(significant, middle, low), np.where(significant, high, middle)
    below = low
    # The share with which a count this far or farther has probability POWER is a quantile of a beta distribution.
    with np.errstate(invalid="ignore"):
        up = special.betaincinv(np.maximum(above, 1), other_trials - above + 1, POWER) - share
        down = share - special.betaincinv(below + 1, np.maximum(other_trials - below, 1), 1 - POWER)
    up, down = np.where(above > 0, up, np.nan), np.where(below >= 0, down, np.nan)
    return np.fmin(up, down)


def over_seeds(value: Float, mean: Float, sd: Float, seeds: Counts) -> Float:
    """Return p of Student's two-sided t test that each number is from the distribution of other seeds, shape (n,).

    The statistic is t = |value - mean| / (sd sqrt(1 + 1/seeds)), with seeds - 1 degrees of freedom.

    Args:
        value: present numbers, shape (n,).
        mean, sd: mean and standard deviation of each number over other seeds, shape (n,).
        seeds: number of other seeds, shape (n,).
    """
    t = np.abs(value - mean) / (sd * np.sqrt(1 + 1 / seeds))
    return 2 * np.asarray(stats.t.sf(t, seeds - 1))


def smallest_over_seeds(sd: Float, seeds: Counts, level: float) -> Float:
    """Return approximate smallest shifts that `over_seeds` detects at `level` with probability `POWER`, shape (n,)."""
    quantile: Float = np.asarray(stats.t.isf(level / 2, seeds - 1)) + float(special.ndtri(POWER))
    return quantile * sd * np.sqrt(1 + 1 / seeds)
