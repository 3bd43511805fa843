"""Models, arrays and losses as users have them, fitted to each other; what does not fit is named in one line."""

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np
import numpy.typing as npt

from deadrelu.errors import InputError

Array = npt.NDArray[Any]
Given = Array | Sequence[Array] | Mapping[str, Array]
"""One array or tensor, or several: in order, or by name; or a dataset of batches."""

Loss = str | Callable[..., Any] | None
"""A name that Keras knows, a function of labels and predictions, or a `keras.losses.Loss`."""

CHUNK_ROWS = 1000
"""Rows looked at together: a mapped file may be larger than the memory."""


def check_model(model: Any) -> None:
    """Refuse what is no Keras model."""
    import keras

    if isinstance(model, keras.Model):
        return
    expected = "a Keras model"
    if isinstance(model, (str, bytes)) or hasattr(model, "__fspath__"):
        expected += f"; `keras.saving.load_model({str(model)!r})` loads one"
    elif isinstance(model, keras.Layer):
        expected += "; `keras.Sequential([keras.Input(shape), layer])` makes one of a layer"
    received = "a path" if "load_model" in expected else f"{type(model).__name__}"
    raise InputError(f"model: received {received}; expected: {expected}")


def from_dataset(inputs: Any, labels: Any) -> tuple[Any, Any]:
    """Inputs and labels of a `tf.data.Dataset` of batches, put together; anything else as it is.

    Raises:
        InputError: it has no end, or labels are given twice.
    """
    if not hasattr(inputs, "element_spec"):
        return inputs, labels
    import tensorflow as tf

    if inputs.cardinality() == tf.data.INFINITE_CARDINALITY:
        raise InputError("inputs: received a dataset without end; expected: dataset.take(10) or some such")
    batches = list(inputs)
    if not batches:
        raise InputError("inputs: received an empty dataset; expected: batches")
    joined = tf.nest.map_structure(lambda *parts: np.concatenate([np.asarray(part) for part in parts]), *batches)
    if not isinstance(joined, tuple):
        return joined, labels
    if labels is not None and len(joined) > 1:
        raise InputError("labels: received labels, and a dataset that has its own; expected: one of them")
    return joined[0], joined[1] if len(joined) > 1 else labels


def compiled_loss(model: Any) -> Loss:
    """The loss that a model was compiled with, if it is one for all outputs."""
    loss = getattr(model, "loss", None)
    return loss if isinstance(loss, str) or callable(loss) else None


def name_of(loss: Loss) -> str:
    """'mse', 'mean_squared_error', 'my_loss'."""
    return loss if isinstance(loss, str) else str(getattr(loss, "name", None) or getattr(loss, "__name__", loss))


@contextmanager
def failures_of_keras() -> Iterator[None]:
    """Say in one line that a model cannot run on its inputs."""
    try:
        yield
    except InputError:
        raise
    except Exception as error:  # Keras and TensorFlow share no base class
        text = " ".join(str(error).split())
        token = re.search(r"indices\[[\d,]+\] = (-?\d+) is not in \[0, (\d+)\)", text)
        if token:
            last = int(token[2]) - 1
            raise InputError(f"inputs: received the token {token[1]}; expected: 0 to {last}, as in Embedding") from None
        raise InputError(f"model: Keras cannot run it on these inputs: {text[:200]}; expected: one that runs") from None


def arranged(given: Given, names: Sequence[str], what: str) -> list[Array]:
    """One array for each name, in their order.

    Args:
        given: an array, or what NumPy makes one of; a list of arrays; or a dictionary.
        names: of the model's inputs or outputs; empty if it has not been built, and then any number goes.
        what: "inputs" or "labels", for the message.

    Raises:
        InputError: other names, or another number of arrays.
    """
    if isinstance(given, Mapping) and names:
        numbered = [f"arr_{k}" for k in range(len(names))]  # as np.savez calls arrays without names
        if sorted(given) == sorted(numbered):
            return [np.asarray(given[name]) for name in numbered]
        if set(given) != set(names):
            raise InputError(f"{what}: received {', '.join(map(str, given))}; expected: {', '.join(names)}")
        return [np.asarray(given[name]) for name in names]
    if isinstance(given, Mapping):
        arrays = [np.asarray(array) for array in given.values()]
    elif isinstance(given, (list, tuple)) and all(hasattr(array, "shape") and array.shape for array in given):
        arrays = [np.asarray(array) for array in given]  # tensors, too
    else:
        arrays = [np.asanyarray(given)]
    if names and len(arrays) != len(names):
        raise InputError(f"{what}: received {len(arrays)}; expected: {len(names)}, for {', '.join(names)}")
    if any(array.dtype == object for array in arrays):
        raise InputError(f"{what}: received {type(given).__name__}; expected: arrays or tensors of numbers")
    if any(array.ndim == 0 for array in arrays):
        raise InputError(f"{what}: received a single number; expected: one row an input")
    return arrays


def check_inputs(x: Sequence[Array], shapes: Sequence[tuple[int | None, ...]] | None) -> None:
    """Refuse inputs of other shapes, that are no finite numbers, or of which nothing can depend.

    Args:
        x: one array for each input of the model.
        shapes: of the model's inputs, without the first axis; None stands for any length, or for a model unbuilt.

    Raises:
        InputError: says which.
    """
    if len({len(array) for array in x}) > 1:
        raise InputError(f"inputs: received {' and '.join(str(len(array)) for array in x)}; expected: as many of each")
    for array, expected in zip(x, shapes or [array.shape[1:] for array in x], strict=True):
        lengths = array.shape[1:]
        if len(lengths) != len(expected) or any(w not in (None, h) for w, h in zip(expected, lengths, strict=True)):
            shape = ", ".join(["n", *("any" if size is None else str(size) for size in expected)])
            raise InputError(f"inputs: received shape {array.shape}; expected: ({shape})")
        if array.dtype.kind not in "biuf":
            raise InputError(f"inputs: received {array.dtype}; expected: numbers")
        with np.errstate(over="ignore"):
            pieces = (array[at : at + CHUNK_ROWS].astype(np.float32) for at in range(0, len(array), CHUNK_ROWS))
            if not all(np.isfinite(piece).all() for piece in pieces):
                raise InputError("inputs: received NaN, infinity or beyond float32; expected: finite numbers")
    differs = any(
        (array[at : at + CHUNK_ROWS] != array[0]).any() for array in x for at in range(0, len(array), CHUNK_ROWS)
    )
    if not differs:
        equal = " equal" if len(x[0]) > 1 else ""
        raise InputError(
            f"inputs: received {len(x[0])}{equal}; expected: 2 or more that differ, to see what depends on them"
        )
