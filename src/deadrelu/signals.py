"""Signals of a Keras model, forward and backward, layer by layer."""

from collections.abc import Sequence
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

Float = npt.NDArray[np.float32]

BATCH = 1000
"""Inputs in one pass. Constant, because the last bits of a matrix product depend on the batch size."""

SATURATED = {"tanh": (-0.99, 0.99), "sigmoid": (0.01, 0.99)}
"""Outputs below the first or above the second are saturated: the slope there is under 2 % (tanh) and 1 % (sigmoid)."""


def layer_signals(
    model: Any, layers: Sequence[str], x: Float, labels: npt.NDArray[np.uint8]
) -> tuple[list[Float], list[Float]]:
    """Outputs of named layers, and the gradient of the loss with respect to them.

    Args:
        model: a Keras model with class probabilities as output.
        layers: names of layers with outputs of shape (n_inputs, width).
        x: inputs, shape (n_inputs, n_features), float32.
        labels: true classes, shape (n_inputs,), integers.

    Returns:
        Activations and gradients, each one array of shape (n_inputs, width), float32, per layer. The loss is the
        cross-entropy of each input by itself, so gradients do not depend on how many inputs there are.
    """
    import keras
    import tensorflow as tf

    def signals(batch: Any, truth: Any) -> tuple[list[Any], list[Any]]:
        outputs = []
        with tf.GradientTape() as tape:
            signal = batch
            for layer in model.layers:
                signal = layer(signal)
                if layer.name in layers:
                    tape.watch(signal)
                    outputs.append(signal)
            loss = keras.losses.sparse_categorical_crossentropy(truth, signal)
        return outputs, tape.gradient(loss, outputs)

    batches = [signals(x[i : i + BATCH], labels[i : i + BATCH]) for i in range(0, len(x), BATCH)]
    activations = [np.concatenate([b[0][k].numpy() for b in batches]) for k in range(len(layers))]
    gradients = [np.concatenate([b[1][k].numpy() for b in batches]) for k in range(len(layers))]
    return activations, gradients


def statistics(signal: Float, *, activation: str | None, quantiles: Sequence[float]) -> dict[str, float]:
    """Describe one layer's signal.

    Args:
        signal: shape (n_inputs, width), float32.
        activation: name of the function that made it, for its saturation; None for a gradient.
        quantiles: levels in [0, 1].

    Returns:
        mean, std, rms; input_std: what of the signal depends on the input, the root mean square over units of each
        unit's standard deviation over inputs (a sigmoid unit stuck at 0.6 adds to std and says nothing of the
        input); zero_fraction: share of exact zeros; dead_units: units that are 0 on every input;
        saturated_fraction: share outside `SATURATED` (0 where the activation has no saturation); q01, q25, …
    """
    wide = signal.astype(np.float64)
    low, high = SATURATED.get(activation or "", (-np.inf, np.inf))
    levels = np.quantile(signal, quantiles)
    return {
        "mean": float(wide.mean()),
        "std": float(wide.std()),
        "rms": float(np.sqrt(np.mean(wide**2))),
        "input_std": float(np.sqrt(np.mean(wide.var(axis=0)))),
        "zero_fraction": float(np.mean(signal == 0)),
        "dead_units": float(np.sum(np.all(signal == 0, axis=0))),
        "saturated_fraction": float(np.mean((wide < low) | (wide > high))),
        **{f"q{round(100 * q):02d}": float(value) for q, value in zip(quantiles, levels, strict=True)},
    }


VANISHES, EXPLODES = 0.8, 1.25
"""A signal vanishes when a layer leaves less than this share of it, and explodes when it leaves more than that:
over ten layers, less than a ninth or more than nine times."""


def verdict(ratio: float) -> Literal["vanishes", "holds", "explodes", "not measured"]:
    """Name what becomes of a signal that each layer multiplies by `ratio`; NaN stands for no second layer."""
    if np.isnan(ratio):
        return "not measured"
    return "vanishes" if ratio < VANISHES else "explodes" if ratio > EXPLODES else "holds"
