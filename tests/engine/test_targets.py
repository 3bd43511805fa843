"""Test target functions against values by hand, and that params accept their names and no others."""

import numpy as np
import pytest
from pydantic import ValidationError

from deadrelu.engine import targets
from deadrelu.settings.stages import TargetParams


@pytest.mark.parametrize(
    ("name", "x", "y"),
    [
        ("x_sin_x", np.pi / 2, np.pi / 2),
        ("abs_x", -1.5, 1.5),
        ("x_sin_5x", np.pi / 10, np.pi / 10),
        ("step_sin_5x", np.pi / 10, 1.2),
        ("step_sin_5x", -np.pi / 10, -0.2),
        ("step_sin_5x", 0.0, 0.0),
    ],
)
def test_by_hand(name: str, x: float, y: float) -> None:
    assert targets.FUNCTIONS[name].compute(np.array([x]))[0] == pytest.approx(y)


def test_two_inputs_two_outputs_by_hand() -> None:
    function = targets.FUNCTIONS["abs_sum_abs_difference"]
    assert (function.inputs, function.outputs) == (2, 2)
    np.testing.assert_allclose(function.compute(np.array([[1.0, -3.0], [0.5, 0.5]])), [[2, 4], [1, 0]])


def test_every_function_can_be_asked_for_and_no_other() -> None:
    for name, function in targets.FUNCTIONS.items():
        target = TargetParams(function=name, low=0.0, high=1.0, points=3)
        assert target.of_one_input == (function.inputs == function.outputs == 1)
        assert function.label
    with pytest.raises(ValidationError, match=r"unknown function; did you mean abs_x\?"):
        TargetParams(function="abs", low=0.0, high=1.0, points=3)


@pytest.mark.parametrize("name", targets.FUNCTIONS)
def test_samples_are_uniform_and_lie_on_the_function(name: str) -> None:
    target = targets.Target(name, -(3**0.5), 3**0.5, 4000)
    x, y = target.sample(1)
    assert x.dtype == y.dtype == np.float32
    function = targets.FUNCTIONS[name]
    assert x.size == 4000 * function.inputs
    assert y.size == 4000 * function.outputs
    assert np.abs(x).max() <= 3**0.5
    # The variance is 1, that of the mean of squares (9/5 - 1) / n; the tolerance is five standard errors.
    assert abs(np.mean(x.astype(float) ** 2) - 1) < 5 * np.sqrt(0.8 / 4000)
    np.testing.assert_array_equal(y, function.compute(x.astype(float)).astype(np.float32))
    again, _ = target.sample(2)
    assert (again != x).any()
