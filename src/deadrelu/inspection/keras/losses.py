"""The losses of Keras as `objectives.Losses`."""

import functools
import inspect
from collections.abc import Callable
from typing import Any

import numpy as np

from deadrelu.errors import InputError
from deadrelu.inspection.objectives import Chosen, Labels, Usual, check_classes, check_shape
from deadrelu.inspection.records import Output

FUNCTIONS = {
    "cross-entropy": "sparse_categorical_crossentropy",
    "cross-entropy of one-hot rows": "categorical_crossentropy",
    "binary cross-entropy": "binary_crossentropy",
    "mean squared error": "mean_squared_error",
}
CROSSENTROPIES = {name for name in FUNCTIONS.values() if "crossentropy" in name}
"""Losses that Keras computes from the logits before a softmax or sigmoid, whose output then gets no gradient."""


class KerasLosses:
    """The losses of Keras; classes are on the last axis of an output."""

    class_axes: tuple[int, ...] = (-1,)
    ignores: int | None = None

    def usual(self, kind: Usual, output: Output, class_axis: int) -> tuple[Callable[[Any, Any], Any], bool]:
        """Return a function that computes the loss of each input, and whether its gradients reach the output."""
        import keras

        function = getattr(keras.losses, FUNCTIONS[kind])
        if kind.startswith("cross-entropy") and output.activation != "softmax":
            return functools.partial(function, from_logits=True), True
        return function, kind == "mean squared error"  # Keras computes the others from the logits

    def given(self, loss: Any, output: Output, labels: Labels) -> Chosen:
        """Return the user's loss, a name or a function, with the labels in the form that it takes."""
        import keras

        if isinstance(loss, str) and _named(loss) is None:
            raise InputError(f"loss: received {loss!r}; expected: a function of keras.losses, e.g. mean_squared_error")
        function = _named(loss) if isinstance(loss, str) else loss
        plain = getattr(function, "fn", function)
        name = str(getattr(function, "name", None) or getattr(function, "__name__", type(function).__name__))
        is_crossentropy = getattr(plain, "__name__", "") in CROSSENTROPIES
        has_logits = is_crossentropy and output.activation in ("softmax", "sigmoid")
        if not isinstance(loss, str):  # the user decides which labels it takes
            function = loss.call if isinstance(loss, keras.losses.Loss) else loss  # for each input, not a mean
            labels = labels.astype(np.int64 if labels.dtype.kind in "biu" else np.float32)
            return Chosen(function, labels, name.replace("_", " "), not has_logits)
        if name.startswith("sparse_"):
            labels = check_classes(labels, output.shape[-1])
            labels = labels.reshape(len(labels), *output.shape[:-1])
        else:
            labels = check_shape(labels, output, classes=False).astype(np.float32)
        readable = name.replace("_", " ")
        if is_crossentropy and not has_logits:
            return Chosen(functools.partial(function, from_logits=True), labels, f"{readable} from logits")
        return Chosen(function, labels, readable, not has_logits)

    def total(self, losses: list[Any]) -> Any:
        """Return the sum over inputs of losses, after a mean over positions; one tensor of shape (n, …) per output."""
        import keras

        return sum(keras.ops.sum(keras.ops.mean(keras.ops.reshape(each, (len(each), -1)), axis=1)) for each in losses)

    def weighted_sum(self, output: Any, weights: Any) -> Any:
        """Return the sum of the products of an output and `weights`, an array of the same shape."""
        import keras

        precise = output if output.dtype == "float64" else keras.ops.cast(output, "float32")
        return keras.ops.sum(precise * keras.ops.cast(weights, precise.dtype))

    def tensor(self, labels: Labels, like: Any) -> Any:
        """Return labels as a tensor of their own dtype, because losses of Keras convert dtypes themselves."""
        import keras

        return keras.ops.convert_to_tensor(labels)


def _named(name: str) -> Any:
    """Return the loss function with a name, which may be that of its class; None if there is none."""
    import keras

    try:
        loss = keras.losses.get(name)
    except ValueError:
        return None
    if isinstance(loss, keras.losses.Loss):
        loss = getattr(loss, "fn", None)
    return loss if inspect.isfunction(loss) else None
