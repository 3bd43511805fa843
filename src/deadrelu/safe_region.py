"""How wide must a deep ReLU network be? Dead before training, for every depth of a width in one pass.

Without biases f(c x) = c f(x) for c > 0, so a one-dimensional input has two signals, from x = -1 and from x = 1, and
what becomes of them tells what becomes of every x.
"""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from deadrelu.streams import SAFE_REGION, stream

Initialize = Callable[[np.random.Generator, int, int, int], npt.NDArray[np.float32]]
Counts = npt.NDArray[np.int64]

BLOCK = 1000
"""Networks drawn at a time."""


class BornDead(NamedTuple):
    """How many networks are 0 before training; entry d - 1 is for depth d, shape (max_depth,).

    `low`: for every x < 0; `high`: for every x > 0; `both`: for every x.
    """

    low: Counts
    high: Counts
    both: Counts


def born_dead(initialize: Initialize, width: int, max_depth: int, networks: int, *, seed: int) -> BornDead:
    """Draw networks of one input, zero biases, and `width` units in each of `max_depth` hidden layers.

    A network of depth d is the first d layers of a deeper one: a layer in which both signals end is where it dies, and
    the counts of a width, over its depths, come from the same networks.

    Args:
        initialize: draws kernels, as `initializers.sampler` does.
        width: units of a hidden layer.
        max_depth: hidden layers.
        networks: how many; a multiple of `BLOCK` draws no network in vain.
        seed: of all draws, with the width. More networks or layers change none of the others.
    """
    counts = np.zeros((3, max_depth), np.int64)
    for block, at in enumerate(range(0, networks, BLOCK)):
        rng = stream(seed, SAFE_REGION, width, block)
        dead = _dead(initialize, rng, width, max_depth)[: networks - at]
        counts += np.stack([dead[:, :, 0], dead[:, :, 1], dead.all(axis=2)]).sum(axis=1)
    return BornDead(*counts)


def _dead(initialize: Initialize, rng: np.random.Generator, width: int, max_depth: int) -> npt.NDArray[np.bool_]:
    """Which signals have ended by each layer, shape (BLOCK, max_depth, 2): those of x = -1 and x = 1."""
    signals = np.broadcast_to(np.array([[-1.0], [1.0]]), (BLOCK, 2, 1))
    dead = np.empty((BLOCK, max_depth, 2), bool)
    for layer in range(max_depth):
        kernels = initialize(rng, BLOCK, signals.shape[2], width)
        signals = np.maximum(signals @ kernels, 0)
        size = signals.max(axis=2, keepdims=True)
        dead[:, layer] = size[:, :, 0] == 0
        signals = signals / np.where(
            size > 0, size, 1
        )  # the size says nothing, and thousands of layers would take it to 0
    return dead
