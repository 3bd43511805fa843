"""inspect: the signals of a user's own model, on the terminal and as Parquet, figure and page."""

import hashlib
import json
import math
import sys
from collections.abc import Iterable, Iterator, Sequence
from html import escape
from pathlib import Path
from typing import Any, Literal

import pandas as pd
import pyarrow as pa
from rich.console import Console
from rich.table import Table
from rich.text import Text

from deadrelu import progress
from deadrelu.analysis.growth import EXPLODES, VANISHES
from deadrelu.errors import InputError
from deadrelu.inspection import input_files, inspect, layer_figure, model_file
from deadrelu.report import page
from deadrelu.report.figures import save
from deadrelu.report.labels import count_of
from deadrelu.signals import batches, tensorflow
from deadrelu.stages.activations import GRADIENT_STATISTICS, STATISTICS
from deadrelu.storage import files, parquet

LAYERS = pa.schema(
    [
        *parquet.columns("layer layer_class kind activation", pa.string()),
        *parquet.columns("on_trunk", pa.bool_()),
        *parquet.columns("units size parameters", pa.int64()),
        *parquet.columns(STATISTICS, pa.float64()),
        *parquet.columns("saturated_units", pa.float64()),
        *parquet.columns(GRADIENT_STATISTICS, pa.float64()),
        *parquet.columns("kernel_rms kernel_gradient_rms gain strength step dead_in_all_calls", pa.float64()),
        *parquet.columns("unusual", pa.bool_()),
        *parquet.columns("forward forward_mean backward backward_mean", pa.float64()),
        *parquet.columns("verdict", pa.string()),
    ]
)
"""What `deadrelu inspect` writes."""

MADE = ("layers.parquet", "layers.png", "signals.html")
SHOWN = {
    "layer": "layer",
    "kind": "kind",
    "rms": "rms",
    "input_std": "std over inputs",
    "zero_fraction": "zeros",
    "dead_units": "dead units",
    "gradient_rms": "gradient rms",
    "verdict": "verdict",
}


def main(
    model: Path,
    inputs: Path,
    labels: Path | None = None,
    out: Path | None = None,
    *,
    first: int | None = None,
    loss: str | None = None,
    training: bool = False,
    batch_size: int | None = None,
    seed: int = 0,
    suggest: bool = False,
    fail_on: Sequence[str] = (),
    as_json: bool = False,
) -> bool:
    """Print the table and write the files in `MADE`; what was there before stays until all of it is ready.

    Returns:
        Whether the model has one of the problems of `fail_on`.
    """
    folder = out or Path(f"{model.stem}-signals")
    files.check_place(folder, folder=True)
    for name in MADE:
        files.check_place(folder / name, folder=False)
    given = {"inputs": input_files.read(inputs)} | ({"labels": input_files.read(labels)} if labels else {})
    with files.scratch_folder(folder) as scratch:  # early: a place that cannot be written costs no minute
        tensorflow.import_tensorflow()
        loaded = model_file.load(model)
        x, *y = (_shaped(array, loaded, what, first) for what, array in given.items())
        options: dict[str, Any] = {"loss": loss, "training": training, "batch_size": batch_size, "seed": seed}
        try:
            labels_given = y[0] if y else None
            found = inspect.inspect(loaded, x, labels_given, track=_track, suggest=suggest, **options)
        except InputError as error:
            what, _, message = str(error).partition(":")
            path = {"inputs": inputs, "labels": labels, "model": model}.get(what) or what
            raise InputError(f"{path}:{message}") from None
        shown = _written(found.table)
        hashed = {"model": model, "inputs": inputs, "labels": labels}
        hashes = {f"{name}_sha256": _sha256(path) for name, path in hashed.items() if path}
        made_by = parquet.provenance({"first": first, **options, **hashes})
        parquet.write(scratch / MADE[0], found.table, LAYERS, made_by)
        save.save(layer_figure.layer_by_layer(found.table), scratch / MADE[1])
        figure = page.figure(
            "layers",
            alt="Four charts by layer: quantiles of activations, standard deviation over inputs, rms of the gradient, "
            "and shares of zeros, saturated outputs and dead units",
            caption="From the first layer to the last. Activations: the middle half (thick), 98 % (thin), median. "
            "Filled marks, joined by kind: layers that every path goes through; open marks: layers in branches.",
        )
        table = page.table(
            shown, caption="Each layer over all inputs; layers.parquet has every column.", words=("kind", "verdict")
        )
        about = f"{_about(found, training)} {READING}"
        title = f"Signals of {model.name}"
        content = f"<h1>{escape(title)}</h1>{page.unordered([*found.sentences, about])}{figure}{table}"
        html = page.with_images(page.document(title, content), scratch)
        (scratch / MADE[2]).write_text(html, encoding="utf-8")
        for name in MADE:
            files.replace(scratch / name, folder / name, scratch)
    if as_json:
        print(_json(found, training))
    else:
        _print(shown, found, training)
        print(f"\n{', '.join(str(folder / name) for name in MADE)}")
    failed = sorted(found.problems & set(fail_on))
    if failed:
        print(
            f"deadrelu: {model}: received a model that {_words(failed)}; expected: none, by --fail-on", file=sys.stderr
        )
    return bool(failed)


