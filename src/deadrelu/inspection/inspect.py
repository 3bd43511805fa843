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
from deadrelu.inspection import fitting, words
from deadrelu.inspection.codes import codes_of
from deadrelu.inspection.findings import Finding, find
from deadrelu.inspection.folding import folded
from deadrelu.inspection.measure import Measured, Track, measure
from deadrelu.inspection.opening import Opened, opened
from deadrelu.inspection.subject import batch_size as usual_batch_size
from deadrelu.inspection.verdicts import EndToEnd, Verdicts, judge

SHOWN = ["layer", "rms", "zero_fraction", "dead_units", "units", "gradient_rms", "verdict"]

MAX_STEPS = 3
"""Times that weights of zeros go a step: one may block another."""


@dataclass(frozen=True)
class Inspection:
    """What `inspect` found; printing it shows the findings and the table, blocks that repeat folded."""

    table: pd.DataFrame
    """One row per call of a layer: see `inspect`."""
    findings: list[Finding]
    """What is wrong, most serious first."""
    signal: EndToEnd | None
    """What becomes of the signal from the input to the output; None: it cannot be said."""
    gradient: EndToEnd | None
    """What becomes of the gradient from the output to the first layer."""
    gradient_of: str
    """The loss, or 'a random projection of the outputs'."""
    inputs: int
    """How many."""

    @property
    def codes(self) -> frozenset[str]:
        """Codes of the findings."""
        return frozenset(finding.code for finding in self.findings)

    @property
    def summary(self) -> list[str]:
        """What becomes of signal and gradient, in sentences, where no finding says it."""
        ends = (("signal", self.signal), ("gradient", self.gradient))
        known = [(what, end) for what, end in ends if end and f"{what}-{end.verdict}" not in self.codes]
        return [words.end_to_end(what, end) for what, end in known if "dead-network" not in self.codes]

    def __str__(self) -> str:
        lines = self.table[SHOWN].to_string(index=False, float_format=lambda v: f"{v:.3g}").split("\n")
        shown = [lines[at + 1] if isinstance(at, int) else at for at in folded(self.table, self.findings)]
        found = [f"{f.severity} {f.code}: {f.message}" for f in self.findings] or ["Nothing is wrong."]
        return "\n".join([*found, "", lines[0], *shown, "", *self.summary])


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
    ignore: Sequence[str] = (),
    track: Track | None = None,
) -> Inspection:
    """Measure the signals of every layer, forward and backward, in one pass over the inputs.

    Args:
        model: a Keras model, see `keras.trace`, or a `torch.nn.Module`, see `pytorch.calls`; it comes out unchanged.
        inputs: shape (n, …); for several inputs a list in their order, or a dictionary by their names; or batches of
            them, with labels or without: a `tf.data.Dataset`, a PyTorch `DataLoader`, or some other iterable, of
            which at most `fitting.MAX_FROM_BATCHES` inputs are taken. Of a dictionary for a PyTorch model, values that
            are no rows of inputs (None, flags, a mask of positions) are handed on as they are.
        labels: classes, shape (n, …), or targets of the output's shape; a list or dictionary for several outputs.
            None: gradients are of a random projection of the outputs, or of the loss of a PyTorch model that is given
            `labels` among its inputs.
        loss: a name that Keras knows, a function or a `keras.losses.Loss`. None: the one that the model was compiled
            with, or else one chosen by labels and output, see `objectives.of_labels`. For PyTorch, a name of
            `torch.nn.functional` or a loss module.
        training: as in training, where BatchNormalization uses the batch and Dropout drops.
        batch_size: inputs in a batch; None: as many as `subject.MAX_BATCH_ELEMENTS` allows.
        seed: of the random projection, and of layers that draw, such as Dropout in training mode.
        ignore: codes of findings that are left out, see `codes.CODES`.
        track: wraps the batches, given their number, e.g. with a progress bar.

    Returns:
        Table columns: layer; layer_class; kind (weights, normalization, activation, merge, block, output); activation;
        on_trunk (every path goes through it); units; size (numbers for one input); parameters; frozen (none of its
        weights is trained); statistics of the activations, see `statistics.Running`; dead_units (the slope of the
        activation is 0 on all inputs); saturated_units; with the prefix gradient_, statistics of the objective's
        gradient with respect to the activations (each input's own, not a mean over the batch); kernel_rms and
        kernel_gradient_rms (of the mean over inputs; NaN without kernels); gain (by what factor the layer multiplies
        the strength); strength (standard deviation over inputs of the activations, or of the logits of an output); step
        (strength over that of what the layer was given); dead_in_all_calls; those of `verdicts.judge`; and verdict, in
        words.

    Raises:
        InputError: the model is none, or inputs or labels do not fit it.
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
    """Let weights that are all 0 go a step, as an optimizer would: what they block cannot be judged before.

    Returns:
        The measurement to judge, and the layers whose weights went a step; the model is as it was.
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
    """Put numbers, verdicts and words together.

    Args:
        measured: the model as it is.
        judged: the model after the steps of `after_steps`.
        blocked: layers whose weights are all 0.
        ignored: codes that are left out.
    """
    verdicts = judge(judged)
    found = [finding for finding in find(judged, verdicts, blocked) if finding.code not in ignored]
    table = verdicts.table if judged is measured else _as_it_is(measured, verdicts, blocked)
    table = table.assign(verdict=[words.verdict(row) for _, row in table.iterrows()])
    table = table.drop(columns=["source_size", "given_std"])
    return Inspection(
        table,
        words.with_words(found, judged, verdicts),
        verdicts.signal,
        verdicts.gradient,
        measured.objective,
        measured.inputs,
    )


def _as_it_is(measured: Measured, verdicts: Verdicts, blocked: list[str]) -> pd.DataFrame:
    """Return the numbers of the model as it is, beside the judgement after a step."""
    judged = [name for name in verdicts.table if name not in measured.table]
    table = measured.table.join(verdicts.table[judged])
    is_zero = table["layer"].isin(blocked) & (table["zero_fraction"] == 1)
    return table.assign(state=table["state"].mask(is_zero, "zero"))
