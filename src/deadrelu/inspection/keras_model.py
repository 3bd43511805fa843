"""A Keras model as a subject."""

from collections.abc import Iterator, Sequence
from typing import Any, Literal

import numpy as np

from deadrelu.inspection.subject import Array, Facts, is_new
from deadrelu.signals import batches, layers
from deadrelu.signals.calls import operations
from deadrelu.signals.kinds import is_recurrent, kernels_of, own_weights


class KerasModel:
    """A Keras model and what `trace_layers` found in it."""

    framework: Literal["Keras", "PyTorch"] = "Keras"

    def __init__(self, model: Any, survey: layers.Survey) -> None:
        self.model = model
        self.recorded: Sequence[layers.LayerOutput] = survey.recorded
        self.classes, self.opaque = survey.classes, survey.opaque

    def facts(self, entry: layers.LayerOutput) -> Facts:
        """See `Subject`."""
        operation = entry.operation
        parameters = sum(int(np.prod(weight.shape)) for weight in own_weights(operation))
        kernels = [kernel.numpy() for kernel in kernels_of(operation)]
        return Facts(type(operation).__name__, parameters, kernels, is_recurrent(operation))

    def passes(
        self, x: Sequence[Array], objective: batches.Objective, *, size: int, training: bool
    ) -> Iterator[batches.Batch]:
        """See `Subject`."""
        return batches.batches(self.model, self.recorded, x, objective, size=size, training=training, of_weights=True)

    def trainable(self) -> list[tuple[str, tuple[int, ...]]]:
        """See `Subject`."""
        owners = self._owners()
        return [(owners.get(id(v), v.path), tuple(v.shape)) for v in self.model.trainable_variables]

    def weights(self) -> Iterator[tuple[str, Array]]:
        """See `Subject`."""
        owners = self._owners()
        for variable in self.model.weights:
            yield f"{owners.get(id(variable), variable.path)} ({variable.name})", variable.numpy()

    def new_normalizations(self) -> int:
        """See `Subject`."""
        operations = {id(e.operation): e.operation for e in self.recorded if hasattr(e.operation, "moving_variance")}
        return sum(is_new(o.moving_mean.numpy(), o.moving_variance.numpy()) for o in operations.values())

    def _owners(self) -> dict[int, str]:
        """Path of the layer that each weight belongs to, by the id of the weight."""
        found: dict[int, str] = {}
        for operation, name in operations(self.model).items():
            for weight in own_weights(operation):
                found.setdefault(id(weight), name)
        return found
