"""Compute the factor by which a layer multiplies a signal, and its class: vanishes, holds, explodes or varies."""

from typing import Literal

import numpy as np
import numpy.typing as npt

# Factors per layer below which a signal vanishes and above which it explodes: ten layers change it more than ninefold.
VANISHES, EXPLODES = 0.8, 1.25
# 97.5 % quantiles of the normal distribution and of Student's with 1 to 10 degrees of freedom: SciPy may be absent.
NORMAL_975 = 1.959963984540054
STUDENT_975 = (
    *(12.706204736174694, 4.302652729749462, 3.1824463052837078, 2.7764451051977934, 2.5705818356363146),
    *(2.4469118511449786, 2.364624251592784, 2.306004135204166, 2.262157162798205, 2.228138851986274),
)
Growth = Literal["vanishes", "holds", "explodes", "varies", "not measured"]
Array = npt.NDArray[np.float64]
Interval = tuple[float, float, float]  # a factor, and the ends of its 95 % interval or NaN


def student_975(freedom: int) -> float:
    """Return the 97.5 % quantile of Student's t distribution with `freedom` >= 1, to 3 parts in a million."""
    if freedom <= len(STUDENT_975):
        return STUDENT_975[freedom - 1]
    z = NORMAL_975
    terms = (  # of an asymptotic series (Abramowitz and Stegun, 26.7.5)
        (z**3 + z) / 4,
        (5 * z**5 + 16 * z**3 + 3 * z) / 96,
        (3 * z**7 + 19 * z**5 + 17 * z**3 - 15 * z) / 384,
        (79 * z**9 + 776 * z**7 + 1482 * z**5 - 1920 * z**3 - 945 * z) / 92160,
    )
    return z + sum(term / float(freedom) ** k for k, term in enumerate(terms, start=1))


def growth(factor: float, low: float = np.nan, high: float = np.nan) -> Growth:
    """Classify a signal by the mean factor with which each layer multiplies it, and by the factor's 95 % interval.

    It 'vanishes' below `VANISHES` or 'explodes' above `EXPLODES` if the interval excludes 1 or is NaN; it 'holds'
    between these limits unless the interval contains both; else it 'varies'. A factor that is NaN was 'not measured'.
    """
    if np.isnan(factor):
        return "not measured"
    inside = VANISHES <= factor <= EXPLODES
    if (low < VANISHES and high > EXPLODES) or (not inside and low <= 1 <= high):
        return "varies"
    return "holds" if inside else "vanishes" if factor < 1 else "explodes"


def growth_factor(strength: Array, counted: npt.NDArray[np.bool_] | None = None) -> Interval:
    """Return the factor by which one layer changes a signal: the geometric mean of the ratios of adjacent layers.

    `strength` is that of the signal in each layer, in the order in which it passes them, shape (layers,); `counted`
    says whether the mean includes each ratio, shape (layers - 1,), None that it includes all. The interval is over
    layers. The factor is NaN without a ratio or if a strength is NaN, else infinite if one is, else 0 if one is 0;
    then, or with one ratio, the ends are NaN.
    """
    if len(strength) < 2:
        return np.nan, np.nan, np.nan
    if len(unusual := strength[~(np.isfinite(strength) & (strength > 0))]):
        return float(unusual.max()), np.nan, np.nan  # the maximum of a NaN and other numbers is NaN
    logs = np.diff(np.log(strength))
    return _geometric_mean(logs if counted is None else logs[counted])


def factor_over_networks(strengths: Array) -> Interval:
    """Return the geometric mean of `growth_factor` over networks, and its interval over networks.

    `strengths` has one row of strengths for each network, shape (networks, layers). The factor is 0, infinite or NaN if
    that of a network is.
    """
    factors = np.array([growth_factor(strength)[0] for strength in strengths])
    unusual = factors[~(np.isfinite(factors) & (factors > 0))]
    return (float(unusual[0]), np.nan, np.nan) if len(unusual) else _geometric_mean(np.log(factors))


def _geometric_mean(logs: Array) -> Interval:
    """Return exp of the mean of `logs`, shape (n,), and the ends of its t interval; NaN if there are too few."""
    n = len(logs)
    mean = float(logs.mean()) if n else np.nan
    half = float(student_975(n - 1) * logs.std(ddof=1) / np.sqrt(n)) if n > 1 else np.nan
    return float(np.exp(mean)), float(np.exp(mean - half)), float(np.exp(mean + half))