def _json(found: inspect.Inspection, training: bool) -> str:
    """Everything that was found; numbers that are not finite are null."""
    rows = json.loads(found.table.to_json(orient="records"))
    about = {"inputs": found.inputs, "training_mode": training, "gradient_of": found.gradient_of}
    said = {"problems": sorted(found.problems), "unmoved": found.unmoved, "sentences": found.sentences}
    return json.dumps({**about, **said, "layers": rows}, indent=2)


def _words(problems: Sequence[str]) -> str:
    words = {"dead": "is dead", "not-finite": "is not finite"}
    return " and ".join(words.get(problem, f"has a signal or gradient that {problem}") for problem in problems)


def _track(passes: Iterable[batches.Batch], number: int) -> Iterator[batches.Batch]:
    with progress.rate_and_time_left() as bar:
        yield from bar.track(passes, total=number, description="batches")


READING = (
    "Zeros: share of exact zeros. Dead units: the slope of their activation is 0 on all inputs. Verdict: the signal "
    "(standard deviation over inputs) and the gradient (its rms) are compared with layers of the same kind on the way "
    f"that all paths share; each vanishes below a mean factor of {VANISHES:g} per layer up to there and explodes above "
    f"{EXPLODES:g}, if the 95 % interval of that excludes 1."
)


def _about(found: inspect.Inspection, training: bool) -> str:
    mode = "training" if training else "inference"
    return f"{count_of(found.inputs, 'input')}, {mode} mode; gradients are of {found.gradient_of}."


def _shaped(given: dict[str, Any], model: Any, what: str, first: int | None) -> Any:
    """Arrays of a file as the model may take them: columns side by side, flat rows in the shape of an image."""
    tensors = getattr(model, what.replace("labels", "outputs"), None) or [None]
    arrays_given = {name: array[:first] for name, array in given.items()}
    if len(tensors) > 1:
        return arrays_given.get("", arrays_given)
    joined = input_files.side_by_side(arrays_given)
    if len(joined) > 1:
        return joined
    array = next(iter(joined.values()))
    shape = tuple(tensors[0].shape[1:]) if tensors[0] is not None else ()
    is_flat = what == "inputs" and array.ndim == 2 and None not in shape and array.shape[1:] == (math.prod(shape),)
    return array.reshape(-1, *shape) if is_flat else array


def _written(table: pd.DataFrame) -> pd.DataFrame:
    """The table's main columns as strings."""

    def number(value: float) -> str:
        return "" if pd.isna(value) else f"{value:.3g}"

    columns = {
        **{name: table[name] for name in ("layer", "kind", "verdict")},
        **{name: table[name].map(number) for name in ("rms", "input_std", "gradient_rms")},
        "zero_fraction": table["zero_fraction"].map("{:.1%}".format),
        "dead_units": [
            f"{dead:.0f} of {units}" for dead, units in zip(table["dead_units"], table["units"], strict=True)
        ],
    }
    return pd.DataFrame({title: columns[name] for name, title in SHOWN.items()})


NARROW = 110
"""Columns of a terminal below which the table has fewer of its own."""


def _print(shown: pd.DataFrame, found: inspect.Inspection, training: bool) -> None:
    console = Console(width=None if sys.stdout.isatty() else 140, soft_wrap=True)
    print_table(console, shown, _about(found, training))
    for sentence in found.sentences:
        console.print(f"• {sentence}", markup=False, highlight=False)


def print_table(console: Console, shown: pd.DataFrame, about: str) -> None:
    """Print the table with as many columns as fit; names are folded, never cut: two rows must not look alike."""
    table = Table(caption=about, caption_justify="left")
    left = ("layer", "kind", "verdict")
    columns = [title for title in shown.columns if console.width >= NARROW or title not in ("kind", "std over inputs")]
    for title in columns:
        justify: Literal["left", "right"] = "left" if title in left else "right"
        table.add_column(title, justify=justify, overflow="fold", no_wrap=title not in left)
    for row in shown[columns].itertuples(index=False):
        table.add_row(*map(Text, row), style=None if row[-1] in ("", "holds") else "bold")
    console.print(table)


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
