"""Objectives, whose gradients are measured: a loss that fits the labels, or a random projection of the outputs.

One rule for both frameworks chooses the loss; `keras.losses` and `pytorch.losses` compute it.
"""

import math
from collections.abc import Callable, Sequence
from typing import Any, Literal, NamedTuple, Protocol

import numpy as np
import numpy.typing as npt

from deadrelu.errors import InputError
from deadrelu.inspection.records import Output
from deadrelu.inspection.subject import Objective
from deadrelu.streams import PROJECTION, stream

Labels = npt.NDArray[Any]

Usual = Literal["cross-entropy", "cross-entropy of one-hot rows", "binary cross-entropy", "mean squared error"]

IGNORED = -100
"""The label of positions that PyTorch's losses ignore."""


class Chosen(NamedTuple):
    """A loss for one output, with the labels that it takes."""

    function: Callable[[Any, Any], Any]
    """A function of labels and predictions, both tensors; it returns the loss of each input or of each position."""
    labels: Labels
    name: str
    passes_outputs: bool = True
    """False if gradients do not reach the outputs, see `subject.Objective`."""


class Losses(Protocol):
    """The losses of one framework, and the facts about them on which the choice of a loss depends."""

    class_axes: tuple[int, ...]
    """Possible axes of classes in the shape of an output for one input, the usual one first."""
    ignores: int | None
    """The label that losses ignore; None if there is none."""

    def usual(self, kind: Usual, output: Output, class_axis: int) -> tuple[Callable[[Any, Any], Any], bool]:
        """Return the loss of this kind for an output with classes on `class_axis`, and whether gradients reach it."""

    def given(self, loss: Any, output: Output, labels: Labels) -> Chosen:
        """Return the user's loss, a name or a function, for one output, with the labels in the form that it takes."""

    def total(self, losses: list[Any]) -> Any:
        """Return the sum over inputs of losses, after a mean over positions; one tensor of shape (n, …) per output."""

    def weighted_sum(self, output: Any, weights: npt.NDArray[np.float32]) -> Any:
        """Return the sum of the products of an output and `weights`, an array of the same shape."""

    def tensor(self, labels: Labels, like: Any) -> Any:
        """Return labels as a tensor that a loss can take together with the predictions `like`."""


def of_labels(losses: Losses, outputs: Sequence[Output], labels: Sequence[Labels], loss: Any) -> Objective:
    """Return the objective that sums the losses of all inputs, and of all outputs if there are several.

    Args:
        losses: losses of the framework.
        outputs: outputs of the model, in its order.
        labels: for each output, classes of shape (n_inputs, …) or targets of the output's shape.
        loss: the loss for all outputs; None: cross-entropy for classes, one-hot rows (linear or log_softmax output) and
            targets of a softmax; binary cross-entropy for targets from 0 to 1 of a sigmoid; else mean squared error.

    Raises:
        InputError: labels have another shape or are not finite, classes are out of range, or the loss does not fit.
    """
    if len(labels) != len(outputs):
        raise InputError(f"labels: received {len(labels)} arrays; expected: one for each of {len(outputs)} outputs")
    for one in labels:
        check_numbers(one)
    chosen = [
        _usual(losses, output, truth) if loss is None else losses.given(loss, output, truth)
        for output, truth in zip(outputs, labels, strict=True)
    ]

    def objective(predicted: list[Any], rows: slice) -> Any:
        each = []
        for one, prediction in zip(chosen, predicted, strict=True):
            try:
                each.append(one.function(losses.tensor(one.labels[rows], prediction), prediction))
            except (RuntimeError, ValueError, IndexError, TypeError) as error:
                reason = " ".join(str(error).split())[:150]
                labels = f"labels: received shape {one.labels.shape}, which the loss does not take"
                what = labels if loss is None else f"loss: received {loss!r}, which does not take these labels"
                raise InputError(f"{what} ({reason}); expected: labels that fit the loss") from None
        if any(len(part.shape) == 0 for part in each):
            raise InputError(f"loss: received {loss!r}; expected: a loss of each input by itself")
        return losses.total(each)

    name = " + ".join(dict.fromkeys(one.name for one in chosen))
    return Objective(objective, name, all(one.passes_outputs for one in chosen))


