"""Units that die while a model trains: what `inspect` measures, epoch by epoch, in a log."""

import sys
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
from matplotlib.figure import Figure

from deadrelu.inspection import fitting
from deadrelu.inspection.measure import measure
from deadrelu.inspection.opening import opened
from deadrelu.inspection.verdicts import dead, judge
from deadrelu.inspection.watch_figure import dead_units_by_epoch
from deadrelu.signals import batches

MAX_INPUTS = 256
"""Inputs that a model is looked at with: more cost more time, and find hardly more."""


class DeadUnitLog:
    """Look at a model after each epoch.

    >>> log = DeadUnitLog(x_train[:256])
    >>> for epoch in range(10):
    ...     train_one_epoch(model)
    ...     log.add(model)
    >>> log.figure().savefig("dead_units.png")

    A layer that dies is told in one line on stderr, once.

    Args:
        x: a few inputs, as `inspect` takes them; of more than `MAX_INPUTS`, the first are used.
        y: their labels; without, gradients are of a random projection of the outputs.
        loss: as `inspect` takes it.
    """

    def __init__(self, x: fitting.Given, y: fitting.Given | None = None, *, loss: fitting.Loss = None) -> None:
        self.x, self.y = fitting.from_dataset(x, y)
        self.loss = loss
        self.rows: list[dict[str, Any]] = []
        self.epochs = 0
        self._since: dict[str, npt.NDArray[np.int64]] = {}
        self._told: set[str] = set()

    @property
    def table(self) -> pd.DataFrame:
        """One row per epoch and layer with an activation: epoch, layer, units, dead_units, zero_fraction."""
        return pd.DataFrame(self.rows, columns=["epoch", "layer", "units", "dead_units", "zero_fraction"])

    @property
    def units(self) -> pd.DataFrame:
        """One row per unit that is dead now: layer, unit, and since, its first epoch without a break."""
        rows = [(layer, k, since[k]) for layer, since in self._since.items() for k in np.flatnonzero(since)]
        return pd.DataFrame(rows, columns=["layer", "unit", "since"])

    def figure(self) -> Figure:
        """Dead units of each layer over the epochs."""
        return dead_units_by_epoch(self.table)

    @np.errstate(over="ignore", invalid="ignore")  # of models with infinities and NaN, too
    def add(self, model: Any, epoch: int | None = None) -> dict[str, float]:
        """Look at the model as it is now, which stays as it is.

        Args:
            model: of Keras or PyTorch.
            epoch: its number, from 1 on; None: one more than the last.

        Returns:
            dead_units, of all layers; for each layer with an activation <layer>/dead_units and <layer>/zero_fraction;
            signal and gradient, the factors from end to end (`verdicts.EndToEnd`), where there are two layers or more.
        """
        self.epochs = self.epochs + 1 if epoch is None else epoch
        with opened(model, self.x, self.y, loss=self.loss, most=MAX_INPUTS) as (subject, x, named):
            measured = measure(subject, x, *named, size=batches.batch_size(subject.recorded))
        verdicts = judge(measured)
        table = verdicts.table
        for layer, is_dead in zip(table["layer"], measured.dead, strict=True):
            since = self._since.get(layer, np.zeros(len(is_dead), np.int64))
            self._since[layer] = np.where(is_dead, np.where(since > 0, since, self.epochs), 0)
        found: dict[str, float] = {"dead_units": float(table["dead_in_all_calls"].sum())}
        for row in table[table["activation"] != ""].to_dict("records"):
            about = {"dead_units": row["dead_units"], "zero_fraction": row["zero_fraction"]}
            self.rows.append({"epoch": self.epochs, "layer": row["layer"], "units": row["units"], **about})
            found |= {f"{row['layer']}/{name}": float(value) for name, value in about.items()}
        for name in ("signal", "gradient"):
            if (end := getattr(verdicts, name)) is not None:
                found[name] = end.factor
        self._tell(table[dead(table)]["layer"].tolist())
        return found

    def _tell(self, names: list[str]) -> None:
        new = [name for name in names if name not in self._told]
        self._told |= set(new)
        if new:
            which = f"layer {new[0]} is" if len(new) == 1 else f"layers {', '.join(new)} are"
            print(f"deadrelu: epoch {self.epochs}: {which} dead: no unit passes a gradient", file=sys.stderr)
