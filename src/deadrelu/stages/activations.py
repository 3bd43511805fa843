"""activations: signals of an untrained MLP under each initialization, on the MNIST test images."""

from pathlib import Path

import numpy as np
import pandas as pd

from deadrelu import files, mnist, networks, objectives, progress, signals, start, tables
from deadrelu.layer_stats import Running
from deadrelu.params import Params

FOLDER = Path("data/activations")


def main(params: Params) -> None:
    """Write `data/activations/<case>.parquet` and `summary.parquet`."""
    settings = params.activations
    images, labels = mnist.read_test_set(Path("data/mnist"))
    x = mnist.flat(images)
    start.tensorflow()
    made_by = tables.provenance(params.of_activations())
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
            taps, outputs, _ = signals.survey(model, [x])
            hidden = [tap for tap in taps if tap.name.startswith("hidden_")]
            objective, _ = objectives.of_labels(outputs, [labels])
            forward = [Running(len(x), case.activation) for _ in hidden]
            backward = [Running(len(x)) for _ in hidden]
            samples = []
            for batch in signals.batches(model, hidden, [x], objective):
                for k in range(len(hidden)):
                    a, g = batch.activations[k], batch.gradients[k]
                    forward[k].add(a)
                    backward[k].add(g)
                    kept = _every(a, g, settings.every, batch.rows.start)
                    samples.append(kept.assign(case=key, layer=k + 1))
            in_order = pd.concat(samples).sort_values("layer", kind="stable")
            tables.write(folder / f"{key}.parquet", in_order, tables.ACTIVATIONS, made_by)
            for k in range(len(hidden)):
                gradient = {f"gradient_{name}": value for name, value in backward[k].statistics().items()}
                rows.append({"case": key, "layer": k + 1, **forward[k].statistics(), **gradient})
        tables.write(folder / "summary.parquet", pd.DataFrame(rows), tables.SUMMARY, made_by)


def _every(activations: signals.Float, gradients: signals.Float, every: int, first_image: int) -> pd.DataFrame:
    """Every so many values of the flattened (image, unit) array of all images, as in the notebook, in this batch."""
    width = activations.shape[1]
    at = np.arange(-first_image * width % every, activations.size, every)
    image, unit = np.divmod(at, width)
    columns = {"activation": activations.ravel()[at], "gradient": gradients.ravel()[at]}
    return pd.DataFrame({"unit": unit, "sample": image + first_image, **columns})
