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

SAMPLE_DIGITS, SUMMARY_DIGITS = 5, 6  # significant digits of signals (samples) and of statistics (summary)
Inputs = npt.NDArray[np.float32]


def settings(params: Params) -> dict[str, object]:
    """Return the settings that the tables in `data/activations/` depend on; each table records them."""
    return {"seed": params.seed, "activations": params.activations.model_dump()}


def main(params: Params) -> None:
    """Write `<case>.parquet` for each case, `summary.parquet` and `networks.parquet` to `data/activations/`."""
    x, labels = images()
    made_by, keys, summaries = parquet.provenance(settings(params)), list(params.activations.cases), []
    with files.new_folder(SUMMARY.path().parent) as folder, progress.rate_and_time_left() as bar:
        measured = bar.track(measure(params, x, labels), total=len(keys), description="activations")
        for key, (sample, summary) in zip(keys, measured, strict=True):
            parquet.write(folder / SAMPLE.name.format(key), sample, SAMPLE.schema, made_by)
            summaries.append(summary)
        parquet.write(folder / SUMMARY.name, pd.concat(summaries), SUMMARY.schema, made_by)
        parquet.write(folder / NETWORKS.name, measure_networks(params, x, labels), NETWORKS.schema, made_by)
    versions.record("activations", SUMMARY.path().parent, versions.KERAS_PACKAGES)


def images() -> tuple[Inputs, idx_files.Images]:
    """Return the test images, shape (n, 784), float32 from 0 to 1, and their labels, shape (n,), uint8."""
    pictures, labels = idx_files.read_test_set(DATA / MNIST)
    return idx_files.flat(pictures), labels


def measure(params: Params, x: Inputs, labels: idx_files.Images) -> Iterator[tuple[pd.DataFrame, pd.DataFrame]]:
    """Yield two tables per case, as in `SAMPLE` and `SUMMARY`: sampled activations and gradients, and statistics."""
    group = params.activations
    size, layer_seeds = (group.network.hidden_layers, group.network.width), group.layer_seeds
    tensorflow.import_tensorflow()
    for key, case in group.cases.items():
        kind = case.activation, case.initializer
        model = networks.mlp(*size, *kind, seed=params.seed, layer_seeds=layer_seeds, dtype="float64")
        depth = sum(layer.name.startswith("hidden_") for layer in model.layers)
        forward = [Running(len(x), case.activation) for _ in range(depth)]
        backward = [Running(len(x)) for _ in range(depth)]
        samples = []
        for batch in gradients.batches(model, x, labels):
            for k, (a, g) in enumerate(zip(batch.activations, batch.gradients, strict=True)):
                forward[k].add(a)
                backward[k].add(g)
                samples.append(_every(a, g, group.every, batch.rows.start).assign(layer=k + 1))
        sample = pd.concat(samples).sort_values("layer", kind="stable")
        signals, slopes = (pd.DataFrame(layer.statistics() for layer in layers) for layers in (forward, backward))
        summary = signals.join(slopes.add_prefix("gradient_"))
        summary[:] = significant(summary, SUMMARY_DIGITS)
        yield sample.assign(case=key), summary.assign(case=key, layer=range(1, depth + 1))


def measure_networks(params: Params, x: Inputs, labels: idx_files.Images) -> pd.DataFrame:
    """Return the table `storage.tables.NETWORKS`: strengths of signal and gradient in each layer of many networks."""
    group, parts = params.activations, []
    depth, used = group.network.hidden_layers, slice(group.ensemble.images)
    inputs, classes = x[used].astype(float), labels[used]
    for nth, (key, case) in enumerate(group.cases.items()):
        draw = initializers.sampler(case.initializer)
        for network in range(group.ensemble.networks):
            layers = [0] * (depth + 2) if group.layer_seeds == "shared" else range(depth + 2)
            rngs = [stream(params.seed, ENSEMBLE, nth, network, layer) for layer in layers]
            strengths = ensemble.strengths(case.activation, draw, inputs, classes, width=group.network.width, rngs=rngs)
            table = pd.DataFrame(significant(strengths, SUMMARY_DIGITS).T, columns=["input_std", "gradient_rms"])
            parts.append(table.assign(case=key, network=network, layer=range(1, depth + 1)))
    return pd.concat(parts)


def _every(activations: gradients.Array, slopes: gradients.Array, every: int, first_image: int) -> pd.DataFrame:
    """Return a table of activations and gradients (`slopes`) for every `every`-th (image, unit) pair of all images."""
    width = activations.shape[1]
    at = np.arange(-first_image * width % every, activations.size, every)
    a, g = significant([activations.ravel()[at], slopes.ravel()[at]], SAMPLE_DIGITS)
    return pd.DataFrame({"unit": at % width, "sample": at // width + first_image, "activation": a, "gradient": g})
