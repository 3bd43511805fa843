"""What a trial is: a network and its training, described; and what it yields. No TensorFlow, no files."""

import itertools
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, fields
from typing import Literal

import numpy as np
import numpy.typing as npt

Float = npt.NDArray[np.float32]
Numbers = npt.NDArray[np.int64]
Activation = Literal["relu", "leaky_relu", "elu", "gelu", "tanh", "sigmoid"]


@dataclass(frozen=True, kw_only=True)
class Architecture:
    """Sizes from input to output, and what the layers compute; the output layer is linear."""

    sizes: tuple[int, ...]
    activation: Activation
    negative_slope: float
    biases: bool

    @property
    def layers(self) -> tuple[tuple[int, int], ...]:
        """(fan_in, fan_out) of each kernel."""
        return tuple(itertools.pairwise(self.sizes))

    @property
    def n_weights(self) -> int:
        """How many weights one network has."""
        return sum(fan_in * fan_out + self.biases * fan_out for fan_in, fan_out in self.layers)


@dataclass(frozen=True, kw_only=True)
class Adam:
    """Keras's Adam with its default settings (Kingma and Ba, arXiv:1412.6980)."""

    learning_rate: float = 0.001
    beta_1: float = 0.9
    beta_2: float = 0.999
    epsilon: float = 1e-7


@dataclass(frozen=True, kw_only=True)
class SGD:
    """Keras's stochastic gradient descent without momentum."""

    learning_rate: float = 0.01


@dataclass(frozen=True, kw_only=True)
class Training:
    """How networks are trained: reshuffled mini-batches, the last one smaller where it must be."""

    epochs: int
    batch_size: int
    optimizer: Adam | SGD = Adam()
    loss: Literal["mean_squared_error", "mean_absolute_error"] = "mean_squared_error"


@dataclass(frozen=True, kw_only=True)
class Network:
    """Dense hidden layers of `widths` and a linear output layer, with biases or without.

    `initialize(rng, n, fan_in, fan_out)` draws the kernels of n networks, shape (n, fan_in, fan_out), float32. Biases
    start at zero, or where it puts them: in one more row, shape (n, fan_in + 1, fan_out). `initialize_first` and
    `initialize_last` do so for the first and the last layer, where these have another initializer.
    """

    widths: tuple[int, ...]
    activation: Activation
    initialize: Callable[[np.random.Generator, int, int, int], Float]
    negative_slope: float = 0.0
    biases: bool = False
    inputs: int = 1
    outputs: int = 1
    initialize_first: Callable[[np.random.Generator, int, int, int], Float] | None = None
    initialize_last: Callable[[np.random.Generator, int, int, int], Float] | None = None

    @property
    def initializers(self) -> list[Callable[[np.random.Generator, int, int, int], Float]]:
        """Of each layer."""
        found = [self.initialize] * len(self.architecture.layers)
        found[-1] = self.initialize_last or found[-1]
        found[0] = self.initialize_first or found[0]
        return found

    @property
    def architecture(self) -> Architecture:
        """What is compiled: everything but the initial weights."""
        sizes = (self.inputs, *self.widths, self.outputs)
        return Architecture(
            sizes=sizes, activation=self.activation, negative_slope=self.negative_slope, biases=self.biases
        )

    @property
    def can_be_born_dead(self) -> bool:
        """Whether a network may be unable to move: see `engine.trials`."""
        return self.activation == "relu" and not self.biases and bool(self.widths)


@dataclass(frozen=True)
class Trained:
    """What some trials yield; trials in the first axis.

    Attributes:
        trial: numbers of the trials, shape (n,), int64.
        initial, final: weights in the order of Keras's `get_weights`, each in C order, shape (n, n_weights), float32.
        loss: the loss of each epoch as Keras reports it (a mean over the points while the weights move), shape
            (n, epochs), float32. Not finite where a training diverged.
    """

    trial: Numbers
    initial: Float
    final: Float
    loss: Float

    def pieces(self, n: int) -> Iterator["Trained"]:
        """The same, n trials at a time."""
        for at in range(0, len(self.trial), n):
            some = slice(at, at + n)
            yield Trained(self.trial[some], self.initial[some], self.final[some], self.loss[some])

    @classmethod
    def joined(cls, parts: Sequence["Trained"]) -> "Trained":
        """Trials of several parts as one."""
        return cls(*(np.concatenate([getattr(part, field.name) for part in parts]) for field in fields(cls)))
