"""Measurement of the signal and the gradient in every layer of a model, in one pass over the inputs."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from deadrelu.inspection.records import CHUNK_ROWS, Array, LayerRecord, WeightRecord
from deadrelu.inspection.subject import Objective, Subject
from deadrelu.inspection.units import BOUNDED, DEAD_SLOPE
from deadrelu.signals.statistics import Running, Spread

USUAL_SCALE = (0.1, 10.0)
"""Usual range of the root mean square of inputs; initializers are made for about 1."""

MAX_DOUBLES = 2**16
"""Maximum size of a layer's output for one input with which its sums are stored as float64; otherwise as float32."""

Track = Callable[[Iterable[int], int], Iterable[int]]


@dataclass(frozen=True)
class Measured:
    """The results of one pass over the inputs."""

    table: pd.DataFrame
    """A table with one row for each call of a layer, without verdicts; `inspect.Inspection.table` has its columns."""
    records: Sequence[LayerRecord]
    """The record of the layer in each row of the table."""
    inputs: int
    arrays: int
    """The number of input arrays of the model; each has its own path to the outputs."""
    objective: str
    input_std: float
    """Standard deviation of the input arrays over inputs; NaN if a layer takes tokens or inputs of any scale."""
    input_rms: list[float]
    """Root mean square of each input array; empty if a layer takes tokens or inputs of any scale."""
    weights: list[WeightRecord]
    opaque: list[str]
    """Composite layers of which only the output could be measured."""
    new_normalizations: int
    """The number of BatchNormalization layers that have the moving averages of a new layer."""
    framework: str
    dead: list[npt.NDArray[np.bool_]]
    """For each row of the table, a mask of its dead units: bool, shape (units,)."""

    @cached_property
    def moves(self) -> dict[str, bool]:
        """For each layer with trainable weights, whether a regularizer or a nonzero gradient changes one of them."""
        moves: dict[str, bool] = {}
        for weight in self.weights:
            if weight.trainable:
                is_moved = weight.gradient_rms != 0 or weight.is_regularized
                moves[weight.layer] = moves.get(weight.layer, False) or is_moved
        return moves

    @property
    def input_scale_is_usual(self) -> bool:
        """True if the root mean square of each input array is in `USUAL_SCALE`, or is not measured."""
        return all(USUAL_SCALE[0] <= value <= USUAL_SCALE[1] for value in self.input_rms)


