"""One pass over the inputs: what every layer of a model does to signal and gradient, in numbers and without words."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from deadrelu.inspection.subject import Array, Facts, Subject, not_finite
from deadrelu.signals import batches
from deadrelu.signals.layers import LayerOutput
from deadrelu.signals.slopes import BOUNDED, DEAD_SLOPE
from deadrelu.signals.statistics import Running, Spread

SCALES_ITSELF = {"Embedding", "Rescaling", "Normalization", "Discretization", "Hashing", "IntegerLookup"}
"""Layers that take inputs of another scale than 1."""

USUAL_SCALE = (0.1, 10.0)
"""Of the root mean square of inputs; initializers are made for about 1."""

CHUNK_ROWS = 1000
"""Rows looked at together: a mapped file may be larger than the memory."""

Track = Callable[[Iterable[batches.Batch], int], Iterable[batches.Batch]]


@dataclass(frozen=True)
class Measured:
    """What one pass found."""

    table: pd.DataFrame
    """One row per call of a layer, see `inspect.inspect`; without verdicts. Also of_every_output: with several outputs,
    whether the layer is on the trunk to each of them, so that no part of the gradient is missing there."""
    inputs: int
    arrays: int
    """How many inputs the model has; each has its own way to the outputs."""
    gradient_of: str
    input_std: float
    """Standard deviation over inputs of what the model is given; NaN where a layer takes tokens or any scale."""
    input_rms: list[float]
    """Root mean square of each input; none where a layer takes tokens or any scale."""
    moves: dict[str, bool]
    """For layers with trainable weights, whether their gradient is other than exactly 0."""
    not_finite_weights: list[str]
    """Such as 'dense_1 (kernel)'."""
    opaque: list[str]
    """Composite layers of which only the output could be measured."""
    new_normalizations: int
    """BatchNormalization layers that have the moving averages of a new layer."""
    framework: str
    """'Keras' or 'PyTorch'."""
    dead: list[npt.NDArray[np.bool_]]
    """For each row of the table, which units are dead, shape (units,)."""

    @property
    def unmoved(self) -> list[str]:
        """Layers with trainable weights whose gradient is exactly 0 on all inputs."""
        return [name for name, moved in self.moves.items() if not moved]

    @property
    def input_scale_is_usual(self) -> bool:
        """Whether inputs are about as large as initializers are made for."""
        return all(USUAL_SCALE[0] <= value <= USUAL_SCALE[1] for value in self.input_rms)


def measure(
    subject: Subject,
    x: Sequence[Array],
    objective: batches.Objective,
    gradient_of: str,
    *,
    size: int,
    training: bool = False,
    track: Track | None = None,
) -> Measured:
    """Measure.

    Args:
        subject: the model.
        x: one array for each input.
        objective: what the gradient is of, called `gradient_of`.
        size: inputs in a batch.
        training: as in training.
        track: wraps the batches, given their number, e.g. with a progress bar.
    """
    n, trainable = len(x[0]), subject.trainable()
    of_layer = [_Layer(entry, subject.facts(entry), n) for entry in subject.recorded]
    weights = [np.zeros(shape, np.float64) for _, shape in trainable]
    passes: Iterable[batches.Batch] = subject.passes(x, objective, size=size, training=training)
    for batch in track(passes, -(-n // size)) if track else passes:
        for k, layer in enumerate(of_layer):
            layer.add(batch, k)
        for total, gradient in zip(weights, batch.weights, strict=True):
            total += gradient
    rows = [layer.row(gradient_of) for layer in of_layer]
    shared: dict[tuple[int, int], npt.NDArray[np.bool_]] = {}
    for layer in of_layer:
        shared[layer.key] = shared.get(layer.key, layer.dead) & layer.dead
    for row, layer in zip(rows, of_layer, strict=True):
        first = layer.entry.number == 0
        row["dead_in_all_calls"] = float(shared[layer.key].sum()) if first else 0.0
    takes_any_scale = bool(subject.classes & SCALES_ITSELF)
    floats = [array for array in x if array.dtype.kind in "buif" and not takes_any_scale]
    moves: dict[str, bool] = {}
    for (name, _), summed in zip(trainable, weights, strict=True):
        moves[name] = moves.get(name, False) or bool(np.any(summed != 0))
    return Measured(
        pd.DataFrame(rows),
        n,
        len(x),
        gradient_of,
        float(np.sqrt(np.mean([_variance(array) for array in floats]))) if floats else np.nan,
        [rms([array]) for array in floats],
        moves,
        not_finite(subject),
        subject.opaque,
        0 if training else subject.new_normalizations(),
        subject.framework,
        [layer.dead for layer in of_layer],
    )


class _Layer:
    """What is collected of one call of a layer."""

    def __init__(self, entry: LayerOutput, facts: Facts, inputs: int) -> None:
        self.entry, self.facts, self.inputs = entry, facts, inputs
        self.ahead, self.back = Running(inputs, entry.activation), Running(inputs)
        self.source, self.logits = Spread(), Spread()
        self.kernels = [np.zeros(kernel.shape, np.float32) for kernel in facts.kernels]
        units = entry.shape[-1] if entry.shape else 1
        self.dead = np.zeros(units, bool)
        self.slopes: npt.NDArray[np.float64] | None = None

    @property
    def key(self) -> tuple[int, int]:
        """The same for calls that share units."""
        return id(self.entry.operation), len(self.dead)

    def add(self, batch: batches.Batch, k: int) -> None:
        """Take in the layer's part of a batch."""
        self.ahead.add(batch.activations[k])
        self.back.add(batch.gradients[k])
        for total, gradient in zip(self.kernels, batch.kernels[k], strict=True):
            total += gradient
        if (source := batch.sources[k]) is not None:
            self.source.add(source)
        if (logits := batch.logits[k]) is not None:
            self.logits.add(logits)
        if (slopes := batch.slopes[k]) is not None:
            self.slopes = slopes if self.slopes is None else np.maximum(self.slopes, slopes)
            self.dead = self.slopes <= DEAD_SLOPE

    def row(self, gradient_of: str) -> dict[str, Any]:
        """Of the table."""
        entry, facts, statistics = self.entry, self.facts, self.ahead.statistics()
        back = self.back.statistics()
        # Behind the logits, Keras's cross-entropy goes around what is put out.
        around = entry.kind == "output" and "crossentropy" in gradient_of and back["zero_fraction"] == 1
        source = 0.0 if facts.layer_class in SCALES_ITSELF else self.source.over_inputs()
        strength = self.logits.over_inputs() if self.logits.seen else statistics["input_std"]
        bounded = entry.activation in BOUNDED and not facts.is_recurrent
        return {
            "layer": entry.name,
            "layer_class": facts.layer_class,
            "kind": entry.kind,
            "activation": entry.activation or "",
            "on_trunk": entry.on_trunk,
            "of_every_output": entry.of_every_output,
            "units": len(self.dead),
            "size": int(np.prod(entry.shape)),
            "parameters": facts.parameters if entry.number == 0 else 0,
            **statistics,
            "dead_units": float(self.dead.sum()),
            "saturated_units": float(self.ahead.saturated_units()) if bounded else 0.0,
            **{f"gradient_{name}": np.nan if around else value for name, value in back.items()},
            "kernel_rms": rms(facts.kernels),
            "kernel_gradient_rms": rms([k / self.inputs for k in self.kernels]),
            "gain": strength / source if source and facts.kernels else np.nan,
            "strength": strength,
            "step": strength / source if source else np.nan,
        }


def rms(arrays: Sequence[Array]) -> float:
    """Root mean square over all of them; NaN for none."""
    pieces = [array[at : at + CHUNK_ROWS] for array in arrays for at in range(0, len(array), CHUNK_ROWS)]
    values = sum(piece.size for piece in pieces)
    return float(np.sqrt(sum(np.square(p, dtype=np.float64).sum() for p in pieces) / values)) if values else np.nan


def _variance(array: Array) -> float:
    spread = Spread()
    for at in range(0, len(array), CHUNK_ROWS):
        spread.add(array[at : at + CHUNK_ROWS].astype(np.float32))
    return spread.over_inputs() ** 2
