"""Measure how points, signals and losses vary over seeds, by which `deadrelu check` judges a rerun."""

from collections.abc import Callable

import numpy as np
import numpy.typing as npt
import pandas as pd

from deadrelu import progress
from deadrelu.analysis import summaries
from deadrelu.check import quantities
from deadrelu.check.reference import Spread
from deadrelu.settings.params import Params
from deadrelu.stages import activations, training

SEEDS = 20
"""Default number of other seeds over which a spread is measured."""


def measure(params: Params, stage: str, seeds: int) -> dict[str, Spread]:
    """Run a stage with `seeds` other seeds, write no files, and return spreads of all numbers that are never NaN."""
    rows: list[dict[str, float]] = []
    trainers: training.Trainers = {}
    with progress.rate_and_time_left() as bar:
        for k in bar.track(range(1, seeds + 1), description=f"spread of {stage} over seeds"):
            other = params.model_copy(update={"seed": (params.seed + k) % 2**32})
            rows.append(MEASURE[stage](other, trainers))
    values = pd.DataFrame(rows).dropna(axis="columns")
    return {str(name): spread_of(str(name), column.to_numpy(float)) for name, column in values.items()}


def spread_of(name: str, values: npt.NDArray[np.float64]) -> Spread:
    """Return the spread of `values`, one per seed: of their logarithms if all are > 0 and `name` is not a share."""
    log = not name.endswith(("fraction", "accuracy")) and bool((values > 0).all())
    scaled = np.log(values) if log else values
    return Spread(mean=float(scaled.mean()), sd=float(scaled.std(ddof=1)), log=log)


def _points(params: Params, _: training.Trainers) -> dict[str, float]:
    return quantities.of_targets(params)


def _signals(params: Params, _: training.Trainers) -> dict[str, float]:
    summaries = [summary for _, summary in activations.measure(params, *activations.images())]
    return quantities.of_signals(pd.concat(summaries))


def _losses(params: Params, trainers: training.Trainers) -> dict[str, float]:
    epochs = pd.concat([epoch_rows for _, epoch_rows in training.measure(params, training.draw(params), trainers)])
    return quantities.of_training(summaries.epochs_over_trials(epochs))


MEASURE: dict[str, Callable[[Params, training.Trainers], dict[str, float]]] = {
    "data@target": _points,
    "activations": _signals,
    "training": _losses,
}
