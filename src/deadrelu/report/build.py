"""Run `deadrelu report`: write the tables, metrics, figures and page of the report."""

from pathlib import Path

from deadrelu.analysis import load
from deadrelu.report import metrics, notebook, page
from deadrelu.report.figures import drawing, kept
from deadrelu.settings.params import Params
from deadrelu.storage import files, tables

FOLDER = Path("reports")
NOTEBOOK = FOLDER / "report.ipynb"
PATHS = {"params_file": Path("params.yaml"), "data_folder": Path("data")}
TITLE = "Initialization, signals and dead ReLU networks"
PLAYGROUND = ("trainers", "streams", "trial", "workers", "pictures", "experiment", "death", "playground")
SCRIPTS = ("explorer.js", *(f"{name}.js" for name in PLAYGROUND))
MADE = ("figures", "vectors", "tables", "metrics.json", "executed.ipynb", "report.html")


def main(params: Params) -> None:
    """Write the files and folders in `MADE`; existing ones stay until all new ones are complete."""
    notebook.check(NOTEBOOK)
    for name in MADE:
        files.check_place(FOLDER / name, folder="." not in name)
    with drawing.side_by_side() as draw, files.scratch_folder(FOLDER) as scratch:
        results = load.read(params)
        (scratch / "figures").mkdir()
        drawn = draw(params, results.small, tables.SUMMARY.path().parent, scratch / "figures")
        write_numbers(results, scratch)
        executed = notebook.run(NOTEBOOK, {**PATHS, "tables_folder": scratch / "tables"})
        content = "\n".join(notebook.content(executed.cells))
        keys = {name: key for job in drawn for name, key in job.result().items()}
        with_outputs = notebook.standalone(executed, scratch / "figures")
        (scratch / "executed.ipynb").write_text(with_outputs, encoding="utf-8", newline="")
        html = page.with_images(page.document(TITLE, content, scripts=SCRIPTS), scratch / "figures")
        (scratch / "report.html").write_text(html, encoding="utf-8")
        kept.put(keys, scratch / "figures", scratch / "vectors")  # next to PNGs, DVC would show figures twice
        for name in MADE:
            files.replace(scratch / name, FOLDER / name, scratch)


def write_numbers(results: load.Results, folder: Path) -> None:
    """Write the report's tables in `results` to `folder/tables`, and metrics from them to `folder/metrics.json`."""
    (folder / "tables").mkdir(exist_ok=True)
    for name, frame in results.small.items():
        (folder / "tables" / f"{name}.csv").write_text(load.to_csv(frame), encoding="utf-8", newline="")
    (folder / "metrics.json").write_text(metrics.to_json(metrics.collect(results.small)), encoding="utf-8")
