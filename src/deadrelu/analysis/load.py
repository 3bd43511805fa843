"""What the pipeline made: `data/` checked against the settings, and the small tables that follow from it."""

import json
import sys
from pathlib import Path
from typing import Literal, NamedTuple

import pandas as pd

from deadrelu.analysis import fates, grid, rates, sensitivity, summaries
from deadrelu.errors import InputError
from deadrelu.settings.params import MAIN, Params
from deadrelu.stages.activations import SUMMARY
from deadrelu.stages.collapse.tables import FITS, FUNCTIONS, TRIALS, WEIGHTS
from deadrelu.stages.safe_region.tables import BORN_DEAD, OTHER_INITIALIZERS, REGION_FUNCTIONS, TRAINED_GRID
from deadrelu.stages.sensitivity.tables import DEATHS, RATES
from deadrelu.stages.training import BATCHES, EPOCHS
from deadrelu.storage import idx_files, parquet
from deadrelu.storage.points import SCHEMA as POINTS

MNIST = Path("data/mnist")
ACTIVATIONS = Path("data/activations")
TRAINING = Path("data/training")
COLLAPSE = Path("data/collapse")
SENSITIVITY = Path("data/sensitivity")
SAFE_REGION = Path("data/safe_region")


class Results(NamedTuple):
    """Everything that the report and the check read."""

    source: Literal["official", "bundled"]
    """Of the digits."""
    test_images: int
    small: dict[str, pd.DataFrame]
    """The report's tables by name."""
    trials: dict[str, pd.DataFrame]
    """Of each case of `collapse`, a row per trial."""
    fits: dict[str, pd.DataFrame]
    """Of each case of refits, a row per trial and fit."""
    trained_grid: pd.DataFrame
    """Of `safe_region`, a row per trial of the main initializer."""


def read(params: Params) -> Results:
    """Read the tables of every stage, each in the order of its cases in params.

    Raises:
        InputError: one is missing, cut, or made by other params.
    """
    source = _mnist_source()
    images = idx_files.flat(idx_files.read_test_set(MNIST)[0])
    summary = summaries.beside_theory(_signals(params), params.activations, (images.astype(float) ** 2).sum(axis=1))
    batches, epochs = _training(params)
    trials = _trials(params)
    fits = {key: _fits(params, key) for key in params.collapse.refit}
    counts, others, trained = _safe_region(params)
    own = trained[trained["initializer"] == MAIN]
    small = {
        "data": pd.DataFrame({"mnist_source": [source], "test_images": [len(images)]}),
        "signals": summary,
        "signal_ratios": summaries.signal_ratios(summary),
        "loss_curves": summaries.loss_curves(batches),
        "epochs": summaries.epochs_over_trials(epochs),
        **_collapse(params, trials, fits),
        "born_dead": grid.born_dead_grid(counts, params.safe_region.initializer),
        "trained_grid": grid.trained_grid(own, params.collapse.tolerance),
    }
    small |= _sensitivity(params)
    small["explorer"] = grid.cells(small["born_dead"], others, trained, params)
    return Results(source, len(images), small, trials, fits, own)


def to_csv(frame: pd.DataFrame) -> str:
    """A small table as it stands in `reports/tables`: 6 significant digits, as in the metrics."""
    text: str = frame.to_csv(index=False, float_format="%.6g", lineterminator="\n")
    return text


def files_of(stage: str) -> list[Path]:
    """The tables of a stage of the pipeline, by its name in dvc.yaml."""
    folder = Path("data", *stage.removeprefix("data@").split("@"))
    return sorted(path for path in folder.glob("*") if path.is_file() and not path.name.startswith("."))


def _mnist_source() -> Literal["official", "bundled"]:
    path = MNIST / "source.json"
    try:
        source: Literal["official", "bundled"] = json.loads(path.read_text(encoding="utf-8"))["source"]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise InputError(f"{path}: cannot be read ({error}); `dvc repro data@mnist` makes it") from None
    if source not in ("official", "bundled"):
        raise InputError(
            f"{path}: received source {source!r}; expected: official, bundled; `dvc repro --force data@mnist`"
        )
    return source


def _signals(params: Params) -> pd.DataFrame:
    """The summary of the cases in params, in their order."""
    path = ACTIVATIONS / "summary.parquet"
    summary = parquet.read(path, SUMMARY)
    parquet.check_made_by(path, params.of_activations())
    return _in_order(summary.sort_values("layer"), list(params.activations.cases))


