"""Measure signals and gradients of the notebook's MLP before training, in float64 with NumPy, for many networks."""

from collections.abc import Callable
from itertools import pairwise

import numpy as np
import numpy.typing as npt

from deadrelu.engine.initializers import Sampler

Array = npt.NDArray[np.float64]

CLASSES = 10

FUNCTIONS: dict[str, tuple[Callable[[Array], Array], Callable[[Array], Array]]] = {
    "relu": (lambda z: np.maximum(z, 0), lambda a: (a > 0).astype(float)),
    "tanh": (np.tanh, lambda a: 1 - a * a),
    "sigmoid": (lambda z: 0.5 + 0.5 * np.tanh(0.5 * z), lambda a: a * (1 - a)),
}
"""Activation functions by name, each with its slope as a function of its output."""


def strengths(
    activation: str,
    draw: Sampler,
    x: Array,
    classes: npt.NDArray[np.uint8],
    *,
    width: int,
    rngs: list[np.random.Generator],
) -> tuple[Array, Array]:
    """Measure the signals and the gradients of one untrained network, layer by layer.

    As in `networks.mlp`, the network has a linear layer, hidden layers and a softmax layer; biases are zero.

    Args:
        activation: activation of the hidden layers.
        draw: function that draws the kernels of all layers; see `initializers.sampler`.
        x: inputs, shape (n, pixels), float64.
        classes: classes of the inputs, shape (n,), uint8.
        width: number of units of the linear layer and of each hidden layer.
        rngs: one random generator for each layer, that is, two more than there are hidden layers.

    Returns:
        Two arrays of shape (hidden_layers,), float64: the standard deviation of activations over inputs, as a root mean
        square over units, and the root mean square of dL/d(activation) over inputs and units; L is the cross-entropy.
    """
    function, slope = FUNCTIONS[activation]
    sizes = [x.shape[1], *[width] * (len(rngs) - 1), CLASSES]
    kernels = [draw(rng, 1, *fans)[0].astype(float) for rng, fans in zip(rngs, pairwise(sizes), strict=True)]
    signals = [x @ kernels[0]]
    with np.errstate(over="ignore", invalid="ignore"):
        for kernel in kernels[1:-1]:
            signals.append(function(signals[-1] @ kernel))
        logits = signals[-1] @ kernels[-1]
        exponentials = np.exp(logits - logits.max(axis=1, keepdims=True))
        gradient = exponentials / exponentials.sum(axis=1, keepdims=True) - np.eye(CLASSES)[classes]
        gradients = [gradient @ kernels[-1].T]
        for signal, kernel in zip(signals[:1:-1], kernels[-2:1:-1], strict=True):
            gradients.append((gradients[-1] * slope(signal)) @ kernel.T)
        spread = np.array([np.sqrt(signal.var(axis=0).mean()) for signal in signals[1:]])
        return spread, np.array([np.sqrt(np.square(one).mean()) for one in reversed(gradients)])
