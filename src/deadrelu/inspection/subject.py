"""The interface of a measured model, the same for both frameworks: its layers, its weights, and passes over inputs."""

from collections.abc import Callable, Hashable, Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any, Literal, Protocol

import numpy as np

from deadrelu.inspection.records import Array, LayerRecord, Output, Recorder, WeightRecord

MAX_BATCH_SIZE = 1000
"""Maximum number of inputs in a batch."""

MAX_BATCH_ELEMENTS = 2**25
"""Maximum count of numbers in the outputs of all layers for a batch: 128 MB as float32; gradients need a multiple."""


@dataclass(frozen=True)
class Objective:
    """A scalar whose gradients are measured: the sum over inputs of a loss or of a random projection of the outputs."""

    function: Callable[[list[Any], slice], Any]
    """`function(outputs, rows)` returns this scalar as a tensor, from the model's outputs for the inputs `rows`."""
    name: str
    """A readable name, such as 'cross-entropy'."""
    passes_outputs: bool = True
    """False if the framework computes the loss from the logits, so that the activation's outputs get no gradient."""
    is_own: bool = False
    """True if the loss that the model itself returns is taken; `function` replaces it if the model returns none."""


class Subject(Protocol):
    """A model with the records of its layers and outputs."""

    framework: Literal["Keras", "PyTorch"]
    records: list[LayerRecord]
    outputs: list[Output]
    takes_any_scale: bool
    """True if any layer takes tokens, or inputs of any scale: the scale of the model's inputs then says nothing."""
    opaque: list[str]
    """Composite layers of which only the output can be recorded."""

    def passes(
        self, x: Sequence[Array], objective: Objective, recorder: Recorder, *, size: int, training: bool
    ) -> Iterator[int]:
        """Run arrays `x` of shape (n, …) forward and backward in batches of about `size`; yield each batch's size."""

    def weights(self) -> list[WeightRecord]:
        """Return all weights, with the gradients of the last `passes`."""

    def stepped(self, keys: Sequence[Hashable]) -> AbstractContextManager[None]:
        """Move the all-zero weights with these keys a step against their last gradients; set them to 0 at the end."""

    def new_normalizations(self) -> int:
        """Return the number of BatchNormalization layers with the moving averages of a new layer, see `is_new`."""


def batch_size(records: Sequence[LayerRecord]) -> int:
    """Return the largest batch size that `MAX_BATCH_ELEMENTS` and `MAX_BATCH_SIZE` allow these layers; at least 1."""
    elements = sum(record.size for record in records)
    return max(1, min(MAX_BATCH_SIZE, MAX_BATCH_ELEMENTS // max(1, elements)))


def is_new(mean: Array, variance: Array) -> bool:
    """Return whether moving averages, shape (units,), are of a layer without data so far: means 0 and variances 1."""
    return bool(np.all(mean == 0) and np.all(variance == 1))
