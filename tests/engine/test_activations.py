"""Test that exp, erf and functions made of them are exact to 2 units in the last place, over the whole range."""

from collections.abc import Callable
from math import inf, nan
from typing import Any

import numpy as np
import pytest
from helpers.reference import Reference
from scipy import special

from deadrelu.engine import Network, activations

OPS = Reference()


def every_size() -> np.ndarray:
    """Return positive float32: all powers of two, 20,000 values in each binade from 2**-40 to 2**8, and a fine grid."""
    rng = np.random.default_rng(0)
    binades = [np.ldexp(1 + rng.random(20_000), e) for e in range(-40, 8)]
    return np.concatenate([np.ldexp(1.0, np.arange(-149, 128)), *binades, np.linspace(0, 110, 500_000)]).astype("f4")


def units_in_the_last_place(values: np.ndarray, exact: np.ndarray) -> np.ndarray:
    return np.abs(values - exact) / np.spacing(np.abs(exact).astype(np.float32)).astype(float)


BELOW_ZERO: dict[str, tuple[Callable[..., Any], Callable[..., Any]]] = {
    "exp": (activations.exp, np.exp),
    "expm1": (activations.expm1, np.expm1),
}
EVERYWHERE: dict[str, tuple[Callable[..., Any], Callable[..., Any]]] = {
    "tanh": (activations.tanh, np.tanh),
    "sigmoid": (activations.sigmoid, special.expit),
    "erf": (activations.erf, special.erf),
}


@pytest.mark.filterwarnings("ignore::RuntimeWarning")  # the branch that is not selected may overflow
@pytest.mark.parametrize("name", [*BELOW_ZERO, *EVERYWHERE])
def test_within_two_units_in_the_last_place(name: str) -> None:
    ours, exact = (BELOW_ZERO | EVERYWHERE)[name]
    sizes = every_size()
    x = -sizes if name in BELOW_ZERO else np.concatenate([-sizes, sizes])
    values = ours(OPS, x)
    assert values.dtype == np.float32
    assert units_in_the_last_place(values.astype(float), exact(x.astype(float))).max() <= 2


@pytest.mark.filterwarnings("ignore::RuntimeWarning")
def test_gelu_within_two_units_of_its_input() -> None:
    """Far below 0, where 1 + erf cancels, as in Keras, the error is relative to z, not to z times nearly 0."""
    sizes = every_size()
    z = np.concatenate([-sizes, sizes[sizes < 1e18]])
    values = activations.activate(OPS, of("gelu"), z).astype(float)
    exact = z.astype(float) * special.ndtr(z.astype(float))
    assert (np.abs(values - exact) / np.spacing(np.abs(z)).astype(float)).max() <= 2


@pytest.mark.filterwarnings("ignore::RuntimeWarning")
@pytest.mark.parametrize(
    ("activation", "at_minus_infinity", "at_infinity"),
    [("relu", 0, inf), ("leaky_relu", -inf, inf), ("elu", -1, inf), ("tanh", -1, 1), ("sigmoid", 0, 1)],
)
def test_infinity_and_nan(activation: str, at_minus_infinity: float, at_infinity: float) -> None:
    values = activations.activate(OPS, of(activation), np.array([-inf, inf, nan], np.float32))
    np.testing.assert_array_equal(values, np.array([at_minus_infinity, at_infinity, nan], np.float32))


@pytest.mark.parametrize("activation", ["relu", "leaky_relu", "elu", "gelu", "tanh", "sigmoid"])
def test_slopes_are_finite_differences(activation: str) -> None:
    """With steps of 2**-7 in float32, the third derivative and rounding each cause an error below 1e-4."""
    z = np.linspace(-4, 4, 400, dtype=np.float32)
    z = z[np.abs(z) > 0.01]
    step = np.float32(2.0**-7)
    network = of(activation)
    above, below = (activations.activate(OPS, network, z + h).astype(float) for h in (step, -step))
    output, gradient = activations.activate(OPS, network, z), np.full_like(z, 3.0)
    slopes = activations.through(OPS, network, z, output, gradient).astype(float)
    np.testing.assert_allclose(slopes, 3 * (above - below) / (2 * float(step)), atol=3e-4)


def of(activation: Any) -> Network:
    slope = 0.1 if activation == "leaky_relu" else 0.0
    return Network(widths=(1,), activation=activation, negative_slope=slope, initialize="zeros")