def random_projection(losses: Losses, seed: int) -> Objective:
    """Return the objective that sums all output numbers, each times a weight from N(0, 1), drawn by `seed` per input.

    Its gradient shows how strongly a layer affects the outputs: in expectation over the weights, the square of the
    gradient of a unit is the sum of the squared derivatives of all outputs with respect to that unit.
    """
    rngs: list[np.random.Generator] = []  # a generator for each output, so that no weight depends on the batch size

    def objective(predicted: list[Any], rows: slice) -> Any:
        if rows.start == 0:
            rngs[:] = [stream(seed, PROJECTION, k) for k in range(len(predicted))]
        return sum(
            losses.weighted_sum(output, rng.standard_normal(tuple(output.shape), np.float32))
            for output, rng in zip(predicted, rngs, strict=True)
        )

    return Objective(objective, "a random projection of the outputs")


def check_numbers(labels: Labels) -> None:
    """Refuse labels that are not numbers, or not finite as float32."""
    if labels.dtype.kind not in "biuf":
        raise InputError(f"labels: received {labels.dtype}; expected: numbers")
    with np.errstate(over="ignore"):
        if not np.isfinite(labels.astype(np.float32)).all():
            raise InputError("labels: received NaN, infinity or beyond float32; expected: finite numbers")


def _usual(losses: Losses, output: Output, labels: Labels) -> Chosen:
    """Choose the loss of an output from its shape and activation and from the labels, see `of_labels`."""
    for axis in losses.class_axes if output.shape else ():
        positions = _without(output.shape, axis)
        fits = output.shape[axis] > 1 and labels.shape[1:] in (positions, (*positions, 1))
        if fits and np.array_equal(labels, np.round(labels)):
            classes = check_classes(labels, output.shape[axis], losses.ignores).reshape(len(labels), *positions)
            return _chosen(losses, "cross-entropy", output, axis, classes)
    shaped = check_shape(labels, output).astype(np.float32)
    axis = losses.class_axes[0]
    units = output.shape[axis] if output.shape else 1
    is_one_hot = units > 1 and np.isin(shaped, (0, 1)).all()
    is_one_hot = is_one_hot and (shaped.sum(axis=axis % len(output.shape) + 1) == 1).all()
    if output.activation == "softmax" or (output.activation in (None, "log_softmax") and is_one_hot):
        return _chosen(losses, "cross-entropy of one-hot rows", output, axis, shaped)
    if output.activation == "sigmoid" and shaped.min() >= 0 and shaped.max() <= 1:
        return _chosen(losses, "binary cross-entropy", output, axis, shaped)
    return _chosen(losses, "mean squared error", output, axis, shaped)


def _chosen(losses: Losses, kind: Usual, output: Output, axis: int, labels: Labels) -> Chosen:
    function, passes = losses.usual(kind, output, axis)
    from_logits = kind.startswith("cross-entropy") and output.activation not in ("softmax", "log_softmax")
    return Chosen(function, labels, kind.removesuffix(" of one-hot rows") + " from logits" * from_logits, passes)


def check_shape(labels: Labels, output: Output, *, classes: bool = True) -> Labels:
    """Return labels in the shape of an output for n inputs.

    Args:
        labels: targets, shape (n, …).
        output: the output to which the labels belong.
        classes: whether the error message names classes as an alternative.

    Raises:
        InputError: the number of labels for one input is not the size of the output for one input.
    """
    if labels.size != len(labels) * math.prod(output.shape):
        with_classes = f"{('n', *output.shape[:-1])} with classes or " if classes else ""
        shapes = f"{with_classes}{('n', *output.shape)}".replace("'", "")
        name = output.name if output.name.startswith("output") else f"output {output.name}"
        raise InputError(f"labels: received shape {labels.shape}; expected for {name}: {shapes}")
    return labels.reshape(len(labels), *output.shape)


def check_classes(labels: Labels, classes: int, ignored: int | None = None) -> Labels:
    """Check that labels are classes, and return them as int64.

    Raises:
        InputError: a label is neither a whole number from 0 to classes - 1 nor `ignored`.
    """
    counted = labels[labels != ignored] if ignored is not None else labels
    whole = np.array_equal(labels, np.round(labels))
    if counted.size and not (whole and counted.min() >= 0 and counted.max() < classes):
        span = f"values from {counted.min():g} to {counted.max():g}"
        raise InputError(f"labels: received {span}; expected: whole numbers from 0 to {classes - 1}")
    return labels.astype(np.int64)


def _without(shape: tuple[int, ...], axis: int) -> tuple[int, ...]:
    if not shape:
        return ()
    at = axis % len(shape)
    return shape[:at] + shape[at + 1 :]
