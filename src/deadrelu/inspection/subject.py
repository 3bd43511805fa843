"""A model that is looked at, whatever made it: its layers, its weights, and passes over its inputs."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Literal, Protocol

import numpy as np
import numpy.typing as npt

from deadrelu.signals.batches import Batch, Objective
from deadrelu.signals.layers import LayerOutput

Array = npt.NDArray[Any]


@dataclass(frozen=True)
class Facts:
    """What a layer is, apart from its signal."""

    layer_class: str
    parameters: int
    """Numbers in its own weights."""
    kernels: Sequence[Array]
    """Its weights of two or more axes."""
    is_recurrent: bool


class Subject(Protocol):
    """A model and what of it is recorded."""

    framework: Literal["Keras", "PyTorch"]
    recorded: Sequence[LayerOutput]
    classes: set[str]
    """Names of the classes of all layers that were called."""
    opaque: list[str]
    """Composite layers of which only the output can be recorded."""

    def facts(self, entry: LayerOutput) -> Facts:
        """Of the layer behind an entry of `recorded`."""

    def passes(self, x: Sequence[Array], objective: Objective, *, size: int, training: bool) -> Iterator[Batch]:
        """Signals of the inputs, batch by batch, with the gradients of `trainable`."""

    def trainable(self) -> list[tuple[str, tuple[int, ...]]]:
        """For each trainable weight the name of its layer, and its shape."""

    def weights(self) -> Iterator[tuple[str, Array]]:
        """Each weight, called such as 'dense_1 (kernel)'."""

    def new_normalizations(self) -> int:
        """BatchNormalization layers that have the moving averages of a new layer."""


def not_finite(subject: Subject) -> list[str]:
    """Weights with NaN or infinity."""
    return [name for name, values in subject.weights() if not np.isfinite(values).all()]


def is_new(mean: Array, variance: Array) -> bool:
    """Whether moving averages are those of a layer that has seen no data."""
    return bool(np.all(mean == 0) and np.all(variance == 1))
