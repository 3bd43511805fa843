"""Watch units die while a model trains.

`DeadUnits` is a Keras callback. `DeadUnitLog` is for PyTorch, and for training loops of any kind.
"""

from importlib import import_module
from typing import Any

from deadrelu import extras

PUBLIC = {
    "DeadUnits": "deadrelu.inspection.watch",  # imports Keras
    "DeadUnitLog": "deadrelu.inspection.dead_unit_log",
}

__all__ = [*PUBLIC]


def __getattr__(name: str) -> Any:
    if name not in PUBLIC:
        raise AttributeError(f"module 'deadrelu.watch' has no attribute {name!r}")
    try:
        return getattr(import_module(PUBLIC[name]), name)
    except ModuleNotFoundError as error:
        raise extras.explained(error) or error from None
