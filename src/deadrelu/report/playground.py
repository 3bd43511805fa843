"""Build the page's playground, which trains networks in the browser and compares them with the tables.

`templates/programs.json` has the engine's programs, `templates/trainers.js` calls them, and `templates/playground.js`
is the user interface. The page draws initial weights and shuffles from the seed, as the pipeline does
(`templates/streams.js`). It contains the training points and the results that trainings must reproduce.
"""

import base64
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from deadrelu.analysis import published, theory
from deadrelu.report import labels, page, wasm
from deadrelu.settings.params import Params
from deadrelu.settings.stages import CollapseCase
from deadrelu.stages import data_target, experiments
from deadrelu.storage import tables

TARGETS = ("x_sin_x", "abs_x", "x_sin_5x", "step_sin_5x")
"""Functions that `templates/trial.js` can compute."""

MAX_TRIALS = 1000
"""Largest number of trials of each case, from the first on, that the page compares."""

MAX_EPOCHS = 20
"""Largest number of epochs of a case that the page compares; more would take too long."""

MAX_POINTS = 10_000
"""Largest number of training points of a case that the page compares."""


def html_of(params: Params, numbers: Mapping[str, pd.DataFrame], data: Path) -> str:
    """Return the playground as HTML, hidden until its script shows it.

    Args:
        params: settings in params.yaml.
        numbers: tables of the report by name (`load.Results.small`).
        data: folder with the tables of all stages.
    """
    rates = numbers["collapse_rates"]
    collapsed: dict[str, Any] = {row["case"]: row for row in rates[rates["event"] == "collapsed"].to_dict("records")}
    presets = [_preset(key, params, collapsed[key]) for key in _presets(params)]
    proof, in_print = _proof(params, data), published.notebook_rates(params, params.main_cases)
    for key, case in proof["cases"].items():
        case["measured"] = [float(f"{collapsed[key][name]:.5g}") for name in ("rate", "low", "high")]
        case["notebook"] = in_print.get(key)
    return page.rendered(
        "playground.html.j2",
        data={
            "presets": presets,
            "tolerance": params.collapse.tolerance,
            "proof": proof,
            "networks": sum(case["trials"] for case in proof["cases"].values()),
            "death": _death(params, proof, data),
        },
    )


def _presets(params: Params) -> list[str]:
    """Return the keys of the cases of independent trials whose settings the playground's controls can express."""
    return [
        key
        for key, case in params.collapse.cases.items()
        if case.protocol == "independent"
        and case.activation in wasm.ACTIVATIONS
        and case.optimizer.name == "adam"
        and case.loss == "mean_squared_error"
        and params.target_of(key).function in TARGETS
        and len(set(case.initializers)) == 1
        and case.initializer.name in ("glorot_uniform", "he_normal", "rai")
        and (len(set(case.widths)) == 1 or (case.widths[0] == 1 and len(set(case.widths[1:])) == 1))
    ]


def _preset(key: str, params: Params, rate: Mapping[str, float]) -> dict[str, Any]:
    """Return case `key` as settings of the playground, with its `rate` (rate, low, high) and bounds by theory."""
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
    """Return seed, points, and losses and final weights of the main cases (if any) that the page must reproduce."""
    keys = [key for key in params.main_cases if _can_be_carried(params.collapse.cases[key], key, params)]
    if not keys:
        return {"cases": {}}
    target = params.data.main_target
    points = tables.points(1, 1).read(data_target.settings(params, target), target, data)
    return {
        "seed": params.seed,
        "x": _text(points["x"].to_numpy(np.float32)),
        "y": _text(points["y"].to_numpy(np.float32)),
        "cases": {key: _carried(key, params, data) for key in keys},
    }


def _can_be_carried(case: CollapseCase, key: str, params: Params) -> bool:
    return (
        key in _presets(params)
        and case.initializer.name == "glorot_uniform"
        and not case.biases
        and params.collapse.epochs_of(key) <= MAX_EPOCHS
        and params.target_of(key).points <= MAX_POINTS
    )


def _carried(key: str, params: Params, data: Path) -> dict[str, Any]:
    """Return settings of case `key`, losses of its first `MAX_TRIALS` trials, and the final weights that are saved."""
    case, rows = params.collapse.cases[key], _first_trials(params, key, data)
    weights = tables.WEIGHTS.read(experiments.of_case(params, key).settings, key, data)
    final = np.stack(list(weights["final"])).astype(np.float32)
    return {
        "name": labels.narrow_network(params, key),
        "sizes": [1, *case.widths, 1],
        "activation": case.activation,
        "slope": case.negative_slope,
        "biases": case.biases,
        "rate": case.optimizer.learning_rate,
        "batch": case.batch_size or params.collapse.batch_size,
        "epochs": params.collapse.epochs_of(key),
        "trials": len(rows),
        "kept": len(final),
        "nWeights": final.shape[1],
        "loss": _text(np.stack(list(rows["loss"])).astype(np.float32)),
        "final": _text(final),
    }


def _death(params: Params, proof: Mapping[str, Any], data: Path) -> dict[str, Any] | None:
    """Return case, trial, name and target of the first ReLU network of `proof` that died in training, or None."""
    for key in proof["cases"]:
        rows = _first_trials(params, key, data)
        died = rows.loc[rows["dead"] & ~rows["born_dead"], "trial"]
        if params.collapse.cases[key].activation == "relu" and len(died):
            name, target = labels.narrow_network(params, key), params.target_of(key).function
            return {"case": key, "trial": int(died.iloc[0]), "name": name, "target": target}
    return None


def _first_trials(params: Params, key: str, data: Path) -> pd.DataFrame:
    experiment = experiments.of_case(params, key)
    return tables.read_trials(experiment.settings, key, experiment.trials, data).head(MAX_TRIALS)


def _text(array: npt.NDArray[Any]) -> str:
    """Return an array's bytes, little-endian, in base64."""
    return base64.b64encode(np.ascontiguousarray(array).astype(array.dtype.newbyteorder("<")).tobytes()).decode()
