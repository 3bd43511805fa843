"""Many small networks trained at once: `run(network, training, x, y, trials=range(1000), seed=10)`.

A *trial* is one network: its own initial weights, its own shuffle of the training points every epoch. LANES trials
go through one compiled program side by side, and each processor core has a program of its own. `run_continued` fits
each network again and again.

The engine knows nothing of files. Trial k depends on (network, training, points, seed, k) alone.
"""

import os
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import replace
from threading import Event
from typing import Any

import numpy as np
import numpy.typing as npt

from deadrelu import programs
from deadrelu.experiment import SGD, Adam, Float, Network, Numbers, Trained, Training
from deadrelu.lanes import Lanes, at_a_time
from deadrelu.shuffles import LANES, epoch_order
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
    "run_continued",
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
    stop: Event | None = None,
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
        stop: set by another thread, it ends this run: with a `CancelledError`.

    Yields:
        Trained trials, in order.
    """
    training, x, y = _checked(network, training, x, y)
    span = TOGETHER if network.can_be_born_dead else LANES
    spans = [range(max(trials.start, at), min(trials.stop, at + span)) for at in _multiples(span, trials)]
    threads = threads or cores()
    pending: deque[Future[Trained]] = deque()
    with _pool(threads) as (pool, ended):
        stops = _stops(ended, stop)
        for part in spans:
            numbers = np.arange(part.start, part.stop)
            pending.append(pool.submit(_train, network, training, x, y, numbers, seed, stops))
            if len(pending) > threads:
                yield pending.popleft().result()
        while pending:
            yield pending.popleft().result()


def run_continued(
    network: Network,
    training: Training,
    x: Float,
    y: Float,
    *,
    trials: range,
    seed: int,
    fits: int,
    threads: int | None = None,
    stop: Event | None = None,
) -> Iterator[Trained]:
    """Fit each network again and again, as Keras's `fit` called in a loop: weights and optimizer go on, no new start.

    After the first fit, trials are where `run` leaves them. All of them are held in memory.

    Args:
        fits: how often `training.epochs` epochs are trained.
        network, training, x, y, trials, seed, threads, stop: as in `run`.

    Yields:
        After each fit, all trials: `initial` from before the first fit, `final` and `loss` of this one.
    """
    training, x, y = _checked(network, training, x, y)
    numbers = np.arange(trials.start, trials.stop)
    initial = draw_weights(network, seed, numbers)
    parts = _cut(np.flatnonzero(_living(network, initial, x)), LANES)
    lanes = [Lanes(network, training, x, y, initial[some], numbers[some], seed) for some in parts]
    final, loss = initial.copy(), _losses_of_zero(training, y, len(numbers))
    with _pool(threads or cores()) as (pool, ended):
        stops = _stops(ended, stop)
        for _ in range(fits):
            losses = pool.map(lambda some: some.train(stops), lanes)
            for some, lane, of_lane in zip(parts, lanes, losses, strict=True):
                loss[some], final[some] = of_lane, lane.weights
            yield Trained(numbers, initial, final.copy(), loss.copy())


def _checked(network: Network, training: Training, x: Float, y: Float) -> tuple[Training, Float, Float]:
    x, y = _two_dimensional(x), _two_dimensional(y)
    if x.shape != (len(x), network.inputs) or y.shape != (len(x), network.outputs) or len(x) == 0:
        expected = f"(n >= 1, {network.inputs}) and (n, {network.outputs})"
        raise ValueError(f"x and y must have shapes {expected}, got {x.shape} and {y.shape}")
    training = replace(training, batch_size=min(training.batch_size, len(x)))
    return training, x, y


@contextmanager
def _pool(threads: int) -> Iterator[tuple[ThreadPoolExecutor, Event]]:
    """Threads, and what tells them to stop; TensorFlow and NumPy leave Python's lock while they compute."""
    ended = Event()
    with ThreadPoolExecutor(threads) as pool:
        try:
            yield pool, ended
        finally:  # also when the caller has had enough, or Ctrl-C: no thread works on
            ended.set()
            pool.shutdown(wait=True, cancel_futures=True)


def _stops(ended: Event, stop: Event | None) -> list[Event]:
    return [ended] if stop is None else [ended, stop]


def cores() -> int:
    """How many processor cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _multiples(span: int, trials: range) -> range:
    return range(trials.start // span * span, trials.stop, span) if len(trials) else range(0)


def _cut(values: Numbers, length: int) -> list[Numbers]:
    return [values[at : at + length] for at in range(0, len(values), length)]


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
        drawn = network.initialize(rng, LANES, fan_in, fan_out)
        parts.append(drawn.reshape(LANES, -1))
        if network.biases and drawn.shape[1] == fan_in:
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
    x = _two_dimensional(x)
    return _of_each(programs.predictions(network.architecture, len(x)), weights, x)


def _of_each(program: Callable[..., Any], weights: Float, x: Float) -> np.ndarray:
    """What a program from `programs` finds of each network, LANES at a time."""
    import tensorflow as tf

    inputs = tf.constant(x)
    return np.concatenate([program(tf.constant(lanes.T), inputs).numpy()[:n] for lanes, n in at_a_time(weights)])


def mean_loss(training: Training, predictions: Float, y: Float) -> Float:
    """Loss of each network over all points.

    Args:
        training: names the loss.
        predictions: shape (n, n_points, n_outputs), float32.
        y: targets, shape (n_points,) or (n_points, n_outputs), float32.

    Returns:
        Shape (n,), float32.
    """
    errors = predictions - _two_dimensional(y)
    squared = training.loss == "mean_squared_error"
    loss: Float = np.mean(np.square(errors) if squared else np.abs(errors), axis=(1, 2), dtype=np.float32)
    return loss


def _losses_of_zero(training: Training, y: Float, n: int) -> Float:
    """What each epoch of a network that is 0 at all points has for a loss, shape (n, epochs)."""
    return np.full((n, training.epochs), mean_loss(training, np.zeros((1, *y.shape), np.float32), y))


def _living(network: Network, weights: Float, x: Float) -> npt.NDArray[np.bool_]:
    """Which networks training can move, shape (n,).

    Where every unit of the last hidden layer is 0 on all points, ReLU's slope is 0 there too, so each gradient is a
    product with a 0: without biases, the network stays as it is, to the bit.
    """
    if not network.can_be_born_dead:
        return np.ones(len(weights), bool)
    return _of_each(programs.awake(network.architecture, len(x)), weights, x)


def _train(
    network: Network, training: Training, x: Float, y: Float, numbers: Numbers, seed: int, stops: Sequence[Event]
) -> Trained:
    """Train some trials: the born dead keep their weights, the others fill the lanes."""
    initial = draw_weights(network, seed, numbers)
    living = np.flatnonzero(_living(network, initial, x))
    final = initial.copy()
    loss = _losses_of_zero(training, y, len(numbers))
    for some in _cut(living, LANES):
        lanes = Lanes(network, training, x, y, initial[some], numbers[some], seed)
        loss[some], final[some] = lanes.train(stops), lanes.weights
    return Trained(numbers, initial, final, loss)
