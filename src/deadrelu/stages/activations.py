"""activations: signals of an untrained MLP under each initialization, on the MNIST test images.

Computed in float64 and rounded, so that the tables are the same on every processor.
"""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa

from deadrelu import progress
from deadrelu.settings.params import Params
from deadrelu.signals import batches, layers, networks, objectives, tensorflow
from deadrelu.signals.statistics import Running
from deadrelu.storage import files, idx_files, parquet
from deadrelu.storage.rounding import significant

STATISTICS = "mean std rms input_std zero_fraction dead_units saturated_fraction q01 q25 q50 q75 q99"
"""Of a layer's signal, see `signals.statistics.Running`."""

GRADIENT_STATISTICS = " ".join(f"gradient_{name}" for name in STATISTICS.split())

SAMPLE = pa.schema(
    [
        *parquet.columns("case", pa.string()),
        *parquet.columns("layer unit sample", pa.int32()),
        *parquet.columns("activation gradient", pa.float32()),
    ]
)
SUMMARY = pa.schema(
    [
        *parquet.columns("case", pa.string()),
        *parquet.columns("layer", pa.int32()),
        *parquet.columns(STATISTICS, pa.float64()),
        *parquet.columns(GRADIENT_STATISTICS, pa.float64()),
    ]
)

FOLDER = Path("data/activations")

SAMPLE_DIGITS, SUMMARY_DIGITS = 5, 6
"""Significant digits that are kept of a signal, and of a statistic."""

Row = dict[str, object]


def main(params: Params) -> None:
    """Write `data/activations/<case>.parquet` and `summary.parquet`."""
    x, labels = images()
    made_by = parquet.provenance(params.of_activations())
    rows: list[Row] = []
    with files.new_folder(FOLDER) as folder, progress.rate_and_time_left() as bar:
        task = bar.add_task("activations", total=len(params.activations.cases))
        for key, samples, layers in measure(params, x, labels):
            parquet.write(folder / f"{key}.parquet", samples, SAMPLE, made_by)
            rows += layers
            bar.advance(task)
        parquet.write(folder / "summary.parquet", pd.DataFrame(rows), SUMMARY, made_by)


def images() -> tuple[batches.Float, idx_files.Images]:
    """The test images, a row each, and their labels."""
    found, labels = idx_files.read_test_set(Path("data/mnist"))
    return idx_files.flat(found), labels


def measure(
    params: Params, x: batches.Float, labels: idx_files.Images
) -> Iterator[tuple[str, pd.DataFrame, list[Row]]]:
    """Of each case: its name, the samples of its activations, and a row of statistics for each layer."""
    settings = params.activations
    tensorflow.import_tensorflow()
    for key, case in settings.cases.items():
        model = networks.mlp(
            settings.network.hidden_layers,
            settings.network.width,
            case.activation,
            case.initializer,
            seed=params.seed,
            layer_seeds=settings.layer_seeds,
            dtype="float64",
        )
        recorded, outputs, *_ = layers.trace_layers(model, [x])
        hidden = [entry for entry in recorded if entry.name.startswith("hidden_")]
        objective, _ = objectives.of_labels(outputs, [labels])
        forward = [Running(len(x), case.activation) for _ in hidden]
        backward = [Running(len(x)) for _ in hidden]
        samples: list[list[pd.DataFrame]] = [[] for _ in hidden]
        rows = []
        for batch in batches.batches(model, hidden, [x], objective):
            for k in range(len(hidden)):
                a, g = batch.activations[k], batch.gradients[k]
                forward[k].add(a)
                backward[k].add(g)
                samples[k].append(_every(a, g, settings.every, batch.rows.start))
        for k in range(len(hidden)):
            gradient = {f"gradient_{name}": value for name, value in backward[k].statistics().items()}
            statistics = forward[k].statistics() | gradient
            rounded = significant(list(statistics.values()), SUMMARY_DIGITS).tolist()
            rows.append({"case": key, "layer": k + 1, **dict(zip(statistics, rounded, strict=True))})
        of_layers = [pd.concat(parts).assign(case=key, layer=k) for k, parts in enumerate(samples, start=1)]
        yield key, pd.concat(of_layers), rows


def _every(activations: batches.Float, gradients: batches.Float, every: int, first_image: int) -> pd.DataFrame:
    """Every so many values of the flattened (image, unit) array of all images, as in the notebook, in this batch."""
    width = activations.shape[1]
    at = np.arange(-first_image * width % every, activations.size, every)
    image, unit = np.divmod(at, width)
    columns = {
        "activation": significant(activations.ravel()[at], SAMPLE_DIGITS),
        "gradient": significant(gradients.ravel()[at], SAMPLE_DIGITS),
    }
    return pd.DataFrame({"unit": unit, "sample": image + first_image, **columns})
