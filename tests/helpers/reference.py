"""The reference for the engine's programs: its operations on NumPy arrays of shape (trials,), float32."""

from collections.abc import Callable
from typing import Any

import numpy as np

from deadrelu.engine.operations import Body, Operations


class Reference(Operations):
    """The operations of the engine's arithmetic, each computed by NumPy for all trials."""

    def select(self, condition: Any, yes: Any, no: Any) -> Any:
        return np.where(condition, np.float32(yes), np.float32(no))

    def sqrt(self, value: Any) -> Any:
        return np.sqrt(value)

    def call(self, function: Callable[[Any, Any], Any], value: Any) -> Any:
        return function(self, value)

    def accumulate(self, total: Any, value: Any) -> Any:
        return total + value

    def points(self, first: int, end: int, body: Body) -> None:
        self.repeat(first, end, body)
