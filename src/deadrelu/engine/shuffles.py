"""Shuffles of the training points: one for every trial and epoch, at the price of a few for all.

The order of trial k in an epoch is a composition, `right[left]`. Trials with the same k div BLOCK (a block) share
`left`, which is drawn anew each epoch; trials with the same k mod BLOCK share `right`, drawn once; each draw is a
uniform permutation by Fisher and Yates's method. What holds exactly: every order is uniform, and any two orders, of
different trials or epochs, are independent, because they never share both factors. What does not hold: more than two
orders are not jointly independent. All trials of a block reorder their points in the same way from one epoch to the
next (`left` of the one epoch inverted, then `left` of the other). `python -m benchmarks shuffles` compares
rates of 10,000 networks with those of the same networks whose orders are all independent.

An epoch of a block costs one draw; and trials of one block, each with its points in the order of its `right`, go
through them row by row in one order, `left`.
"""

from functools import lru_cache

import numpy as np
import numpy.typing as npt

from deadrelu.streams import ORDER, stream

Order = npt.NDArray[np.int32]

BLOCK = 512
"""Trials that share a factor: many, so that those that are not dead at initialization fill the lanes of programs."""

MAX_KEPT_POINTS = 10_000
"""Of so many points, factors are kept to be used again: at most 40 MB of them."""

LEFT, RIGHT = 0, 1


def epoch_order(n_points: int, seed: int, trial: int, epoch: int) -> Order:
    """The order in which a trial sees the points in an epoch: a permutation, shape (n_points,), int32."""
    order: Order = right(n_points, seed, trial % BLOCK)[left(n_points, seed, trial // BLOCK, epoch)]
    return order


def left(n_points: int, seed: int, block: int, epoch: int) -> Order:
    """The factor that the trials of one block share in an epoch, shape (n_points,)."""
    return _permutation(n_points, seed, LEFT, block, epoch)


def right(n_points: int, seed: int, position: int) -> Order:
    """The factor of the trials at one position in their blocks, shape (n_points,)."""
    return _permutation(n_points, seed, RIGHT, position)


def _permutation(n_points: int, seed: int, *key: int) -> Order:
    return (_kept if n_points <= MAX_KEPT_POINTS else _drawn)(n_points, seed, *key)


def _drawn(n_points: int, seed: int, *key: int) -> Order:
    return stream(seed, ORDER, *key).permutation(n_points).astype(np.int32)


_kept = lru_cache(maxsize=2 * BLOCK)(_drawn)
