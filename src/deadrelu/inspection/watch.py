"""A Keras callback that watches units die."""

from typing import Any

import keras
import pandas as pd
from matplotlib.figure import Figure

from deadrelu.inspection import fitting
from deadrelu.inspection.dead_unit_log import DeadUnitLog


class DeadUnits(keras.callbacks.Callback):  # type: ignore[misc]  # Keras ships no types
    """Add dead units and signals to the logs of each epoch, so that History, CSVLogger and TensorBoard have them.

    >>> watch = DeadUnits(x_train[:256])
    >>> model.fit(x_train, y_train, epochs=10, callbacks=[watch])
    >>> watch.figure().savefig("dead_units.png")

    For the names in the logs, see `DeadUnitLog.add`. Callbacks that write logs, such as CSVLogger, come behind it.

    Args:
        x, y: as `DeadUnitLog` takes them.
        every: epochs between two looks; others have no such logs.
    """

    def __init__(self, x: fitting.Given, y: fitting.Given | None = None, *, every: int = 1) -> None:
        super().__init__()
        self.log, self.every = DeadUnitLog(x, y), every

    @property
    def table(self) -> pd.DataFrame:
        """See `DeadUnitLog.table`."""
        return self.log.table

    @property
    def units(self) -> pd.DataFrame:
        """See `DeadUnitLog.units`."""
        return self.log.units

    def figure(self) -> Figure:
        """Dead units of each layer over the epochs."""
        return self.log.figure()

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        """Look at the model as it is now."""
        if epoch % self.every:
            return
        found = self.log.add(self.model, epoch + 1)
        if logs is not None:
            logs.update(found)
