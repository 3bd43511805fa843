"""The command `inspect`: the signals of a user's model on the terminal, and as a Parquet file, a figure and a page."""

import hashlib
import math
import sys
from collections.abc import Iterable, Iterator, Sequence, Set
from html import escape
from pathlib import Path
from typing import Any

import pyarrow as pa

from deadrelu import progress
from deadrelu.analysis.counting import count_of
from deadrelu.analysis.growth import EXPLODES, VANISHES
from deadrelu.errors import InputError
from deadrelu.inspection import input_files, inspect, layer_figure, model_file, printing
from deadrelu.inspection.checkpoints import Changes, changes
from deadrelu.inspection.codes import CODES, GROUPS, SEVERITIES, codes_of
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
"""The schema of layers.parquet, which has a row for each call of a layer."""

MADE = ("layers.parquet", "layers.png", "signals.html")
Paths = dict[str, Any]


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
    """Print an inspection and write the files in `MADE`; earlier files stay until all new ones are ready.

    Args:
        model, inputs, labels, compare: paths of files; `compare` is an earlier model, measured on the same inputs.
        out: folder for the files in `MADE`; None: a folder in the current one, named after the model.
        first: maximum number of inputs; if there are more, the first are used.
        loss, training, batch_size, seed, ignore: see `inspect.inspect`.
        fail_on: codes of findings, words of `codes.GROUPS`, or severities.
        verbose: print every finding and every row, also of blocks that repeat.
        as_json: print JSON in place of tables.

    Returns:
        True if the model has a finding that `fail_on` names.
    """
    failing = _codes("--fail-on", [word for word in fail_on if word not in SEVERITIES])
    failing |= {word for word in fail_on if word in SEVERITIES}
    _codes("--ignore", ignore)
    folder = out or Path(f"{model.stem}-signals")
    _check_places(folder)
    paths = {"model": model, "inputs": inputs, "labels": labels}
    given = {what: input_files.read(path) for what, path in (("inputs", inputs), ("labels", labels)) if path}
    options: dict[str, Any] = {"loss": loss, "training": training, "batch_size": batch_size, "seed": seed}
    with files.scratch_folder(folder) as scratch:  # first, so that a folder that cannot be written fails early
        tensorflow.import_tensorflow()
        inspection = _inspected(paths, given, first, ignore, options)
        other = _inspected({**paths, "model": compare}, given, first, ignore, options) if compare else None
        _write_files(inspection, paths, {"first": first, **options}, folder, scratch)
    changed = changes(other, inspection) if other else None
    if as_json:
        print(printing.as_json(inspection, training, changed))
    else:
        _print_tables(inspection, changed, f"From {compare} to {model}", folder, training=training, verbose=verbose)
    return _fails(inspection, failing, model)


def _check_places(folder: Path) -> None:
    files.check_place(folder, folder=True)
    for name in MADE:
        files.check_place(folder / name, folder=False)


def _inspected(
    paths: Paths, given: dict[str, Any], first: int | None, ignore: Sequence[str], options: dict[str, Any]
) -> inspect.Inspection:
    """Inspect the model in `paths` on the `first` rows of `given` arrays; an `InputError` names the faulty file."""
    loaded = model_file.load(paths["model"])
    x, *y = (_shaped(array, loaded, what, first) for what, array in given.items())
    try:
        return inspect.inspect(loaded, x, y[0] if y else None, ignore=ignore, track=_track, **options)
    except InputError as error:
        what, _, message = str(error).partition(":")
        raise InputError(f"{paths.get(what) or what}:{message}") from None


def _write_files(
    inspection: inspect.Inspection, paths: Paths, options: dict[str, Any], folder: Path, scratch: Path
) -> None:
    """Write the files in `MADE` to a scratch folder, and move them to their folder when all are ready."""
    hashes = {f"{name}_sha256": _sha256(path) for name, path in paths.items() if path}
    made_by = parquet.provenance({**options, **hashes})
    made_by["versions"] = versions.installed(versions.KERAS_PACKAGES)
    parquet.write(scratch / MADE[0], inspection.table, LAYERS, made_by)
    save.save(layer_figure.layer_by_layer(inspection.table), scratch / MADE[1])
    content = _document(inspection, f"Signals of {paths['model'].name}", _about(inspection, options["training"]))
    (scratch / MADE[2]).write_text(page.with_images(content, scratch), encoding="utf-8")
    for name in MADE:
        files.replace(scratch / name, folder / name, scratch)


def _document(inspection: inspect.Inspection, title: str, about: str) -> str:
    """Return the HTML page: findings, summary, the sentence `about`, figure and table."""
    figure = page.figure(
        "layers",
        alt="Four charts by layer: quantiles of activations, standard deviation over inputs, rms of the gradient, "
        "and shares of zeros, saturated outputs and dead units",
        caption="From the first layer to the last. Activations: the middle half (thick), 98 % (thin), median. "
        "Filled marks, joined by kind: layers that every path goes through; open marks: layers in branches.",
    )
    caption = "Each layer over all inputs; layers.parquet has every column."
    table = page.table(printing.written(inspection.table), caption=caption, words=("kind", "verdict"))
    messages = [f"{finding.severity}: {finding.message} ({finding.code})" for finding in inspection.findings]
    points = page.unordered([*messages, *inspection.summary, f"{about} {READING}"])
    return page.document(title, f"<h1>{escape(title)}</h1>{points}{figure}{table}")


def _print_tables(
    inspection: inspect.Inspection, changed: Changes | None, title: str, folder: Path, *, training: bool, verbose: bool
) -> None:
    printing.print_whole(inspection, _about(inspection, training), verbose=verbose)
    if changed:
        printing.print_changes(changed, title)
    print(f"\n{', '.join(str(folder / name) for name in MADE)}")


def _fails(inspection: inspect.Inspection, failing: Set[str], model: Path) -> bool:
    """Return whether there is a finding with a code or severity in `failing`, and report these codes on stderr."""
    failed = [finding for finding in inspection.findings if not failing.isdisjoint((finding.code, finding.severity))]
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


def _about(inspection: inspect.Inspection, training: bool) -> str:
    mode = "training" if training else "inference"
    return f"{count_of(inspection.inputs, 'input')}, {mode} mode; gradients are of {inspection.gradient_of}."


def _shaped(given: dict[str, Any], model: Any, what: str, first: int | None) -> Any:
    """Return `first` rows (None: all) of the arrays `given`, "inputs" or "labels" by `what`, in the model's form."""
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
