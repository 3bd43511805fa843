"""Experiments: trainings of many networks of one architecture on one target, independently or in refits."""

import hashlib
import json
from dataclasses import asdict, dataclass
from typing import Any

from pydantic import BaseModel

from deadrelu.engine import Network, Target, Training

SAVED_TRIALS = 200  # number of trials whose weights and functions (outputs at some inputs) are saved
MAX_SAVED_WEIGHTS = 1000  # maximum number of weights of networks whose weights are saved


@dataclass(frozen=True, kw_only=True)
class Experiment:
    """Trainings of many networks; the results of a trial depend only on these attributes and the trial's number.

    Attributes:
        network: description of the networks; its initializers are names or groups of `params.yaml`, never functions.
        training: settings of a training or, if `fits` is given, of each fit.
        target: training set.
        trials: number of networks.
        seed: seed of the training set, the initial weights and the shuffles.
        fits: number of consecutive fits of each network (protocol "refit"); None for independent trainings.
        follow: additional numbers of epochs after which each network is measured, ascending; 0 means before training.
        saved_trials: number of first trials whose functions and weights, if there are any small enough, are saved.
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
        """Number of epochs of a trial, over all its fits; the table of trials describes networks after these epochs."""
        return self.training.epochs * (self.fits or 1)

    @property
    def checkpoints(self) -> tuple[int, ...]:
        """Epochs after which `history.parquet` has a row per trial: the end of each fit, or `follow` without refits."""
        if self.fits:
            return tuple(self.training.epochs * fit for fit in range(1, self.fits + 1))
        return self.follow

    @property
    def settings(self) -> dict[str, Any]:
        """The attributes that are not None, as dictionaries and lists for JSON; the results depend on them alone."""
        return asdict(self, dict_factory=_plain)

    @property
    def digest(self) -> str:
        """SHA-256 of the settings in JSON."""
        return hashlib.sha256(json.dumps(self.settings, sort_keys=True).encode()).hexdigest()

    def __str__(self) -> str:
        widths = self.network.widths
        return f"{len(widths)} {self.network.activation} layers of {max(widths)} units on {self.target.function}"


def _plain(items: list[tuple[str, Any]]) -> dict[str, Any]:
    """Return the items that are not None as a dictionary, with params as dictionaries and tuples as lists."""
    plain = {}
    for name, value in items:
        if callable(value):
            raise TypeError(f"an experiment names its initializers, got the function {value}")
        if value is not None:
            value = list(value) if isinstance(value, tuple) else value
            plain[name] = value.model_dump() if isinstance(value, BaseModel) else value
    return plain
