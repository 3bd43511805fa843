"""Closed forms: how often a ReLU network without biases is dead before training.

Lu, Shin, Su, Karniadakis, *Dying ReLU and Initialization* (arXiv:1903.06733). Weights symmetric and continuous,
biases zero. All inputs of one sign give the same pattern of active units, because f(c x) = c f(x) for c > 0:
a half-line is one input.
"""

from collections.abc import Sequence

import numpy as np


def _survives(widths: Sequence[int]) -> float:
    """Probability that a nonzero signal passes these layers: each is all zero with probability 2^-width."""
    return float(np.prod([1 - 2.0**-width for width in widths]))


def born_dead_on_half_line(widths: Sequence[int]) -> float:
    """Probability that the network is 0 for every x > 0 (equally: for every x < 0).

    Args:
        widths: units of each hidden layer, input to output.
    """
    return 1 - _survives(widths)


def born_dead_on_interval(widths: Sequence[int]) -> float | None:
    """Probability that the network is 0 for every x of both signs.

    A first layer of one unit lets exactly one half-line pass, so the rest of the network decides. For a wider
    first layer the two half-lines are correlated and no closed form is given here: None.
    """
    return 1 - _survives(widths[1:]) if widths[0] == 1 else None
