"""Train many small networks in parallel: `run(network, training, x, y, trials=range(1000), seed=10)`.

A *trial* is one network with its own initial weights and its own shuffle of the training points in every epoch. One
compiled program trains a few trials side by side (`batch`), and each processor core runs a program of its own.

The engine reads and writes no files. The result of trial k depends on (network, training, points, seed, k) alone, and
its bits are the same on every processor.
"""

import os
from collections import deque
from collections.abc import Iterator, Sequence
from concurrent.futures import CancelledError, Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import replace
from functools import reduce
from itertools import zip_longest
from threading import Event

import numpy as np
import numpy.typing as npt

from deadrelu.engine import initializers, programs
from deadrelu.engine.batch import Points, Stop, TrialBatch, at_points, cut
from deadrelu.engine.network import Adam, Float, Network, Numbers, Trained, Training
from deadrelu.engine.shuffles import BLOCK
from deadrelu.streams import WEIGHTS, stream

DRAWN_TOGETHER = 128  # trials whose initial weights one generator draws; one per trial would cost more than training
MAX_WEIGHTS_BY_BLOCK = 1000  # number of weights up to which networks start by blocks; larger ones need much memory
MAX_RATE_OF_BIASES = 1.0  # learning rate of Adam up to which output biases are trained alone; none such diverges
POLL_INTERVAL_S = 0.1  # seconds between two checks of the event that stops a run


def run(
    network: Network,
    training: Training,
    x: Float,
    y: Float,
    *,
    trials: range,
    seed: int,
    epochs: Sequence[int] | None = None,
    threads: int | None = None,
    stop: Event | None = None,
) -> Iterator[Trained]:
    """Train trials, some at a time, so that the memory does not grow with their number.

    Args:
        network: architecture and initializers of the networks.
        training: number of epochs, batch size, optimizer and loss.
        x: inputs, shape (n_points,) or (n_points, network.inputs), float32.
        y: targets, shape (n_points,) or (n_points, network.outputs), float32.
        trials: consecutive numbers of the trials to train; range(1000) stands for the first thousand.
        seed: seed that determines, with the number of a trial, its initial weights and its shuffles.
        epochs: ascending numbers of epochs, from 1 on; a trial is yielded after each of them, not `training.epochs`;
            e, 2 * e and so on up to n * e correspond to n calls of Keras's `fit` for e epochs each.
        threads: number of programs that run in parallel, by default one per core; results do not depend on it.
        stop: event of another thread that ends this run with a `CancelledError`.

    Yields:
        Results of consecutive trials, in the order of their numbers; with several `epochs`, those of some trials after
        each number of epochs, then those of the next trials.

    Raises:
        ValueError: x, y, trials or epochs are not as described here, or no initializer has the given name.
    """
    training, x, y = _checked(network, training, x, y, trials)
    checkpoints = [training.epochs] if epochs is None else list(epochs)
    if not checkpoints or checkpoints != sorted(set(checkpoints)) or (epochs is not None and checkpoints[0] < 1):
        raise ValueError(f"epochs must ascend from 1 or more, got {checkpoints}")
    points, threads = Points(x, y, seed), threads or cores()
    loss_of_zero = mean_loss(training, np.zeros((1, *y.shape), np.float32), y)  # of networks that do not change
    with _pool(threads) as (pool, ended):
        parts: deque[_Part] = deque()
        for numbers in _cut_at_blocks(network, trials):
            if stop is not None and stop.is_set():
                raise CancelledError
            parts.append(_Part(network, training, points, numbers, ended, loss_of_zero, keeps=len(checkpoints) > 1))
            parts[-1].start(pool, checkpoints[0])
            # Trained parts are yielded immediately, other parts when those behind them in the queue busy all threads.
            while parts and (parts[0].is_trained or sum(len(part.fits) for part in list(parts)[1:]) > threads):
                yield from parts.popleft().results(pool, checkpoints, stop)
        while parts:
            yield from parts.popleft().results(pool, checkpoints, stop)


