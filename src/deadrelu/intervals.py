"""Confidence intervals of a rate, and tests of it."""

from typing import NamedTuple

from scipy.special import bdtr, bdtrc, ndtri  # not scipy.stats, which takes half a second to import


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
    if not 0 <= count <= trials or trials < 1:
        raise ValueError(f"count must be from 0 to trials and trials 1 or more, received {count} and {trials}")
    rate, z = count / trials, float(ndtri((1 + confidence) / 2))
    centre = (rate + z**2 / (2 * trials)) / (1 + z**2 / trials)
    half = z / (1 + z**2 / trials) * (rate * (1 - rate) / trials + z**2 / (4 * trials**2)) ** 0.5
    # Exactly 0 and 1 at the ends, where the formula rounds to something beside them.
    return Rate(rate, 0.0 if count == 0 else centre - half, 1.0 if count == trials else centre + half)


def p_of_bounds(count: int, trials: int, low: float, high: float) -> float:
    """Exact binomial test that a probability lies between `low` and `high`: twice the smaller tail, at most 1."""
    at_most = bdtr(count, trials, low)
    at_least = bdtrc(count - 1, trials, high) if count else 1.0
    return float(min(1.0, 2 * at_most, 2 * at_least))
