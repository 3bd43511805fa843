"""Inspect a model: one pass over the data, one row for each layer, and findings on what is wrong.

>>> from deadrelu import inspect
>>> print(inspect(model, x, labels))
"""

from collections.abc import Sequence, Set
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from deadrelu.errors import InputError
from deadrelu.inspection import validation, words
from deadrelu.inspection.codes import codes_of
from deadrelu.inspection.findings import Finding, find
from deadrelu.inspection.folding import folded
from deadrelu.inspection.measure import Measured, Track, measure
from deadrelu.inspection.opening import Opened, opened
from deadrelu.inspection.subject import batch_size as usual_batch_size
from deadrelu.inspection.verdicts import EndToEnd, Verdicts, judge

SHOWN = ["layer", "rms", "zero_fraction", "dead_units", "units", "gradient_rms", "verdict"]

MAX_STEPS = 3
"""Maximum number of steps for weights that are all 0: one such weight may block another."""


@dataclass(frozen=True)
class Inspection:
    """The result of `inspect`. When printed, it shows the findings and the table, with repeated blocks folded."""

    table: pd.DataFrame
    """One row per call of a layer. Columns: layer; layer_class; kind (weights, normalization, activation, merge, block,
    output); activation; on_trunk (every path goes through it); units; size (numbers for one input); parameters; frozen
    (none of its weights is trained); statistics of the activations, see `statistics.Running`; dead_units (the slope of
    the activation is 0 on all inputs); saturated_units; with the prefix gradient_, statistics of the objective's
    gradient with respect to the activations (each input's own, not a mean over the batch); kernel_rms and
    kernel_gradient_rms (of the mean over inputs; NaN without kernels); gain (the factor by which the layer multiplies
    the strength); strength (standard deviation over inputs of the activations, or of the logits of an output); step
    (strength divided by that of the layer's input); dead_in_all_calls; those of `verdicts.judge`; verdict (in words).
    """
    findings: list[Finding]
    """The findings, the most serious first."""
    signal: EndToEnd | None
    """The change of the signal from the input to the output; None where it cannot be determined."""
    gradient: EndToEnd | None
    """The change of the gradient from the output to the first layer; None where it cannot be determined."""
    gradient_of: str
    """The loss, or 'a random projection of the outputs'."""
    inputs: int
    """The number of inputs."""

    @property
    def codes(self) -> frozenset[str]:
        """The codes of the findings."""
        return frozenset(finding.code for finding in self.findings)

    @property
    def summary(self) -> list[str]:
        """Sentences on the changes of signal and gradient that no finding reports."""
        ends = (("signal", self.signal), ("gradient", self.gradient))
        known = [(what, end) for what, end in ends if end and f"{what}-{end.verdict}" not in self.codes]
        return [words.end_to_end(what, end) for what, end in known if "dead-network" not in self.codes]

    def __str__(self) -> str:
        lines = self.table[SHOWN].to_string(index=False, float_format=lambda v: f"{v:.3g}").split("\n")
        shown = [lines[at + 1] if isinstance(at, int) else at for at in folded(self.table, self.findings)]
        findings = [f"{f.severity} {f.code}: {f.message}" for f in self.findings] or ["Nothing is wrong."]
        return "\n".join([*findings, "", lines[0], *shown, "", *self.summary])


