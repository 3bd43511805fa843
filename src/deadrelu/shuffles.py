"""Shuffles of the training points: one for every trial and epoch, at the price of a few for all.

The order of trial k is a composition, `left[right]`: `right` is shared by the trials with the same k mod LANES,
`left` by those with the same k div LANES, and both are drawn anew each epoch by Fisher and Yates's method. Two
different trials share one of the two at most. A composition with an independent, uniform permutation is uniform and
independent of the other factor. So every order is exactly uniform and any two are exactly independent: a mean over
trials has the variance of independent shuffles. LANES + 1 permutations serve LANES trials.
"""

from functools import lru_cache

import numpy as np
import numpy.typing as npt

from deadrelu.streams import ORDER, stream

Order = npt.NDArray[np.int32]

LANES = 128
"""Trials side by side in one run of the compiled program (its vectors): enough to hide the cost of a loop step, few
enough that weights and gradient sums of a narrow network stay in the first-level cache."""

LEFT, RIGHT = 0, 1


def epoch_order(n_points: int, seed: int, trial: int, epoch: int) -> Order:
    """The order in which a trial sees the points in an epoch: a permutation, shape (n_points,), int32."""
    order: Order = left(n_points, seed, trial // LANES, epoch)[rights(n_points, seed, epoch)[trial % LANES]]
    return order


def left(n_points: int, seed: int, block: int, epoch: int) -> Order:
    """The factor that the trials of one block of LANES share, shape (n_points,)."""
    return stream(seed, ORDER, LEFT, block, epoch).permutation(n_points).astype(np.int32)


@lru_cache(maxsize=16)  # the same for all blocks, and a block takes its epochs in order
def rights(n_points: int, seed: int, epoch: int) -> Order:
    """The other factor for each lane, shape (LANES, n_points)."""
    lanes = [stream(seed, ORDER, RIGHT, lane, epoch).permutation(n_points) for lane in range(LANES)]
    return np.stack(lanes).astype(np.int32)


@lru_cache(maxsize=16)
def rights_by_position(n_points: int, seed: int, epoch: int) -> Order:
    """The same as the compiled program reads it, shape (n_points, LANES)."""
    return np.ascontiguousarray(rights(n_points, seed, epoch).T)
