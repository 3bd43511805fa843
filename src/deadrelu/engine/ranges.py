"""Measure how far networks are from a constant function, by the ranges of their predictions."""

import numpy as np
import numpy.typing as npt

Float = npt.NDArray[np.float32]

# Inputs at which the notebook compares predictions; all are positive, so they say nothing about x < 0.
PROBES = np.array([0.05, 0.15, 0.5, 1.0, 1.5], np.float32)


def spread(predictions: Float, x: Float) -> dict[str, Float]:
    """Return extremes and ranges (max - min) of n networks' predictions, each of shape (n,), float32.

    Args:
        predictions: outputs of n networks, shape (n, n_points, n_outputs), float32.
        x: training inputs, shape (n_points, n_inputs), float32.

    Returns:
        prediction_min, prediction_max: extremes over all inputs and outputs. range: the largest range of any output,
        which is 0 if each output is constant. range_low, range_high: the same over the inputs x < 0 and x > 0; absent
        if there are no such inputs, or x is not one-dimensional.
    """
    columns = {"prediction_min": predictions.min(axis=(1, 2)), "prediction_max": predictions.max(axis=(1, 2))}
    sides = {"range_low": x[:, 0] < 0, "range_high": x[:, 0] > 0} if x.shape[1] == 1 else {}
    inside = {"range": predictions} | {name: predictions[:, side] for name, side in sides.items() if side.any()}
    return columns | {name: np.ptp(values, axis=1).max(axis=1) for name, values in inside.items()}
