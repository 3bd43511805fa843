"""Count the ReLU networks of one width that are dead before training, for all depths in one pass.

Without biases f(c x) = c f(x) for c > 0, so the signals at x = -1 and x = 1 determine the signals at every real x.
Networks with biases, which RAI draws, are evaluated at many x.
"""

from collections.abc import Iterable, Iterator
from concurrent.futures import CancelledError
from threading import Event
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from deadrelu.engine.initializers import Sampler
from deadrelu.streams import SAFE_REGION, stream

Counts = npt.NDArray[np.int64]
Array = npt.NDArray[np.float64]
Weights = npt.NDArray[np.float32]

BLOCK = 1000  # number of networks that are drawn together by one generator


class BornDead(NamedTuple):
    """Counts of dead networks before training, each of shape (max_depth,), int64; entry d - 1 is for depth d.

    `low` counts networks whose last hidden layer is 0 for every x < 0, `high` for every x > 0, and `both` for every x.
    """

    low: Counts
    high: Counts
    both: Counts


def born_dead(
    initialize: Sampler, width: int, max_depth: int, networks: range, *, seed: int, stop: Event | None = None
) -> BornDead:
    """Count dead networks with one input, zero biases, and `width` units in each of up to `max_depth` hidden layers.

    A network of depth d consists of the first d layers of a network of depth `max_depth`, so that counts of all depths
    come from the same networks. A network is dead if its last hidden layer is 0 at both x = -1 and x = 1.

    Args:
        initialize: function that draws kernels, as `initializers.sampler` describes.
        width: number of units of each hidden layer.
        max_depth: largest number of hidden layers.
        networks: consecutive numbers of networks, from a multiple of `BLOCK` on; networks are drawn in whole blocks.
        seed: seed that determines, with the width, all draws; more networks or layers do not change earlier draws.
        stop: event of another thread that ends the count with a `CancelledError`.
    """
    counts = BornDead(*np.zeros((3, max_depth), np.int64))
    for block, n in _blocks(networks):
        drawn = (layer[:n] for layer in _drawn(initialize, width, max_depth, seed, block, stop))
        for depth, signals in enumerate(_signals(drawn, np.array([-1.0, 1.0]), scaled=True)):
            low, high = (signals == 0).all(axis=0)
            for count, dead in zip(counts, (low, high, low & high), strict=True):
                count[depth] += dead.sum()
    return counts


def born_constant(
    initialize: Sampler,
    x: Array,
    width: int,
    max_depth: int,
    networks: range,
    *,
    seed: int,
    stop: Event | None = None,
) -> Counts:
    """Count networks whose last hidden layer is constant on `x` before training; entry d - 1 is for depth d.

    This is for initializers that draw biases: signals at two points do not determine all others. The counts have shape
    (max_depth,), int64. One layer is in memory at a time: weights are drawn for three points, and drawn again for the
    networks that are constant at these points.

    Args:
        initialize: function that draws kernels and biases (one more row), as `initializers.sampler` describes for RAI.
        x: inputs at which signals are compared, shape (n_points,).
        width, max_depth, networks, seed, stop: as in `born_dead`.
    """
    counts = np.zeros(max_depth, np.int64)
    few = np.asarray(x)[[0, len(x) // 2, -1]]
    for block, n in _blocks(networks):
        arguments = initialize, width, max_depth, seed, block, stop
        *_, last = _signals((layer[:n] for layer in _drawn(*arguments)), few)
        candidates = _are_constant(last)  # if signals differ after the last layer, they differ after each
        for depth, signals in enumerate(_signals((layer[:n][candidates] for layer in _drawn(*arguments)), x)):
            counts[depth] += _are_constant(signals).sum()
    return counts


def functions(initialize: Sampler, x: Array, width: int, max_depth: int, networks: int, *, seed: int) -> Array:
    """Return the outputs of the first networks before training, shape (max_depth, networks, n_points), float64.

    The network of depth d has d hidden layers, drawn as in `born_dead` or `born_constant`, and its own linear output.

    Args:
        networks: number of networks, at most `BLOCK`.
        initialize, x, width, max_depth, seed: as in `born_constant`; biases are zero if the initializer draws none.
    """
    outputs = []
    hidden = (layer[:networks] for layer in _drawn(initialize, width, max_depth, seed, 0))
    for layer, signals in enumerate(_signals(hidden, x)):
        weights = initialize(stream(seed, SAFE_REGION, width, 0, layer), BLOCK, width, 1)
        outputs.append(_preactivations(signals, weights[:networks])[0].T + 0.0)  # -0.0 becomes 0.0
    return np.stack(outputs)


def _blocks(networks: range) -> Iterator[tuple[int, int]]:
    """Yield, for each block of the range `networks`, the number of the block and how many of its networks are used."""
    if networks.start % BLOCK:
        raise ValueError(f"networks must start at a multiple of {BLOCK}, got {networks.start}")
    for at in range(networks.start, networks.stop, BLOCK):
        yield at // BLOCK, min(BLOCK, networks.stop - at)


def _drawn(
    initialize: Sampler, width: int, max_depth: int, seed: int, block: int, stop: Event | None = None
) -> Iterator[Weights]:
    """Yield a block's weights of each hidden layer, shape (BLOCK, inputs (+ 1 row of biases), width), float32."""
    rng = stream(seed, SAFE_REGION, width, block)
    for layer in range(max_depth):
        if stop is not None and stop.is_set():
            raise CancelledError
        yield initialize(rng, BLOCK, width if layer else 1, width)


def _are_constant(signals: Array) -> npt.NDArray[np.bool_]:
    """Return which networks have equal signals, (width, n_points, networks), at all points: shape (networks,), bool."""
    return np.asarray((signals == signals[:, :1]).all(axis=(0, 1)))


def _signals(drawn: Iterable[Weights], x: Array, *, scaled: bool = False) -> Iterator[Array]:
    """Yield each hidden layer's outputs at x with weights from `_drawn`, shape (width, n_points, networks), float64.

    If `scaled` is true, signals at each x are divided by the largest, since those of a thousand layers could underflow.
    """
    signals = np.asarray(x, float)[None, :, None]
    for weights in drawn:
        signals = np.maximum(_preactivations(signals, weights), 0)
        if scaled:
            size = signals.max(axis=0)
            signals /= np.where(size > 0, size, 1)
        yield signals


def _preactivations(signals: Array, weights: Weights) -> Array:
    """Compute preactivations with sums in a fixed order, so that all processors give the same bits.

    Args:
        signals: signals at n points, shape (fan_in, n, networks), float64.
        weights: kernels of the networks, and biases if there is one more row, (networks, fan_in (+ 1), fan_out).

    Returns:
        Preactivations, shape (fan_out, n, networks), float64.
    """
    by_input = np.ascontiguousarray(weights.transpose(1, 2, 0), np.float64)[:, :, None]
    total: Array = signals[0] * by_input[0]
    for signal, kernel in zip(signals[1:], by_input[1:], strict=False):
        total += signal * kernel
    return total + by_input[-1] if len(by_input) > len(signals) else total
