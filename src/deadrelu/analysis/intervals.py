"""Confidence intervals of shares and of their differences, hypothesis tests of both, and tables of shares."""

from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy.special import bdtr, bdtrc, ndtri  # the import of scipy.stats takes half a second

from deadrelu.analysis.criteria import Bools

Floats = npt.NDArray[np.float64]
Numbers = npt.ArrayLike  # a number, or an array of the shape of the others
Z = float(ndtri(0.975))  # half the width of a 95 % interval, in standard deviations of a normal distribution


class Rate(NamedTuple):
    """A share of trials with its 95 % confidence interval."""

    rate: float
    low: float
    high: float


def wilson(count: int, trials: int) -> Rate:
    """Return the share `count / trials` with Wilson's 95 % score interval.

    Wilson (1927), doi:10.1080/01621459.1927.10502953: unlike Wald's interval, it stays inside [0, 1] and keeps its
    coverage at rates near 0 and 1, where collapse rates lie. SciPy's `binomtest` takes 350 times as long.

    Raises:
        ValueError: `count` is not from 0 to `trials`, or `trials` is below 1.
    """
    if not 0 <= count <= trials or trials < 1:
        raise ValueError(f"count must be from 0 to trials and trials 1 or more, received {count} and {trials}")
    rate = count / trials
    centre = (rate + Z**2 / (2 * trials)) / (1 + Z**2 / trials)
    half = Z / (1 + Z**2 / trials) * (rate * (1 - rate) / trials + Z**2 / (4 * trials**2)) ** 0.5
    # The ends are set to 0 and 1, where the formula is off by rounding.
    return Rate(rate, 0.0 if count == 0 else centre - half, 1.0 if count == trials else centre + half)


def with_rates(table: pd.DataFrame, count: str = "count", trials: str = "trials", prefix: str = "") -> pd.DataFrame:
    """Add columns rate, low, high (95 % Wilson interval), named with a prefix, for the columns `count` and `trials`."""
    rates = [wilson(*pair) for pair in zip(table[count], table[trials], strict=True)]
    return table.join(pd.DataFrame(rates, table.index, Rate._fields).add_prefix(prefix))


def table_of_rates(happened: Mapping[Any, Bools], keys: list[str]) -> pd.DataFrame:
    """Return how often events happened: one row per event, with columns `keys`, trials, count, rate, low, high.

    `happened` says whether each event happened in each trial, shape (trials,), by a tuple of the event's `keys`.
    """
    rows = [(*key, len(trials), np.count_nonzero(trials)) for key, trials in happened.items()]
    return with_rates(pd.DataFrame(rows, columns=[*keys, "trials", "count"]))


def p_of_bounds(count: Numbers, trials: Numbers, low: Numbers, high: Numbers) -> Floats:
    """Return p of the exact test of `count` in `trials` for P in [low, high]: twice the smaller tail; NaN for NaN."""
    k, p_low, p_high = (np.asarray(numbers, float) for numbers in (count, low, high))
    n = np.asarray(trials, np.int64)
    return np.asarray(np.minimum(1.0, 2 * np.minimum(bdtr(k, n, p_low), bdtrc(k - 1, n, p_high))))


class Difference(NamedTuple):
    """A difference of two shares with its 95 % interval, and the p value of the hypothesis that there is none."""

    difference: float
    low: float
    high: float
    p: float


def paired_difference(before: Bools, after: Bools) -> Difference:
    """Return the share of n networks with an event `after` a change minus that `before` it; both are (n,), bool.

    The interval is Wald's with half a pair added to each of the four counts (Agresti and Min 2005,
    doi:10.1002/sim.1781); the p value is McNemar's exact one.
    """
    up, down, n = int((after & ~before).sum()), int((before & ~after).sum()), len(before)
    more, less, total = up + 0.5, down + 0.5, n + 2
    centre = (more - less) / total
    half = Z * ((more + less) / total - centre**2) ** 0.5 / total**0.5
    return Difference((up - down) / n, centre - half, centre + half, float(p_of_bounds(up, up + down, 0.5, 0.5)))


def independent_difference(before: Bools, after: Bools) -> Difference:
    """Return the share of an event in a sample `after` a change, (n,), minus that in an independent one `before`, (m,).

    The interval is Newcombe's, from the Wilson intervals of both shares (1998, his method 10,
    doi:10.1002/(SICI)1097-0258(19980430)17:8<873::AID-SIM779>3.0.CO;2-I); the p value is Fisher's exact one.
    """
    counts = int(after.sum()), len(after), int(before.sum()), len(before)
    (a, a_low, a_high), (b, b_low, b_high) = wilson(*counts[:2]), wilson(*counts[2:])
    low = a - b - ((a - a_low) ** 2 + (b_high - b) ** 2) ** 0.5
    high = a - b + ((a_high - a) ** 2 + (b - b_low) ** 2) ** 0.5
    return Difference(a - b, low, high, float(fisher_exact(*counts)))


def fisher_exact(count: Numbers, trials: Numbers, other_count: Numbers, other_trials: Numbers) -> Floats:
    """Return p of Fisher's exact test, twice the smaller tail (at most 1), for pairs of samples; NaN for a NaN.

    The test (1935, doi:10.2307/2342435) is conditional on the sum of both counts.
    """
    from scipy.stats import hypergeom  # an import of half a second, not needed by `check --help`

    a, n, b, m = (np.asarray(numbers, float) for numbers in (count, trials, other_count, other_trials))
    tails = hypergeom.cdf(b, n + m, a + b, m), hypergeom.sf(b - 1, n + m, a + b, m)
    return np.asarray(np.minimum(1.0, 2 * np.minimum(*tails)))


def holm(p: Floats, alpha: float) -> Bools:
    """Return which hypotheses to reject, shape (n,); the probability of any false rejection is at most `alpha`.

    `p` has shape (n,). Holm's method (1979, doi:10.2307/4615733) allows any dependence between the tests.
    """
    order = np.argsort(p)
    passes = p[order] <= alpha / np.arange(len(p), 0, -1)
    rejected = np.zeros(len(p), bool)
    rejected[order] = np.logical_and.accumulate(passes)
    return rejected