class _Part:
    """Some trials of one block, trained in batches: all weights of a trial, only its output biases, or nothing.

    If every unit of the last hidden layer of a ReLU network is 0 at all points, the slope of ReLU is 0 there too, and
    each gradient except that of the output biases is a product with 0. Without biases, training changes no bit of such
    a network. With biases, it changes the output biases only, to the same bits as in a network without hidden layers
    whose input is 0, which trains much faster. All numbers must be finite, because 0 times infinity is not 0.

    If `keeps` is true, batches stay in memory, and another `start` continues their training. `ended` stops programs.
    `loss` is that of networks that training does not change, shape (1,), float32.
    """

    def __init__(
        self, network: Network, training: Training, points: Points, trials: range, ended: Stop, loss: Float, keeps: bool
    ) -> None:
        self.network, self.training, self.points, self.ended, self.loss = network, training, points, ended, loss
        self.numbers, self.keeps = np.arange(trials.start, trials.stop), keeps
        self.initial = draw_weights(network, points.seed, self.numbers)
        dead = _last_layer_is_dead(network, self.initial, points.x, ended)
        bounded = isinstance(training.optimizer, Adam) and training.optimizer.learning_rate <= MAX_RATE_OF_BIASES
        if network.biases and not bounded:
            dead[:] = False
        lanes = programs.lanes(network)
        self.rows = cut(np.flatnonzero(~dead), lanes)
        self.whole = len(self.rows)
        if network.biases:
            self.rows += cut(np.flatnonzero(dead), lanes)
        self.batches: dict[int, TrialBatch] = {}
        self.fits: list[Future[tuple[Float, Float]]] = []

    def start(self, pool: ThreadPoolExecutor, epochs: int) -> None:
        """Start to train each batch for `epochs` further epochs in the thread pool."""
        self.epochs = epochs
        self.fits = [pool.submit(self._fit, k, epochs) for k in range(len(self.rows))]

    @property
    def is_trained(self) -> bool:
        """True if all batches are trained for the epochs of the last `start`."""
        return all(fit.done() for fit in self.fits)

    def results(self, pool: ThreadPoolExecutor, epochs: list[int], stop: Event | None) -> Iterator[Trained]:
        """Yield the results of all trials after each of `epochs`; `start` was called for the first; `stop` cancels."""
        for epoch, following in zip_longest(epochs, epochs[1:]):
            trained = self._trained(epoch, stop)
            if following:
                self.start(pool, following - epoch)  # before the caller measures these results
            yield trained

    def _fit(self, k: int, epochs: int) -> tuple[Float, Float]:
        """Train batch k; return the weights, (n, n_weights), and losses, (n, epochs), of its n trials, both float32."""
        batch = self.batches.get(k) or self._batch(k)
        if self.keeps:
            self.batches[k] = batch
        loss = batch.train(epochs, self.ended)
        return batch.weights, loss

    def _batch(self, k: int) -> TrialBatch:
        rows, outputs, network = self.rows[k], self.network.outputs, self.network
        points, weights = self.points, self.initial[rows]
        if k >= self.whole:
            network = replace(network, inputs=1, widths=())
            points = Points(np.zeros((points.n, 1), np.float32), points.y, points.seed)
            weights = np.concatenate([np.zeros_like(weights[:, :outputs]), weights[:, -outputs:]], axis=1)
        return TrialBatch(network, self.training, points, weights, self.numbers[rows])

    def _trained(self, epoch: int, stop: Event | None) -> Trained:
        """Wait for all batches; return the results of all trials after `epoch` epochs, or raise a CancelledError."""
        final, loss = self.initial.copy(), np.full((len(self.numbers), self.epochs), self.loss)
        for k, (rows, fit) in enumerate(zip(self.rows, self.fits, strict=True)):
            weights, loss[rows] = _result(fit, self.ended, stop)
            moved = slice(None) if k < self.whole else slice(-self.network.outputs, None)
            final[rows, moved] = weights[:, moved]
        return Trained(self.numbers, self.initial, final, loss, epoch)


def _result(future: Future[tuple[Float, Float]], ended: Stop, stop: Event | None) -> tuple[Float, Float]:
    while True:
        try:
            return future.result(timeout=POLL_INTERVAL_S)
        except TimeoutError:
            if stop is not None and stop.is_set():
                ended.set()
                raise CancelledError from None


def _checked(network: Network, training: Training, x: Float, y: Float, trials: range) -> tuple[Training, Float, Float]:
    if len(trials) == 0 or trials.step != 1 or trials.start < 0:
        raise ValueError(f"trials must be consecutive numbers from 0 on, at least one, got {trials}")
    x, y = (np.ascontiguousarray(_two_dimensional(values)) for values in (x, y))
    if x.shape != (len(x), network.inputs) or y.shape != (len(x), network.outputs) or len(x) == 0:
        expected = f"(n >= 1, {network.inputs}) and (n, {network.outputs})"
        raise ValueError(f"x and y must have shapes {expected}, got {x.shape} and {y.shape}")
    return replace(training, batch_size=min(training.batch_size, len(x))), x, y


