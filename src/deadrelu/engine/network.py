"""Classes that describe a network, its training, and the results of trials; independent of TensorFlow and files."""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from typing import Literal

import numpy as np
import numpy.typing as npt

from deadrelu.engine.initializers import Sampler
from deadrelu.settings.initializer import Rai, Settings

Float = npt.NDArray[np.float32]
Numbers = npt.NDArray[np.int64]
Activation = Literal["relu", "leaky_relu", "elu", "gelu", "tanh", "sigmoid"]


@dataclass(frozen=True, kw_only=True)
class Adam:
    """The optimizer Adam (Kingma and Ba, arXiv:1412.6980) as in Keras, with Keras's default settings."""

    learning_rate: float = 0.001
    beta_1: float = 0.9
    beta_2: float = 0.999
    epsilon: float = 1e-7


@dataclass(frozen=True, kw_only=True)
class SGD:
    """Stochastic gradient descent without momentum, as in Keras."""

    learning_rate: float = 0.01


@dataclass(frozen=True, kw_only=True)
class Training:
    """Settings of a training in batches; points are reshuffled each epoch, whose last batch may be smaller."""

    epochs: int
    batch_size: int
    optimizer: Adam | SGD = Adam()
    loss: Literal["mean_squared_error", "mean_absolute_error"] = "mean_squared_error"


Initialize = Settings | Rai | str | Sampler  # initializer of `params.yaml`, its name, or a function that draws kernels


@dataclass(frozen=True, kw_only=True)
class Network:
    """Dense hidden layers and a linear output layer, with or without biases.

    Attributes:
        widths: number of units of each hidden layer, from input to output.
        activation: activation of the hidden layers.
        initialize: a name such as "he_normal", its settings, or a function sample(rng, n, fan_in, fan_out) that returns
            n kernels, shape (n, fan_in, fan_out), float32. Biases start at zero unless the initializer draws them as
            one more row of each kernel, shape (n, fan_in + 1, fan_out), as "rai" does.
        negative_slope: slope of leaky_relu for negative preactivations.
        biases: whether layers have biases.
        inputs, outputs: number of inputs and outputs of the network.
        initialize_first, initialize_last: initializers of the first and the last layer, `initialize` if None.
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
    def sizes(self) -> tuple[int, ...]:
        """Number of inputs, of units of each hidden layer, and of outputs."""
        return self.inputs, *self.widths, self.outputs

    @property
    def layers(self) -> list[tuple[int, int, Initialize]]:
        """The fan-in, fan-out and initializer of each layer, from input to output."""
        initializers = [self.initialize] * (len(self.widths) + 1)
        initializers[-1] = self.initialize_last or self.initialize
        initializers[0] = self.initialize_first or initializers[0]
        return list(zip(self.sizes, self.sizes[1:], initializers, strict=False))

    @property
    def n_weights(self) -> int:
        """Number of weights and biases of one network."""
        return sum((fan_in + self.biases) * fan_out for fan_in, fan_out in pairwise(self.sizes))

    def split(self, weights: Float) -> Iterator[tuple[Float, Float]]:
        """Yield the kernels and biases of each layer, from input to output; absent biases are 0.

        Args:
            weights: weights of n networks, shape (n, n_weights), float32.

        Yields:
            Kernels, shape (n, fan_in, fan_out), and biases, shape (n, 1, fan_out), float32.
        """
        at, n = 0, len(weights)
        for fan_in, fan_out in pairwise(self.sizes):
            kernels = weights[:, at : at + fan_in * fan_out].reshape(n, fan_in, fan_out)
            at += fan_in * fan_out
            biases = weights[:, None, at : at + fan_out] if self.biases else np.zeros((n, 1, fan_out), np.float32)
            at += self.biases * fan_out
            yield kernels, biases

    @property
    def can_be_dead(self) -> bool:
        """True if the last hidden layer can be 0 at all inputs, as with ReLU; such a network is trained faster."""
        return self.activation == "relu" and bool(self.widths)


@dataclass(frozen=True)
class Trained:
    """Results of n trials; the first axis of each array is the trial.

    Attributes:
        trial: numbers of the trials, shape (n,), int64.
        initial, final: weights before and after training, in the order of Keras's `get_weights`, each array in C order,
            shape (n, n_weights), float32.
        loss: the loss of each epoch since the previous result of these trials, as Keras reports it (a mean over the
            points while the weights change), shape (n, epochs), float32; not finite if a training diverged.
        epoch: number of epochs after which the trials have the weights `final`.
    """

    trial: Numbers
    initial: Float
    final: Float
    loss: Float
    epoch: int
