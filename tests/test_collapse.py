"""Criteria and intervals against hand-made arrays and formulas."""

import numpy as np
import pytest
from scipy.stats import norm

from deadrelu import collapse
from deadrelu.intervals import wilson


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
