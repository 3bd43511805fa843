"""Measure how far networks are from a constant function, by the ranges of their predictions."""

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

Float = npt.NDArray[np.float32]

PROBES = np.array([0.05, 0.15, 0.5, 1.0, 1.5], np.float32)
"""Inputs at which the notebook compares predictions; all are positive, so they say nothing about x < 0."""


class Spread(NamedTuple):
    """Extremes and ranges (max - min) of n networks' predictions over the training inputs, shape (n,), float32.

    With several outputs, the extremes are over all outputs, and the range is the largest range of any output: it is 0
    if each output is constant. `range_low` and `range_high` are over the inputs x < 0 and x > 0; they are None if there
    are no such inputs, or x is not one-dimensional.
    """

    prediction_min: Float
    prediction_max: Float
    range_low: Float | None
    range_high: Float | None
    range: Float


def spread(predictions: Float, x: Float) -> Spread:
    """Return extremes and ranges of the predictions of each network.

    Args:
        predictions: outputs of n networks, shape (n, n_points, n_outputs), float32.
        x: training inputs, shape (n_points, n_inputs), float32.
    """
    smallest, largest = predictions.min(axis=(1, 2)), predictions.max(axis=(1, 2))
    low = high = None
    if x.shape[1] == 1:
        low, high = _range(predictions[:, x[:, 0] < 0]), _range(predictions[:, x[:, 0] > 0])
    ranges = _range(predictions)
    assert ranges is not None  # there is at least one input
    return Spread(smallest, largest, low, high, ranges)


def _range(predictions: Float) -> Float | None:
    if predictions.shape[1] == 0:
        return None
    ranges: Float = np.ptp(predictions, axis=1).max(axis=1)
    return ranges


def probes_equal(probes: Float) -> npt.NDArray[np.bool_]:
    """Return which networks have exactly equal predictions at all probes, the notebook's criterion of collapse.

    Args:
        probes: predictions of n networks at `PROBES`, shape (n, 5), float32.

    Returns:
        Mask of the networks, shape (n,), bool.
    """
    equal: npt.NDArray[np.bool_] = np.all(probes == probes[:, :1], axis=1)
    return equal
