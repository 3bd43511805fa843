"""report: small tables, metrics, figures, and the page that tells the story."""

import json
import os
import shutil
from pathlib import Path

import pandas as pd

from deadrelu import mnist, page, summaries, tables
from deadrelu.errors import InputError
from deadrelu.params import Params

FOLDER = Path("reports")
NOTEBOOK = FOLDER / "report.ipynb"
MADE = ("figures", "tables", "metrics.json", "report.html")


def main(params: Params) -> None:
    """Write everything in `MADE`; what was there before stays until all of it is ready."""
    if not NOTEBOOK.is_file():
        raise InputError(f"{NOTEBOOK}: missing; run deadrelu in the project's root folder")
    source = _mnist_source()
    images = len(mnist.read_labels(Path("data/mnist/t10k-labels-idx1-ubyte.gz")))
    summary = _signals(params)
    trials = {key: _trials(params, key) for key in params.collapse.cases}
    rates = summaries.collapse_rates(trials, params)
    small_tables = {
        "data": pd.DataFrame({"mnist_source": [source], "test_images": [images]}),
        "signals": summary,
        "signal_ratios": summaries.signal_ratios(summary),
        "collapse_rates": rates,
        "rate_by_tolerance": summaries.rate_by_tolerance(trials),
        "half_lines": summaries.half_lines(trials, params.collapse.tolerance),
    }
    metrics = _metrics(source, images, summary, rates)
    with tables.new_folder(FOLDER / "new") as new:
        for folder in ("figures", "tables", "scratch"):
            (new / folder).mkdir()
        for name, frame in small_tables.items():
            frame.to_csv(new / "tables" / f"{name}.csv", index=False, float_format="%.6g", lineterminator="\n")
        parameters = {"tables_folder": str(new / "tables"), "figures_folder": str(new / "figures")}
        html = page.run_notebook(NOTEBOOK, parameters, new / "scratch")
        (new / "report.html").write_text(html, encoding="utf-8")
        (new / "metrics.json").write_text(tables.metrics_json(metrics), encoding="utf-8")
        for name in MADE:
            if (FOLDER / name).is_dir():
                shutil.rmtree(FOLDER / name)
            os.replace(new / name, FOLDER / name)
    shutil.rmtree(FOLDER / "new")


def _mnist_source() -> str:
    path = Path("data/mnist/source.json")
    try:
        return str(json.loads(path.read_text(encoding="utf-8"))["source"])
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise InputError(f"{path}: cannot be read ({error}); `dvc repro data@mnist` makes it") from None


def _signals(params: Params) -> pd.DataFrame:
    """The summary of the cases in params, in their order."""
    path = Path("data/activations/summary.parquet")
    summary = tables.read(path, tables.SUMMARY)
    cases = list(params.activations.cases)
    if found := set(cases) ^ set(summary["case"]):
        raise InputError(f"{path}: other cases than params.yaml ({', '.join(sorted(found))}); run `dvc repro`")
    return summary.sort_values(["case", "layer"], key=lambda c: c.map(cases.index) if c.name == "case" else c)


def _trials(params: Params, key: str) -> pd.DataFrame:
    folder = Path("data/collapse") / key
    table = tables.read_parts(folder, tables.COLLAPSE)
    if len(table) != params.collapse.trials:
        raise InputError(
            f"{folder}: {len(table)} trials; params.yaml asks for {params.collapse.trials}: run `dvc repro`"
        )
    return table


def _metrics(source: str, images: int, summary: pd.DataFrame, rates: pd.DataFrame) -> dict[str, object]:
    """`reports/metrics.json` as nested dictionaries."""
    signals: dict[str, dict[str, object]] = {}
    for row in summary.to_dict("records"):
        layer = {name: row[name] for name in ("std", "rms", "zero_fraction")}
        signals.setdefault(row["case"], {})[f"layer_{row['layer']}"] = layer
    collapse: dict[str, object] = {}
    for case, rows in rates.groupby("case", sort=False):
        event = rows.set_index("event")
        constant = event.loc["constant"]
        collapse[str(case)] = {
            "trials": constant["trials"],
            "rate": constant["rate"],
            "rate_low": constant["low"],
            "rate_high": constant["high"],
            **{f"{name}_rate": event.loc[name, "rate"] for name in ("born_dead", "probes_equal", "dead")},
        }
    return {
        "data": {"mnist": {"source": source, "test_images": images}},
        "activations": signals,
        "collapse": collapse,
    }
