"""Compute the probability, or its bounds, that a ReLU network with zero biases is dead before training.

Weights are independent, symmetric about 0 and continuous. Then a layer that a nonzero signal reaches is all zero with
probability 2^-width, whatever the earlier layers (Lu, Shin, Su, Karniadakis, *Dying ReLU and Initialization*,
arXiv:1903.06733). All inputs of one sign give the same pattern of active units, because f(c x) = c f(x) for c > 0: a
half-line of a one-dimensional input is one input. `widths` are the units of each hidden layer, from input to output.
"""

from collections.abc import Sequence
from math import expm1, log1p
from typing import NamedTuple

import numpy as np


class Bounds(NamedTuple):
    """Bounds of a number, such as a probability; the number is exact if both are equal."""

    low: float
    high: float


def born_dead_on_half_line(widths: Sequence[float]) -> float:
    """Return the probability that the network is 0 for every x > 0 (or x < 0, or one nonzero input of any dimension).

    It is 1 - prod(1 - 2^-width), computed from logarithms; a direct product would round it to 0 for widths above 53.
    """
    return _one_of(2.0 ** -np.asarray(widths, float))


def born_dead_on_interval(widths: Sequence[float]) -> Bounds:
    """Return bounds of the probability that a network of one input is 0 for every x.

    The signals h+ of x > 0 and h- of x < 0 pass the layers in parallel. A layer of N units stops each of them with
    probability 2^-N, and both with q^N, where q is the probability that one unit is off for both:

    - first layer: a unit is on for one sign of x and off for the other, so q = 0;
    - second layer: h+ and h- come from different units, so the two events are independent, and q = 1/4;
    - later layers: both preactivations grow with each weight, since h+ and h- are not negative, so the events are
      associated (Esary, Proschan, Walkup 1967) and q ≥ 1/4; also q ≤ 1/2, the probability of a unit that is off for h+.

    The probability grows with each q, because P(A and B) ≥ P(A) + P(B) - 1: the extremes of q give the bounds. They are
    equal for at most two hidden layers and for a first layer of one unit, which passes exactly one half-line.
    """
    return Bounds(*(_dead_on_both(widths, q) for q in (0.25, 0.5)))


def born_dead_on_any_inputs(widths: Sequence[float]) -> Bounds:
    """Return bounds of the probability that the network is 0 on a set of inputs, of any dimension and any number.

    The upper bound is the probability for one input. For the lower bound: a unit after the first layer is off for all
    inputs if all its weights are negative, since its inputs are not. So a layer of N units after one of M stops all
    signals with probability 2^-(M N) or more, independently of others (compare Rister and Rubin, arXiv:2007.06192).
    """
    sizes = np.asarray(widths, float)
    return Bounds(_one_of(2.0 ** -(sizes[:-1] * sizes[1:])), born_dead_on_half_line(widths))


def _one_of(probabilities: np.ndarray) -> float:
    """Return the probability that one or more of independent events happen, from their probabilities, shape (n,)."""
    # It is rounded to 12 significant digits, because the last bits of a logarithm depend on the processor.
    return float(f"{abs(np.expm1(np.sum(np.log1p(-probabilities)))):.12g}")


def _dead_on_both(widths: Sequence[float], q: float) -> float:
    """Return the probability that h+ and h- are stopped; from the third layer on, a unit is off for both with `q`.

    The loop goes from the last layer to the first: `both` is the probability that two nonzero signals that reach a
    layer are stopped in it or later, and `behind` that one signal is stopped later. No term is negative, so that small
    probabilities keep their digits.
    """
    both = log_survives = 0.0
    for at, width in reversed(list(enumerate(widths))):
        one_stops, both_stop = 2.0**-width, {0: 0.0, 1: 0.25**width}.get(at, q**width)
        behind = -expm1(log_survives)
        both = both_stop + 2 * (one_stops - both_stop) * behind + (1 - 2 * one_stops + both_stop) * both
        log_survives += log1p(-one_stops)
    return both


def width_at(probability: float, depth: int) -> Bounds:
    """Return the width at which a network of `depth` equal layers is dead with a `probability` in (0, 1).

    These are the real widths at which the lower and the upper bound of the probability reach it: a network wider than
    `high` is dead with a smaller one. Widths below 1 have no meaning; a single layer is never dead for every x.
    """
    from scipy.optimize import brentq  # an import of a third of a second, for one figure

    widths = (brentq(lambda w, q=q: _dead_on_both([w] * depth, q) - probability, 1e-3, 1000) for q in (0.25, 0.5))
    return Bounds(*widths)
