"""Loss histories of a network: every batch, every epoch, and what it makes of images it was not trained on."""

from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from deadrelu import networks
from deadrelu.params import Settings
from deadrelu.streams import ORDER, stream

Float = npt.NDArray[np.float32]
Data = tuple[Float, npt.NDArray[np.uint8]]
"""Images in the shape that the network takes, and their classes."""

EVALUATED = 500
"""Images in one pass of an evaluation."""


class History(NamedTuple):
    """How one training went."""

    batches: list[list[float]]
    """The loss of each batch before its step, for each epoch."""
    loss: list[float]
    """Of each epoch: the mean over its images, while the weights move."""
    validation_loss: list[float]
    """Before training and after each epoch."""
    validation_accuracy: list[float]
    """The same: the share of images given their class."""


class Trainer:
    """A network compiled once and trained many times: compiling takes longer than a short training.

    Loss: cross-entropy; optimizer: RMSprop with Keras's defaults, as in the notebook.

    Args:
        model: from `networks`.
    """

    def __init__(self, model: Any) -> None:
        self.model = model
        # Of the logits behind the softmax: Keras's loss goes around it, so a certain and wrong answer still learns.
        model.compile("rmsprop", "sparse_categorical_crossentropy", metrics=["accuracy"])
        model.optimizer.build(model.trainable_variables)
        self.new_optimizer = [(variable, variable.numpy()) for variable in model.optimizer.variables]

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
        """Draw the network and train it; depends on the arguments alone, not on trainings before.

        Args:
            initializer: of every layer.
            data: the training images, reshuffled each epoch.
            validation: other images.
            epochs: passes over the training images.
            batch_size: images in a step; the last step of an epoch takes what is left.
            seed: of weights, order and Dropout, with `trial`.
            trial: which of the networks with this seed.
        """
        networks.redraw(self.model, initializer, seed=seed, trial=trial)
        for variable, value in self.new_optimizer:
            variable.assign(value)
        rng = stream(seed, ORDER, trial)
        x, y = data
        batches, means, checks = [], [], [self._check(validation)]
        for _ in range(epochs):
            order = rng.permutation(len(x))
            cuts = [order[at : at + batch_size] for at in range(0, len(x), batch_size)]
            batches.append([self._step(x[rows], y[rows]) for rows in cuts])
            means.append(float(np.average(batches[-1], weights=[len(rows) for rows in cuts])))
            checks.append(self._check(validation))
        losses, accuracies = zip(*checks, strict=True)
        return History(batches, means, list(losses), list(accuracies))

    def _step(self, x: Float, y: npt.NDArray[np.uint8]) -> float:
        # Not the log of `fit`, which the notebook's callback reads: that is a mean over the epoch so far.
        return float(self.model.train_on_batch(x, y, return_dict=True)["loss"])

    def _check(self, validation: Data) -> tuple[float, float]:
        # Not `evaluate`: what it sets up for each call takes longer than a small network does.
        x, y = validation
        parts = [slice(at, min(at + EVALUATED, len(x))) for at in range(0, len(x), EVALUATED)]
        found = [self.model.test_on_batch(x[some], y[some], return_dict=True) for some in parts]
        sizes = [some.stop - some.start for some in parts]
        loss, accuracy = (np.average([part[name] for part in found], weights=sizes) for name in ("loss", "accuracy"))
        return float(loss), float(accuracy)
