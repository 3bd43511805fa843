"""Many small networks trained at once: `run(network, training, x, y, trials=range(1000), seed=10)`.

A *trial* is one network: its own initial weights, its own shuffle of the training points every epoch. LANES trials
go through one compiled program side by side, and each processor core has a program of its own.

The engine knows nothing of files. Trial k depends on (network, training, points, seed, k) alone.
"""

import os
from collections import deque
from collections.abc import Iterator
from concurrent.futures import CancelledError, Future, ThreadPoolExecutor
from dataclasses import replace
from functools import lru_cache
from threading import Event
from typing import Any

import numpy as np
import numpy.typing as npt

from deadrelu import programs
from deadrelu.experiment import SGD, Adam, Float, Network, Numbers, Trained, Training
from deadrelu.shuffles import LANES, epoch_order, left, rights
from deadrelu.streams import WEIGHTS, stream

__all__ = [
    "SGD",
    "Adam",
    "Float",
    "Network",
    "Trained",
    "Training",
    "cores",
    "draw_weights",
    "epoch_order",
    "mean_loss",
    "predict",
    "run",
]

TOGETHER = 64 * LANES
"""Trials that are sorted into living and born dead at a time: enough of the living to fill the lanes."""


def run(
    network: Network,
    training: Training,
    x: Float,
    y: Float,
    *,
    trials: range,
    seed: int,
    threads: int | None = None,
) -> Iterator[Trained]:
    """Train trials `trials`, some at a time; memory does not grow with their number.

    Args:
        network: the architecture and its initializer.
        training: epochs, batch size, optimizer and loss.
        x: inputs, shape (n_points,) or (n_points, network.inputs), float32.
        y: targets, shape (n_points,) or (n_points, network.outputs), float32.
        trials: which trials, as consecutive numbers.
        seed: with the number of a trial, the source of its weights and its shuffles.
        threads: how many programs run at once; all cores by default. It changes no bit.

    Yields:
        Trained trials, in order.
    """
    x, y = _two_dimensional(x), _two_dimensional(y)
    if x.shape != (len(x), network.inputs) or y.shape != (len(x), network.outputs) or len(x) == 0:
        expected = f"(n >= 1, {network.inputs}) and (n, {network.outputs})"
        raise ValueError(f"x and y must have shapes {expected}, got {x.shape} and {y.shape}")
    training = replace(training, batch_size=min(training.batch_size, len(x)))
    span = TOGETHER if network.can_be_born_dead else LANES
    spans = [range(max(trials.start, at), min(trials.stop, at + span)) for at in _multiples(span, trials)]
    threads = threads or cores()
    programs.train_epoch(network.architecture, training, len(x))  # traced once, before threads would each begin to
    pending: deque[Future[Trained]] = deque()
    stop = Event()
    with ThreadPoolExecutor(threads) as pool:  # TensorFlow and NumPy leave Python's lock while they compute
        try:
            for part in spans:
                numbers = np.arange(part.start, part.stop)
                pending.append(pool.submit(_train, network, training, x, y, numbers, seed, stop))
                if len(pending) > threads:
                    yield pending.popleft().result()
            while pending:
                yield pending.popleft().result()
        finally:  # also when the caller has had enough, or Ctrl-C: no thread works on
            stop.set()
            pool.shutdown(wait=True, cancel_futures=True)


