"""How wide must a deep ReLU network be? Dead before training, for every depth of a width in one pass.

Without biases f(c x) = c f(x) for c > 0, so a one-dimensional input has two signals, from x = -1 and from x = 1, and
what becomes of them tells what becomes of every x. With biases, which RAI draws, networks are looked at on many x.
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
"""Networks drawn at a time."""


class BornDead(NamedTuple):
    """How many networks are 0 before training; entry d - 1 is for depth d, shape (max_depth,).

    `low`: for every x < 0; `high`: for every x > 0; `both`: for every x.
    """

    low: Counts
    high: Counts
    both: Counts


def born_dead(
    initialize: Sampler, width: int, max_depth: int, networks: range, *, seed: int, stop: Event | None = None
) -> BornDead:
    """Count dead networks of one input, zero biases, and `width` units in each of `max_depth` hidden layers.

    A network of depth d is the first d layers of a deeper one: a layer in which both signals end is where it dies, and
    the counts of a width, over its depths, come from the same networks.

    Args:
        initialize: draws kernels, as `initializers.sampler` does.
        width: units of a hidden layer.
        max_depth: hidden layers.
        networks: which, as consecutive numbers from a multiple of `BLOCK` on; to another one, none is drawn in vain.
        seed: of all draws, with the width. More networks or layers change none of the others.
        stop: set by another thread, it ends this with a `CancelledError`.
    """
    counts = np.zeros((3, max_depth), np.int64)
    for block, n in _blocks(networks):
        dead = _dead(_drawn(initialize, width, max_depth, seed, block, stop), max_depth)[:n]
        counts += np.stack([dead[:, :, 0], dead[:, :, 1], dead.all(axis=2)]).sum(axis=1)
    return BornDead(*counts)


def _blocks(networks: range) -> Iterator[tuple[int, int]]:
    """Yield the number of each block, and how many of its networks are used."""
    if networks.start % BLOCK:
        raise ValueError(f"networks must start at a multiple of {BLOCK}, got {networks.start}")
    for at in range(networks.start, networks.stop, BLOCK):
        yield at // BLOCK, min(BLOCK, networks.stop - at)


def _drawn(
    initialize: Sampler, width: int, max_depth: int, seed: int, block: int, stop: Event | None = None
) -> Iterator[npt.NDArray[np.float32]]:
    """Yield what is drawn for each hidden layer of the networks of a block; the same arguments, the same numbers."""
    rng = stream(seed, SAFE_REGION, width, block)
    for layer in range(max_depth):
        if stop is not None and stop.is_set():
            raise CancelledError
        yield initialize(rng, BLOCK, width if layer else 1, width)


def _dead(drawn: Iterable[npt.NDArray[np.float32]], max_depth: int) -> npt.NDArray[np.bool_]:
    """Return which signals have ended by each layer, shape (BLOCK, max_depth, 2): those of x = -1 and x = 1."""
    signals = np.broadcast_to(np.array([[-1.0], [1.0]]), (1, 2, BLOCK))
    dead = np.empty((BLOCK, max_depth, 2), bool)
    for layer, kernels in enumerate(drawn):
        signals = np.maximum(_product(signals, kernels), 0)
        size = signals.max(axis=0)
        dead[:, layer] = size.T == 0
        signals = signals / np.where(size > 0, size, 1)  # the size says nothing, and a thousand layers take it to 0
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
    """Count the networks that are constant on `x` before training; entry d - 1 is for depth d, shape (max_depth,).

    For initializers that draw biases: with them, no two points stand for all. The networks of `born_dead`. One layer is
    in memory at a time: what is drawn is drawn twice, for few points, and again for the networks constant on these.

    Args:
        initialize: draws kernels and biases, one more row, as `initializers.sampler` does for RAI.
        x: where they are compared, shape (n_points,).
        width, max_depth, networks, seed, stop: as in `born_dead`.
    """
    counts = np.zeros(max_depth, np.int64)
    few = np.asarray(x)[[0, len(x) // 2, -1]]
    for block, n in _blocks(networks):
        arguments = initialize, width, max_depth, seed, block, stop
        *_, last = _signals((layer[:n] for layer in _drawn(*arguments)), few)
        candidates = _are_constant(last)  # what differs at three points behind the last layer differs behind all
        for depth, signals in enumerate(_signals((layer[:n][candidates] for layer in _drawn(*arguments)), x)):
            counts[depth] += _are_constant(signals).sum()
    return counts


def _are_constant(signals: Array) -> npt.NDArray[np.bool_]:
    """Return which networks have equal signals at all points."""
    constant: npt.NDArray[np.bool_] = (signals == signals[:, :1]).all(axis=(0, 1))
    return constant


def functions(initialize: Sampler, x: Array, width: int, max_depth: int, networks: int, *, seed: int) -> Array:
    """Return what the first of these networks compute before training, shape (max_depth, networks, n_points).

    A network of depth d has the hidden layers of `born_dead` (or `born_constant`), and a linear output of its own.

    Args:
        networks: how many, at most `BLOCK`.
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
    """Outputs of each hidden layer, shape (width, n_points, networks), of networks whose weights were drawn."""
    signals = np.asarray(x, float)[None, :, None]
    for weights in drawn:
        kernels, biases = _split(weights, len(signals))
        signals = np.maximum(_product(signals, kernels) + biases.transpose(2, 1, 0), 0)
        yield signals


def _product(signals: Array, kernels: npt.NDArray[np.float32]) -> Array:
    """Preactivations, term by term in one order: equal inputs give equal bits, and so do all processors.

    Args:
        signals: shape (fan_in, n, networks), float64.
        kernels: shape (networks, fan_in, fan_out).

    Returns:
        Shape (fan_out, n, networks).
    """
    by_input = np.ascontiguousarray(kernels.transpose(1, 2, 0), np.float64)
    total: Array = signals[0] * by_input[0][:, None]
    for signal, kernel in zip(signals[1:], by_input[1:], strict=True):
        total += signal * kernel[:, None]
    return total


def _split(drawn: npt.NDArray[np.float32], fan_in: int) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.float32]]:
    """Kernels, and the biases below them, which are zero where none were drawn."""
    biases = drawn[:, fan_in:] if drawn.shape[1] > fan_in else np.zeros((len(drawn), 1, drawn.shape[2]), np.float32)
    return drawn[:, :fan_in], biases
