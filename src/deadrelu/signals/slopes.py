"""Which units of an activation layer let a gradient through: by the slope of the activation function."""

from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt

DEAD_SLOPE = 1e-6
"""A unit is dead when the slope of its activation is at most this on all inputs: what float32 rounds away beside 1."""

BOUNDED = {"tanh", "sigmoid", "hard_sigmoid", "hard_tanh", "softsign"}
"""Flat at both ends: units there are called saturated, see `statistics.SATURATED`."""

OF_SEVERAL_UNITS = {"softmax", "log_softmax", "sparsemax", "glu"}
"""Not a function of one unit alone: these have no dead units."""


def has_dead_units(activation: str | None) -> bool:
    """Whether units with this activation can be dead."""
    return activation is not None and activation not in BOUNDED | OF_SEVERAL_UNITS


def largest_slope(function: Callable[[Any], Any], preactivation: Any) -> npt.NDArray[np.float64]:
    """Largest size of the slope of an elementwise function, over inputs and positions; shape (units,).

    Args:
        function: of a tensor.
        preactivation: tensor of shape (n_inputs, …, units).
    """
    import tensorflow as tf

    with tf.GradientTape() as tape:
        tape.watch(preactivation)
        outputs = function(preactivation)
    slope = tape.gradient(outputs, preactivation, unconnected_gradients=tf.UnconnectedGradients.ZERO)
    known = tf.where(tf.math.is_nan(preactivation + slope), float("inf"), tf.abs(slope))  # not dead: unknown
    largest: npt.NDArray[np.float64] = tf.reduce_max(known, axis=list(range(len(slope.shape) - 1))).numpy()
    return largest.astype(np.float64)
