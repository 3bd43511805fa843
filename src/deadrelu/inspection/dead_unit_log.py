"""Units that die while a model trains: what `inspect` measures, epoch by epoch, in a log."""

import sys
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
from matplotlib.figure import Figure

from deadrelu.errors import InputError
from deadrelu.inspection import fitting
from deadrelu.inspection.findings import Finding
from deadrelu.inspection.inspect import after_steps, reported
from deadrelu.inspection.measure import measure
from deadrelu.inspection.opening import opened
from deadrelu.inspection.subject import batch_size
from deadrelu.inspection.watch_figure import dead_units_by_epoch

MAX_INPUTS = 256
"""Inputs that a model is looked at with: more cost more time, and find hardly more."""


class Look(dict[str, float]):
    """Numbers of one look at a model, by names that loggers take: dead_units, zero_fraction, signal, gradient."""

    findings: list[Finding]
    """Findings of this look, the most serious first."""


class DeadUnitLog:
    """Look at a model after each epoch.

    >>> log = DeadUnitLog(x_train[:256])
    >>> for epoch in range(10):
    ...     train_one_epoch(model)
    ...     log.add(model)
    >>> log.figure().savefig("dead_units.png")

    A layer that dies, and numbers that are not finite, are reported once in a line on stderr.

    Args:
        x: a few inputs, as `inspect` takes them; of more than `MAX_INPUTS`, the first are used.
        y: their labels; without, gradients are of a random projection of the outputs.
        loss: as `inspect` takes it.
        training: whether to look at the model as in training.
        every: looks are taken at every so many calls of `add`; others return nothing new.

    Raises:
        InputError: every is below 1.
    """

    def __init__(
        self,
        x: fitting.Given,
        y: fitting.Given | None = None,
        *,
        loss: fitting.Loss = None,
        training: bool = False,
        every: int = 1,
    ) -> None:
        if every < 1:
            raise InputError(f"every: received {every}; expected: 1 or more epochs between two looks")
        self.x, self.y = fitting.from_dataset(x, y, most=MAX_INPUTS)
        self.loss, self.training, self.every = loss, training, every
        self.rows: list[dict[str, Any]] = []
        self.epoch: int | None = None
        self.calls = 0
        self._since: dict[str, npt.NDArray[np.int64]] = {}
        self._reported: set[str] = set()

    @property
    def table(self) -> pd.DataFrame:
        """One row per epoch and layer with an activation: epoch, layer, units, dead_units, zero_fraction."""
        return pd.DataFrame(self.rows, columns=["epoch", "layer", "units", "dead_units", "zero_fraction"])

    @property
    def units(self) -> pd.DataFrame:
        """One row per unit that is dead now: layer, unit, and since, its first epoch without a break."""
        rows = [(layer, k, since[k]) for layer, since in self._since.items() for k in np.flatnonzero(since >= 0)]
        return pd.DataFrame(rows, columns=["layer", "unit", "since"])

    def figure(self) -> Figure:
        """Dead units of each layer over the epochs."""
        return dead_units_by_epoch(self.table)

    @np.errstate(over="ignore", invalid="ignore")  # of models with infinities and NaN, too
    def add(self, model: Any, epoch: int | None = None) -> Look:
        """Look at the model as it is now, which stays as it is.

        Args:
            model: of Keras or PyTorch.
            epoch: its number, counted from 0 or from 1 as the caller likes; None: one more than the last, from 1 on.

        Returns:
            dead_units, of all layers (NaN where numbers are not finite); zero_fraction, a mean over activation layers;
            signal and gradient, the factors on the trunk (`verdicts.EndToEnd`), where there are two layers or more;
            and `findings`. Empty where `every` leaves the look out.
        """
        self.calls += 1
        self.epoch = (self.epoch or 0) + 1 if epoch is None else epoch
        if self.calls % self.every:
            return _look({}, [])
        with opened(model, self.x, self.y, loss=self.loss, training=self.training, most=MAX_INPUTS) as ready:
            size = batch_size(ready.subject.records)
            measured = measure(ready.subject, ready.x, ready.objective, size=size, training=self.training)
            judged, blocked = after_steps(ready, measured, size=size, training=self.training)
        found = reported(measured, judged, blocked)
        table, is_finite = found.table, "not-finite" not in found.codes
        for layer, is_dead in zip(table["layer"], measured.dead, strict=True):
            since = self._since.get(layer, np.full(len(is_dead), -1))
            self._since[layer] = np.where(is_dead, np.where(since >= 0, since, self.epoch), -1)
        activations = table[table["activation"] != ""]
        for row in activations.to_dict("records"):
            about = {name: row[name] for name in ("layer", "units", "dead_units", "zero_fraction")}
            self.rows.append({"epoch": self.epoch, **about})
        numbers = {"dead_units": float(table["dead_in_all_calls"].sum()) if is_finite else np.nan}
        numbers["zero_fraction"] = float(activations["zero_fraction"].mean()) if len(activations) else 0.0
        for name, end in (("signal", found.signal), ("gradient", found.gradient)):
            if end is not None:
                numbers[name] = end.factor
        self._report(table[table["state"] == "dead"]["layer"].tolist(), found.findings)
        return _look(numbers, found.findings)

    def _report(self, dead: list[str], findings: list[Finding]) -> None:
        new = [name for name in dead if name not in self._reported]
        if new:
            which = f"layer {new[0]} is" if len(new) == 1 else f"layers {', '.join(new)} are"
            print(f"deadrelu: epoch {self.epoch}: {which} dead: no unit passes a gradient", file=sys.stderr)
        broken = [
            finding for finding in findings if finding.code == "not-finite" and finding.code not in self._reported
        ]
        for finding in broken:
            print(f"deadrelu: epoch {self.epoch}: {finding.message}", file=sys.stderr)
        self._reported |= {*new, *(finding.code for finding in broken)}


def _look(numbers: dict[str, float], findings: list[Finding]) -> Look:
    look = Look(numbers)
    look.findings = findings
    return look
