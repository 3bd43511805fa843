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

    The logs get four numbers, see `DeadUnitLog.add`; `table` and `units` have them layer by layer, before training
    (epoch 0) and after each epoch. Callbacks that write logs, such as CSVLogger, must follow it. A second `fit`
    continues the epochs of the first.

    Args:
        x, y, training: as `DeadUnitLog` takes them.
        every: epochs from one measurement to the next; in the logs of the others, the numbers are NaN.

    Raises:
        InputError: every is below 1; or, before training starts, the model cannot be measured.
    """

    def __init__(
        self, x: validation.Given, y: validation.Given | None = None, *, every: int = 1, training: bool = False
    ) -> None:
        super().__init__()
        self.log = DeadUnitLog(x, y, training=training)
        if every < 1:
            raise InputError(f"every: received {every}; expected: 1 or more epochs between two looks")
        self.every, self.names, self.before = every, list[str](), 0

    @property
    def table(self) -> pd.DataFrame:
        """See `DeadUnitLog.table`."""
        return self.log.table

    @property
    def units(self) -> pd.DataFrame:
        """See `DeadUnitLog.units`."""
        return self.log.units

    def figure(self) -> Figure:
        """Draw the share of dead units of each layer over the epochs."""
        return self.log.figure()

    def on_train_begin(self, logs: dict[str, Any] | None = None) -> None:
        """Measure the model before training."""
        if self.log.epoch is None:
            self.names = list(self.log.add(self.model, 0))
        self.before = self.log.epoch or 0

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        """Measure the model after an epoch, and add the numbers to the logs."""
        number = epoch + 1 if epoch + 1 > self.before else self.before + epoch + 1
        numbers: dict[str, float] = dict.fromkeys(self.names, float("nan"))
        if (epoch + 1) % self.every == 0:
            numbers |= {name: value for name, value in self.log.add(self.model, number).items() if name in numbers}
        if logs is not None:
            logs.update(numbers)
