"""Checks and conversions of a user's model, arrays and loss; each error message is one line."""

import re
import sys
import traceback
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from deadrelu.errors import InputError
from deadrelu.inspection.records import CHUNK_ROWS

Array = npt.NDArray[Any]
Given = Array | Sequence[Array] | Mapping[str, Array]
"""Inputs or labels: one array or tensor, several of them in order or by name, or an iterable of batches."""

Loss = str | Callable[..., Any] | None
"""The name of a loss in the model's framework, a loss function or a loss object; None: the usual one."""

MAX_FROM_BATCHES = 10_000
"""Number of inputs after which no further batch is read, because batches may be endless."""


def check_model(model: Any) -> None:
    """Refuse anything but a Keras model, without an import of Keras: whoever made a Keras model has imported it."""
    keras = sys.modules.get("keras")
    if keras and isinstance(model, keras.Model):
        return
    expected = "a Keras model or a torch.nn.Module"
    if str(model).endswith(".keras") and (isinstance(model, str) or hasattr(model, "__fspath__")):
        expected += f"; `keras.saving.load_model({str(model)!r})` loads one"
    elif keras and isinstance(model, keras.Layer):
        expected += "; `keras.Sequential([keras.Input(shape), layer])` makes one of a layer"
    received = "a path" if "load_model" in expected else type(model).__name__
    raise InputError(f"model: received {received}; expected: {expected}")


def is_torch(model: Any) -> bool:
    """Return whether a model is a `torch.nn.Module`, and not a Keras model on PyTorch, without an import of either."""
    torch, keras = sys.modules.get("torch"), sys.modules.get("keras")
    is_keras = keras is not None and isinstance(model, keras.Model)
    return torch is not None and isinstance(model, torch.nn.Module) and not is_keras


def from_dataset(inputs: Any, labels: Any, most: int = MAX_FROM_BATCHES) -> tuple[Any, Any]:
    """Join the inputs and labels of batches; return anything else unchanged.

    Batches come from a `tf.data.Dataset`, a `DataLoader`, or another iterable except lists, tuples and mappings.
    Reading stops with the batch that reaches `most` inputs. A batch that is a tuple or list has labels in second place.

    Raises:
        InputError: there is no batch, batches do not fit together, or labels are given twice.
    """
    if hasattr(inputs, "shape") or isinstance(inputs, (list, tuple, Mapping, str)) or not isinstance(inputs, Iterable):
        return inputs, labels
    parts: list[Any] = []
    taken = 0
    try:
        for batch in inputs:
            parts.append(batch)
            taken += len(_leaves(batch)[0])
            if taken >= most:
                break
        if not parts:
            raise InputError("inputs: received an empty dataset; expected: batches")
        if not isinstance(parts[0], (list, tuple)):
            return _joined(parts), labels
        if labels is not None and len(parts[0]) > 1:
            raise InputError("labels: received labels, and a dataset that has its own; expected: one of them")
        own = _joined([part[1] for part in parts]) if len(parts[0]) > 1 else labels
        return _joined([part[0] for part in parts]), own
    except InputError:
        raise
    except Exception as error:  # a loader may raise anything
        text = f"batches that do not fit together ({' '.join(str(error).split())[:120]})"
        raise InputError(f"inputs: received {text}; expected: batches of arrays of one shape") from None


def _leaves(batch: Any) -> list[Any]:
    if isinstance(batch, Mapping):
        return [leaf for part in batch.values() for leaf in _leaves(part)]
    return [leaf for part in batch for leaf in _leaves(part)] if isinstance(batch, (list, tuple)) else [batch]


def _joined(parts: list[Any]) -> Any:
    first = parts[0]
    if isinstance(first, Mapping):
        return {name: _joined([part[name] for part in parts]) for name in first}
    if isinstance(first, (list, tuple)):
        return [_joined([part[k] for part in parts]) for k in range(len(first))]
    return np.concatenate([_array(part) for part in parts])


def _array(given: Any) -> Array:
    """Return an array, or a tensor on any device, as a NumPy array; bfloat16 becomes float32."""
    if hasattr(given, "detach"):
        given = given.detach().cpu()
        given = given.float() if str(given.dtype) == "torch.bfloat16" else given
    return np.asarray(given)


def without_constants(inputs: Any) -> tuple[Any, dict[str, Any]]:
    """Split a dictionary into arrays with one row per input, and constants; return anything else with no constants.

    Constants are flags, numbers, strings, None, and arrays of another length than the first, such as a causal mask.
    """
    if not isinstance(inputs, Mapping):
        return inputs, {}
    first = next((value for value in inputs.values() if getattr(value, "shape", ())), None)
    rows, constants = dict[str, Any](), dict[str, Any]()
    for name, value in inputs.items():
        is_plain = value is None or isinstance(value, bool | int | float | str)
        is_other = first is not None and getattr(value, "shape", ())[:1] != first.shape[:1] and hasattr(value, "shape")
        (constants if is_plain or is_other else rows)[name] = value
    return (rows, constants) if rows else (inputs, {})


