"""Test closed forms and bounds against simulation, exhaustive cases and extended precision."""

import itertools
from fractions import Fraction
from typing import Any

import numpy as np
import pytest
from scipy.stats import binomtest

from deadrelu import engine
from deadrelu.analysis import theory

N = 100_000


def glorot_uniform(rng: np.random.Generator, n: int, fan_in: int, fan_out: int) -> np.ndarray:
    limit = np.sqrt(6 / (fan_in + fan_out))
    return rng.uniform(-limit, limit, (n, fan_in, fan_out)).astype(np.float32)


def he_normal(rng: np.random.Generator, n: int, fan_in: int, fan_out: int) -> np.ndarray:
    return rng.normal(0, np.sqrt(2 / fan_in), (n, fan_in, fan_out)).astype(np.float32)


WIDTHS = [(1, *(2,) * 9), (3, 2, 4), (1,), (2,), (2, 1), (2, 3), (2, 2, 2), (3, 3, 2, 2, 3), (*(2,) * 8,)]


@pytest.mark.parametrize("initialize", [glorot_uniform, he_normal])
@pytest.mark.parametrize("widths", WIDTHS)
def test_born_dead_rates_match_theory(widths: tuple[int, ...], initialize: Any) -> None:
    """At most 72 exact tests of N networks, two-sided at 1e-7, raise a false alarm once in 140,000 seeds.

    They have power: a depth off by one moves each probability here by at least 13 standard errors.
    """
    network = engine.Network(widths=widths, activation="relu", initialize=initialize)
    weights = engine.draw_weights(network, 10, np.arange(N))
    dead = engine.predict(network, weights, np.array([-1, 1], np.float32))[:, :, 0] == 0
    for side in (0, 1):
        assert binomtest(int(dead[:, side].sum()), N, theory.born_dead_on_half_line(widths)).pvalue > 1e-7
    low, high = theory.born_dead_on_interval(widths)
    on_both = int(dead.all(axis=1).sum())
    if low == high:
        assert binomtest(on_both, N, low).pvalue > 1e-7
    else:
        assert binomtest(on_both, N, low, alternative="less").pvalue > 1e-7
        assert binomtest(on_both, N, high, alternative="greater").pvalue > 1e-7
    assert low <= high <= theory.born_dead_on_half_line(widths)
    assert (low == high) == (len(widths) <= 2 or widths[0] == 1)


def test_by_hand() -> None:
    assert theory.born_dead_on_half_line([1, 2]) == pytest.approx(1 - 1 / 2 * 3 / 4)
    assert theory.born_dead_on_interval([1, 2]) == pytest.approx((1 / 4, 1 / 4))
    assert theory.born_dead_on_interval([5]) == (0, 0)  # each unit is active for one sign
    # Two units have different signs with probability 1/2: both signs die with (1/4)^2. Else the active one dies: 1/4.
    assert theory.born_dead_on_interval([2, 2]) == pytest.approx((1 / 2 / 16 + 1 / 2 / 4,) * 2)


@pytest.mark.parametrize("widths", [(2, 2), (3, 2), (2, 3)])
def test_two_layers_by_counting_signs(widths: tuple[int, int]) -> None:
    """All signs are equally likely, so those of the first layer and of the second layer's two sums are counted."""
    first, second = widths
    dead = Fraction(0)
    for signs in itertools.product((False, True), repeat=first):
        alive = {side for side in (False, True) if side in signs}
        dead += Fraction(1, 2**first) * Fraction(1, 2 ** (second * len(alive)))
    assert theory.born_dead_on_interval(widths)[0] == pytest.approx(float(dead), rel=1e-12)


@pytest.mark.parametrize(("width", "depth"), [(60, 3), (200, 100), (1000, 10), (2, 10_000), (10, 100_000)])
def test_large_widths_and_depths_keep_their_digits(width: int, depth: int) -> None:
    survives = (1 - Fraction(1, 2**width)) ** min(depth, 100)
    expected = float(1 - survives) if depth <= 100 else 1 - (1 - 2.0**-width) ** depth
    probability = theory.born_dead_on_half_line([width] * depth)
    assert probability == pytest.approx(expected, rel=1e-10, abs=0)
    assert probability > 0


def test_bounds_of_wide_networks_are_small_and_in_order() -> None:
    low, high = theory.born_dead_on_interval([100] * 20)
    # To first order, both signals stop together at one of 18 layers, or each stops by itself.
    assert 0 < low < high
    assert high == pytest.approx(18 * 2.0**-100, rel=1e-9)
    assert theory.born_dead_on_interval([1])[0] == 0


@pytest.mark.parametrize("widths", [(2,), (2, 2), (1, 3, 2), (3, 3, 3), (4,) * 9])
def test_born_dead_on_a_plane_lies_between_the_bounds(widths: tuple[int, ...]) -> None:
    """One-sided exact tests at 1e-7 are made of 20,000 networks on 200 directions of a two-dimensional input."""
    angle = np.linspace(0, 2 * np.pi, 200, endpoint=False)
    x = np.stack([np.cos(angle), np.sin(angle)], axis=1).astype(np.float32)
    network = engine.Network(widths=widths, activation="relu", initialize=he_normal, inputs=2)
    weights = engine.draw_weights(network, 10, np.arange(20_000))
    dead = sum(int((engine.predict(network, part, x) == 0).all(axis=(1, 2)).sum()) for part in np.split(weights, 20))
    low, high = theory.born_dead_on_any_inputs(widths)
    assert low <= high
    assert binomtest(dead, 20_000, low, alternative="less").pvalue > 1e-7
    assert binomtest(dead, 20_000, high, alternative="greater").pvalue > 1e-7


@pytest.mark.parametrize("widths", [[2, 2], [2] * 9, [1, 3, 4], [6] * 20])
def test_bounds_of_one_input_lie_within_those_of_any(widths: list[int]) -> None:
    own, any_inputs = theory.born_dead_on_interval(widths), theory.born_dead_on_any_inputs(widths)
    assert any_inputs.low <= own.low <= own.high <= any_inputs.high


def test_any_inputs_by_hand() -> None:
    """A single unit after a single unit is off for all inputs if its weight is negative, so for one in two."""
    assert theory.born_dead_on_any_inputs([1, 1]) == pytest.approx((1 / 2, 3 / 4))
    assert theory.born_dead_on_any_inputs([2, 3])[0] == pytest.approx(2**-6)
    assert theory.born_dead_on_any_inputs([2, 3, 1])[0] == pytest.approx(1 - (1 - 2**-6) * (1 - 2**-3))
    assert theory.born_dead_on_any_inputs([5]) == pytest.approx((0, 2**-5))
    assert str(theory.born_dead_on_any_inputs([5]).low) == "0.0"


@pytest.mark.parametrize(
    ("probability", "depth"), [(1e-6, 2), (1e-6, 10), (0.01, 3), (0.5, 10), (0.5, 2), (0.99, 20), (0.99, 1000)]
)
def test_width_at_a_probability(probability: float, depth: int) -> None:
    """The bounds at these widths equal the probability, and one more unit brings the upper bound below it."""
    low, high = theory.width_at(probability, depth)
    assert low <= high
    assert (low == pytest.approx(high)) == (depth == 2)
    assert theory.born_dead_on_interval([low] * depth).low == pytest.approx(probability, rel=1e-6)
    assert theory.born_dead_on_interval([high] * depth).high == pytest.approx(probability, rel=1e-6)
    assert theory.born_dead_on_interval([high + 1] * depth).high < probability