def measure(
    subject: Subject,
    x: Sequence[npt.NDArray[Any]],
    objective: Objective,
    *,
    size: int,
    training: bool = False,
    track: Track | None = None,
) -> Measured:
    """Measure every layer of a model in one pass over the inputs.

    Args:
        subject: the model.
        x: one array of shape (n, …) for each input of the model.
        objective: the quantity whose gradients are measured.
        size: number of inputs in a batch.
        training: whether the model runs as in training.
        track: function of an iterable and its length that returns an iterable of its items, such as a progress bar.
    """
    n, collected = len(x[0]), _Collected(subject.records, len(x[0]))
    passes: Iterable[int] = subject.passes(x, objective, collected, size=size, training=training)
    for _ in track(passes, -(-n // size)) if track else passes:
        collected.end_batch()
    weights = subject.weights()
    by_key = {weight.key: weight for weight in weights}
    layers = collected.layers
    rows = [layer.row([by_key[key] for key in layer.record.weights], objective, layers) for layer in layers]
    shared: dict[Any, npt.NDArray[np.bool_]] = {}
    for layer in layers:
        shared[layer.record.shares] = shared.get(layer.record.shares, layer.dead) & layer.dead
    counted = set()
    for row, layer in zip(rows, layers, strict=True):
        row["dead_in_all_calls"] = 0.0 if layer.record.shares in counted else float(shared[layer.record.shares].sum())
        counted.add(layer.record.shares)
    floats = [array for array in x if array.dtype.kind in "buif" and not subject.takes_any_scale]
    return Measured(
        pd.DataFrame(rows),
        subject.records,
        n,
        len(x),
        objective.name,
        float(np.sqrt(np.mean([_variance(array) for array in floats]))) if floats else np.nan,
        [rms(array) for array in floats],
        weights,
        subject.opaque,
        0 if training else subject.new_normalizations(),
        subject.framework,
        [layer.dead for layer in layers],
    )


class _Collected:
    """A `records.Recorder` that adds each signal to the statistics of its layer, without storing the signal."""

    def __init__(self, records: Sequence[LayerRecord], inputs: int) -> None:
        self.layers = [_Layer(record, inputs) for record in records]
        self.awaited: dict[int, tuple[int, ...]] = {}
        """For each layer whose gradient in this batch has not arrived yet, the shape of its signal."""

    def forward(self, k: int, signal: Array, *, source: Array | None = None, logits: Array | None = None) -> None:
        layer = self.layers[k]
        layer.ahead.add(signal)
        if source is not None:
            layer.source.add(source)
        if logits is not None:
            layer.logits.add(logits)
        self.awaited[k] = signal.shape

    def slopes(self, k: int, largest: npt.NDArray[np.float64]) -> None:
        layer = self.layers[k]
        layer.slopes = largest if layer.slopes is None else np.maximum(layer.slopes, largest)

    def backward(self, k: int, gradient: Array) -> None:
        if self.awaited.pop(k, None) is not None:
            self.layers[k].back.add(gradient)

    def end_batch(self) -> None:
        """Count gradients that have not arrived as 0, because the objective does not depend on these signals."""
        for k, shape in self.awaited.items():
            self.layers[k].back.add(np.broadcast_to(np.float32(0), shape))
        self.awaited.clear()


class _Layer:
    """The statistics of one call of a layer over all inputs."""

    def __init__(self, record: LayerRecord, inputs: int) -> None:
        self.record, self.inputs = record, inputs
        dtype = np.float64 if record.size <= MAX_DOUBLES else np.float32
        self.ahead, self.back = Running(inputs, record.activation, dtype), Running(inputs, dtype=dtype)
        self.source, self.logits = Spread(dtype), Spread(dtype)
        self.slopes: npt.NDArray[np.float64] | None = None

    @property
    def dead(self) -> npt.NDArray[np.bool_]:
        """A mask of the dead units: bool, shape (units,)."""
        return np.zeros(self.record.units, bool) if self.slopes is None else self.slopes <= DEAD_SLOPE

    def row(self, weights: Sequence[WeightRecord], objective: Objective, layers: "Sequence[_Layer]") -> dict[str, Any]:
        """Return the layer's row of `Measured.table`; `weights` are those of the layer, `layers` are all."""
        record, statistics, back = self.record, self.ahead.statistics(), self.back.statistics()
        no_gradient = record.kind == "output" and not objective.passes_outputs and back["zero_fraction"] == 1
        given = self.source if self.record.given_by is None else layers[self.record.given_by].ahead
        source, source_size = given.over_inputs(), given.mean.size if given.seen else 0
        strength = self.logits.over_inputs() if self.logits.seen else statistics["input_std"]
        any_scale = "any scale" in record.traits or not source
        step = np.nan if any_scale else strength * record.scale / source
        kernels = [weight for weight in weights if weight.is_kernel and len(weight.shape) > 1]
        bounded = record.activation in BOUNDED and "recurrent" not in record.traits
        return {
            "layer": record.name,
            "layer_class": record.layer_class,
            "kind": record.kind,
            "activation": record.activation or "",
            "on_trunk": record.on_trunk,
            "units": record.units,
            "size": record.size,
            "parameters": sum(weight.size for weight in weights) if record.number == 0 else 0,
            "frozen": bool(weights) and not any(weight.trainable for weight in weights),
            **statistics,
            "dead_units": float(self.dead.sum()),
            "saturated_units": float(self.ahead.saturated_units()) if bounded else 0.0,
            **{f"gradient_{name}": np.nan if no_gradient else value for name, value in back.items()},
            "kernel_rms": _joined_rms([(weight.size, weight.rms) for weight in kernels]),
            "kernel_gradient_rms": _joined_rms([(weight.size, weight.gradient_rms) for weight in kernels]),
            "gain": step if kernels else np.nan,
            "strength": strength,
            "step": step,
            "source_size": source_size,
            "given_std": source,
        }


def rms(array: npt.NDArray[Any]) -> float:
    """Return the root mean square of an array; NaN if it is empty."""
    pieces = (array[at : at + CHUNK_ROWS] for at in range(0, len(array), CHUNK_ROWS)) if array.ndim else [array]
    total = sum(np.square(piece, dtype=np.float64).sum() for piece in pieces)
    return float(np.sqrt(total / array.size)) if array.size else np.nan


def _joined_rms(parts: Sequence[tuple[int, float]]) -> float:
    """Return the root mean square of several arrays from the size and root mean square of each; NaN for no array."""
    total = sum(size for size, _ in parts)
    return float(np.sqrt(sum(size * value**2 for size, value in parts) / total)) if total else np.nan


def _variance(array: npt.NDArray[Any]) -> float:
    spread = Spread()
    for at in range(0, len(array), CHUNK_ROWS):
        spread.add(array[at : at + CHUNK_ROWS].astype(np.float32))
    return spread.over_inputs() ** 2