def _training(params: Params) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Losses of batches and of epochs."""
    paths = (TRAINING / "batches.parquet", TRAINING / "epochs.parquet")
    batches, epochs = parquet.read(paths[0], BATCHES), parquet.read(paths[1], EPOCHS)
    for path in paths:
        parquet.check_made_by(path, params.of_training())
    cases = list(params.training.cases)
    return _in_order(batches, cases), _in_order(epochs, cases)


def _in_order(table: pd.DataFrame, cases: list[str]) -> pd.DataFrame:
    """Rows in the order of the cases in params, which may be another than when the table was made."""
    return table.sort_values("case", key=lambda column: column.map(cases.index), kind="stable")


def _collapse(
    params: Params, trials: dict[str, pd.DataFrame], fits: dict[str, pd.DataFrame]
) -> dict[str, pd.DataFrame]:
    tolerance = params.collapse.tolerance
    main = {key: trials[key] for key in params.collapse.main}
    return {
        "collapse_rates": rates.collapse_rates(trials, params),
        "rate_by_tolerance": rates.rate_by_tolerance(main),
        "half_lines": rates.half_lines(main, tolerance),
        "loop_numbers": rates.loop_numbers(fits, tolerance),
        "collapse_values": rates.collapse_values(trials, params),
        **fates.tables(trials, _functions(params), params),
    }


def _functions(params: Params) -> dict[str, pd.DataFrame]:
    """Of each case of independent trials with one input and one output."""
    found = {}
    for key in (*params.collapse.main, *params.collapse.own_target):
        path = COLLAPSE / key / "functions.parquet"
        if fates.has_functions(params, key):
            found[key] = parquet.read(path, FUNCTIONS)
            parquet.check_made_by(path, params.of_collapse(key))
    return found


def points(params: Params, data: Path = Path("data")) -> pd.DataFrame:
    """Training points of the shared target, columns x and y; `data` is the folder of the stages."""
    path = data / "target" / "points.parquet"
    found = parquet.read(path, POINTS)
    parquet.check_made_by(path, params.of_target())
    return found


def weights(params: Params, key: str, data: Path = Path("data")) -> pd.DataFrame:
    """Initial and final weights of the first trials of a case of `collapse`."""
    path = data / COLLAPSE.name / key / "weights.parquet"
    found = parquet.read(path, WEIGHTS)
    parquet.check_made_by(path, params.of_collapse(key))
    return found


def trials(params: Params, key: str, data: Path = Path("data")) -> pd.DataFrame:
    """The trials of a case of `collapse`."""
    return parquet.read_parts(data / COLLAPSE.name / key, TRIALS)


def region_functions(params: Params, data: Path = Path("data")) -> pd.DataFrame:
    """What a few networks of each cell of `safe_region` compute; `data` is the folder of the stages."""
    path = data / SAFE_REGION.name / "functions.parquet"
    found = parquet.read(path, REGION_FUNCTIONS)
    parquet.check_made_by(path, params.of_safe_region())
    return found


def _fits(params: Params, key: str) -> pd.DataFrame:
    path = COLLAPSE / key / "fits.parquet"
    fits = parquet.read(path, FITS)
    parquet.check_made_by(path, params.of_collapse(key))
    return fits


def _safe_region(params: Params) -> tuple[pd.DataFrame, pd.DataFrame, pd.DataFrame]:
    """Counts of the untrained grid, those of the other initializers, and the trials of the trained one."""
    schemas = {"born_dead": BORN_DEAD, "other_initializers": OTHER_INITIALIZERS, "trained": TRAINED_GRID}
    found = []
    for name, schema in schemas.items():
        path = SAFE_REGION / f"{name}.parquet"
        found.append(parquet.read(path, schema))
        parquet.check_made_by(path, params.of_safe_region())
    counts, others, trained = found
    return counts, others, trained


def _sensitivity(params: Params) -> dict[str, pd.DataFrame]:
    """Small tables of the readings of the paper, and of deaths in training."""
    tables = []
    for name, schema in (("rates", RATES), ("deaths", DEATHS)):
        path = SENSITIVITY / f"{name}.parquet"
        tables.append(parquet.read(path, schema))
        parquet.check_made_by(path, params.of_sensitivity())
    of, deaths = sensitivity.rates(tables[0]), tables[1]
    return {
        "readings": sensitivity.readings(of),
        "variations": sensitivity.variations(of),
        "criteria": sensitivity.criteria(of),
        "plane": sensitivity.plane(of),
        "death_epochs": sensitivity.death_epochs(deaths),
    }


def _trials(params: Params) -> dict[str, pd.DataFrame]:
    """One table per case in params, in their order."""
    trials = {}
    for key in params.collapse.cases:
        trials[key] = table = parquet.read_parts(COLLAPSE / key, TRIALS)
        parquet.check_made_by(min((COLLAPSE / key).glob("part-*.parquet")), params.of_collapse(key))
        if len(table) != (asked := params.collapse.trials_of(key)):
            raise InputError(f"{COLLAPSE / key}: {len(table)} trials; params.yaml asks for {asked}: run `dvc repro`")
    # DVC leaves the folder of a case that is no longer in params.yaml.
    if left := sorted({folder.name for folder in COLLAPSE.iterdir() if folder.is_dir()} - set(trials)):
        folders = " ".join(str(COLLAPSE / name) for name in left)
        print(f"deadrelu: no case of params.yaml, not read: {folders}; rm -r removes what is left", file=sys.stderr)
    return trials
