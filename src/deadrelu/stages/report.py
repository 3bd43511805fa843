"""report: small tables, metrics, figures, and the page that tells the story."""

import json
import sys
from pathlib import Path

import pandas as pd

from deadrelu import drawings, files, metrics, mnist, page, rates, summaries, tables
from deadrelu.errors import InputError
from deadrelu.params import Params

FOLDER = Path("reports")
NOTEBOOK = FOLDER / "report.ipynb"
ACTIVATIONS = Path("data/activations")
TRAINING = Path("data/training")
COLLAPSE = Path("data/collapse")
SAFE_REGION = Path("data/safe_region")
MADE = ("figures", "tables", "metrics.json", "report.html")


def main(params: Params) -> None:
    """Write everything in `MADE`; what was there before stays until all of it is ready."""
    page.check_notebook(NOTEBOOK)
    for name in MADE:
        files.check_place(FOLDER / name, folder="." not in name)
    with drawings.side_by_side() as draw, files.scratch_folder(FOLDER) as scratch:
        source = _mnist_source()
        images = len(mnist.read_test_set(Path("data/mnist"))[0])
        summary = _signals(params)
        batches, epochs = _training(params)
        of_epochs = summaries.epochs_over_trials(epochs)
        small_tables = {
            "data": pd.DataFrame({"mnist_source": [source], "test_images": [images]}),
            "signals": summary,
            "signal_ratios": summaries.signal_ratios(summary),
            "loss_curves": summaries.loss_curves(batches),
            "epochs": of_epochs,
            **_collapse(params),
            **_safe_region(params),
        }
        for folder in ("figures", "tables"):
            (scratch / folder).mkdir()
        drawn = draw(params, small_tables, ACTIVATIONS, scratch / "figures")
        for name, frame in small_tables.items():
            frame.to_csv(scratch / "tables" / f"{name}.csv", index=False, float_format="%.6g", lineterminator="\n")
        html = page.run_notebook(NOTEBOOK, {"tables_folder": scratch / "tables"}, scratch)
        for figure in drawn:
            figure.result()
        html = page.with_images(html, scratch / "figures")
        (scratch / "report.html").write_text(html, encoding="utf-8")
        measured = metrics.collect(source, images, small_tables)
        (scratch / "metrics.json").write_text(metrics.to_json(measured), encoding="utf-8")
        for name in MADE:
            files.put(scratch / name, FOLDER / name, scratch)


def _mnist_source() -> str:
    path = Path("data/mnist/source.json")
    try:
        source = json.loads(path.read_text(encoding="utf-8"))["source"]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise InputError(f"{path}: cannot be read ({error}); `dvc repro data@mnist` makes it") from None
    if source not in ("official", "bundled"):
        raise InputError(
            f"{path}: received source {source!r}; allowed: official, bundled; `dvc repro --force data@mnist`"
        )
    return str(source)


def _signals(params: Params) -> pd.DataFrame:
    """The summary of the cases in params, in their order."""
    path = ACTIVATIONS / "summary.parquet"
    summary = tables.read(path, tables.SUMMARY)
    tables.check_made_by(path, params.of_activations())
    cases = list(params.activations.cases)
    return _in_order(summary.sort_values("layer"), cases)


def _training(params: Params) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Losses of batches and of epochs."""
    paths = (TRAINING / "batches.parquet", TRAINING / "epochs.parquet")
    batches, epochs = tables.read(paths[0], tables.BATCHES), tables.read(paths[1], tables.EPOCHS)
    for path in paths:
        tables.check_made_by(path, params.of_training())
    cases = list(params.training.cases)
    return _in_order(batches, cases), _in_order(epochs, cases)


def _in_order(table: pd.DataFrame, cases: list[str]) -> pd.DataFrame:
    """Rows in the order of the cases in params, which may be another than when the table was made."""
    return table.sort_values("case", key=lambda column: column.map(cases.index), kind="stable")


def _collapse(params: Params) -> dict[str, pd.DataFrame]:
    trials, tolerance = _trials(params), params.collapse.tolerance
    main = {key: trials[key] for key in params.collapse.main}
    fits = {key: _fits(params, key) for key in params.collapse.continued}
    return {
        "collapse_rates": rates.collapse_rates(trials, params),
        "rate_by_tolerance": rates.rate_by_tolerance(main),
        "half_lines": rates.half_lines(main, tolerance),
        "loop_numbers": rates.loop_numbers(fits, tolerance),
        "collapse_values": rates.collapse_values(trials, params),
    }


def _fits(params: Params, key: str) -> pd.DataFrame:
    path = COLLAPSE / key / "fits.parquet"
    fits = tables.read(path, tables.FITS)
    tables.check_made_by(path, params.of_collapse(key))
    return fits


def _safe_region(params: Params) -> dict[str, pd.DataFrame]:
    paths = (SAFE_REGION / "born_dead.parquet", SAFE_REGION / "trained.parquet")
    counts, trained = tables.read(paths[0], tables.BORN_DEAD), tables.read(paths[1], tables.TRAINED_GRID)
    for path in paths:
        tables.check_made_by(path, params.of_safe_region())
    return {
        "born_dead": rates.born_dead_grid(counts, params.safe_region.initializer),
        "trained_grid": rates.trained_grid(trained, params.collapse.tolerance),
    }


def _trials(params: Params) -> dict[str, pd.DataFrame]:
    """One table per case in params, in their order."""
    trials = {}
    for key in params.collapse.cases:
        trials[key] = table = tables.read_parts(COLLAPSE / key, tables.COLLAPSE)
        tables.check_made_by(min((COLLAPSE / key).glob("part-*.parquet")), params.of_collapse(key))
        if len(table) != (asked := params.collapse.trials_of(key)):
            raise InputError(f"{COLLAPSE / key}: {len(table)} trials; params.yaml asks for {asked}: run `dvc repro`")
    # DVC leaves the folder of a case that is no longer in params.yaml.
    if left := sorted({folder.name for folder in COLLAPSE.iterdir() if folder.is_dir()} - set(trials)):
        folders = " ".join(str(COLLAPSE / name) for name in left)
        print(f"deadrelu: no case of params.yaml, not read: {folders}; rm -r removes what is left", file=sys.stderr)
    return trials
