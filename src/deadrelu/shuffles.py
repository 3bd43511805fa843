"""Shuffles of the training points: one for every trial and epoch, at the price of a few for all.

The order of trial k in an epoch is a composition, `left[right]`. Trials with the same k div LANES (a block) share
`left`, which is drawn anew each epoch; trials with the same k mod LANES (a lane) share `right`, drawn once; each draw
is a uniform permutation by Fisher and Yates's method. Two orders, of different trials or epochs, never share both
factors, and a composition with an independent, uniform permutation is uniform and independent of the other factor.
So every order is exactly uniform and any two are exactly independent: a mean over trials has the variance of
independent shuffles. And an epoch of LANES trials costs one draw.
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
    order: Order = left(n_points, seed, trial // LANES, epoch)[rights(n_points, seed)[trial % LANES]]
    return order


def left(n_points: int, seed: int, block: int, epoch: int) -> Order:
    """The factor that the trials of one block share in an epoch, shape (n_points,)."""
    return stream(seed, ORDER, LEFT, block, epoch).permutation(n_points).astype(np.int32)


@lru_cache(maxsize=4)
def rights(n_points: int, seed: int) -> Order:
    """The factor of each lane, shape (LANES, n_points)."""
    lanes = [stream(seed, ORDER, RIGHT, lane).permutation(n_points) for lane in range(LANES)]
    return np.stack(lanes).astype(np.int32)
