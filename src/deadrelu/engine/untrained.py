"""Count the ReLU networks that are dead before training, for every depth of a width in one pass.

Without biases f(c x) = c f(x) for c > 0, so the signals of x = -1 and x = 1 determine those of every one-dimensional
input x. Networks with biases, which RAI draws, are evaluated at many x.
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

BLOCK = 1000
"""Number of networks drawn at once."""


class BornDead(NamedTuple):
    """Counts of networks that are 0 before training, shape (max_depth,), int64; entry d - 1 is for depth d.

    `low` counts networks that are 0 for every x < 0, `high` for every x > 0, and `both` for every x.
    """

    low: Counts
    high: Counts
    both: Counts


def born_dead(
    initialize: Sampler, width: int, max_depth: int, networks: range, *, seed: int, stop: Event | None = None
) -> BornDead:
    """Count dead networks with one input, zero biases, and `width` units in each of up to `max_depth` hidden layers.

    A network of depth d consists of the first d layers of a deeper one and is dead if both signals are 0 after them:
    the counts of a width over its depths come from the same networks.

    Args:
        initialize: draws kernels, as `initializers.sampler` describes.
        width: units of a hidden layer.
        max_depth: largest number of hidden layers.
        networks: consecutive numbers from a multiple of `BLOCK` on; if they also end at one, none is drawn in vain.
        seed: determines all draws, with the width; adding networks or layers does not change the other draws.
        stop: event of another thread that ends the count with a `CancelledError`.
    """
    counts = np.zeros((3, max_depth), np.int64)
    for block, n in _blocks(networks):
        dead = _dead(_drawn(initialize, width, max_depth, seed, block, stop), max_depth)[:n]
        counts += np.stack([dead[:, :, 0], dead[:, :, 1], dead.all(axis=2)]).sum(axis=1)
    return BornDead(*counts)


def _blocks(networks: range) -> Iterator[tuple[int, int]]:
    """Yield the number of each block, and the number of its networks that are used."""
    if networks.start % BLOCK:
        raise ValueError(f"networks must start at a multiple of {BLOCK}, got {networks.start}")
    for at in range(networks.start, networks.stop, BLOCK):
        yield at // BLOCK, min(BLOCK, networks.stop - at)


def _drawn(
    initialize: Sampler, width: int, max_depth: int, seed: int, block: int, stop: Event | None = None
) -> Iterator[npt.NDArray[np.float32]]:
    """Yield a block's weights for each hidden layer, (BLOCK, rows, width), float32, equal for equal arguments."""
    rng = stream(seed, SAFE_REGION, width, block)
    for layer in range(max_depth):
        if stop is not None and stop.is_set():
            raise CancelledError
        yield initialize(rng, BLOCK, width if layer else 1, width)


def _dead(drawn: Iterable[npt.NDArray[np.float32]], max_depth: int) -> npt.NDArray[np.bool_]:
    """Return whether the signals of x = -1 and 1 are 0 after each layer from `_drawn`, (BLOCK, max_depth, 2), bool."""
    signals = np.broadcast_to(np.array([[-1.0], [1.0]]), (1, 2, BLOCK))
    dead = np.empty((BLOCK, max_depth, 2), bool)
    for layer, kernels in enumerate(drawn):
        signals = np.maximum(_product(signals, kernels), 0)
        size = signals.max(axis=0)
        dead[:, layer] = size.T == 0
        signals = signals / np.where(size > 0, size, 1)  # only the ratios matter; the size may underflow
    return dead


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
    """Count the networks that are constant on `x` before training, (max_depth,), int64; entry d - 1 is for depth d.

    This is for initializers that draw biases, where two points do not determine all others; the networks are those of
    `born_dead`. One layer is in memory at a time: weights are drawn for a few points, and again for networks constant
    on these.

    Args:
        initialize: draws kernels and biases (one more row), as `initializers.sampler` describes for RAI.
        x: inputs at which signals are compared, shape (n_points,).
        width, max_depth, networks, seed, stop: as in `born_dead`.
    """
    counts = np.zeros(max_depth, np.int64)
    few = np.asarray(x)[[0, len(x) // 2, -1]]
    for block, n in _blocks(networks):
        arguments = initialize, width, max_depth, seed, block, stop
        *_, last = _signals((layer[:n] for layer in _drawn(*arguments)), few)
        candidates = _are_constant(last)  # signals that differ at these points after the last layer do so after each
        for depth, signals in enumerate(_signals((layer[:n][candidates] for layer in _drawn(*arguments)), x)):
            counts[depth] += _are_constant(signals).sum()
    return counts


def _are_constant(signals: Array) -> npt.NDArray[np.bool_]:
    """Return which networks have equal signals at all points, shape (networks,), bool."""
    constant: npt.NDArray[np.bool_] = (signals == signals[:, :1]).all(axis=(0, 1))
    return constant


def functions(initialize: Sampler, x: Array, width: int, max_depth: int, networks: int, *, seed: int) -> Array:
    """Return the outputs of the first networks before training, shape (max_depth, networks, n_points), float64.

    A network of depth d has the hidden layers of `born_dead` (or `born_constant`), and a linear output of its own.

    Args:
        networks: number of networks, at most `BLOCK`.
        initialize, x, width, max_depth, seed: as in `born_constant`; biases are drawn or zero.
    """
    outputs = []
    hidden = (layer[:networks] for layer in _drawn(initialize, width, max_depth, seed, 0))
    for layer, signals in enumerate(_signals(hidden, x)):
        kernels, biases = _split(
            initialize(stream(seed, SAFE_REGION, width, 0, layer), BLOCK, width, 1)[:networks], width
        )
        outputs.append((_product(signals, kernels)[0] + biases[:, 0, 0]).T)
    return np.stack(outputs)


def _signals(drawn: Iterable[npt.NDArray[np.float32]], x: Array) -> Iterator[Array]:
    """Yield the outputs of each hidden layer, shape (width, n_points, networks), float64, for drawn weights."""
    signals = np.asarray(x, float)[None, :, None]
    for weights in drawn:
        kernels, biases = _split(weights, len(signals))
        signals = np.maximum(_product(signals, kernels) + biases.transpose(2, 1, 0), 0)
        yield signals


def _product(signals: Array, kernels: npt.NDArray[np.float32]) -> Array:
    """Compute preactivations, summed in a fixed order: equal inputs give equal bits, and so do all processors.

    Args:
        signals: shape (fan_in, n, networks), float64.
        kernels: shape (networks, fan_in, fan_out), float32.

    Returns:
        Shape (fan_out, n, networks), float64.
    """
    by_input = np.ascontiguousarray(kernels.transpose(1, 2, 0), np.float64)
    total: Array = signals[0] * by_input[0][:, None]
    for signal, kernel in zip(signals[1:], by_input[1:], strict=True):
        total += signal * kernel[:, None]
    return total


def _split(drawn: npt.NDArray[np.float32], fan_in: int) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.float32]]:
    """Split drawn rows into kernels, (n, fan_in, fan_out), and biases, (n, 1, fan_out), zero where none were drawn."""
    biases = drawn[:, fan_in:] if drawn.shape[1] > fan_in else np.zeros((len(drawn), 1, drawn.shape[2]), np.float32)
    return drawn[:, :fan_in], biases
