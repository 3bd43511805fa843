"""Compute the mean square of a signal in each layer over networks: exact for ReLU, else for wide layers only.

Weights are independent with mean 0; biases are zero. If the signal that reaches a layer has a mean square of
q / (fan_in Var w), preactivations have variance q, and if they are normal (wide layers: Poole et al., arXiv:1606.05340)
the outputs have a mean square of E[φ(√q ξ)²], where ξ is standard normal. For ReLU it is q / 2 at any width, since
preactivations are symmetric about 0 (He et al., arXiv:1502.01852). The network is `networks.mlp`, whose first layer is
linear; `weights` are the fan-in and the variance of the weights of this layer and of each hidden layer, in order.
"""

from collections.abc import Callable

import numpy as np
import numpy.typing as npt
from scipy.special import expit

from deadrelu.analysis.growth import Array

Function = Callable[[Array], Array]
Weights = list[tuple[int, float]]
# Activation functions that theory covers, by their names in Keras, their derivatives, and the expected share of outputs
# that are exactly 0: for ReLU 1/2, the probability of a negative preactivation.
ACTIVATIONS: dict[str, Function] = {"relu": lambda z: np.maximum(z, 0), "tanh": np.tanh, "sigmoid": expit}
SLOPES: dict[str, Function] = {
    "relu": lambda z: (z > 0).astype(float),
    "tanh": lambda z: 1 - np.tanh(z) ** 2,
    "sigmoid": lambda z: expit(z) * (1 - expit(z)),
}
ZEROS = {"relu": 0.5, "tanh": 0.0, "sigmoid": 0.0}


def _normal_rule(end: float, n: int) -> tuple[Array, Array]:
    """Return n nodes on [-end, end] and their weights in a mean over a standard normal variable."""
    nodes = np.linspace(-end, end, n)
    weights = np.exp(-(nodes**2) / 2)
    return nodes, weights / weights.sum()


_NORMAL, _WEIGHTS = _normal_rule(8, 2000)  # an even number: no node is at 0, where the slope of ReLU jumps
# This trapezoid rule is exact to 1e-5 for slopes up to 6, where Gauss-Hermite with as many nodes errs by 1e-2.
_NODES, _NODE_WEIGHTS = _normal_rule(5.25, 71)


def mean_square(function: Function, variance: npt.ArrayLike) -> Array:
    """Return E[f(√q ξ)²] of a function f, with ξ standard normal, for each variance q, in the shape of `variance`."""
    spread = np.sqrt(np.asarray(variance, float))[..., None]
    return np.asarray(np.sum(function(spread * _NORMAL) ** 2 * _WEIGHTS, axis=-1))


def mean_products(activation: str, covariance: Array) -> Array:
    """Return E[φ(u) φ(v)] for each pair of n inputs, whose preactivations u and v have a normal distribution.

    Their `covariance` has shape (n, n), as the result; `activation` is the name of φ in `ACTIVATIONS`. For ReLU, a
    closed form is used (Cho and Saul 2009, arc-cosine kernel of order 1), else quadrature with 71² nodes.
    """
    sizes = np.sqrt(np.diag(covariance))
    scale = np.outer(sizes, sizes)
    cosine = np.clip(covariance / np.where(scale > 0, scale, 1), -1, 1)
    if activation == "relu":
        angle = np.arccos(cosine)
        return np.asarray(scale * (np.sin(angle) + (np.pi - angle) * cosine) / (2 * np.pi))
    function, (i, j) = ACTIVATIONS[activation], np.triu_indices(len(covariance))
    rest = np.sqrt(1 - cosine[i, j] ** 2)
    u = sizes[i, None, None] * _NODES[:, None]
    v = sizes[j, None, None] * (cosine[i, j, None, None] * _NODES[:, None] + rest[:, None, None] * _NODES)
    product = np.zeros_like(covariance)
    product[i, j] = np.einsum("pab,a,b->p", function(u) * function(v), _NODE_WEIGHTS, _NODE_WEIGHTS)
    product[j, i] = product[i, j]
    return product


def factors(activation: str, inputs: Array, weights: Weights) -> tuple[float, float]:
    """Return the factors by which a hidden layer multiplies the signal and its gradient: geometric means over layers.

    The signal is the standard deviation of activations over the `inputs`, images of shape (n, pixels).
    """
    (_, first), *hidden = weights
    products, strengths, slopes = first * (inputs @ inputs.T), [], []
    for fan_in, variance in hidden:
        covariance = fan_in * variance * products
        products = mean_products(activation, covariance)
        strengths.append(np.sqrt(np.diag(products).mean() - products.mean()))
        slopes.append(np.sqrt(fan_in * variance * mean_square(SLOPES[activation], np.diag(covariance)).mean()))
    steps = len(hidden) - 1
    return float((strengths[-1] / strengths[0]) ** (1 / steps)), float(np.prod(slopes[1:]) ** (1 / steps))


def rms_by_layer(activation: str, squared_norms: Array, weights: Weights) -> list[float]:
    """Return the rms of each hidden layer's outputs over units and inputs, from the inputs' squared norms, (n,)."""
    (_, first), *hidden = weights
    q, lengths = first * squared_norms, []  # variance of the linear layer's outputs, and rms of the next ones
    for fan_in, variance in hidden:
        q = mean_square(ACTIVATIONS[activation], fan_in * variance * q)
        lengths.append(float(np.sqrt(q.mean())))
    return lengths
