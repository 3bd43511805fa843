"""What gradients are taken of: a loss that fits the labels, or, without labels, a random projection of the outputs."""

import functools
import inspect
import math
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from deadrelu.errors import InputError
from deadrelu.signals.batches import Objective
from deadrelu.signals.layers import Output
from deadrelu.streams import PROJECTION, stream


class Named(NamedTuple):
    """An objective and what it is called, e.g. 'sparse categorical crossentropy'."""

    objective: Objective
    name: str


def of_labels(
    outputs: Sequence[Output], labels: Sequence[npt.NDArray[Any]], loss: str | Callable[..., Any] | None = None
) -> Named:
    """Sum over inputs of each input's own loss; over outputs too, if there are several.

    Args:
        outputs: of the model, in its order.
        labels: for each output, classes of shape (n_inputs,) or targets of the output's shape.
        loss: for all outputs: a name that Keras knows, a function of labels and predictions, or a `keras.losses.Loss`.
            None chooses what Keras users would: cross-entropy for classes,
            one-hot rows and sigmoids (from logits where no softmax or sigmoid stands), squared error otherwise.

    Raises:
        InputError: labels of another shape, classes out of range, or no loss of that name.
    """
    if len(labels) != len(outputs):
        raise InputError(f"labels: received {len(labels)} arrays; expected: one for each of {len(outputs)} outputs")
    chosen = [_loss(output, truth, loss) for output, truth in zip(outputs, labels, strict=True)]

    def objective(predicted: list[Any], rows: slice) -> Any:
        import keras

        losses = [
            function(keras.ops.convert_to_tensor(truth[rows]), prediction)
            for (function, truth, _), prediction in zip(chosen, predicted, strict=True)
        ]
        if any(len(each.shape) == 0 for each in losses):
            raise InputError(
                f"loss: received {loss!r}; expected: a loss of each input by itself, e.g. mean_squared_error"
            )
        # Of an output with positions, such as an image, the mean over positions, as in Keras.
        return sum(keras.ops.sum(keras.ops.mean(keras.ops.reshape(each, (len(each), -1)), axis=1)) for each in losses)

    return Named(objective, " + ".join(dict.fromkeys(name for _, _, name in chosen)))


def random_projection(seed: int) -> Named:
    """Outputs, each with a weight drawn from N(0, 1) for each input: how strongly a layer moves the outputs at all.

    The mean square of its gradient is that of the Jacobian's columns, in expectation over the weights.
    """
    rngs: list[np.random.Generator] = []  # one for each output: the same weights however inputs are cut

    def objective(predicted: list[Any], rows: slice) -> Any:
        import keras

        if not rngs:
            rngs.extend(stream(seed, PROJECTION, k) for k in range(len(predicted)))
        weights = [
            rng.standard_normal(tuple(output.shape), np.float32) for rng, output in zip(rngs, predicted, strict=True)
        ]
        return sum(
            keras.ops.sum(keras.ops.cast(output, "float32") * w) for output, w in zip(predicted, weights, strict=True)
        )

    return Named(objective, "a random projection of the outputs")


def _loss(
    output: Output, labels: npt.NDArray[Any], loss: str | Callable[..., Any] | None
) -> tuple[Any, npt.NDArray[Any], str]:
    """The loss function, the labels in the shape it takes, and its name."""
    import keras

    if labels.dtype.kind not in "biuf":
        raise InputError(f"labels: received {labels.dtype}; expected: numbers")
    with np.errstate(over="ignore"):
        if not np.isfinite(labels.astype(np.float32)).all():
            raise InputError("labels: received NaN, infinity or beyond float32; expected: finite numbers")
    given = loss or _usual_loss(output, labels)
    if isinstance(given, str):
        try:
            function = keras.losses.get(given)
        except ValueError:
            function = None
        if not inspect.isfunction(function):  # a class averages over inputs
            raise InputError(f"loss: received {given!r}; expected: a function of keras.losses, e.g. mean_squared_error")
        name = given
    else:
        function = given.call if isinstance(given, keras.losses.Loss) else given  # of each input, not their mean
        name = str(getattr(given, "name", None) or getattr(given, "__name__", type(given).__name__))
        # It knows itself what labels it takes.
        return function, labels.astype(np.int64 if labels.dtype.kind in "iu" else np.float32), name.replace("_", " ")
    sparse = name.startswith("sparse_")
    shape = output.shape[:-1] if sparse else output.shape
    if labels.size != len(labels) * math.prod(shape):
        shapes = f"{('n', *output.shape[:-1])} with classes or {('n', *output.shape)}".replace("'", "")
        raise InputError(f"labels: received shape {labels.shape}; expected for output {output.name}: {shapes}")
    if sparse:
        classes = output.shape[-1]
        if not np.array_equal(labels, np.round(labels)) or labels.min() < 0 or labels.max() >= classes:
            span = f"values from {labels.min():g} to {labels.max():g}"
            raise InputError(f"labels: received {span}; expected: whole numbers from 0 to {classes - 1}")
    labels = labels.reshape(len(labels), *shape).astype(np.int64 if sparse else np.float32)
    from_logits = "crossentropy" in name and output.activation not in ("softmax", "sigmoid")
    readable = name.replace("_", " ") + (" from logits" if from_logits else "")
    return functools.partial(function, from_logits=True) if from_logits else function, labels, readable


def _usual_loss(output: Output, labels: npt.NDArray[Any]) -> str:
    is_class = labels.size == len(labels) * math.prod(output.shape[:-1]) and output.shape[-1] > 1
    if is_class and np.array_equal(labels, np.round(labels)):
        return "sparse_categorical_crossentropy"
    is_one_hot = labels.shape[1:] == output.shape and np.isin(labels, (0, 1)).all() and (labels.sum(axis=-1) == 1).all()
    if output.activation == "softmax" or (output.activation is None and output.shape[-1] > 1 and is_one_hot):
        return "categorical_crossentropy"
    return "binary_crossentropy" if output.activation == "sigmoid" else "mean_squared_error"
