"""A model that is measured, whatever made it: its layers, its weights, and passes over its inputs."""

from collections.abc import Callable, Hashable, Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any, Literal, Protocol

import numpy as np

from deadrelu.inspection.records import Array, LayerRecord, Output, Recorder, WeightRecord

MAX_BATCH_SIZE = 1000
"""Most inputs in one pass."""

MAX_BATCH_ELEMENTS = 2**26
"""Most numbers that the layers put out in one pass, 256 MB; a framework keeps some times that for gradients."""


@dataclass(frozen=True)
class Objective:
    """What gradients are taken of: the sum of the losses of some inputs."""

    function: Callable[[list[Any], slice], Any]
    """`function(outputs, rows)`: the loss of these rows of the inputs, a scalar tensor."""
    name: str
    """What a reader calls it, such as 'cross-entropy'."""
    passes_outputs: bool = True
    """False where the framework takes the loss from the logits, so that outputs behind them get no gradient."""
    is_own: bool = False
    """Whether it is the loss that the model itself puts out, where it does; `function` is for where it does not."""


class Subject(Protocol):
    """A model and what of it is recorded."""

    framework: Literal["Keras", "PyTorch"]
    records: list[LayerRecord]
    outputs: list[Output]
    takes_any_scale: bool
    """Whether a layer takes tokens, or inputs of any scale."""
    opaque: list[str]
    """Composite layers of which only the output can be recorded."""

    def passes(
        self, x: Sequence[Array], objective: Objective, recorder: Recorder, *, size: int, training: bool
    ) -> Iterator[int]:
        """Send the inputs through the model and the gradient back, batch by batch; yield the inputs of each batch."""

    def weights(self) -> list[WeightRecord]:
        """Return all weights, with the gradients of the last `passes`."""

    def stepped(self, keys: Sequence[Hashable]) -> AbstractContextManager[None]:
        """While open, some weights that are all 0 have gone a step against the gradient of the last `passes`."""

    def new_normalizations(self) -> int:
        """Return how many BatchNormalization layers have the moving averages of a new layer."""


def batch_size(records: Sequence[LayerRecord]) -> int:
    """Return how many inputs fit into `MAX_BATCH_ELEMENTS` and `MAX_BATCH_SIZE`; at least 1."""
    elements = sum(record.size for record in records)
    return max(1, min(MAX_BATCH_SIZE, MAX_BATCH_ELEMENTS // max(1, elements)))


def is_new(mean: Array, variance: Array) -> bool:
    """Whether moving averages are those of a layer that has seen no data."""
    return bool(np.all(mean == 0) and np.all(variance == 1))
