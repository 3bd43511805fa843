"""Collect the counts and numbers of each stage by which a rerun is judged, from the pipeline's tables."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from deadrelu import engine
from deadrelu.analysis import criteria, summaries
from deadrelu.analysis.load import Results
from deadrelu.settings.params import Params
from deadrelu.settings.stages import MAIN
from deadrelu.stages import activations, data_target, experiments, safe_region, sensitivity, training

Outcomes = npt.NDArray[np.bool_]
Points = npt.NDArray[np.float32]

SIGNALS = ("std", "rms", "zero_fraction", "input_std", "gradient_rms")
"""Statistics of a layer that are compared: those in the metrics, and those behind the report's verdicts."""

LOSSES = ("loss", "validation_loss", "validation_accuracy")


@dataclass(frozen=True)
class Count:
    """Number of trials with an event; `outcomes` says which, (trials,), bool, or is None if tables have only counts."""

    count: int
    trials: int
    outcomes: Outcomes | None = None


@dataclass(frozen=True)
class Observed:
    """Results of one stage of the pipeline.

    Attributes:
        params: settings on which the stage depends, by dotted keys, without those that may differ (see `setting`).
        needs_mnist: whether the stage depends on the MNIST digits.
        counts: numbers of trials in which an event happened, by the name of the event.
        values: random numbers whose spread over seeds must be measured.
        drawn: numbers that the seed fixes, equal on another machine except for rounding. If they are also in `values`,
            they are tested against other seeds when the seed differs.
        exact: numbers that do not depend on the seed.
    """

    params: dict[str, Any]
    needs_mnist: bool = False
    counts: dict[str, Count] = field(default_factory=dict)
    values: dict[str, float] = field(default_factory=dict)
    drawn: dict[str, float] = field(default_factory=dict)
    exact: dict[str, float] = field(default_factory=dict)


def observe(params: Params, results: Results) -> dict[str, Observed]:
    """Return all quantities that the check compares, by stage, in the order of the pipeline.

    Numbers that are not finite are left out.

    Args:
        params: settings in params.yaml.
        results: results that were made with these settings.
    """
    targets = {key: setting(data_target.settings(params, key)) for key in params.data.targets}
    moments = of_targets(params)
    signals, losses = setting(activations.settings(params)), setting(training.settings(params))
    return {
        "data@mnist": Observed({}, True, exact={"test_images": int(results.small["data"]["test_images"].iloc[0])}),
        "data@target": Observed(flat(targets), values=moments, drawn=moments),
        "activations": Observed(signals, True, values=of_signals(results.small["signals"])),
        "training": Observed(losses, True, values=of_training(results.small["epochs"])),
        **{f"collapse@{key}": _collapse(params, key, results) for key in params.collapse.cases},
        "safe_region": _safe_region(params, results),
        **{f"sensitivity@{key}": _sensitivity(params, key, results) for key in params.sensitivity},
    }


def of_targets(params: Params) -> dict[str, float]:
    """Return mean and standard deviation of x and y of each training set, by names such as `x_sin_x.y_std`."""
    moments: dict[str, float] = {}
    for key, group in params.data.targets.items():
        points = of_points(*engine.Target(**group.model_dump()).sample(params.seed))
        moments |= {f"{key}.{name}": value for name, value in points.items()}
    return moments


def of_signals(summary: pd.DataFrame) -> dict[str, float]:
    """Return finite `SIGNALS` of each row (case, layer) of a table, by names such as `relu-he_normal.layer_3.std`."""
    rows = summary.to_dict("records")
    return _finite({f"{row['case']}.layer_{row['layer']}.{name}": row[name] for row in rows for name in SIGNALS})


def of_training(epochs: pd.DataFrame) -> dict[str, float]:
    """Return finite median losses and accuracy of each case's last epoch, by names such as `mlp-zeros.loss`."""
    last = summaries.last_epochs(epochs)
    return _finite({f"{row['case']}.{name}": row[name] for row in last.to_dict("records") for name in LOSSES})


def _collapse(params: Params, key: str, results: Results) -> Observed:
    frame, tolerance, experiment = results.trials[key], params.collapse.tolerance, experiments.of_case(params, key)
    happened = criteria.events(frame, tolerance)
    if key in params.collapse.refit:
        fits = results.histories[key]
        equal = (fits["probe_range"] == 0).groupby(fits["trial"])
        happened |= {"loop_prints_0": ~equal.any().to_numpy(), "loop_prints_1": equal.all().to_numpy()}
    elif key in results.histories:
        last = results.histories[key].sort_values("trial")
        last = last[last["epoch"] == last["epoch"].max()]
        happened["collapsed_at_the_last_checkpoint"] = criteria.within(last["range"], tolerance)
    rates = results.small["collapse_rates"]
    (born_dead,) = rates[(rates["case"] == key) & (rates["event"] == "born_dead")].to_dict("records")
    return Observed(
        setting(experiment.settings) | {"collapse.tolerance": tolerance},
        counts={event: _count(outcomes) for event, outcomes in happened.items()},
        drawn=of_points(*experiment.target.sample(params.seed)),
        exact=_finite({name: born_dead[name] for name in ("theory_low", "theory_high")}),
    )