def cores() -> int:
    """How many processor cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _multiples(span: int, trials: range) -> range:
    return range(trials.start // span * span, trials.stop, span) if len(trials) else range(0)


def _two_dimensional(values: Float) -> Float:
    values = np.asarray(values, np.float32)
    return values[:, None] if values.ndim == 1 else values


def draw_weights(network: Network, seed: int, numbers: Numbers) -> Float:
    """Initial weights of some trials, shape (len(numbers), n_weights), float32.

    A block of LANES trials is drawn at once: a generator for each trial would cost more than its training.
    """
    blocks, block_of = np.unique(numbers // LANES, return_inverse=True)
    drawn = np.stack([_draw_block(network, seed, int(block)) for block in blocks])
    weights: Float = drawn[block_of, numbers % LANES]
    return weights


def _draw_block(network: Network, seed: int, block: int) -> Float:
    rng = stream(seed, WEIGHTS, block)
    parts: list[Float] = []
    for fan_in, fan_out in network.architecture.layers:
        parts.append(network.initialize(rng, LANES, fan_in, fan_out).reshape(LANES, -1))
        if network.biases:
            parts.append(np.zeros((LANES, fan_out), np.float32))
    return np.concatenate(parts, axis=1).astype(np.float32)


def predict(network: Network, weights: Float, x: Float) -> Float:
    """Outputs of each network at each input.

    Args:
        network: the architecture.
        weights: shape (n, n_weights), float32.
        x: inputs, shape (n_points,) or (n_points, network.inputs), float32.

    Returns:
        Shape (n, n_points, network.outputs), float32.
    """
    program, x = programs.predictions(network.architecture), _two_dimensional(x)
    return np.concatenate([program(lanes.T, x).numpy()[:n] for lanes, n in _by_lanes(weights)])


def mean_loss(training: Training, predictions: Float, y: Float) -> Float:
    """Loss of each network over all points.

    Args:
        training: names the loss.
        predictions: shape (n, n_points), float32.
        y: targets, shape (n_points,), float32.

    Returns:
        Shape (n,), float32.
    """
    errors = predictions - y
    squared = training.loss == "mean_squared_error"
    loss: Float = np.mean(np.square(errors) if squared else np.abs(errors), axis=1, dtype=np.float32)
    return loss


def _by_lanes(rows: Float) -> Iterator[tuple[Float, int]]:
    """LANES rows at a time, the last ones filled up; and how many of them count."""
    for at in range(0, len(rows), LANES):
        some = rows[at : at + LANES]
        yield _fill_lanes(some), len(some)


def _fill_lanes(rows: np.ndarray) -> np.ndarray:
    """Repeat the first row up to LANES rows: programs are compiled for one shape, so bits do not depend on it."""
    return np.concatenate([rows, np.repeat(rows[:1], LANES - len(rows), axis=0)])


def _living(network: Network, weights: Float, x: Float) -> npt.NDArray[np.bool_]:
    """Which networks training can move, shape (n,).

    Where every unit of the last hidden layer is 0 on all points, ReLU's slope is 0 there too, so each gradient is a
    product with a 0: without biases, the network stays as it is, to the bit.
    """
    if not network.can_be_born_dead:
        return np.ones(len(weights), bool)
    program = programs.awake(network.architecture)
    return np.concatenate([program(lanes.T, x).numpy()[:n] for lanes, n in _by_lanes(weights)])


def _train(
    network: Network, training: Training, x: Float, y: Float, numbers: Numbers, seed: int, stop: Event
) -> Trained:
    """Train some trials: the born dead keep their weights, the others fill the lanes."""
    initial = draw_weights(network, seed, numbers)
    living = np.flatnonzero(_living(network, initial, x))
    final = initial.copy()
    loss_of_zero = mean_loss(training, np.zeros((1, y.size), np.float32), y.ravel())
    loss = np.full((len(numbers), training.epochs), loss_of_zero)
    for at in range(0, len(living), LANES):
        some = living[at : at + LANES]
        trained = _train_lanes(network, training, x, y, initial[some], numbers[some], seed, stop)
        final[some], loss[some] = (values[: len(some)] for values in trained)
    return Trained(numbers, initial, final, loss)


def _train_lanes(
    network: Network, training: Training, x: Float, y: Float, weights: Float, numbers: Numbers, seed: int, stop: Event
) -> tuple[Float, Float]:
    import tensorflow as tf

    program = programs.train_epoch(network.architecture, training, len(x))
    state = [tf.constant(_fill_lanes(weights).T)]
    if isinstance(training.optimizer, Adam):
        state += [tf.zeros_like(state[0])] * 2
    steps = -(-len(x) // training.batch_size)
    losses = []
    for epoch in range(training.epochs):
        if stop.is_set():
            raise CancelledError
        points = _in_order(x, y, _fill_lanes(numbers), seed, epoch)
        rates = _rates(training.optimizer, epoch * steps + 1, steps)
        state, loss = program(state, *(tf.constant(values) for values in (*points, rates)))
        losses.append(loss)
    loss_sums: Float = np.stack(losses, axis=1)
    return np.ascontiguousarray(np.asarray(state[0]).T), loss_sums / np.float32(len(x))


def _in_order(x: Float, y: Float, numbers: Numbers, seed: int, epoch: int) -> tuple[Float, Float, Any]:
    """Points, and for each lane the order of its trial: shape (n_points, LANES), int32.

    For a whole block, the points come in the order that its trials share: then what is left of their orders is the
    same for all blocks and epochs, and nothing is computed for it. Otherwise the two factors are composed here.
    """
    blocks, lanes = numbers // LANES, numbers % LANES
    if (numbers == blocks[0] * LANES + np.arange(LANES)).all():
        shared = left(len(x), seed, int(blocks[0]), epoch)
        return x[shared], y[shared], _rights_by_position(len(x), seed)
    lefts = {block: left(len(x), seed, int(block), epoch) for block in np.unique(blocks)}
    right = rights(len(x), seed)
    orders = np.stack([lefts[block].take(right[lane]) for block, lane in zip(blocks, lanes, strict=True)])
    return x, y, np.ascontiguousarray(orders.T)


@lru_cache(maxsize=4)
def _rights_by_position(n_points: int, seed: int) -> Any:
    """`rights` as the compiled program reads it, shape (n_points, LANES): a tensor, or each call would copy it."""
    import tensorflow as tf

    return tf.constant(rights(n_points, seed).T)


def _rates(optimizer: Adam | SGD, first_step: int, steps: int) -> Float:
    """Learning rate of each step: Adam's is bias-corrected, in the arithmetic of Keras (float32 powers and all)."""
    if isinstance(optimizer, SGD):
        return np.full(steps, optimizer.learning_rate, np.float32)
    step, one = np.arange(first_step, first_step + steps).astype(np.float32), np.float32(1)
    power_1, power_2 = (np.power(np.float32(beta), step) for beta in (optimizer.beta_1, optimizer.beta_2))
    return (np.float32(optimizer.learning_rate) * np.sqrt(one - power_2) / (one - power_1)).astype(np.float32)
