"""Watch units die while a model trains: `from deadrelu.watch import DeadUnits`."""

from deadrelu.inspection.watch import DeadUnits

__all__ = ["DeadUnits"]
