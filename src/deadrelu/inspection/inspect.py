"""Inspect a model: one pass over the data, one row for each layer, and sentences on what is wrong.

>>> from deadrelu.inspection.inspect import inspect
>>> print(inspect(model, x, labels))
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from deadrelu.errors import InputError
from deadrelu.inspection import diagnosis, fitting
from deadrelu.signals import layers, objectives
from deadrelu.signals.statistics import Running

SCALES_ITSELF = {"Embedding", "Rescaling", "Normalization", "Discretization", "Hashing"}
"""Layers that take inputs of another scale than 1."""

Track = Callable[[Iterable[layers.Batch], int], Iterable[layers.Batch]]


@dataclass(frozen=True)
class Inspection:
    """What `inspect` found; printing it shows the table and the sentences."""

    table: pd.DataFrame
    """One row per call of a layer: see `inspect`."""
    sentences: list[str]
    """What is wrong, most serious first; what holds, last."""
    gradient_of: str
    """The loss, or 'a random projection of the outputs'."""
    inputs: int
    """How many."""

    def __str__(self) -> str:
        shown = self.table[["layer", "rms", "zero_fraction", "dead_units", "units", "gradient_rms", "verdict"]]
        return "\n".join([shown.to_string(index=False, float_format=lambda v: f"{v:.3g}"), "", *self.sentences])


@np.errstate(over="ignore", invalid="ignore")  # of models with infinities and NaN, too
def inspect(
    model: Any,
    inputs: fitting.Given,
    labels: fitting.Given | None = None,
    *,
    loss: str | None = None,
    training: bool = False,
    batch_size: int | None = None,
    seed: int = 0,
    track: Track | None = None,
) -> Inspection:
    """Measure the signals of every layer, forward and backward, in one pass over the inputs.

    Args:
        model: a Keras model, see `signals.layers.trace_layers`; it comes out unchanged.
        inputs: shape (n, …); for several inputs a list in their order, or a dictionary by their names.
        labels: classes, shape (n,), or targets of the output's shape; a list or dictionary for several outputs.
            None: gradients are of a random projection of the outputs.
        loss: a name that Keras knows; None chooses by labels and output, see `objectives.of_labels`.
        training: as in training, where BatchNormalization uses the batch and Dropout drops.
        batch_size: inputs in a batch; None: as many as `layers.MAX_BATCH_ELEMENTS` allows.
        seed: of the random projection, and of layers that draw in training mode, such as Dropout.
        track: wraps the batches, given their number, e.g. with a progress bar.

    Returns:
        Table columns: layer; kind (weights, normalization, activation, merge, output); activation; on_trunk (every
        path goes through it, see `signals.layers.trace_layers`); units; parameters; statistics of the activations, see
        `statistics.Running`, and, with the prefix gradient_, of the objective's gradient with respect to them (each
        input's own, not a mean over the batch); kernel_rms and kernel_gradient_rms (of the mean over inputs; NaN
        without kernels); and those of `diagnosis.with_verdicts`.

    Raises:
        InputError: inputs or labels do not fit the model.
    """
    tensors = getattr(model, "inputs", None) or None  # a subclassed model that was never called has none
    x = fitting.arranged(inputs, [tensor.name for tensor in tensors or []], "inputs")
    fitting.check_inputs(x, [tuple(tensor.shape[1:]) for tensor in tensors] if tensors else None)
    if batch_size is not None and batch_size < 1:
        raise InputError(f"batch_size: received {batch_size}; expected: 1 or more")
    recorded, outputs, classes = layers.trace_layers(model, x)
    if not recorded:
        raise InputError("model: received no layer with a signal; expected: a Keras model with layers of its own")
    if labels is not None:
        y = fitting.arranged(labels, [output.name for output in outputs], "labels")
        if any(len(array) != len(x[0]) for array in y):
            counts = " and ".join(str(len(array)) for array in y)
            raise InputError(f"labels: received {counts} for {len(x[0])} inputs; expected: as many")
        objective, gradient_of = objectives.of_labels(outputs, y, loss)
    elif loss is None:
        objective, gradient_of = objectives.random_projection(seed)
    else:
        raise InputError(f"loss: received {loss!r} without labels; expected: with labels")
    size = batch_size or layers.batch_size(recorded)
    forward = [Running(len(x[0]), entry.activation) for entry in recorded]
    backward = [Running(len(x[0])) for _ in recorded]
    kernels = [[np.zeros(k.shape, np.float32) for k in layers.kernels_of(entry.operation)] for entry in recorded]
    passes: Iterable[layers.Batch] = layers.batches(model, recorded, x, objective, size=size, training=training)
    with _seeded(model, seed):
        for batch in track(passes, -(-len(x[0]) // size)) if track else passes:
            for running, signal in zip([*forward, *backward], [*batch.activations, *batch.gradients], strict=True):
                running.add(signal)
            for total, gradients in zip(kernels, batch.kernels, strict=True):
                for of_all, of_batch in zip(total, gradients, strict=True):
                    of_all += of_batch
    rows = [
        {
            "layer": entry.name,
            "kind": entry.kind,
            "activation": entry.activation or "",
            "on_trunk": entry.on_trunk,
            "units": entry.shape[-1] if entry.shape else 1,
            "parameters": sum(int(np.prod(w.shape)) for w in getattr(entry.operation, "weights", ())),
            **ahead.statistics(),
            **_of_gradient(back.statistics(), entry, gradient_of),
            "kernel_rms": _rms([k.numpy() for k in layers.kernels_of(entry.operation)]),
            "kernel_gradient_rms": _rms([k / len(x[0]) for k in gradients]),
        }
        for entry, ahead, back, gradients in zip(recorded, forward, backward, kernels, strict=True)
    ]
    table = diagnosis.with_verdicts(pd.DataFrame(rows))
    sentences = diagnosis.sentences(table, len(x[0]))
    if not classes & SCALES_ITSELF:
        sentences = [*diagnosis.of_inputs([_rms([array]) for array in x if array.dtype.kind == "f"]), *sentences]
    if not training:
        sentences += diagnosis.of_new_normalization(_new_normalization(recorded))
    return Inspection(table, sentences, gradient_of, len(x[0]))


@contextmanager
def _seeded(model: Any, seed: int) -> Iterator[None]:
    """Let layers draw what the seed says, whatever they drew before, and leave their generators as they were."""
    import keras

    found = (value for layer in model._flatten_layers() for value in vars(layer).values())
    generators = list({id(value): value for value in found if isinstance(value, keras.random.SeedGenerator)}.values())
    before = [generator.state.numpy() for generator in generators]
    for number, generator in enumerate(generators):
        generator.state.assign(np.array([seed, number]))
    try:
        yield
    finally:
        for generator, state in zip(generators, before, strict=True):
            generator.state.assign(state)


def _of_gradient(statistics: dict[str, float], entry: layers.LayerOutput, gradient_of: str) -> dict[str, float]:
    """With the prefix gradient_; NaN behind the logits, where Keras's cross-entropy goes around what is put out."""
    around = entry.kind == "output" and "crossentropy" in gradient_of and statistics["zero_fraction"] == 1
    return {f"gradient_{name}": np.nan if around else value for name, value in statistics.items()}


def _rms(arrays: Sequence[npt.NDArray[Any]]) -> float:
    """Root mean square over all of them; NaN for none."""
    pieces = [
        array[at : at + fitting.CHUNK_ROWS] for array in arrays for at in range(0, len(array), fitting.CHUNK_ROWS)
    ]
    values = sum(piece.size for piece in pieces)
    return float(np.sqrt(sum(np.square(p, dtype=np.float64).sum() for p in pieces) / values)) if values else np.nan


def _new_normalization(recorded: Sequence[layers.LayerOutput]) -> int:
    """How many BatchNormalization layers have the moving averages of a new layer."""
    normalizations = [entry.operation for entry in recorded if hasattr(entry.operation, "moving_variance")]
    return sum(
        bool(np.all(layer.moving_mean.numpy() == 0) and np.all(layer.moving_variance.numpy() == 1))
        for layer in normalizations
    )
