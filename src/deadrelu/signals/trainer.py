"""Train Keras networks, and record the loss of every batch, of every epoch, and of validation images."""

from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from deadrelu.settings.initializer import Settings
from deadrelu.signals import networks
from deadrelu.streams import ORDER, stream

EVALUATION_BATCH = 500
"""Number of images in one pass of the evaluation of validation images."""

Data = tuple[npt.NDArray[np.float32], npt.NDArray[np.uint8]]
"""n images, shape (n, *input shape of the network), float32, and their classes, shape (n,), uint8."""


class History(NamedTuple):
    """Losses and validation accuracy of one training."""

    batches: list[list[float]]
    """The loss of each batch before its optimizer step, one list for each epoch."""
    loss: list[float]
    """The loss of each epoch: the mean over its images, while the weights change."""
    validation_loss: list[float]
    """The mean loss of the validation images, before training and after each epoch."""
    validation_accuracy: list[float]
    """The share of correctly classified validation images, before training and after each epoch."""


class Trainer:
    """A network that is compiled once and trained many times: compiling takes longer than a short training.

    The loss is the cross-entropy, and the optimizer is RMSprop with Keras's defaults, as in the notebook. An epoch is
    one compiled function: Python between two steps of a small network would take longer than the steps.

    Args:
        model: Keras model from `networks`.
    """

    def __init__(self, model: Any) -> None:
        import keras
        import tensorflow as tf

        self.model, self.optimizer = model, keras.optimizers.RMSprop()
        self.optimizer.build(model.trainable_variables)
        self.new_optimizer = [(variable, variable.numpy()) for variable in self.optimizer.variables]
        self._run_epoch, self._run_check = tf.function(self._epoch), tf.function(self._check)

    def history(
        self,
        initializer: Settings,
        data: Data,
        validation: Data,
        *,
        epochs: int,
        batch_size: int,
        seed: int,
        trial: int,
    ) -> History:
        """Draw new weights, train the network, and return its losses, which do not depend on earlier trainings.

        Args:
            initializer: initializer of every layer.
            data: training images and their classes, reshuffled each epoch.
            validation: validation images and their classes.
            epochs: number of passes over the training images.
            batch_size: number of images in a step; the last step of an epoch takes the remaining images.
            seed: seed that determines, with `trial`, the weights, the order of the images, and Dropout.
            trial: number of the training among those with this initializer and seed.
        """
        networks.redraw(self.model, initializer, seed=seed, trial=trial)
        for variable, value in self.new_optimizer:
            variable.assign(value)
        rng = stream(seed, ORDER, trial)
        images = self._tensors(data)
        starts = np.append(np.arange(0, len(data[0]), batch_size), len(data[0]))
        batches, means, checks = [], [], [self._checked(validation)]
        for _ in range(epochs):
            order = rng.permutation(len(data[0]))
            batches.append(self._run_epoch(*images, order, starts).numpy().tolist())
            means.append(float(np.average(batches[-1], weights=np.diff(starts))))
            checks.append(self._checked(validation))
        losses, accuracies = zip(*checks, strict=True)
        return History(batches, means, list(losses), list(accuracies))

    def _checked(self, data: Data) -> tuple[float, float]:
        parts = [slice(at, min(at + EVALUATION_BATCH, len(data[0]))) for at in range(0, len(data[0]), EVALUATION_BATCH)]
        results = [self._run_check(*self._tensors((data[0][part], data[1][part]))) for part in parts]
        loss, accuracy = np.average(results, axis=0, weights=[part.stop - part.start for part in parts])
        return float(loss), float(accuracy)

    def _tensors(self, data: Data) -> tuple[Any, Any]:
        import tensorflow as tf

        return tf.constant(data[0], self.model.inputs[0].dtype), tf.constant(data[1], "int64")

    def _epoch(self, x: Any, y: Any, order: Any, starts: Any) -> Any:
        """Take step k on images order[starts[k]:starts[k + 1]] of x, y; return the loss before each step, (steps,)."""
        import tensorflow as tf

        steps = tf.size(starts) - 1
        losses = tf.TensorArray(x.dtype, steps)
        for k in tf.range(steps):
            rows = order[starts[k] : starts[k + 1]]
            with tf.GradientTape() as tape:
                predicted = self.model(tf.gather(x, rows), training=True)
                loss = tf.reduce_mean(_crossentropy(tf.gather(y, rows), predicted))
            self.optimizer.apply(tape.gradient(loss, self.model.trainable_weights), self.model.trainable_weights)
            losses = losses.write(k, loss)
        return losses.stack()

    def _check(self, x: Any, y: Any) -> tuple[Any, Any]:
        """Return the mean loss of images x, (n, …), with classes y, (n,), and their accuracy: two scalar tensors."""
        import tensorflow as tf

        predicted = self.model(x, training=False)
        right = tf.equal(tf.argmax(predicted, axis=1), y)
        return tf.reduce_mean(_crossentropy(y, predicted)), tf.reduce_mean(tf.cast(right, x.dtype))


def _crossentropy(y: Any, predicted: Any) -> Any:
    """Return each image's cross-entropy; Keras uses the logits of `predicted`: a saturated softmax has a gradient."""
    import keras

    return keras.losses.sparse_categorical_crossentropy(y, predicted)
