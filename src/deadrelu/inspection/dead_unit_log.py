"""A log of the units that die while a model trains: what `inspect` measures, epoch by epoch."""

import sys
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
from matplotlib.figure import Figure

from deadrelu.errors import InputError
from deadrelu.inspection import validation
from deadrelu.inspection.findings import Finding
from deadrelu.inspection.inspect import after_steps, reported
from deadrelu.inspection.measure import measure
from deadrelu.inspection.opening import opened
from deadrelu.inspection.subject import batch_size
from deadrelu.inspection.watch_figure import dead_units_by_epoch

MAX_INPUTS = 256
"""Maximum number of inputs of a measurement; more inputs take more time and reveal hardly more."""


class Look(dict[str, float]):
    """The numbers of one measurement, by their names in logs: dead_units, zero_fraction, signal, gradient."""

    findings: list[Finding]
    """Findings of this measurement, the most serious first."""


class DeadUnitLog:
    """A log of measurements of a model, one after each epoch.

    >>> log = DeadUnitLog(x_train[:256])
    >>> for epoch in range(10):
    ...     train_one_epoch(model)
    ...     log.add(model)
    >>> log.figure().savefig("dead_units.png")

    Each layer that dies, and the first numbers that are not finite, are reported in one line on stderr.

    Args:
        x: a few inputs in any form that `inspect` takes; only the first `MAX_INPUTS` are used.
        y: labels of the inputs; None: gradients are those of a random projection of the outputs, see `inspect`.
        loss: loss of outputs and labels, see `inspect`.
        training: whether the model is measured as in training.
        every: number of calls of `add` per measurement; calls that do not measure return an empty `Look`.

    Raises:
        InputError: every is below 1, or the batches in `x` cannot be joined.
    """

    def __init__(
        self,
        x: validation.Given,
        y: validation.Given | None = None,
        *,
        loss: validation.Loss = None,
        training: bool = False,
        every: int = 1,
    ) -> None:
        if every < 1:
            raise InputError(f"every: received {every}; expected: 1 or more epochs between two measurements")
        self.x, self.y = validation.from_dataset(x, y, most=MAX_INPUTS)
        self.loss, self.training, self.every = loss, training, every
        self.rows: list[dict[str, Any]] = []
        self.epoch: int | None = None
        self.calls = 0
        self._since: dict[str, npt.NDArray[np.int64]] = {}
        self._reported: set[str] = set()

    @property
    def table(self) -> pd.DataFrame:
        """A row per measured epoch and layer with an activation: epoch, layer, units, dead_units, zero_fraction."""
        return pd.DataFrame(self.rows, columns=["epoch", "layer", "units", "dead_units", "zero_fraction"])

    @property
    def units(self) -> pd.DataFrame:
        """A row for each unit that is dead now: layer, unit (index), since (the epoch since which it has been dead)."""
        rows = [(layer, k, since[k]) for layer, since in self._since.items() for k in np.flatnonzero(since >= 0)]
        return pd.DataFrame(rows, columns=["layer", "unit", "since"])

    def figure(self) -> Figure:
        """Draw the share of dead units of each layer over the epochs."""
        return dead_units_by_epoch(self.table)

    @np.errstate(over="ignore", invalid="ignore")  # a model may have infinities and NaN
    def add(self, model: Any, epoch: int | None = None) -> Look:
        """Measure the model as it is now, and leave it unchanged.

        Args:
            model: a model of Keras or PyTorch.
            epoch: number of the epoch, counted from 0 or 1 as the caller likes; None: one more than the last, or 1.

        Returns:
            The findings and these numbers: dead_units, the sum over all layers (NaN if the model has numbers that are
            not finite); zero_fraction, the mean over layers with an activation; signal and gradient, the factors along
            the trunk (`verdicts.EndToEnd`), if they could be judged. Calls that `every` skips return no number.
        """
        self.calls += 1
        self.epoch = (self.epoch or 0) + 1 if epoch is None else epoch
        if self.calls % self.every:
            return _look({}, [])
        with opened(model, self.x, self.y, loss=self.loss, training=self.training, most=MAX_INPUTS) as ready:
            size = batch_size(ready.subject.records)
            measured = measure(ready.subject, ready.x, ready.objective, size=size, training=self.training)
            judged, blocked = after_steps(ready, measured, size=size, training=self.training)
        inspection = reported(measured, judged, blocked)
        table, is_finite = inspection.table, "not-finite" not in inspection.codes
        for layer, is_dead in zip(table["layer"], measured.dead, strict=True):
            since = self._since.get(layer, np.full(len(is_dead), -1))
            self._since[layer] = np.where(is_dead, np.where(since >= 0, since, self.epoch), -1)
        activations = table[table["activation"] != ""]
        for row in activations.to_dict("records"):
            about = {name: row[name] for name in ("layer", "units", "dead_units", "zero_fraction")}
            self.rows.append({"epoch": self.epoch, **about})
        numbers = {"dead_units": float(table["dead_in_all_calls"].sum()) if is_finite else np.nan}
        numbers["zero_fraction"] = float(activations["zero_fraction"].mean()) if len(activations) else 0.0
        for name, end in (("signal", inspection.signal), ("gradient", inspection.gradient)):
            if end is not None:
                numbers[name] = end.factor
        self._report(table[table["state"] == "dead"]["layer"].tolist(), inspection.findings)
        return _look(numbers, inspection.findings)

    def _report(self, dead: list[str], findings: list[Finding]) -> None:
        new = [name for name in dead if name not in self._reported]
        if new:
            which = f"layer {new[0]} is" if len(new) == 1 else f"layers {', '.join(new)} are"
            print(f"deadrelu: epoch {self.epoch}: {which} dead: no unit passes a gradient", file=sys.stderr)
        broken = [f for f in findings if f.code == "not-finite" and f.code not in self._reported]
        for finding in broken:
            print(f"deadrelu: epoch {self.epoch}: {finding.message}", file=sys.stderr)
        self._reported |= {*new, *(finding.code for finding in broken)}


def _look(numbers: dict[str, float], findings: list[Finding]) -> Look:
    look = Look(numbers)
    look.findings = findings
    return look
