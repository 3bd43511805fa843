"""Test how a signal changes from layer to layer, by hand and against SciPy's t intervals."""

import numpy as np
import pytest
from scipy import stats

from deadrelu.analysis import growth


@pytest.mark.parametrize(
    ("factor", "low", "high", "word"),
    [
        (0.5, 0.4, 0.6, "vanishes"),
        (2.0, 1.9, 2.1, "explodes"),
        (1.0, 0.9, 1.1, "holds"),
        (0.8, 0.79, 0.81, "holds"),
        (0.79, 0.78, 0.8, "vanishes"),
        (1.0, 0.7, 1.3, "varies"),
        (0.7, 0.4, 1.0, "varies"),
        (0.7, np.nan, np.nan, "vanishes"),
        (np.inf, np.nan, np.nan, "explodes"),
        (0.0, np.nan, np.nan, "vanishes"),
        (np.nan, np.nan, np.nan, "not measured"),
    ],
)
def test_a_factor_has_a_word(factor: float, low: float, high: float, word: str) -> None:
    assert growth.growth(factor, low, high) == word


def test_factor_over_networks_is_a_geometric_mean_with_a_t_interval() -> None:
    """Factors of 0.5, 1 and 4 have the cube root of 2 as mean; only the first and the last layer count."""
    strengths = np.array([[8.0, 3.0, 2.0], [1.0, 5.0, 1.0], [1.0, 1.0, 16.0]])
    factor, low, high = growth.factor_over_networks(strengths)
    assert factor == pytest.approx(2 ** (1 / 3))
    logs = np.log([0.5, 1, 4])
    expected = stats.t.interval(0.95, 2, logs.mean(), stats.sem(logs))
    assert (low, high) == pytest.approx(tuple(np.exp(expected)))


@pytest.mark.parametrize(("strength", "factor"), [(0.0, 0.0), (np.inf, np.inf), (np.nan, np.nan)])
def test_one_network_without_a_factor_is_told(strength: float, factor: float) -> None:
    factors = growth.factor_over_networks(np.array([[1.0, 2.0], [1.0, strength]]))
    assert factors[0] == pytest.approx(factor, nan_ok=True)
    assert np.isnan(factors[1:]).all()


def test_one_layer_has_no_factor() -> None:
    assert np.isnan(growth.factor_over_networks(np.ones((3, 1)))).all()


def test_quantiles_of_student_are_those_of_scipy() -> None:
    for freedom in (*range(1, 60), 100, 1000, 10**6):
        assert growth.student_975(freedom) == pytest.approx(float(stats.t.ppf(0.975, freedom)), rel=3e-6)
