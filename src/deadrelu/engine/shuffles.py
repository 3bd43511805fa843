"""Shuffles of the training points for every trial and epoch, composed of a few drawn permutations.

The order of trial k in an epoch is a composition of two factors, `right[left]`. Trials with the same k // BLOCK (a
block) share `left`, which is drawn for each epoch; trials with the same k % BLOCK share `right`, which is drawn once.
Each factor is a uniform permutation by the Fisher-Yates method. Every order is exactly uniform, and any two orders of
different trials or epochs are exactly independent, because they never share both factors. More than two orders are not
jointly independent: all trials of a block reorder their points in the same way from one epoch to the next (by the
inverse of `left` of the first epoch, then `left` of the second). `python -m benchmarks shuffles` compares collapse
rates of 10,000 networks with those of the same networks trained in independent orders.

The program keeps each trial's points in the order of its `right`; all trials of a block then visit them in one order.
"""

from functools import lru_cache

import numpy as np
import numpy.typing as npt

from deadrelu.streams import ORDER, stream

Order = npt.NDArray[np.int32]

BLOCK = 512  # trials in a block: enough that those not dead at initialization fill the lanes of programs
MAX_KEPT_POINTS = 10_000  # maximum number of points for which factors are cached, in at most 41 MB
LEFT, RIGHT = 0, 1


def left(n_points: int, seed: int, block: int, epoch: int) -> Order:
    """Return the permutation `left` of an epoch, the same for all trials of a block: shape (n_points,), int32."""
    return _permutation(n_points, seed, LEFT, block, epoch)


def right(n_points: int, seed: int, position: int) -> Order:
    """Return the permutation `right` of trials with trial % BLOCK = `position`, for all epochs: (n_points,), int32."""
    return _permutation(n_points, seed, RIGHT, position)


def _permutation(n_points: int, seed: int, *key: int) -> Order:
    return (_kept if n_points <= MAX_KEPT_POINTS else _drawn)(n_points, seed, *key)


def _drawn(n_points: int, seed: int, *key: int) -> Order:
    return stream(seed, ORDER, *key).permutation(n_points).astype(np.int32)


_kept = lru_cache(maxsize=2 * BLOCK)(_drawn)
