"""The model that is measured, of either framework: its layers, its weights, and passes over its inputs."""

from collections.abc import Callable, Hashable, Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any, Literal, Protocol

import numpy as np

from deadrelu.inspection.records import Array, LayerRecord, Output, Recorder, WeightRecord

MAX_BATCH_SIZE = 1000
"""Maximum number of inputs in a batch."""

MAX_BATCH_ELEMENTS = 2**25
"""Maximum count of output numbers of all layers for a batch, 128 MB; a framework keeps a multiple for gradients."""


@dataclass(frozen=True)
class Objective:
    """A quantity whose gradients are taken: the sum of the losses of some inputs."""

    function: Callable[[list[Any], slice], Any]
    """`function(outputs, rows)` returns the loss of these rows of the inputs as a scalar tensor."""
    name: str
    """A readable name, such as 'cross-entropy'."""
    passes_outputs: bool = True
    """False where the framework takes the loss from the logits, so that outputs behind them get no gradient."""
    is_own: bool = False
    """True if it is the loss that the model itself puts out; `function` replaces it where the model puts out none."""


class Subject(Protocol):
    """A model with the records of its layers and outputs."""

    framework: Literal["Keras", "PyTorch"]
    records: list[LayerRecord]
    outputs: list[Output]
    takes_any_scale: bool
    """True if a layer takes tokens, or inputs of any scale."""
    opaque: list[str]
    """Composite layers of which only the output can be recorded."""

    def passes(
        self, x: Sequence[Array], objective: Objective, recorder: Recorder, *, size: int, training: bool
    ) -> Iterator[int]:
        """Send inputs through the model and gradients back, batch by batch; yield the number of inputs of each."""

    def weights(self) -> list[WeightRecord]:
        """Return all weights, with the gradients of the last `passes`."""

    def stepped(self, keys: Sequence[Hashable]) -> AbstractContextManager[None]:
        """Move some weights that are all 0 a step against the gradient of the last `passes`, and back at the end."""

    def new_normalizations(self) -> int:
        """Return how many BatchNormalization layers have the moving averages of a new layer."""


def batch_size(records: Sequence[LayerRecord]) -> int:
    """Return how many inputs fit into `MAX_BATCH_ELEMENTS` and `MAX_BATCH_SIZE`; at least 1."""
    elements = sum(record.size for record in records)
    return max(1, min(MAX_BATCH_SIZE, MAX_BATCH_ELEMENTS // max(1, elements)))


def is_new(mean: Array, variance: Array) -> bool:
    """Return whether moving averages are those of a layer that has seen no data."""
    return bool(np.all(mean == 0) and np.all(variance == 1))
