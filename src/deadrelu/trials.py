"""Many small networks trained at once, in one compiled TensorFlow program.

A *trial* is one network: its own initial weights, its own shuffle of the training points every epoch.
Each weight is stored as a vector over trials, `weights[p, trial]`, and the few units of a narrow network are
written out one by one, so that every operation of the program is elementwise over trials (and batch points):
nothing is launched per network, and XLA fuses a whole layer into one loop.

The engine knows nothing of files. Trial k depends on (network, training, seed, k) alone.
"""

import itertools
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from deadrelu.streams import ORDER, WEIGHTS, stream

Float = npt.NDArray[np.float32]

CHUNK = 256
"""Trials in one call of the compiled program. Constant, and the last chunk is filled up with further trials
that are then dropped: XLA compiles for one shape, so a trial meets the same instructions wherever it stands."""


@dataclass(frozen=True, kw_only=True)
class Network:
    """A network without biases: 1 input, hidden layers of `widths`, 1 linear output.

    `initialize(rng, fan_in, fan_out)` draws one kernel of shape (fan_in, fan_out).
    """

    widths: tuple[int, ...]
    activation: Literal["relu", "leaky_relu"]
    negative_slope: float
    initialize: Callable[[np.random.Generator, int, int], Float]

    @property
    def layers(self) -> tuple[tuple[int, int], ...]:
        """(fan_in, fan_out) of each kernel, input to output."""
        sizes = (1, *self.widths, 1)
        return tuple(itertools.pairwise(sizes))

    @property
    def n_weights(self) -> int:
        """How many weights one network has."""
        return sum(fan_in * fan_out for fan_in, fan_out in self.layers)


@dataclass(frozen=True, kw_only=True)
class Training:
    """Mean squared error, Adam with Keras's default settings, reshuffled mini-batches."""

    epochs: int
    batch_size: int
    learning_rate: float = 0.001
    beta_1: float = 0.9
    beta_2: float = 0.999
    epsilon: float = 1e-7


@dataclass(frozen=True)
class Trained:
    """What one chunk of trials yields; trials in the first axis.

    Attributes:
        trial: numbers of the trials, shape (n,), int64.
        initial, final: weights, kernel by kernel in C order, shape (n, n_weights), float32.
        loss: mean squared error of each epoch as Keras reports it (a mean over the points while the
            weights move), shape (n, epochs), float32.
    """

    trial: npt.NDArray[np.int64]
    initial: Float
    final: Float
    loss: Float


def run(network: Network, training: Training, x: Float, y: Float, *, trials: range, seed: int) -> Iterator[Trained]:
    """Train trials `trials`, a chunk at a time.

    Args:
        network: the architecture and its initializer.
        training: epochs, batch size and Adam's settings.
        x: inputs, shape (n_points,), float32.
        y: targets, shape (n_points,), float32.
        trials: which trials, as consecutive numbers.
        seed: with the number of a trial, the source of its weights and its shuffles.

    Yields:
        Trained chunks of at most `CHUNK` trials, in order.
    """
    training = replace(training, batch_size=min(training.batch_size, len(x)))
    for first in range(trials.start, trials.stop, CHUNK):
        numbers = np.arange(first, first + CHUNK)
        weights = np.stack([draw_weights(network, seed, int(k)) for k in numbers])
        final, loss = _train_chunk(network, training, x, y, weights, numbers, seed)
        keep = min(CHUNK, trials.stop - first)
        yield Trained(numbers[:keep], weights[:keep], final[:keep], loss[:keep])


def draw_weights(network: Network, seed: int, trial: int) -> Float:
    """Initial weights of one trial, shape (n_weights,), float32: kernel by kernel in C order."""
    rng = stream(seed, WEIGHTS, trial)
    return np.concatenate([network.initialize(rng, *layer).ravel() for layer in network.layers]).astype(np.float32)


def epoch_order(n_points: int, seed: int, trial: int, epoch: int) -> npt.NDArray[np.int32]:
    """The order in which a trial sees the points in an epoch: a permutation, shape (n_points,), int32."""
    return stream(seed, ORDER, trial, epoch).permutation(n_points).astype(np.int32)


def predict(network: Network, weights: Float, x: Float) -> Float:
    """Outputs of each network at each input.

    Args:
        network: the architecture.
        weights: shape (n, n_weights), float32.
        x: inputs, shape (n_points,), float32.

    Returns:
        Shape (n, n_points), float32.
    """
    signal = np.broadcast_to(x.astype(np.float32), (len(weights), 1, len(x)))
    at = 0
    for depth, (fan_in, fan_out) in enumerate(network.layers, start=1):
        kernel = weights[:, at : at + fan_in * fan_out].reshape(-1, fan_in, fan_out)
        at += fan_in * fan_out
        # Written as a sum over inputs, not a matmul: BLAS may order the sum by the number of points.
        signal = sum(kernel[:, i, :, None] * signal[:, i, None, :] for i in range(fan_in))  # type: ignore[assignment]
        if depth < len(network.layers):
            signal = np.where(signal > 0, signal, np.float32(network.negative_slope) * signal)
    return signal[:, 0, :]


