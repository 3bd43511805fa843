"""inspect: the signals of a user's own model, on the terminal and as Parquet, figure and page."""

import hashlib
import math
import sys
from collections.abc import Iterable, Iterator, Sequence
from html import escape
from pathlib import Path
from typing import Any

import pyarrow as pa

from deadrelu import progress
from deadrelu.analysis.counting import count_of
from deadrelu.analysis.growth import EXPLODES, VANISHES
from deadrelu.errors import InputError
from deadrelu.inspection import input_files, inspect, layer_figure, model_file, printing
from deadrelu.inspection.codes import CODES, GROUPS, SEVERITIES, codes_of
from deadrelu.inspection.compare import changes
from deadrelu.report import page
from deadrelu.report.figures import save
from deadrelu.signals import tensorflow
from deadrelu.storage import files, parquet, versions
from deadrelu.storage.tables import GRADIENT_STATISTICS, STATISTICS

LAYERS = pa.schema(
    [
        *parquet.columns("layer layer_class kind activation", pa.string()),
        *parquet.columns("on_trunk", pa.bool_()),
        *parquet.columns("units size parameters", pa.int64()),
        *parquet.columns("frozen", pa.bool_()),
        *parquet.columns(STATISTICS, pa.float64()),
        *parquet.columns("saturated_units", pa.float64()),
        *parquet.columns(GRADIENT_STATISTICS, pa.float64()),
        *parquet.columns("kernel_rms kernel_gradient_rms gain strength step dead_in_all_calls", pa.float64()),
        *parquet.columns("unusual", pa.bool_()),
        *parquet.columns("forward forward_mean backward backward_mean", pa.float64()),
        *parquet.columns("signal gradient", pa.string()),
        *parquet.columns("saturated", pa.bool_()),
        *parquet.columns("state verdict", pa.string()),
    ]
)
"""What `deadrelu inspect` writes."""

MADE = ("layers.parquet", "layers.png", "signals.html")


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
    ignore: Sequence[str] = (),
    fail_on: Sequence[str] = (),
    compare: Path | None = None,
    verbose: bool = False,
    as_json: bool = False,
) -> bool:
    """Print the table and write the files in `MADE`; what was there before stays until all of it is ready.

    Args:
        model, inputs, labels, compare: files; `compare` is another model on the same inputs.
        out: folder for `MADE`; None: after the model, here.
        first: of more inputs, the first are used.
        loss, training, batch_size, seed, ignore: see `inspect.inspect`.
        fail_on: codes of findings, or severities.
        verbose: print every finding and every row, also of blocks that repeat.
        as_json: print JSON in place of tables.

    Returns:
        Whether the model has one of the findings of `fail_on`.
    """
    wanted = _codes("--fail-on", [word for word in fail_on if word not in SEVERITIES])
    _codes("--ignore", ignore)
    folder = out or Path(f"{model.stem}-signals")
    files.check_place(folder, folder=True)
    for name in MADE:
        files.check_place(folder / name, folder=False)
    given = {"inputs": input_files.read(inputs)} | ({"labels": input_files.read(labels)} if labels else {})
    with files.scratch_folder(folder) as scratch:  # early: a place that cannot be written costs no minute
        tensorflow.import_tensorflow()
        options: dict[str, Any] = {"loss": loss, "training": training, "batch_size": batch_size, "seed": seed}

        def inspected(path: Path) -> inspect.Inspection:
            loaded = model_file.load(path)
            x, *y = (_shaped(array, loaded, what, first) for what, array in given.items())
            try:
                return inspect.inspect(loaded, x, y[0] if y else None, ignore=ignore, track=_track, **options)
            except InputError as error:
                what, _, message = str(error).partition(":")
                raise InputError(f"{({**hashed, 'model': path}).get(what) or what}:{message}") from None

        hashed = {"model": model, "inputs": inputs, "labels": labels}
        found = inspected(model)
        other = inspected(compare) if compare else None
        shown = printing.written(found.table)
        hashes = {f"{name}_sha256": _sha256(path) for name, path in hashed.items() if path}
        made_by = parquet.provenance({"first": first, **options, **hashes})
        made_by["versions"] = versions.installed(versions.KERAS_PACKAGES)
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
        messages = [f"{finding.severity}: {finding.message} ({finding.code})" for finding in found.findings]
        content = f"<h1>{escape(title)}</h1>{page.unordered([*messages, *found.summary, about])}{figure}{table}"
        html = page.with_images(page.document(title, content), scratch)
        (scratch / MADE[2]).write_text(html, encoding="utf-8")
        for name in MADE:
            files.replace(scratch / name, folder / name, scratch)
    changed = changes(other, found) if other else None
    if as_json:
        print(printing.as_json(found, training, changed))
    else:
        printing.print_whole(found, _about(found, training), verbose=verbose)
        if changed:
            printing.print_changes(changed, f"From {compare} to {model}")
        print(f"\n{', '.join(str(folder / name) for name in MADE)}")
    failed = [finding for finding in found.findings if finding.code in wanted or finding.severity in fail_on]
    if failed:
        codes = ", ".join(dict.fromkeys(finding.code for finding in failed))
        print(f"deadrelu: {model}: received a model with {codes}; expected: none, by --fail-on", file=sys.stderr)
    return bool(failed)


def _codes(option: str, words: Sequence[str]) -> set[str]:
    try:
        return codes_of(words)
    except KeyError as error:
        known = ", ".join((*CODES, *GROUPS))
        raise InputError(
            f"{option}: received {error}; expected: a severity (error, warning, note) or one of {known}"
        ) from None


def _track(passes: Iterable[int], number: int) -> Iterator[int]:
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


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
