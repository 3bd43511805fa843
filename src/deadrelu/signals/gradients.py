"""Measure activations of the notebook's MLP, and gradients of its loss with respect to them, batch by batch."""

from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

BATCH_SIZE = 1000
"""Number of images in one pass; it is fixed, because the last bits of matrix products depend on this number."""

Array = npt.NDArray[np.float64]


class Batch(NamedTuple):
    """Activations and gradients of the images `rows`: one array of shape (images, width), float64, per hidden layer."""

    rows: slice
    activations: list[Array]
    gradients: list[Array]
    """Gradients of the cross-entropy of each image with respect to its own activations."""


def batches(model: Any, images: npt.NDArray[np.float32], classes: npt.NDArray[np.uint8]) -> Iterator[Batch]:
    """Yield, per batch of images, activations and each image's gradients of its cross-entropy with respect to them.

    Args:
        model: model from `networks.mlp`; its layers whose names begin with hidden_ are measured.
        images: images, shape (n, pixels), float32.
        classes: classes of the images, shape (n,), uint8.
    """
    import keras
    import tensorflow as tf

    for start in range(0, len(images), BATCH_SIZE):
        rows = slice(start, min(start + BATCH_SIZE, len(images)))
        signal, hidden = tf.constant(images[rows], model.inputs[0].dtype), []
        with tf.GradientTape() as tape:
            for layer in model.layers:
                signal = layer(signal)
                if layer.name.startswith("hidden_"):
                    tape.watch(signal)
                    hidden.append(signal)
            loss = tf.reduce_sum(keras.losses.sparse_categorical_crossentropy(classes[rows], signal))
        gradients = tape.gradient(loss, hidden, unconnected_gradients=tf.UnconnectedGradients.ZERO)
        yield Batch(rows, [a.numpy() for a in hidden], [g.numpy() for g in gradients])