def _train_chunk(
    network: Network, training: Training, x: Float, y: Float, weights: Float, numbers: npt.NDArray[np.int64], seed: int
) -> tuple[Float, Float]:
    import tensorflow as tf

    n_points = len(x)
    steps = -(-n_points // training.batch_size)
    padding = steps * training.batch_size - n_points
    # A row past the end stands for "no point": zero input, zero target, so zero error and zero gradient
    # (there are no biases). It fills up the last batch, which is divided by its true size.
    x_padded = np.append(x, np.float32(0))
    y_padded = np.append(y, np.float32(0))
    train_epoch = _compile(network.layers, network.activation, network.negative_slope, training)
    state = [tf.constant(weights.T), tf.zeros(weights.T.shape), tf.zeros(weights.T.shape)]
    losses = []
    for epoch in range(training.epochs):
        orders = np.stack([epoch_order(n_points, seed, int(k), epoch) for k in numbers])
        orders = np.pad(orders, ((0, 0), (0, padding)), constant_values=n_points)
        orders = np.ascontiguousarray(orders.T.reshape(steps, training.batch_size, len(numbers)))
        rates = _adam_rates(training, epoch * steps + 1, steps)
        *state, total = train_epoch(*state, x_padded, y_padded, orders, rates, np.float32(n_points))
        losses.append(total.numpy() / np.float32(n_points))
    return np.ascontiguousarray(state[0].numpy().T), np.stack(losses, axis=1)


def _adam_rates(training: Training, first_step: int, steps: int) -> Float:
    """Bias-corrected learning rates of Adam, in the arithmetic of Keras: float32 powers and all."""
    step = np.arange(first_step, first_step + steps).astype(np.float32)
    one = np.float32(1)
    power_1 = np.power(np.float32(training.beta_1), step)
    power_2 = np.power(np.float32(training.beta_2), step)
    rates = np.float32(training.learning_rate) * np.sqrt(one - power_2) / (one - power_1)
    return rates.astype(np.float32)


@lru_cache(maxsize=8)
def _compile(
    layers: tuple[tuple[int, int], ...], activation: str, negative_slope: float, training: Training
) -> Callable[..., Any]:
    """Build the program that trains a chunk for one epoch."""
    import tensorflow as tf

    def act(z: Any) -> Any:
        # Keras's own gradients at 0: 0 for relu, negative_slope for leaky_relu.
        return tf.nn.relu(z) if activation == "relu" else tf.where(z > 0, z, negative_slope * z)

    def forward(weights: list[Any], x: Any) -> Any:
        """Inputs of shape (batch, trials) to outputs of the same shape; each weight has shape (trials,)."""
        signal, weight = [x], iter(weights)
        for depth, (fan_in, fan_out) in enumerate(layers, start=1):
            kernel = [[next(weight) for _ in range(fan_out)] for _ in range(fan_in)]
            z = [sum(kernel[i][j] * signal[i] for i in range(fan_in)) for j in range(fan_out)]
            signal = z if depth == len(layers) else [act(unit) for unit in z]
        return signal[0]

    @tf.function(jit_compile=True)  # type: ignore[untyped-decorator]
    def train_epoch(
        weights: Any, m: Any, v: Any, x: Any, y: Any, orders: Any, rates: Any, n_points: Any
    ) -> tuple[Any, ...]:
        def step(i: Any, weights: Any, m: Any, v: Any, total: Any) -> tuple[Any, ...]:
            batch = tf.cast(training.batch_size, tf.float32)
            n_batch = tf.minimum(batch, n_points - tf.cast(i, tf.float32) * batch)
            x_batch, y_batch = tf.gather(x, orders[i]), tf.gather(y, orders[i])
            each = tf.unstack(weights)
            with tf.GradientTape() as tape:
                tape.watch(each)
                squared_error = tf.reduce_sum(tf.square(forward(each, x_batch) - y_batch), axis=0)
                loss = squared_error / n_batch
            gradient = tf.stack(tape.gradient(loss, each))
            m += (gradient - m) * (1 - training.beta_1)
            v += (tf.square(gradient) - v) * (1 - training.beta_2)
            weights -= m * rates[i] / (tf.sqrt(v) + training.epsilon)
            return i + 1, weights, m, v, total + squared_error

        start = (tf.constant(0), weights, m, v, tf.zeros_like(weights[0]))
        _, weights, m, v, total = tf.while_loop(lambda i, *_: i < tf.shape(orders)[0], step, start)
        return weights, m, v, total

    return train_epoch  # type: ignore[no-any-return]
