"""Criteria and closed forms against hand-made arrays and against simulation."""

import numpy as np
import pytest
from scipy.stats import binomtest, norm

from deadrelu import collapse, theory, trials
from deadrelu.intervals import wilson


def glorot_uniform(rng: np.random.Generator, n: int, fan_in: int, fan_out: int) -> np.ndarray:
    limit = np.sqrt(6 / (fan_in + fan_out))
    return rng.uniform(-limit, limit, (n, fan_in, fan_out)).astype(np.float32)


def test_spread_by_hand() -> None:
    x = np.array([-2, -1, 0, 1, 2], np.float32)
    predictions = np.array([[0, 0, 0, 3, 4], [1, 1, 1, 1, 1]], np.float32)
    spread = collapse.spread(predictions, x)
    assert spread.prediction_min.tolist() == [0, 1]
    assert spread.prediction_max.tolist() == [4, 1]
    assert spread.range_low.tolist() == [0, 0]
    assert spread.range_high.tolist() == [1, 0]
    assert spread.range.tolist() == [4, 0]


def test_probes_of_one_sign_miss_the_other_half() -> None:
    """max(0, -x) is constant on the notebook's probes, and is not constant."""
    outputs = np.maximum(0, -collapse.PROBES)[None, :]
    assert collapse.probes_equal(outputs).tolist() == [True]
    x = np.array([-1, 1], np.float32)
    assert not collapse.collapsed(collapse.spread(np.maximum(0, -x)[None, :], x).range, 0.5).any()


def test_diverged_network_has_not_collapsed() -> None:
    ranges = np.array([np.nan, np.inf, 0.0], np.float32)
    assert collapse.collapsed(ranges, 0.0).tolist() == [False, False, True]


@pytest.mark.parametrize(("count", "trials_"), [(0, 10), (7, 10), (956, 1000), (1000, 1000)])
def test_wilson_is_its_formula(count: int, trials_: int) -> None:
    z, p = norm.ppf(0.975), count / trials_
    centre = (p + z**2 / (2 * trials_)) / (1 + z**2 / trials_)
    half = z / (1 + z**2 / trials_) * np.sqrt(p * (1 - p) / trials_ + z**2 / (4 * trials_**2))
    assert wilson(count, trials_) == pytest.approx((p, centre - half, centre + half), abs=1e-12)


@pytest.mark.parametrize("widths", [(1, *(2,) * 9), (3, 2, 4), (1,)])
def test_born_dead_rates_match_closed_forms(widths: tuple[int, ...]) -> None:
    """Two-sided exact test at 1e-6: eight comparisons raise a false alarm once in 120,000 changes of seed.

    With 100,000 networks a depth off by one is found: it moves these probabilities by at least 13 standard errors.
    """
    network = trials.Network(widths=widths, activation="relu", initialize=glorot_uniform)
    n = 100_000
    weights = trials.draw_weights(network, 10, np.arange(n))
    dead = trials.predict(network, weights, np.array([-1, 1], np.float32))[:, :, 0] == 0
    for side in (0, 1):
        assert binomtest(int(dead[:, side].sum()), n, theory.born_dead_on_half_line(widths)).pvalue > 1e-6
    on_both = theory.born_dead_on_interval(widths)
    if on_both is not None:
        assert on_both < theory.born_dead_on_half_line(widths)
        # A single unit cannot be dead on both sides: the test of p = 0 is exact.
        assert binomtest(int(dead.all(axis=1).sum()), n, on_both).pvalue > 1e-6
