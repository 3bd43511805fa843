"""LANES networks in training, side by side in one compiled program."""

from collections.abc import Iterator, Sequence
from concurrent.futures import CancelledError
from functools import lru_cache
from threading import Event
from typing import Any

import numpy as np

from deadrelu import programs
from deadrelu.experiment import SGD, Adam, Float, Network, Numbers, Training
from deadrelu.shuffles import LANES, left, rights


class Lanes:
    """Up to LANES networks and how far their training is.

    Args:
        network: the architecture.
        training: how they are trained.
        x: inputs, shape (n_points, network.inputs), float32.
        y: targets, shape (n_points, network.outputs), float32.
        weights: shape (n, n_weights), float32.
        numbers: of the trials, shape (n,): they decide the shuffles.
        seed: decides them, too.
    """

    def __init__(
        self, network: Network, training: Training, x: Float, y: Float, weights: Float, numbers: Numbers, seed: int
    ) -> None:
        import tensorflow as tf

        self.training, self.x, self.y, self.seed = training, x, y, seed
        self.n, self.epoch = len(numbers), 0
        self.numbers = fill(numbers)
        self.program = programs.train_epoch(network.architecture, training, len(x))
        self.state = [tf.constant(fill(weights).T)]
        if isinstance(training.optimizer, Adam):
            self.state += [tf.zeros_like(self.state[0])] * 2

    @property
    def weights(self) -> Float:
        """As they are now, shape (n, n_weights), float32."""
        return np.ascontiguousarray(np.asarray(self.state[0]).T)[: self.n]

    def train(self, stops: Sequence[Event]) -> Float:
        """Go on for `training.epochs` epochs; the optimizer goes on with its moments, too.

        Args:
            stops: any of them, set by another thread, ends this one after the epoch it is in.

        Returns:
            The loss of each epoch, shape (n, epochs), float32.
        """
        import tensorflow as tf

        steps = -(-len(self.x) // self.training.batch_size)
        losses = []
        for _ in range(self.training.epochs):
            if any(stop.is_set() for stop in stops):
                raise CancelledError
            points = _in_order(self.x, self.y, self.numbers, self.seed, self.epoch)
            rates = _rates(self.training.optimizer, self.epoch * steps + 1, steps)
            self.state, loss = self.program(self.state, *(tf.constant(values) for values in (*points, rates)))
            losses.append(loss)
            self.epoch += 1
        sums: Float = np.stack(losses, axis=1)[: self.n]
        return sums / np.float32(len(self.x))


def at_a_time(rows: Float) -> Iterator[tuple[Float, int]]:
    """LANES rows at a time, the last ones filled up; and how many of them count."""
    for at in range(0, len(rows), LANES):
        some = rows[at : at + LANES]
        yield fill(some), len(some)


def fill(rows: np.ndarray) -> np.ndarray:
    """Repeat the first row up to LANES rows: programs are compiled for one shape, so bits do not depend on it."""
    return np.concatenate([rows, np.repeat(rows[:1], LANES - len(rows), axis=0)])


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
