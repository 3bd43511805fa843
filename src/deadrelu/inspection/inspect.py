"""Inspect a model: one pass over the data, one row for each layer, and sentences on what is wrong.

>>> from deadrelu import inspect
>>> print(inspect(model, x, labels))
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from deadrelu.errors import InputError
from deadrelu.inspection import fitting
from deadrelu.inspection.folding import folded
from deadrelu.inspection.keras_model import KerasModel
from deadrelu.inspection.measure import Measured, Track, measure
from deadrelu.inspection.opening import opened
from deadrelu.inspection.sentences import sentences
from deadrelu.inspection.verdicts import Verdicts, judge
from deadrelu.signals import batches

SHOWN = ["layer", "rms", "zero_fraction", "dead_units", "units", "gradient_rms", "verdict"]


@dataclass(frozen=True)
class Inspection:
    """What `inspect` found; printing it shows the table, blocks that repeat folded, and the sentences."""

    table: pd.DataFrame
    """One row per call of a layer: see `inspect`."""
    sentences: list[str]
    """What is wrong, most serious first."""
    gradient_of: str
    """The loss, or 'a random projection of the outputs'."""
    inputs: int
    """How many."""
    problems: frozenset[str]
    """Of 'dead', 'vanishes', 'explodes' and 'not-finite', those that the model has."""
    unmoved: list[str]
    """Layers with trainable weights that a training step leaves as they are: their gradient is exactly 0."""

    def __str__(self) -> str:
        lines = self.table[SHOWN].to_string(index=False, float_format=lambda v: f"{v:.3g}").split("\n")
        shown = [lines[at + 1] if isinstance(at, int) else at for at in folded(self.table)]
        return "\n".join([lines[0], *shown, "", *self.sentences])


@np.errstate(over="ignore", invalid="ignore", divide="ignore")  # of models with infinities and NaN, too
def inspect(
    model: Any,
    inputs: fitting.Given,
    labels: fitting.Given | None = None,
    *,
    loss: fitting.Loss = None,
    training: bool = False,
    batch_size: int | None = None,
    seed: int = 0,
    suggest: bool = False,
    track: Track | None = None,
) -> Inspection:
    """Measure the signals of every layer, forward and backward, in one pass over the inputs.

    Args:
        model: a Keras model, see `signals.layers.trace_layers`, or a `torch.nn.Module`, see `pytorch.calls`; it comes
            out unchanged.
        inputs: shape (n, …); for several inputs a list in their order, or a dictionary by their names; or batches of
            them, with labels or without: a `tf.data.Dataset`, a PyTorch `DataLoader`, or some other iterable, of
            which at most `fitting.MAX_FROM_BATCHES` inputs are taken.
        labels: classes, shape (n,), or targets of the output's shape; a list or dictionary for several outputs.
            None: gradients are of a random projection of the outputs.
        loss: a name that Keras knows, a function or a `keras.losses.Loss`. None: the one that the model was compiled
            with, or else one chosen by labels and output, see `objectives.of_labels`. For PyTorch, a name of
            `torch.nn.functional` or a loss module, see `pytorch.fitting.of_labels`.
        training: as in training, where BatchNormalization uses the batch and Dropout drops.
        batch_size: inputs in a batch; None: as many as `batches.MAX_BATCH_ELEMENTS` allows.
        seed: of the random projection, and of layers that draw, such as Dropout in training mode.
        suggest: measure the same architecture with other initializers, too, and say which help; Keras only.
        track: wraps the batches, given their number, e.g. with a progress bar.

    Returns:
        Table columns: layer; layer_class; kind (weights, normalization, activation, merge, block, output); activation;
        on_trunk (every path goes through it); units; size (numbers for one input); parameters; statistics of the
        activations, see `statistics.Running`; dead_units (the slope of the activation is 0 on all inputs);
        saturated_units; with the prefix gradient_, statistics of the objective's gradient with respect to the
        activations (each input's own, not a mean over the batch); kernel_rms and kernel_gradient_rms (of the mean over
        inputs; NaN without kernels); gain (by what factor the layer multiplies the strength);
        strength (standard deviation over inputs of the activations, or of the logits); step (strength over that of what
        the layer was given);
        dead_in_all_calls; and those of `verdicts.judge`.

    Raises:
        InputError: the model is none, or inputs or labels do not fit it.
    """
    if batch_size is not None and batch_size < 1:
        raise InputError(f"batch_size: received {batch_size}; expected: 1 or more")
    with opened(model, inputs, labels, loss=loss, training=training, seed=seed) as (subject, x, named):
        size = batch_size or batches.batch_size(subject.recorded)
        measured = measure(subject, x, *named, size=size, training=training, track=track)
        verdicts = judge(measured)
        more = []
        if suggest:
            from deadrelu.inspection.suggest import remedies

            if not isinstance(subject, KerasModel):
                raise InputError(f"suggest: received a model of {subject.framework}; expected: one of Keras")
            more = remedies(subject, x, *named, size=size, training=training, before=verdicts, seed=seed)
    told = [*sentences(measured, verdicts), *more]
    found = problems(measured, verdicts)
    return Inspection(verdicts.table, told, measured.gradient_of, measured.inputs, found, measured.unmoved)


def problems(measured: Measured, verdicts: Verdicts) -> frozenset[str]:
    """Of 'dead', 'vanishes', 'explodes' and 'not-finite', those that hold."""
    found = {end.verdict for end in (verdicts.signal, verdicts.gradient) if end and not verdicts.is_dead}
    named = {str(verdict) for verdict in found if verdict in ("vanishes", "explodes")}
    if verdicts.is_dead:
        named.add("dead")
    if measured.not_finite_weights or not np.isfinite(verdicts.table["rms"]).all():
        named.add("not-finite")
    return frozenset(named)
