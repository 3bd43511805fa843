"""activations: signals of an untrained MLP under each initialization, on the MNIST test images."""

from pathlib import Path

import numpy as np
import pandas as pd

from deadrelu import files, mnist, networks, progress, signals, start, tables
from deadrelu.params import Params

FOLDER = Path("data/activations")


def main(params: Params) -> None:
    """Write `data/activations/<case>.parquet` and `summary.parquet`."""
    settings = params.activations
    images, labels = mnist.read_test_set(Path("data/mnist"))
    x = images.reshape(len(images), -1).astype(np.float32) / np.float32(255)
    start.tensorflow()
    made_by = tables.provenance(params.of_activations())
    names = [f"hidden_{k}" for k in range(1, settings.network.hidden_layers + 1)]
    rows = []
    with files.new_folder(FOLDER) as folder, progress.rate_and_time_left() as bar:
        for key, case in bar.track(settings.cases.items(), description="activations"):
            model = networks.mlp(
                settings.network.hidden_layers,
                settings.network.width,
                case.activation,
                case.initializer,
                seed=params.seed,
                layer_seeds=settings.layer_seeds,
            )
            activations, gradients = signals.layer_signals(model, names, x, labels)
            samples = [_sample(key, k, a, settings.every) for k, a in enumerate(activations, start=1)]
            tables.write(folder / f"{key}.parquet", pd.concat(samples), tables.ACTIVATIONS, made_by)
            for layer, (a, g) in enumerate(zip(activations, gradients, strict=True), start=1):
                forward = signals.statistics(a, activation=case.activation, quantiles=tables.QUANTILES)
                backward = signals.statistics(g, activation=None, quantiles=tables.QUANTILES)
                gradient = {f"gradient_{name}": value for name, value in backward.items()}
                rows.append({"case": key, "layer": layer, **forward, **gradient})
        tables.write(folder / "summary.parquet", pd.DataFrame(rows), tables.SUMMARY, made_by)


def _sample(case: str, layer: int, activations: signals.Float, every: int) -> pd.DataFrame:
    """Every so many values of the flattened (image, unit) array, as in the notebook."""
    at = np.arange(0, activations.size, every)
    image, unit = np.divmod(at, activations.shape[1])
    columns = {"case": case, "layer": layer, "unit": unit, "sample": image, "activation": activations.ravel()[at]}
    return pd.DataFrame(columns)
