"""Activations of the notebook's MLP and the gradients of its loss with respect to them, batch by batch."""

from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

BATCH_SIZE = 1000
"""Images in one pass. Constant, because the last bits of a matrix product depend on it."""

Array = npt.NDArray[np.float64]


class Batch(NamedTuple):
    """Signals of some of the images; one array of shape (images, width) for each hidden layer."""

    rows: slice
    activations: list[Array]
    gradients: list[Array]
    """Of each image's own cross-entropy."""


def batches(model: Any, images: npt.NDArray[np.float32], classes: npt.NDArray[np.uint8]) -> Iterator[Batch]:
    """Send images through the model and the gradient of the cross-entropy back, one batch after another.

    Args:
        model: from `networks.mlp`; its layers named hidden_1, hidden_2, … are measured.
        images: shape (n, pixels).
        classes: of the images, shape (n,).
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