def _safe_region(params: Params, results: Results) -> Observed:
    counts, exact = dict[str, Count](), dict[str, float]()
    for row in results.small["born_dead"].to_dict("records"):
        cell = f"width_{row['width']}.depth_{row['depth']}"
        counts[f"{cell}.born_dead"] = Count(row["count"], row["networks"])
        counts[f"{cell}.born_dead_on_x_above_0"] = Count(row["positive_count"], row["networks"])
        exact |= {f"{cell}.{name}": row[name] for name in ("theory_low", "theory_high") if name in row}
    cells = results.trained_grid.groupby(["initializer", "width", "depth"], sort=False)
    for (name, width, depth), trials in cells:
        prefix = "trained" if name == MAIN else f"trained.{name}"
        happened = criteria.events(trials, params.collapse.tolerance)
        cell = f"{prefix}.width_{width}.depth_{depth}"
        counts |= {f"{cell}.{event}": _count(happened[event]) for event in ("collapsed", "born_dead", "dead")}
    counts |= _other_initializers(results.small["explorer"])
    own = setting(safe_region.settings(params)) | {"collapse.tolerance": params.collapse.tolerance}
    return Observed(own, counts=counts, exact=_finite(exact))


def _sensitivity(params: Params, key: str, results: Results) -> Observed:
    counts: dict[str, Count] = {}
    for name, trials in results.variations[key].groupby("variation", sort=False):
        happened = criteria.events(trials, params.collapse.tolerance)
        counts |= {f"{name}.{event}": _count(happened[event]) for event in ("collapsed", "born_dead", "dead")}
    own = setting(sensitivity.settings(params, key)) | {"collapse.tolerance": params.collapse.tolerance}
    return Observed(own, counts=counts)


def _other_initializers(cells: pd.DataFrame) -> dict[str, Count]:
    """Return counts of dead (with biases: constant) untrained networks of the largest depth, by initializer and width.

    The main initializer is left out. Networks constant at a smaller depth are so at the largest one, too.
    """
    others = cells[cells["initializer"] != MAIN]
    deepest = others[others["depth"] == others["depth"].max()].astype({"count": int, "networks": int})
    name = "{initializer}.width_{width}.depth_{depth}.born_dead"
    return {name.format(**row): Count(row["count"], row["networks"]) for row in deepest.to_dict("records")}


def _count(outcomes: Outcomes) -> Count:
    return Count(int(outcomes.sum()), len(outcomes), outcomes)


def of_points(x: Points, y: Points) -> dict[str, float]:
    """Return mean and standard deviation, over all entries, of the inputs x and of the targets y of a training set."""
    moments = {"x_mean": x.mean(dtype=float), "x_std": x.std(dtype=float)}
    moments |= {"y_mean": y.mean(dtype=float), "y_std": y.std(dtype=float)}
    return {name: value.item() for name, value in moments.items()}


SIZES = ("trials", "networks")
"""Settings that may differ between comparable runs, except in `training`, whose numbers are medians over trials."""

OF_THE_CODE = ("beta_1", "beta_2", "epsilon", "saved_trials")
"""Constants that the code sets, not params.yaml; the check must judge the results if one of them changes."""


def setting(made_by: Mapping[str, object]) -> dict[str, Any]:
    """Return, by dotted key, settings that comparable runs share: without seed, `OF_THE_CODE`, and most `SIZES`."""

    def may_differ(key: str) -> bool:
        name = key.split(".")[-1]
        return name in ("seed", *OF_THE_CODE) or (name in SIZES and not key.startswith("training."))

    return {key: value for key, value in flat(made_by).items() if not may_differ(key)}


def flat(tree: Mapping[str, Any]) -> dict[str, Any]:
    """Flatten a nested mapping to dotted keys: {'a': {'b': 1}} becomes {'a.b': 1}."""

    def leaves(branch: Mapping[str, Any], prefix: str) -> Iterator[tuple[str, Any]]:
        for key, value in branch.items():
            if isinstance(value, Mapping):
                yield from leaves(value, f"{prefix}{key}.")
            else:
                yield prefix + key, value

    return dict(leaves(tree, ""))


def _finite(values: Mapping[str, float]) -> dict[str, float]:
    return {name: float(value) for name, value in values.items() if np.isfinite(value)}
