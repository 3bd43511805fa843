"""The playground in the page: train networks in the browser, and prove that it trains those of the tables.

`templates/engine.js` has the arithmetic, `templates/playground.js` what a reader sees of it. The page carries the
training points, the shuffles and the initial weights of a few trials, and what their training must end with.
"""

import base64
import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from deadrelu.analysis import load, theory
from deadrelu.engine import shuffles
from deadrelu.report import labels, page
from deadrelu.settings.params import CollapseCase, Params

CARRIED = 8
"""Of each case, so many trials from the first on; and as many that are alive at initialization."""

MAX_EPOCHS = 20
"""Of longer trainings none is carried: a page would take too long for them, and hold too many shuffles."""

MAX_POINTS = 10_000
"""Nor of more points."""


def html_of(params: Params, numbers: Mapping[str, pd.DataFrame], data: Path) -> str:
    """The playground as HTML, hidden until its script shows it.

    Args:
        params: the settings of this run.
        numbers: the report's small tables by name.
        data: the folder of the stages.
    """
    rates = numbers["collapse_rates"]
    collapsed: dict[str, Any] = {row["case"]: row for row in rates[rates["event"] == "collapsed"].to_dict("records")}
    presets = [_preset(key, params, collapsed[key]) for key in _presets(params)]
    return page.rendered(
        "playground.html.j2",
        data={
            "presets": presets,
            "tolerance": params.collapse.tolerance,
            "proof": _proof(params, data),
        },
    )


def _presets(params: Params) -> list[str]:
    """Cases that the playground can train: one input and output, Adam, no trials that go on."""
    return [
        key
        for key, case in params.collapse.cases.items()
        if case.protocol == "independent"
        and case.optimizer.name == "adam"
        and case.loss == "mean_squared_error"
        and params.target_of(key).of_one_input
        and len(set(case.initializers)) == 1
        and case.initializer.name in ("glorot_uniform", "he_normal", "rai")
        and (len(set(case.widths)) == 1 or (case.widths[0] == 1 and len(set(case.widths[1:])) == 1))
    ]


def _preset(key: str, params: Params, rate: Mapping[str, float]) -> dict[str, Any]:
    """A case as the playground's settings, with what the pipeline and theory say of it."""
    case, target = params.collapse.cases[key], params.target_of(key)
    symmetric = case.activation == "relu" and case.initializer.name != "rai"
    bounds = theory.born_dead_on_interval(case.widths) if symmetric else None
    return {
        "key": key,
        "name": labels.narrow_networks(params)[key],
        "target": target.function,
        "activation": case.activation,
        "slope": case.negative_slope,
        "depth": len(case.widths),
        "width": case.widths[-1],
        "narrow": case.widths[0] == 1 and case.widths[-1] > 1,
        "initializer": case.initializer.name,
        "biases": case.biases,
        "rate": case.optimizer.learning_rate,
        "epochs": params.collapse.epochs_of(key),
        "batch": case.batch_size or params.collapse.batch_size,
        "points": target.points,
        "measured": [float(f"{rate[name]:.5g}") for name in ("rate", "low", "high")],
        "theory": [float(f"{bound:.5g}") for bound in bounds] if bounds else None,
    }


def _proof(params: Params, data: Path) -> dict[str, Any]:
    """What the page needs to train trials of the tables: of the notebook's cases, those on the shared target."""
    keys = [key for key in params.main_cases if _can_be_carried(params.collapse.cases[key], key, params)]
    if not keys:
        return {"cases": {}}
    points = load.points(params, params.data.main_target, data)
    n, seed = len(points), params.seed
    epochs = max(params.collapse.epochs_of(key) for key in keys)
    cases = {key: _carried(key, params, data) for key in keys}
    trials = sorted({int(trial) for case in cases.values() for trial in case["trials"]})
    return {
        "x": _text(points["x"].to_numpy(np.float32)),
        "y": _text(points["y"].to_numpy(np.float32)),
        # The order of an epoch is right[left]: see `engine.shuffles`.
        "left": [_text(shuffles.left(n, seed, 0, epoch).astype(np.uint16)) for epoch in range(epochs)],
        "right": {trial: _text(shuffles.right(n, seed, trial).astype(np.uint16)) for trial in trials},
        "cases": cases,
    }


def _can_be_carried(case: CollapseCase, key: str, params: Params) -> bool:
    return (
        key in _presets(params)
        and params.collapse.epochs_of(key) <= MAX_EPOCHS
        and params.target_of(key).points <= MAX_POINTS
    )


def _carried(key: str, params: Params, data: Path) -> dict[str, Any]:
    """Initial weights of some trials, and the SHA-256 of what training makes of them."""
    case, weights = params.collapse.cases[key], load.weights(params, key, data)
    rows = load.trials(params, key, data).head(len(weights))
    numbers = rows["trial"].to_numpy()
    living = numbers[~rows["born_dead"].to_numpy(bool) & (numbers >= CARRIED)][:CARRIED]
    chosen = sorted({*numbers[numbers < CARRIED].tolist(), *living[living < shuffles.BLOCK].tolist()})
    trials = {}
    for trial in chosen:
        initial, final = (np.asarray(weights[name].iloc[trial], np.float32) for name in ("initial", "final"))
        loss = np.asarray(rows["loss"].iloc[trial], np.float32)
        hashes = [hashlib.sha256(array.tobytes()).hexdigest() for array in (final, loss)]
        trials[trial] = {"initial": _text(initial), "final": _text(final), "loss": _text(loss), "sha256": hashes}
    return {
        "name": labels.narrow_network(params, key),
        "sizes": [1, *case.widths, 1],
        "activation": case.activation,
        "slope": case.negative_slope,
        "biases": case.biases,
        "rate": case.optimizer.learning_rate,
        "batch": case.batch_size or params.collapse.batch_size,
        "epochs": params.collapse.epochs_of(key),
        "trials": trials,
    }


def _text(array: npt.NDArray[Any]) -> str:
    """An array's bytes, little-endian, in base64."""
    return base64.b64encode(np.ascontiguousarray(array).astype(array.dtype.newbyteorder("<")).tobytes()).decode()
