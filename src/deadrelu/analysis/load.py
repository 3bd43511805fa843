"""Read the tables in `data/`, check that the settings made them, and compute the report's tables from them."""

import json
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

import pandas as pd

from deadrelu.analysis import grid, outcomes, rates, sensitivity, summaries
from deadrelu.analysis.criteria import Frames
from deadrelu.engine.targets import Target
from deadrelu.errors import InputError
from deadrelu.settings.params import Params
from deadrelu.settings.stages import MAIN
from deadrelu.stages import activations, data_target, experiments, safe_region, training
from deadrelu.stages import sensitivity as sensitivity_stage
from deadrelu.storage import idx_files, tables


class Results(NamedTuple):
    """Results of all stages, for the report and for `deadrelu check`."""

    small: Frames  # tables of the report by name, as in `reports/tables`
    trials: Frames  # table of each case of `collapse`, with one row per trial
    histories: Frames  # of each case with checkpoints (followed or refitted), with one row per trial and checkpoint
    variations: Frames  # table of each key of `sensitivity`, with one row per variation and trial
    trained_grid: pd.DataFrame  # trained networks of `safe_region`, with one row per cell and trial


def read(params: Params) -> Results:
    """Read the tables of all stages and compute those of the report; cases are in the order of params.yaml.

    Raises:
        InputError: a table is missing or truncated, or was made with other params.
    """
    source = _mnist_source()
    for key, group in params.data.targets.items():
        target = Target(**group.model_dump())
        tables.points(target.inputs, target.outputs).read(data_target.settings(params, key), key)  # only to check it
    images = idx_files.flat(idx_files.read_test_set(tables.DATA / tables.MNIST)[0]).astype(float)
    small = {"data": pd.DataFrame({"mnist_source": [source], "test_images": [len(images)]})}
    settings, made_by = params.activations, activations.settings(params)
    signals = _in_order(tables.SUMMARY.read(made_by).sort_values("layer"), settings.cases)
    networks = _in_order(tables.NETWORKS.read(made_by), settings.cases)
    small["signals"] = summaries.beside_theory(signals, settings, (images**2).sum(axis=1))
    small["signal_ratios"] = summaries.signal_ratios(signals, networks, settings, images[: settings.ensemble.images])
    batches, epochs = (table.read(training.settings(params)) for table in (tables.BATCHES, tables.EPOCHS))
    small["loss_curves"] = summaries.loss_curves(_in_order(batches, params.training.cases))
    small["epochs"] = summaries.epochs_over_trials(_in_order(epochs, params.training.cases))
    trials, histories, functions = _collapse(params)
    main = {key: trials[key] for key in params.main_cases}
    independent = {key: trials[key] for key in params.collapse.independent}
    refits = {key: histories[key] for key in params.collapse.refit}
    followed = {key: history for key, history in histories.items() if key not in refits}
    tolerance = params.collapse.tolerance
    small |= {
        "collapse_rates": rates.collapse_rates(trials, params),
        "before_and_after": outcomes.before_and_after(independent, tolerance),
        "over_training": outcomes.over_training(followed, tolerance),
        "deaths": outcomes.deaths(followed),
        "rate_by_tolerance": rates.rate_by_tolerance(main),
        "half_lines": rates.half_lines(main, tolerance),
        "loop_numbers": rates.loop_numbers(refits, tolerance),
        "collapse_values": rates.collapse_values(trials, params),
        **outcomes.tables(trials, functions, params),
    }
    varied = {key: tables.VARIATIONS.read(sensitivity_stage.settings(params, key), key) for key in params.sensitivity}
    small["variations"] = sensitivity.variations(trials, varied, params)
    small["readings"] = sensitivity.readings(trials, varied, params)
    small["criteria"] = sensitivity.by_criterion(trials, params)
    made_by = safe_region.settings(params)
    counts, others = (table.read(made_by) for table in (tables.BORN_DEAD, tables.OTHER_INITIALIZERS))
    trained = tables.TRAINED_GRID.read(made_by)
    small["born_dead"] = grid.born_dead_grid(counts, params.safe_region.initializer)
    small["trained_grid"] = grid.trained_grid(trained[trained["initializer"] == MAIN], tolerance)
    small["explorer"] = grid.cells(small["born_dead"], others, trained, params)
    return Results(small, trials, histories, varied, trained)


def to_csv(frame: pd.DataFrame) -> str:
    """Return a table of the report as CSV text for `reports/tables`; floats have 6 significant digits."""
    return str(frame.to_csv(index=False, float_format="%.6g", lineterminator="\n"))


def files_of(stage: str) -> list[Path]:
    """Return the sorted paths of the files that a stage, given by its name in dvc.yaml, writes to `data/`."""
    names = {"data@target": tables.TARGETS, "data@mnist": tables.MNIST}
    paths = (tables.DATA / names.get(stage, stage.replace("@", "/"))).glob("*")
    return sorted(path for path in paths if path.is_file() and not path.name.startswith("."))


def _mnist_source() -> str:
    path = tables.DATA / tables.MNIST / "source.json"
    try:
        source = json.loads(path.read_text(encoding="utf-8"))["source"]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise InputError(f"{path}: cannot be read ({error}); `dvc repro data@mnist` makes it") from None
    if source in ("official", "bundled"):
        return str(source)
    expected = "expected: official, bundled; `dvc repro --force data@mnist`"
    raise InputError(f"{path}: received source {source!r}; {expected}")


def _in_order(table: pd.DataFrame, cases: Iterable[str]) -> pd.DataFrame:
    """Sort the rows by the position of their case in `cases`; rows of one case keep their order."""
    return table.sort_values("case", key=lambda column: column.map(list(cases).index), kind="stable")


def _collapse(params: Params) -> tuple[Frames, Frames, Frames]:
    """Return trials, histories and functions by case, in the order of params; the last two are of some cases only."""
    cases = {key: experiments.of_case(params, key) for key in params.collapse.cases}
    trials = {key: tables.read_trials(case.settings, key, case.trials) for key, case in cases.items()}
    histories = {key: tables.HISTORY.read(case.settings, key) for key, case in cases.items() if case.checkpoints}
    of_one_input = [key for key in params.collapse.independent if params.target_of(key).of_one_input]
    functions = {key: tables.FUNCTIONS.read(cases[key].settings, key) for key in of_one_input}
    # DVC does not remove the folder of a case that is no longer in params.yaml.
    folders = sorted(path for path in (tables.DATA / tables.COLLAPSE).iterdir() if path.is_dir())
    if left := " ".join(str(path) for path in folders if path.name not in trials):
        print(f"deadrelu: no case of params.yaml, not read: {left}; rm -r removes what is left", file=sys.stderr)
    return trials, histories, functions
