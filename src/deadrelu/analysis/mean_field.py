"""What layers do to the size of a signal, on average over networks: exact for ReLU, for wide layers otherwise.

Weights independent with mean 0, biases zero. Where the signal that reaches a layer has a mean square of q / (fan_in
Var w), preactivations have variance q, and if they are normal (wide layers: Poole et al., arXiv:1606.05340) the outputs
have a mean square of E[φ(√q ξ)²], ξ standard normal. For ReLU it is q / 2 at any width, since preactivations are
symmetric about 0 (He et al., arXiv:1502.01852).
"""

from collections.abc import Callable

import numpy as np
import numpy.typing as npt
from scipy.special import expit

Array = npt.NDArray[np.float64]

ACTIVATIONS: dict[str, Callable[[Array], Array]] = {
    "relu": lambda z: np.maximum(z, 0),
    "tanh": np.tanh,
    "sigmoid": expit,
}
"""Those of the MLP; by Keras's names."""

ZEROS = {"relu": 0.5, "tanh": 0.0, "sigmoid": 0.0}
"""Share of outputs that are exactly 0: a preactivation is as often negative as not."""

_NORMAL = np.linspace(-8, 8, 2001)
_WEIGHTS = np.exp(-(_NORMAL**2) / 2)
_WEIGHTS /= _WEIGHTS.sum()


def mean_square(activation: str, variance: npt.ArrayLike) -> Array:
    """E[φ(√q ξ)²] for each variance q of preactivations; the shape of `variance`."""
    spread = np.sqrt(np.asarray(variance, float))[..., None]
    of: Array = np.sum(ACTIVATIONS[activation](spread * _NORMAL) ** 2 * _WEIGHTS, axis=-1)
    return of


def rms_by_layer(activation: str, squared_norms: Array, fans: list[int], variances: list[float]) -> list[float]:
    """The rms of each hidden layer's outputs, over inputs and units, of `networks.mlp`, whose first layer is linear.

    Args:
        activation: of the hidden layers.
        squared_norms: of the inputs, shape (n_inputs,).
        fans: fan-in of the linear layer, and of each hidden one.
        variances: of their weights.
    """
    q = variances[0] * squared_norms  # variance of the linear layer's outputs
    found = []
    for fan_in, variance in zip(fans[1:], variances[1:], strict=True):
        q = mean_square(activation, fan_in * variance * q)
        found.append(float(np.sqrt(q.mean())))
    return found
