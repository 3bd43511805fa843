"""Watch units die while a Keras model trains: what `inspect` measures, at the end of every epoch."""

import sys
from typing import Any

import keras
import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from deadrelu.inspection import fitting
from deadrelu.inspection.measure import measure
from deadrelu.inspection.verdicts import dead, judge
from deadrelu.inspection.watch_figure import dead_units_by_epoch
from deadrelu.signals import batches, layers, objectives
from deadrelu.signals.unchanged import unchanged

MAX_INPUTS = 256
"""Inputs that a model is looked at with: more cost more time, and find hardly more."""


class DeadUnits(keras.callbacks.Callback):  # type: ignore[misc]  # Keras ships no types
    """Add dead units and signals to the logs of each epoch, so that History, CSVLogger and TensorBoard have them.

    >>> watch = DeadUnits(x_train[:256])
    >>> model.fit(x_train, y_train, epochs=10, callbacks=[watch])
    >>> watch.figure().savefig("dead_units.png")

    Logs: dead_units, of all layers; for each layer with an activation <layer>/dead_units and <layer>/zero_fraction;
    signal and gradient, the factors from end to end (`verdicts.EndToEnd`), where there are two layers or more. A layer
    that dies is told in one line on stderr, once.

    Args:
        x: a few inputs, as `inspect` takes them; of more than `MAX_INPUTS`, the first are used.
        y: their labels; without, gradients are of a random projection of the outputs.
        every: epochs between two looks; others have no such logs.
    """

    def __init__(self, x: fitting.Given, y: fitting.Given | None = None, *, every: int = 1) -> None:
        super().__init__()
        self.x, self.y, self.every = x, y, every
        self.rows: list[dict[str, Any]] = []
        self._told: set[str] = set()

    @property
    def table(self) -> pd.DataFrame:
        """One row per epoch and layer with an activation: epoch, layer, units, dead_units, zero_fraction."""
        return pd.DataFrame(self.rows, columns=["epoch", "layer", "units", "dead_units", "zero_fraction"])

    def figure(self) -> Figure:
        """Dead units of each layer over the epochs."""
        return dead_units_by_epoch(self.table)

    @np.errstate(over="ignore", invalid="ignore")  # of models with infinities and NaN, too
    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        """Look at the model as it is now."""
        if epoch % self.every:
            return
        model = self.model
        names = [tensor.name for tensor in getattr(model, "inputs", None) or []]
        x = [array[:MAX_INPUTS] for array in fitting.arranged(self.x, names, "inputs")]
        with fitting.failures_of_keras(), unchanged(model, 0):
            survey = layers.trace_layers(model, x)
            named = objectives.random_projection(0)
            if self.y is not None:
                outputs = [output.name for output in survey.outputs]
                y = [array[:MAX_INPUTS] for array in fitting.arranged(self.y, outputs, "labels")]
                named = objectives.of_labels(survey.outputs, y, fitting.compiled_loss(model))
            measured = measure(model, survey, x, *named, size=batches.batch_size(survey.recorded))
        verdicts = judge(measured)
        table = verdicts.table
        of_layers = table[table["activation"] != ""]
        found: dict[str, float] = {"dead_units": float(table["dead_in_all_calls"].sum())}
        for row in of_layers.to_dict("records"):
            about = {"dead_units": row["dead_units"], "zero_fraction": row["zero_fraction"]}
            self.rows.append({"epoch": epoch + 1, "layer": row["layer"], "units": row["units"], **about})
            found |= {f"{row['layer']}/{name}": float(value) for name, value in about.items()}
        for name in ("signal", "gradient"):
            if (end := getattr(verdicts, name)) is not None:
                found[name] = end.factor
        if logs is not None:
            logs.update(found)
        self._tell(epoch, table[dead(table)]["layer"].tolist())

    def _tell(self, epoch: int, names: list[str]) -> None:
        new = [name for name in names if name not in self._told]
        self._told |= set(new)
        if new:
            which = f"layer {new[0]} is" if len(new) == 1 else f"layers {', '.join(new)} are"
            print(f"deadrelu: epoch {epoch + 1}: {which} dead: no unit passes a gradient", file=sys.stderr)