def compiled_loss(model: Any) -> Loss:
    """Return the loss that a Keras model was compiled with; None if it has none, or several for its outputs."""
    loss = getattr(model, "loss", None)
    return loss if isinstance(loss, str) or callable(loss) else None


def name_of(loss: Loss) -> str:
    """Return the name of a loss, such as 'mse', 'mean_squared_error' or 'my_loss'."""
    return loss if isinstance(loss, str) else str(getattr(loss, "name", None) or getattr(loss, "__name__", loss))


@contextmanager
def failures_of(framework: str) -> Iterator[None]:
    """Turn an error that the model raises in the context into an `InputError`, but not an error of this package."""
    try:
        yield
    except InputError:
        raise
    except Exception as error:  # errors of Keras, TensorFlow and PyTorch share no base class
        if _is_our_own(error):
            raise
        text = " ".join(str(error).split())
        token = re.search(r"indices\[[\d,]+\] = (-?\d+) is not in \[0, (\d+)\)", text)
        if token:
            last = int(token[2]) - 1
            raise InputError(f"inputs: received the token {token[1]}; expected: 0 to {last}, as in Embedding") from None
        raise InputError(
            f"model: {framework} cannot run it on these inputs: {text[:200]}; expected: one that runs"
        ) from error


PACKAGE = Path(__file__).parents[1]
HANDING_ON = ("__torch_function__", "call", "activation", "forward")
"""Names of functions of this package that only call the model: an error raised in them is an error of the model."""


def _is_our_own(error: Exception) -> bool:
    """Return whether an error was raised by this package, not by a model, a framework or a lack of memory."""
    frames = [frame for frame in traceback.extract_tb(error.__traceback__) if frame.name not in HANDING_ON]
    return bool(frames) and Path(frames[-1].filename).is_relative_to(PACKAGE) and not isinstance(error, MemoryError)


def arranged(given: Given, names: Sequence[str], what: str) -> list[Array]:
    """Return one array for each name, in the order of the names.

    Args:
        given: an array, or anything that NumPy converts to one; a list of arrays; or a dictionary of arrays by name.
        names: names of the model's inputs or outputs; if empty, any number of arrays is allowed.
        what: "inputs" or "labels", with which an error message begins.

    Raises:
        InputError: names or number of arrays do not match, or an array consists of objects or of a single number.
    """
    if isinstance(given, Mapping) and names:
        numbered = [f"arr_{k}" for k in range(len(names))]  # np.savez gives these names to arrays without names
        if sorted(given) == sorted(numbered):
            return [_array(given[name]) for name in numbered]
        if set(given) != set(names):
            raise InputError(f"{what}: received {', '.join(map(str, given))}; expected: {', '.join(names)}")
        return [_array(given[name]) for name in names]
    if isinstance(given, (list, tuple, Mapping)) and not given:
        raise InputError(f"{what}: received an empty {type(given).__name__}; expected: an array, or several")
    if isinstance(given, Mapping):
        arrays = [_array(array) for array in given.values()]
    elif isinstance(given, (list, tuple)) and all(hasattr(array, "shape") and array.shape for array in given):
        arrays = [_array(array) for array in given]  # also of tensors
    else:
        try:
            arrays = [_array(given) if hasattr(given, "detach") else np.asanyarray(given)]
        except ValueError:  # the rows have different lengths
            raise InputError(f"{what}: received rows of several lengths; expected: an array") from None
    if names and len(arrays) != len(names):
        raise InputError(f"{what}: received {len(arrays)}; expected: {len(names)}, for {', '.join(names)}")
    if any(array.dtype == object for array in arrays):
        raise InputError(f"{what}: received {type(given).__name__}; expected: arrays or tensors of numbers")
    if any(array.ndim == 0 for array in arrays):
        raise InputError(f"{what}: received a single number; expected: one row an input")
    return arrays


def check_inputs(x: Sequence[Array], shapes: Sequence[tuple[int | None, ...]] | None) -> None:
    """Refuse inputs of wrong shapes, of unequal lengths, with values that are not finite, or all equal to each other.

    Args:
        x: one array of shape (n, …) for each input of the model.
        shapes: shapes of the model's inputs without the first axis (None: any length); None if they are not known.

    Raises:
        InputError: the inputs are refused; the message says why.
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
