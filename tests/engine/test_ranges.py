"""Test criteria and intervals against hand-made arrays and SciPy."""

import numpy as np
import pytest
from scipy.stats import binomtest

from deadrelu.analysis import criteria
from deadrelu.analysis.intervals import p_of_bounds, wilson
from deadrelu.engine import ranges


def test_spread_by_hand() -> None:
    x = np.array([-2, -1, 0, 1, 2], np.float32)[:, None]
    predictions = np.array([[0, 0, 2, 3, 4], [1, 1, 1, 1, 1]], np.float32)[:, :, None]
    spread = ranges.spread(predictions, x)
    assert spread["prediction_min"].tolist() == [0, 1]
    assert spread["prediction_max"].tolist() == [4, 1]
    assert spread["range_low"].tolist() == [0, 0]
    assert spread["range_high"].tolist() == [1, 0]
    assert spread["range"].tolist() == [4, 0]


def test_spread_of_two_inputs_and_outputs() -> None:
    """Two different constant outputs have range 0; if one output varies, its range counts. Half-lines do not exist."""
    x = np.zeros((3, 2), np.float32)
    constant = np.broadcast_to(np.array([1, 5], np.float32), (3, 2))
    varying = constant + np.array([[0, 0], [0, 1], [0, 3]], np.float32)
    spread = ranges.spread(np.stack([constant, varying]), x)
    assert spread["range"].tolist() == [0, 3]
    assert (spread["prediction_min"].tolist(), spread["prediction_max"].tolist()) == ([1, 1], [5, 8])
    assert not {"range_low", "range_high"} & spread.keys()


def test_a_half_line_without_inputs_has_no_range() -> None:
    """A range of 0 would claim that a network is constant where nothing was measured."""
    x = np.array([[0], [1], [2]], np.float32)
    spread = ranges.spread(x[None], x)
    assert "range_low" not in spread
    assert spread["range_high"].tolist() == [1]


def test_probes_of_one_sign_miss_the_other_half() -> None:
    """The function max(0, -x) is constant on the notebook's probes, although it is not constant."""
    outputs = np.maximum(0, -ranges.PROBES)[None, :]
    assert (outputs == outputs[:, :1]).all()
    x = np.array([[-1], [1]], np.float32)
    assert not criteria.within(ranges.spread(np.maximum(0, -x)[None], x)["range"], 0.5).any()


def test_diverged_network_has_not_collapsed() -> None:
    values = np.array([np.nan, np.inf, 0.0], np.float32)
    assert criteria.within(values, 0.0).tolist() == [False, False, True]


@pytest.mark.parametrize(("count", "trials_"), [(0, 10), (7, 10), (956, 1000), (1000, 1000)])
def test_wilson_is_scipys(count: int, trials_: int) -> None:
    expected = binomtest(count, trials_).proportion_ci(0.95, method="wilson")
    assert wilson(count, trials_) == pytest.approx((count / trials_, expected.low, expected.high), abs=1e-12)


@pytest.mark.parametrize(("count", "trials_"), [(-1, 10), (11, 10), (0, 0)])
def test_wilson_of_impossible_counts(count: int, trials_: int) -> None:
    with pytest.raises(ValueError, match="count must be"):
        wilson(count, trials_)


@pytest.mark.parametrize("count", [0, 5, 20, 25, 30, 50, 100])
@pytest.mark.parametrize(("low", "high"), [(0.2, 0.3), (0.2, 0.2), (0.0, 0.3), (0.2, 1.0)])
def test_p_of_bounds_is_scipys_smaller_tail_twice(count: int, low: float, high: float) -> None:
    below = binomtest(count, 100, low, alternative="less").pvalue
    above = binomtest(count, 100, high, alternative="greater").pvalue
    assert p_of_bounds(count, 100, low, high) == pytest.approx(min(1, 2 * below, 2 * above), rel=1e-9, abs=1e-300)


def test_p_of_bounds_near_one() -> None:
    """All but one of two million networks are dead at a probability of 1 - 2^-21, which six digits would round to 1."""
    assert p_of_bounds(1_999_999, 2_000_000, 1 - 2.0**-21, 1 - 2.0**-21) > 0.1
    assert p_of_bounds(1_999_999, 2_000_000, 1.0, 1.0) == 0
