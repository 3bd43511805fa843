"""Experiments: independent trainings of one small network on one target, or the notebook's refits of it."""

import hashlib
import json
from dataclasses import dataclass, fields, is_dataclass
from typing import Any

from pydantic import BaseModel

from deadrelu.engine import Network, Target, Training

SAVED_TRIALS = 200
"""Number of trials whose weights and input-output functions are saved, for the report and for readers of the tables."""

MAX_SAVED_WEIGHTS = 1000
"""Maximum number of weights of a network whose weights are saved."""


@dataclass(frozen=True, kw_only=True)
class Experiment:
    """Trainings of `trials` networks; the results of a trial depend only on these fields and the number of the trial.

    Attributes:
        network: description of the networks; its initializers are names or groups of `params.yaml`, not functions.
        training: settings of one training or, if `fits` is given, of each fit.
        target: training set.
        trials: number of networks.
        seed: seed of the training set, the initial weights and the shuffles.
        fits: number of consecutive fits of each network (protocol "refit"); None for independent trainings.
        follow: numbers of epochs after which each network is measured in addition, ascending; 0 is before training.
        saved_trials: number of trials whose functions and weights are saved.
    """

    network: Network
    training: Training
    target: Target
    trials: int
    seed: int
    fits: int | None = None
    follow: tuple[int, ...] = ()
    saved_trials: int = SAVED_TRIALS

    @property
    def epochs(self) -> int:
        """Number of epochs after which the table of trials describes the networks."""
        return self.training.epochs * (self.fits or 1)

    @property
    def checkpoints(self) -> tuple[int, ...]:
        """Epochs after which `history.parquet` has a row per trial: the end of each fit, or `follow` without refits."""
        if self.fits:
            return tuple(self.training.epochs * fit for fit in range(1, self.fits + 1))
        return self.follow

    @property
    def settings(self) -> dict[str, Any]:
        """Everything that the results depend on, in types that JSON represents."""
        settings: dict[str, Any] = _plain(self)
        return settings

    @property
    def digest(self) -> str:
        """SHA-256 of the settings."""
        return hashlib.sha256(json.dumps(self.settings, sort_keys=True).encode()).hexdigest()

    def __str__(self) -> str:
        widths = self.network.widths
        return f"{len(widths)} {self.network.activation} layers of {max(widths)} units on {self.target.function}"


def _plain(value: Any) -> Any:
    """Return dataclasses and groups as dictionaries, without fields that are None."""
    if isinstance(value, BaseModel):
        return value.model_dump()
    if is_dataclass(value):
        plain = {field.name: _plain(getattr(value, field.name)) for field in fields(value)}
        return {name: one for name, one in plain.items() if one is not None}
    if isinstance(value, tuple):
        return list(value)
    if callable(value):
        raise TypeError(f"an experiment names its initializers, got the function {value}")
    return value
