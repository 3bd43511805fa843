"""Inspect a model: one pass over the data, one row for each layer, and sentences on what is wrong.

from deadrelu.inspection import inspect

print(inspect(model, x, labels))
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from deadrelu import diagnosis, objectives, signals
from deadrelu.errors import InputError
from deadrelu.layer_stats import Running

Arrays = npt.NDArray[Any] | Sequence[npt.NDArray[Any]] | Mapping[str, npt.NDArray[Any]]
Track = Callable[[Iterable[signals.Batch], int], Iterable[signals.Batch]]


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


def inspect(
    model: Any,
    inputs: Arrays,
    labels: Arrays | None = None,
    *,
    loss: str | None = None,
    training: bool = False,
    batch_size: int | None = None,
    seed: int = 0,
    track: Track | None = None,
) -> Inspection:
    """Measure the signals of every layer, forward and backward, in one pass over the inputs.

    Args:
        model: a Keras model, Sequential or functional; it comes out unchanged.
        inputs: shape (n, …); for several inputs a list in their order, or a dictionary by their names.
        labels: classes, shape (n,), or targets of the output's shape; a list or dictionary for several outputs.
            None: gradients are of a random projection of the outputs.
        loss: a name that Keras knows; None chooses by labels and output, see `objectives.of_labels`.
        training: as in training, where BatchNormalization uses the batch and Dropout drops.
        batch_size: inputs in a batch; None: as many as `signals.ELEMENTS` allows.
        seed: of the random projection.
        track: wraps the batches, given their number, e.g. with a progress bar.

    Returns:
        Table columns: layer; kind (weights, normalization, activation, merge, output); activation; on_trunk (no skip
        connection leads around it); units; parameters; statistics of the activations, see `layer_stats.Running`, and,
        with the prefix gradient_, of the objective's gradient with respect to them (each input's own, not a mean over
        the batch); kernel_rms and kernel_gradient_rms (of the mean loss; NaN without kernels); and those of
        `diagnosis.with_verdicts`.

    Raises:
        InputError: inputs or labels do not fit the model.
    """
    x = _arranged(inputs, model.inputs, "inputs") if getattr(model, "inputs", None) else _listed(inputs)
    _check_inputs(x, getattr(model, "inputs", None))
    taps = signals.taps(model, x)
    outputs = [tap for tap in taps if tap.kind == "output"]
    if not outputs:
        raise InputError(
            "model: received no layer with a floating-point output; allowed: a Keras model that calls some"
        )
    if labels is None:
        objective, gradient_of = objectives.random_projection(seed)
    else:
        y = _arranged(labels, model.outputs, "labels") if getattr(model, "outputs", None) else _listed(labels)
        if len(y[0]) != len(x[0]):
            raise InputError(f"labels: received {len(y[0])} for {len(x[0])} inputs; allowed: as many")
        objective, gradient_of = objectives.of_labels(outputs, y, loss)
    size = batch_size or signals.batch_size(taps)
    forward = [Running(len(x[0]), tap.activation) for tap in taps]
    backward = [Running(len(x[0])) for _ in taps]
    kernels = [[np.zeros(k.shape, np.float32) for k in signals.kernels_of(tap.operation)] for tap in taps]
    passes: Iterable[signals.Batch] = signals.batches(model, taps, x, objective, size=size, training=training)
    for batch in track(passes, -(-len(x[0]) // size)) if track else passes:
        for running, signal in zip([*forward, *backward], [*batch.activations, *batch.gradients], strict=True):
            running.add(signal)
        for total, gradients in zip(kernels, batch.kernels, strict=True):
            for of_all, of_batch in zip(total, gradients, strict=True):
                of_all += of_batch
    rows = [
        {
            "layer": tap.name,
            "kind": tap.kind,
            "activation": tap.activation or "",
            "on_trunk": tap.on_trunk,
            "units": tap.shape[-1] if tap.shape else 1,
            "parameters": sum(int(np.prod(w.shape)) for w in getattr(tap.operation, "weights", ())),
            **ahead.statistics(),
            **_prefixed(back.statistics(), measured=not (labels is not None and _reads_logits(tap))),
            "kernel_rms": _rms([k.numpy() for k in signals.kernels_of(tap.operation)]),
            "kernel_gradient_rms": _rms([k / len(x[0]) for k in gradients]),
        }
        for tap, ahead, back, gradients in zip(taps, forward, backward, kernels, strict=True)
    ]
    table = diagnosis.with_verdicts(pd.DataFrame(rows))
    sentences = diagnosis.of_inputs(_rms(x)) + diagnosis.sentences(table, len(x[0]))
    if not training:
        sentences += diagnosis.of_untrained_normalization(_untrained_normalization(taps))
    return Inspection(table, sentences, gradient_of, len(x[0]))


def _reads_logits(tap: signals.Tap) -> bool:
    """Keras's losses go around a softmax or sigmoid at the end: no gradient reaches what it puts out."""
    return tap.kind == "output" and tap.activation in ("softmax", "sigmoid")