@contextmanager
def _pool(threads: int) -> Iterator[tuple[ThreadPoolExecutor, Stop]]:
    """Yield a pool of threads, and the event that stops their programs, which run without Python's global lock."""
    ended = Stop()
    with ThreadPoolExecutor(threads) as pool:
        try:
            yield pool, ended
        finally:  # so that no thread continues after the caller stops early, or after Ctrl-C
            ended.set()
            pool.shutdown(wait=True, cancel_futures=True)


def cores() -> int:
    """Return the number of processor cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _cut_at_blocks(network: Network, trials: range) -> Iterator[range]:
    """Yield a range of trials for each `_Part`, within a block (small ReLU networks) or a group drawn together."""
    small = network.n_weights <= MAX_WEIGHTS_BY_BLOCK
    size = BLOCK if small and network.can_be_dead else DRAWN_TOGETHER
    for at in range(trials.start // size * size, trials.stop, size):
        yield range(max(trials.start, at), min(trials.stop, at + size))


def _two_dimensional(values: Float) -> Float:
    values = np.asarray(values, np.float32)
    return values[:, None] if values.ndim == 1 else values


def draw_weights(network: Network, seed: int, numbers: Numbers) -> Float:
    """Draw the initial weights of the trials whose numbers are given, shape (len(numbers), n_weights), float32.

    One generator draws the weights of all trials k with the same quotient k // DRAWN_TOGETHER.
    """
    groups, group_of = np.unique(numbers // DRAWN_TOGETHER, return_inverse=True)
    drawn = np.stack([_draw_group(network, seed, int(group)) for group in groups])
    return np.asarray(drawn[group_of, numbers % DRAWN_TOGETHER])


def _draw_group(network: Network, seed: int, group: int) -> Float:
    rng = stream(seed, WEIGHTS, group)
    parts: list[Float] = []
    for fan_in, fan_out, initialize in network.layers:
        draw = initialize if callable(initialize) else initializers.sampler(initialize)
        drawn = draw(rng, DRAWN_TOGETHER, fan_in, fan_out)
        parts.append(drawn.reshape(DRAWN_TOGETHER, -1))
        if network.biases and drawn.shape[1] == fan_in:
            parts.append(np.zeros((DRAWN_TOGETHER, fan_out), np.float32))
    return np.concatenate(parts, axis=1).astype(np.float32)


def predict(network: Network, weights: Float, x: Float, stop: Stop | None = None) -> Float:
    """Compute the outputs of each network at each input.

    Args:
        network: description of the networks.
        weights: weights of n networks, shape (n, n_weights), float32.
        x: inputs, shape (n_points,) or (n_points, network.inputs), float32.
        stop: event of another thread that ends the computation with a `CancelledError`.

    Returns:
        Outputs, shape (n, n_points, network.outputs), float32.
    """
    x = np.ascontiguousarray(_two_dimensional(x))
    return at_points("predict", network, weights, x, stop or Stop())


def _last_layer_is_dead(network: Network, weights: Float, x: Float, stop: Stop) -> npt.NDArray[np.bool_]:
    """Return whether each network's last hidden layer is 0 at all x, (n,), bool; False if it is not a ReLU layer."""
    if not network.can_be_dead:
        return np.zeros(len(weights), bool)
    return np.asarray(at_points("count_active", network, weights, x, stop) == 0)


def mean_loss(training: Training, predictions: Float, y: Float) -> Float:
    """Compute the loss of each of n networks, a mean over all points and outputs.

    Args:
        training: settings that name the loss function.
        predictions: outputs of the networks, shape (n, n_points, n_outputs), float32.
        y: targets, shape (n_points,) or (n_points, n_outputs), float32.

    Returns:
        Losses, shape (n,), float32, rounded from means in float64.
    """
    errors = predictions - _two_dimensional(y)
    terms = np.square(errors) if training.loss == "mean_squared_error" else np.abs(errors)
    in_order = np.ascontiguousarray(terms.reshape(len(terms), -1).T, np.float64)  # np.sum's order varies by processor
    return np.asarray(reduce(np.add, in_order) / terms[0].size, np.float32)
