"""Stage activations: measure the signals of an untrained MLP on MNIST test images under each initialization.

Signals are computed in float64 and rounded, so that the tables are the same on every processor.
"""

from collections.abc import Iterator

import numpy as np
import numpy.typing as npt
import pandas as pd

from deadrelu import progress
from deadrelu.engine import initializers
from deadrelu.settings.params import Params
from deadrelu.signals import ensemble, gradients, networks, tensorflow
from deadrelu.signals.statistics import Running
from deadrelu.storage import files, idx_files, parquet, versions
from deadrelu.storage.rounding import significant
from deadrelu.storage.tables import DATA, MNIST, NETWORKS, SAMPLE, SUMMARY
from deadrelu.streams import ENSEMBLE, stream

SAMPLE_DIGITS, SUMMARY_DIGITS = 5, 6
"""Numbers of significant digits to which signals (samples) and statistics (summary) are rounded."""

Row = dict[str, object]


def settings(params: Params) -> dict[str, object]:
    """Return the settings that the tables in `data/activations/` depend on; each table records them."""
    return {"seed": params.seed, "activations": params.activations.model_dump()}


def main(params: Params) -> None:
    """Write `<case>.parquet` for each case, `summary.parquet` and `networks.parquet` to `data/activations/`."""
    x, labels = images()
    made_by = parquet.provenance(settings(params))
    rows: list[Row] = []
    with files.new_folder(SUMMARY.path().parent) as folder, progress.rate_and_time_left() as bar:
        task = bar.add_task("activations", total=len(params.activations.cases))
        for key, samples, layers in measure(params, x, labels):
            parquet.write(folder / SAMPLE.name.format(key), samples, SAMPLE.schema, made_by)
            rows += layers
            bar.advance(task)
        parquet.write(folder / SUMMARY.name, pd.DataFrame(rows), SUMMARY.schema, made_by)
        parquet.write(folder / NETWORKS.name, measure_networks(params, x, labels), NETWORKS.schema, made_by)
    versions.record("activations", SUMMARY.path().parent, versions.KERAS_PACKAGES)


def images() -> tuple[npt.NDArray[np.float32], idx_files.Images]:
    """Return the test images, shape (n, 784), float32 from 0 to 1, and their labels, shape (n,), uint8."""
    pictures, labels = idx_files.read_test_set(DATA / MNIST)
    return idx_files.flat(pictures), labels


def measure(
    params: Params, x: npt.NDArray[np.float32], labels: idx_files.Images
) -> Iterator[tuple[str, pd.DataFrame, list[Row]]]:
    """Yield, for each case, its key, a table of sampled activations and gradients, and statistics, a row per layer."""
    group = params.activations
    tensorflow.import_tensorflow()
    for key, case in group.cases.items():
        model = networks.mlp(
            group.network.hidden_layers,
            group.network.width,
            case.activation,
            case.initializer,
            seed=params.seed,
            layer_seeds=group.layer_seeds,
            dtype="float64",
        )
        hidden = range(sum(layer.name.startswith("hidden_") for layer in model.layers))
        forward = [Running(len(x), case.activation) for _ in hidden]
        backward = [Running(len(x)) for _ in hidden]
        samples: list[list[pd.DataFrame]] = [[] for _ in hidden]
        rows = []
        for batch in gradients.batches(model, x, labels):
            for k in hidden:
                a, g = batch.activations[k], batch.gradients[k]
                forward[k].add(a)
                backward[k].add(g)
                samples[k].append(_every(a, g, group.every, batch.rows.start))
        for k in hidden:
            gradient = {f"gradient_{name}": value for name, value in backward[k].statistics().items()}
            statistics = forward[k].statistics() | gradient
            rounded = significant(list(statistics.values()), SUMMARY_DIGITS).tolist()
            rows.append({"case": key, "layer": k + 1, **dict(zip(statistics, rounded, strict=True))})
        layer_samples = [pd.concat(parts).assign(case=key, layer=k) for k, parts in enumerate(samples, start=1)]
        yield key, pd.concat(layer_samples), rows


def measure_networks(params: Params, x: npt.NDArray[np.float32], labels: idx_files.Images) -> pd.DataFrame:
    """Return the table `storage.tables.NETWORKS`: strengths of signal and gradient in each layer of many networks."""
    group, parts = params.activations, []
    size, images = group.ensemble, slice(group.ensemble.images)
    inputs, layers = x[images].astype(float), group.network.hidden_layers
    for nth, (key, case) in enumerate(group.cases.items()):
        draw = initializers.sampler(case.initializer)
        for network in range(size.networks):
            keys = [0 if group.layer_seeds == "shared" else layer for layer in range(layers + 2)]
            rngs = [stream(params.seed, ENSEMBLE, nth, network, layer) for layer in keys]
            spread, gradient = ensemble.strengths(
                case.activation, draw, inputs, labels[images], width=group.network.width, rngs=rngs
            )
            at = {"case": key, "network": network, "layer": range(1, layers + 1)}
            rounded = (significant(values, SUMMARY_DIGITS) for values in (spread, gradient))
            parts.append(pd.DataFrame({**at, **dict(zip(("input_std", "gradient_rms"), rounded, strict=True))}))
    return pd.concat(parts)


def _every(activations: gradients.Array, slopes: gradients.Array, every: int, first_image: int) -> pd.DataFrame:
    """Return a table of activations and gradients (`slopes`) for every `every`-th (image, unit) pair of all images."""
    width = activations.shape[1]
    at = np.arange(-first_image * width % every, activations.size, every)
    image, unit = np.divmod(at, width)
    columns = {
        "activation": significant(activations.ravel()[at], SAMPLE_DIGITS),
        "gradient": significant(slopes.ravel()[at], SAMPLE_DIGITS),
    }
    return pd.DataFrame({"unit": unit, "sample": image + first_image, **columns})