def _prefixed(statistics: dict[str, float], *, measured: bool) -> dict[str, float]:
    return {f"gradient_{name}": value if measured else np.nan for name, value in statistics.items()}


def _arranged(given: Arrays, tensors: Sequence[Any], what: str) -> list[npt.NDArray[Any]]:
    """One array for each of the model's inputs or outputs, in their order."""
    names = [tensor.name for tensor in tensors]
    if isinstance(given, Mapping) and len(given) == len(names) == 1:
        given = list(given.values())
    if isinstance(given, Mapping):
        if set(given) != set(names):
            raise InputError(f"{what}: received {', '.join(given)}; allowed: {', '.join(names)}")
        return [np.asarray(given[name]) for name in names]
    arrays = _listed(given)
    if len(arrays) != len(names):
        raise InputError(f"{what}: received {len(arrays)} arrays; allowed: {len(names)}, for {', '.join(names)}")
    return arrays


def _listed(given: Arrays) -> list[npt.NDArray[Any]]:
    if isinstance(given, np.ndarray):
        return [given]
    return [np.asarray(array) for array in (given.values() if isinstance(given, Mapping) else given)]


def _check_inputs(x: list[npt.NDArray[Any]], tensors: Sequence[Any] | None) -> None:
    """As many of each, at least one, finite numbers, and the model's shapes."""
    if not len(x[0]) or len({len(array) for array in x}) > 1:
        raise InputError(
            f"inputs: received {' and '.join(str(len(a)) for a in x)}; allowed: 1 or more, as many of each"
        )
    for array, tensor in zip(x, tensors or x, strict=True):
        expected = tuple(tensor.shape[1:])
        fits = array.ndim == len(expected) + 1 and all(
            want in (None, have) for want, have in zip(expected, array.shape[1:], strict=True)
        )
        if not fits:
            shape = ("n", *("any" if size is None else size for size in expected))
            raise InputError(f"inputs: received shape {array.shape}; allowed: {shape}".replace("'", ""))
        if array.dtype.kind not in "biuf":
            raise InputError(f"inputs: received {array.dtype}; allowed: numbers")
        # In pieces: a memory-mapped file may be larger than the memory.
        if not all(np.isfinite(array[at : at + 1000]).all() for at in range(0, len(array), 1000)):
            raise InputError("inputs: received NaN or infinity; allowed: finite numbers")


def _rms(arrays: Sequence[npt.NDArray[Any]]) -> float:
    """Root mean square over all of them; NaN for none."""
    pieces = [array[at : at + 1000] for array in arrays for at in range(0, len(array), 1000)]
    values = sum(piece.size for piece in pieces)
    return float(np.sqrt(sum(np.square(p, dtype=np.float64).sum() for p in pieces) / values)) if values else np.nan


def _untrained_normalization(taps: Sequence[signals.Tap]) -> list[str]:
    """Names of BatchNormalization layers whose moving averages are those of a new layer."""
    layers = [tap.operation for tap in taps if hasattr(tap.operation, "moving_variance")]
    return [
        layer.name
        for layer in layers
        if np.all(layer.moving_mean.numpy() == 0) and np.all(layer.moving_variance.numpy() == 1)
    ]
