"""Losses of Keras, see `objectives.Losses`."""

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
"""Losses that Keras takes from the logits behind a softmax or sigmoid, so that its output gets no gradient."""


class KerasLosses:
    """The losses of Keras."""

    class_axes: tuple[int, ...] = (-1,)
    ignores: int | None = None

    def usual(self, kind: Usual, output: Output, class_axis: int) -> tuple[Callable[[Any, Any], Any], bool]:
        """Return the loss of each input, and whether it passes gradients to the output."""
        import keras

        function = getattr(keras.losses, FUNCTIONS[kind])
        if kind.startswith("cross-entropy") and output.activation != "softmax":
            return functools.partial(function, from_logits=True), True
        return function, kind == "mean squared error"  # Keras takes other losses from the logits

    def given(self, loss: Any, output: Output, labels: Labels) -> Chosen:
        """Return a loss that the user gave, by name or as a function."""
        import keras

        if isinstance(loss, str) and _named(loss) is None:
            raise InputError(f"loss: received {loss!r}; expected: a function of keras.losses, e.g. mean_squared_error")
        function = _named(loss) if isinstance(loss, str) else loss
        plain = getattr(function, "fn", function)
        name = str(getattr(function, "name", None) or getattr(function, "__name__", type(function).__name__))
        is_crossentropy = getattr(plain, "__name__", "") in CROSSENTROPIES
        has_logits = is_crossentropy and output.activation in ("softmax", "sigmoid")
        if not isinstance(loss, str):  # the user decides which labels it takes
            function = loss.call if isinstance(loss, keras.losses.Loss) else loss  # for each input, without a mean
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
        """Return the sum over inputs of the mean over positions, over all outputs."""
        import keras

        return sum(keras.ops.sum(keras.ops.mean(keras.ops.reshape(each, (len(each), -1)), axis=1)) for each in losses)

    def weighted_sum(self, output: Any, weights: Any) -> Any:
        """Return the sum of the products of an output and numbers of the same shape."""
        import keras

        precise = output if output.dtype == "float64" else keras.ops.cast(output, "float32")
        return keras.ops.sum(precise * keras.ops.cast(weights, precise.dtype))

    def tensor(self, labels: Labels, like: Any) -> Any:  # losses of Keras convert types
        """Return labels as a tensor, next to another one; floating-point labels have its dtype."""
        import keras

        return keras.ops.convert_to_tensor(labels)


def _named(name: str) -> Any:
    """Return the function of a loss by the name of the function or of its class; None if there is none."""
    import keras

    try:
        loss = keras.losses.get(name)
    except ValueError:
        return None
    if isinstance(loss, keras.losses.Loss):
        loss = getattr(loss, "fn", None)
    return loss if inspect.isfunction(loss) else None
