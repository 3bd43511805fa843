"""Confidence intervals of a rate."""

from typing import NamedTuple

from scipy.stats import binomtest


class Rate(NamedTuple):
    """A share of trials with its confidence interval."""

    rate: float
    low: float
    high: float


def wilson(count: int, trials: int, *, confidence: float = 0.95) -> Rate:
    """Share of trials with Wilson's score interval.

    Wilson (1927), doi:10.1080/01621459.1927.10502953: unlike the textbook interval it stays inside [0, 1]
    and keeps its coverage at rates near 0 and 1, where collapse rates live.

    Raises:
        ValueError: unless 0 <= count <= trials and trials >= 1.
    """
    interval = binomtest(count, trials).proportion_ci(confidence, method="wilson")
    return Rate(count / trials, float(interval.low), float(interval.high))
