"""A Keras callback that watches units die."""

from typing import Any

import keras
import pandas as pd
from matplotlib.figure import Figure

from deadrelu.errors import InputError
from deadrelu.inspection import validation
from deadrelu.inspection.dead_unit_log import DeadUnitLog


class DeadUnits(keras.callbacks.Callback):  # type: ignore[misc]  # Keras ships no types
    """A callback that adds dead units and signals to the logs of each epoch, for History, CSVLogger and TensorBoard.

    >>> watch = DeadUnits(x_train[:256])
    >>> model.fit(x_train, y_train, epochs=10, callbacks=[watch])
    >>> watch.figure().savefig("dead_units.png")

    The logs get up to four numbers, see `DeadUnitLog.add`. `table` has a row for each layer and measured epoch, where
    epoch 0 is before training; `units` has a row for each unit that is dead now. In the list of callbacks, those that
    write logs, such as CSVLogger, must follow this one. A second `fit` continues to count the epochs of the first.

    Args:
        x, y, training: inputs, labels and mode of the measurements, see `DeadUnitLog`.
        every: number of epochs from one measurement to the next; in the logs of other epochs, the numbers are NaN.

    Raises:
        InputError: every is below 1; or, before training starts, the model cannot be measured.
    """

    def __init__(
        self, x: validation.Given, y: validation.Given | None = None, *, every: int = 1, training: bool = False
    ) -> None:
        super().__init__()
        self.log = DeadUnitLog(x, y, training=training)
        if every < 1:
            raise InputError(f"every: received {every}; expected: 1 or more epochs between two measurements")
        self.every, self.names, self.before = every, list[str](), 0

    @property
    def table(self) -> pd.DataFrame:
        """Table with one row for each measured epoch and layer, see `DeadUnitLog.table`."""
        return self.log.table

    @property
    def units(self) -> pd.DataFrame:
        """Table with one row for each unit that is dead now, see `DeadUnitLog.units`."""
        return self.log.units

    def figure(self) -> Figure:
        """Draw the share of dead units of each layer over the epochs."""
        return self.log.figure()

    def on_train_begin(self, logs: dict[str, Any] | None = None) -> None:
        """Measure the model before its first training."""
        if self.log.epoch is None:
            self.names = list(self.log.add(self.model, 0))
        self.before = self.log.epoch or 0

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        """Measure the model after each `every`-th epoch, and add the numbers to the logs."""
        number = epoch + 1 if epoch + 1 > self.before else self.before + epoch + 1
        numbers: dict[str, float] = dict.fromkeys(self.names, float("nan"))
        if (epoch + 1) % self.every == 0:
            numbers |= {name: value for name, value in self.log.add(self.model, number).items() if name in numbers}
        if logs is not None:
            logs.update(numbers)
