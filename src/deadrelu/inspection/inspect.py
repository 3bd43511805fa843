"""Inspection of a model: a pass over the inputs, a table with a row for each layer, and findings on what is wrong.

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
"""Maximum number of steps of weights that are all 0; several are needed if one such weight blocks another."""


@dataclass(frozen=True)
class Inspection:
    """The result of `inspect`. Printed, it shows findings, table (with repeated blocks folded) and summary."""

    table: pd.DataFrame
    """A table with one row for each call of a layer. Columns: layer; layer_class; kind (`records.Kind`); activation;
    on_trunk (every path goes through it); units; size (of its output for one input); parameters (0 in later calls);
    frozen (no weight is trained); the statistics of its output, see `statistics.Running`, except that dead_units counts
    units whose activation has a slope of 0 on all inputs; saturated_units; the statistics of the objective's gradient
    with respect to its output, each input's own, with the prefix gradient_; kernel_rms, kernel_gradient_rms (for the
    gradient's mean over inputs); strength (standard deviation over inputs of its output, or of the logits of a model's
    output); step (the ratio of strength to that of its input); gain (step of a layer with kernels, else NaN);
    dead_in_all_calls (units dead in all calls, in the first call's row); those of `verdicts.judge`; verdict (in words).
    """
    findings: list[Finding]
    """The findings, the most serious first."""
    signal: EndToEnd | None
    """The change of the signal from the input to the output; None if it cannot be determined."""
    gradient: EndToEnd | None
    """The change of the gradient from the output to the first layer; None if it cannot be determined."""
    gradient_of: str
    """Name of the objective: that of the loss, 'a random projection of the outputs', or "the model's own loss"."""
    inputs: int
    """The number of inputs that were measured."""

    @property
    def codes(self) -> frozenset[str]:
        """The codes of the findings."""
        return frozenset(finding.code for finding in self.findings)

    @property
    def summary(self) -> list[str]:
        """A sentence each for `signal` and `gradient`, if known and in no finding; an empty list for a dead network."""
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
    """Measure the signal and the gradient of every layer of a model over all inputs, and judge them.

    Args:
        model: a Keras model, see `keras.trace`, or a `torch.nn.Module`, see `pytorch.calls`; it is left unchanged.
        inputs: an array of shape (n, …); for several inputs a list in their order, or a dictionary by their names; or
            batches of inputs, with or without labels: a `tf.data.Dataset`, a PyTorch `DataLoader`, or another
            iterable, of which about `validation.MAX_FROM_BATCHES` inputs are taken. Values in a dictionary for a
            PyTorch model that are no rows of inputs (None, flags, a mask of positions) are passed on unchanged.
        labels: classes, shape (n, …), or targets of the output's shape; a list or dictionary for several outputs.
            None: gradients are those of a random projection of the outputs, or of the model's own loss if a PyTorch
            model returns one and takes `labels` among its inputs.
        loss: a name that Keras knows, a function or a `keras.losses.Loss`. None: the one that the model was compiled
            with, or else one that fits labels and output, see `objectives.of_labels`. For a PyTorch model: a name in
            `torch.nn.functional`, a function of predictions and labels, or a loss module.
        training: whether to run the model as in training, where BatchNormalization uses the batch and Dropout drops.
        batch_size: number of inputs in a batch; None: as many as `subject.batch_size` allows.
        seed: seed of the random projection and of layers that draw random numbers, such as Dropout in training mode.
        ignore: codes of findings that are left out, see `codes.CODES`, or words for several, see `codes.GROUPS`.
        track: function of an iterable and its length that returns an iterable of its items, such as a progress bar.

    Returns:
        The findings and the table, whose columns `Inspection.table` describes.

    Raises:
        InputError: the model cannot be inspected, inputs, labels or loss do not fit it, or an option is not valid.
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
    """Measure again, in batches of `size`, after a step of all-zero weights: what they block cannot be judged before.

    Returns:
        The measurement to judge (`measured` if no weight is 0), and the names of the layers whose weights made a step.
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
        blocked: names of the layers whose weights made a step in `after_steps`.
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
    """Return the table before any step with verdicts after the steps; `blocked` layers that put out 0 are "zero"."""
    judged = [name for name in verdicts.table if name not in measured.table]
    table = measured.table.join(verdicts.table[judged])
    is_zero = table["layer"].isin(blocked) & (table["zero_fraction"] == 1)
    return table.assign(state=table["state"].mask(is_zero, "zero"))
