"""What a trial is: a network and its training, described; and what it yields. No TensorFlow, no files."""

import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, fields
from typing import Literal

import numpy as np
import numpy.typing as npt

from deadrelu.engine.initializers import Sampler, sampler
from deadrelu.settings.params import Rai, Settings

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
        """Number of weights of one network."""
        return sum(fan_in * fan_out + self.biases * fan_out for fan_in, fan_out in self.layers)

    def split(self, weights: Float) -> Iterator[tuple[Float, Float]]:
        """Yield the kernels and biases of each layer; biases are 0 in a network without them.

        Args:
            weights: of n networks, shape (n, n_weights), float32.

        Yields:
            Kernels, shape (n, fan_in, fan_out), and biases, shape (n, 1, fan_out).
        """
        at, n = 0, len(weights)
        for fan_in, fan_out in self.layers:
            kernels = weights[:, at : at + fan_in * fan_out].reshape(n, fan_in, fan_out)
            at += fan_in * fan_out
            biases = weights[:, None, at : at + fan_out] if self.biases else np.zeros((n, 1, fan_out), np.float32)
            at += self.biases * fan_out
            yield kernels, biases


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


Initialize = Settings | Rai | str | Sampler
"""An initializer of `params.yaml`, its name, or a function; see `initializers.sampler`."""


@dataclass(frozen=True, kw_only=True)
class Network:
    """Dense hidden layers of `widths` and a linear output layer, with biases or without.

    Attributes:
        widths: units of each hidden layer, from input to output.
        activation: of the hidden layers.
        initialize: a name such as "he_normal", or a function `sample(rng, n, fan_in, fan_out)` that returns n kernels,
            shape (n, fan_in, fan_out), float32. Biases start at zero unless it returns one more row for them, shape
            (n, fan_in + 1, fan_out), as "rai" does.
        negative_slope: of leaky_relu.
        biases: whether layers have them.
        inputs, outputs: of the network.
        initialize_first, initialize_last: the same for the first and the last layer; None: as `initialize`.
    """

    widths: tuple[int, ...]
    activation: Activation
    initialize: Initialize
    negative_slope: float = 0.0
    biases: bool = False
    inputs: int = 1
    outputs: int = 1
    initialize_first: Initialize | None = None
    initialize_last: Initialize | None = None

    @property
    def initializers(self) -> list[Sampler]:
        """Sampler of each layer."""
        layers: list[Initialize] = [self.initialize] * len(self.architecture.layers)
        layers[-1] = self.initialize_last or layers[-1]
        layers[0] = self.initialize_first or layers[0]
        return [one if callable(one) else sampler(one) for one in layers]

    @property
    def architecture(self) -> Architecture:
        """What is compiled: everything but the initial weights."""
        sizes = (self.inputs, *self.widths, self.outputs)
        return Architecture(
            sizes=sizes, activation=self.activation, negative_slope=self.negative_slope, biases=self.biases
        )

    @property
    def can_be_dead(self) -> bool:
        """Whether all units of the last hidden layer may be 0 on all inputs, see `trials._Part`."""
        return self.activation == "relu" and bool(self.widths)


@dataclass(frozen=True)
class Trained:
    """What some trials yield; trials in the first axis.

    Attributes:
        trial: numbers of the trials, shape (n,), int64.
        initial, final: weights in the order of Keras's `get_weights`, each in C order, shape (n, n_weights), float32.
        loss: the loss of each epoch as Keras reports it (a mean over the points while the weights move), shape
            (n, epochs), float32. Not finite where a training diverged. From `follow`, only the epochs since the
            weights before.
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