@np.errstate(over="ignore", invalid="ignore", divide="ignore")  # a model may have infinities and NaN
def inspect(
    model: Any,
    inputs: validation.Given,
    labels: validation.Given | None = None,
    *,
    loss: validation.Loss = None,
    training: bool = False,
    batch_size: int | None = None,
    seed: int = 0,
    ignore: Sequence[str] = (),
    track: Track | None = None,
) -> Inspection:
    """Measure the signals of every layer, forward and backward, in one pass over the inputs.

    Args:
        model: a Keras model, see `keras.trace`, or a `torch.nn.Module`, see `pytorch.calls`; it is left unchanged.
        inputs: an array of shape (n, …); for several inputs a list in their order, or a dictionary by their names; or
            batches of them, with labels or without: a `tf.data.Dataset`, a PyTorch `DataLoader`, or some other
            iterable, of which about `validation.MAX_FROM_BATCHES` inputs are taken. Values in a dictionary for a
            PyTorch model that are no rows of inputs (None, flags, a mask of positions) are passed on unchanged.
        labels: classes, shape (n, …), or targets of the output's shape; a list or dictionary for several outputs.
            None: gradients are those of a random projection of the outputs, or of the loss of a PyTorch model that
            takes `labels` among its inputs.
        loss: a name that Keras knows, a function or a `keras.losses.Loss`. None: the one that the model was compiled
            with, or else one chosen by labels and output, see `objectives.of_labels`. For PyTorch, a name of
            `torch.nn.functional` or a loss module.
        training: whether to run the model as in training, where BatchNormalization uses the batch and Dropout drops.
        batch_size: inputs in a batch; None: as many as `subject.MAX_BATCH_ELEMENTS` allows.
        seed: seed of the random projection and of layers that draw, such as Dropout in training mode.
        ignore: codes of findings that are left out, see `codes.CODES`.
        track: function of the batches and their number that wraps the batches, for example with a progress bar.

    Returns:
        The findings and the table, whose columns `Inspection.table` describes.

    Raises:
        InputError: the model cannot be inspected, or inputs or labels do not fit it.
    """
    if batch_size is not None and batch_size < 1:
        raise InputError(f"batch_size: received {batch_size}; expected: 1 or more")
    try:
        ignored = codes_of(ignore)
    except KeyError as error:
        raise InputError(f"ignore: received {error}; expected: codes of findings, see docs/inspect.md") from None
    with opened(model, inputs, labels, loss=loss, training=training, seed=seed) as ready:
        size = batch_size or usual_batch_size(ready.subject.records)
        measured = measure(ready.subject, ready.x, ready.objective, size=size, training=training, track=track)
        judged, blocked = after_steps(ready, measured, size=size, training=training)
    return reported(measured, judged, blocked, ignored)


def after_steps(ready: Opened, measured: Measured, *, size: int, training: bool) -> tuple[Measured, list[str]]:
    """Measure again after a step of weights that are all 0, if any: what they block cannot be judged before.

    Returns:
        The measurement to judge, and the layers whose weights made a step. The model itself is unchanged.
    """
    stepped: dict[Any, str] = {}
    for _ in range(MAX_STEPS):
        kernels = [weight for weight in measured.weights if weight.is_kernel and weight.trainable]
        zero = {weight.key: weight.layer for weight in kernels if weight.rms == 0 and weight.gradient_rms > 0}
        if not zero.keys() - stepped.keys():
            break
        stepped |= zero
        with ready.subject.stepped(list(stepped)):
            measured = measure(ready.subject, ready.x, ready.objective, size=size, training=training)
    return measured, list(dict.fromkeys(stepped.values()))


def reported(measured: Measured, judged: Measured, blocked: list[str], ignored: Set[str] = frozenset()) -> Inspection:
    """Combine measurements, verdicts and messages into an inspection.

    Args:
        measured: the measurement of the model itself.
        judged: the measurement after the steps of `after_steps`.
        blocked: layers whose weights are all 0.
        ignored: codes of findings that are left out.
    """
    verdicts = judge(judged)
    findings = [finding for finding in find(judged, verdicts, blocked) if finding.code not in ignored]
    table = verdicts.table if judged is measured else _with_verdicts(measured, verdicts, blocked)
    table = table.assign(verdict=[words.verdict(row) for _, row in table.iterrows()])
    table = table.drop(columns=["source_size", "given_std"])
    findings = words.with_words(findings, judged, verdicts)
    return Inspection(table, findings, verdicts.signal, verdicts.gradient, measured.objective, measured.inputs)


def _with_verdicts(measured: Measured, verdicts: Verdicts, blocked: list[str]) -> pd.DataFrame:
    """Return the table of the model itself, joined with the verdicts after a step."""
    judged = [name for name in verdicts.table if name not in measured.table]
    table = measured.table.join(verdicts.table[judged])
    is_zero = table["layer"].isin(blocked) & (table["zero_fraction"] == 1)
    return table.assign(state=table["state"].mask(is_zero, "zero"))
