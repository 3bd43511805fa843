"""Test when a network counts as constant, and the loss of the best constant."""

import numpy as np
import pytest

from deadrelu.analysis import criteria
from deadrelu.engine import Target
from deadrelu.settings import params
from deadrelu.stages import experiments


def test_a_constant_is_finite_and_within_the_tolerance() -> None:
    """The tolerance itself is included; a range that is not finite or was not measured is not constant."""
    ranges = [0.0, 1e-3, np.nextafter(1e-3, 1), np.inf, np.nan]
    assert criteria.within(ranges, 1e-3).tolist() == [True, True, False, False, False]
    assert criteria.within(ranges, 0.0).tolist() == [True, False, False, False, False]
    assert criteria.within(ranges, np.inf).tolist() == [True, True, True, False, False]
    assert criteria.within(np.array([None, 0.0], object), 1e-3).tolist() == [False, True]


def test_float32_within_a_float64_tolerance() -> None:
    """The number 0.001 in float32 exceeds 0.001 in float64 by 4.7e-11, so that it is not within this tolerance."""
    assert criteria.within(np.array([1e-3], np.float32), 1e-3).tolist() == [False]


@pytest.mark.parametrize("key", ["x_sin_5x-he", "x_sin_5x-he-mae", "abs_sum_abs_difference-he"])
def test_best_constant_is_the_mean_or_the_median(key: str, settings: params.Params) -> None:
    """The loss is the least that a search over constants finds."""
    experiment = experiments.of_case(settings, key)
    target, loss = experiment.target, experiment.training.loss
    _, y = target.sample(settings.seed)
    y = y.reshape(len(y), -1).astype(float)
    measure = np.square if loss == "mean_squared_error" else np.abs
    candidates = np.linspace(y.min(), y.max(), 4001)
    losses = [np.min([np.mean(measure(of - c)) for c in candidates]) for of in y.T]
    assert criteria.best_constant(target, loss, settings.seed) == pytest.approx(np.mean(losses), rel=1e-5)


def test_best_constant_is_that_of_the_seed() -> None:
    """Another seed draws other points, which have another mean."""
    target = Target(function="abs_x", low=-1.0, high=1.0, points=50)
    _, y = target.sample(3)
    assert criteria.best_constant(target, "mean_squared_error", 3) == pytest.approx(np.var(y.astype(float)))
    assert criteria.best_constant(target, "mean_squared_error", 4) != criteria.best_constant(
        target, "mean_squared_error", 3
    )
