"""Arrays fitted to what a model takes: as many as it has inputs or outputs, in their order, of their shapes."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from deadrelu.errors import InputError

Array = npt.NDArray[Any]
Given = Array | Sequence[Array] | Mapping[str, Array]
"""One array, or several: in order, or by name."""

CHUNK_ROWS = 1000
"""Rows looked at together: a mapped file may be larger than the memory."""


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
        if set(given) != set(names):
            raise InputError(f"{what}: received {', '.join(map(str, given))}; expected: {', '.join(names)}")
        return [np.asarray(given[name]) for name in names]
    if isinstance(given, Mapping):
        arrays = [np.asarray(array) for array in given.values()]
    elif isinstance(given, (list, tuple)) and all(isinstance(array, np.ndarray) for array in given):
        arrays = list(given)
    else:
        arrays = [np.asanyarray(given)]
    if names and len(arrays) != len(names):
        raise InputError(f"{what}: received {len(arrays)}; expected: {len(names)}, for {', '.join(names)}")
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
