"""Stage training: train Keras networks on MNIST under each initialization, and record their losses.

Losses are computed in float64 and rounded, so that the tables are the same on every processor.
"""

from collections import defaultdict
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Literal

import numpy as np
import pandas as pd

from deadrelu import progress
from deadrelu.errors import InputError
from deadrelu.settings.params import Params, SizesOfTraining, TrainingCase
from deadrelu.signals import networks, tensorflow
from deadrelu.signals.trainer import Data, Trainer
from deadrelu.storage import files, idx_files, parquet, versions
from deadrelu.storage.rounding import significant
from deadrelu.storage.tables import BATCHES, DATA, EPOCHS, MNIST
from deadrelu.streams import EXAMPLES, stream

LOSS_DIGITS = 4
"""Number of significant digits of a loss: training amplifies relative errors of the last bits from 1e-16 to 1e-6."""


def settings(params: Params) -> dict[str, object]:
    """Return the settings that the tables in `data/training/` depend on; each table records them."""
    return {"seed": params.seed, "training": params.training.model_dump()}


def main(params: Params) -> None:
    """Write `batches.parquet` and `epochs.parquet` to `data/training/`."""
    images = draw(params)
    made_by = parquet.provenance(settings(params))
    batches, epochs = [], []
    with files.new_folder(EPOCHS.path().parent) as folder, progress.rate_and_time_left() as bar:
        group = params.training
        total = sum(group.sizes(case.network).trials for case in group.cases.values())
        task = bar.add_task("training", total=total)
        for batch_rows, epoch_rows in measure(params, images):
            batches.append(batch_rows)
            epochs.append(epoch_rows)
            bar.advance(task)
        parquet.write(folder / BATCHES.name, pd.concat(batches), BATCHES.schema, made_by)
        parquet.write(folder / EPOCHS.name, pd.concat(epochs), EPOCHS.schema, made_by)
    versions.record("training", EPOCHS.path().parent, versions.KERAS_PACKAGES)


Images = Mapping[Literal["mlp", "cnn"], tuple[Data, Data]]
"""Training data and validation data (images and their classes) of each kind of network."""


def draw(params: Params) -> Images:
    """Draw the images of each kind of network; if one kind needs fewer images, they are a subset of the other's."""
    folder, seed, group = DATA / MNIST, params.seed, params.training
    train, test = idx_files.read_training_set(folder), idx_files.read_test_set(folder)

    def drawn(key: str, sizes: SizesOfTraining) -> tuple[Data, Data]:
        return (
            _drawn(f"{key}.examples", train, sizes.examples, seed, 0),
            _drawn(f"{key}.validation", test, sizes.validation, seed, 1),
        )

    return {"mlp": drawn("training", group), "cnn": drawn("training.cnn", group.cnn)}


Trainers = dict[tuple[str, str], Trainer]
"""Compiled networks by kind ("mlp" or "cnn") and activation."""


def measure(
    params: Params, images: Images, trainers: Trainers | None = None
) -> Iterator[tuple[pd.DataFrame, pd.DataFrame]]:
    """Yield two tables per trial, with one row per batch and one row per epoch, as in `BATCHES` and `EPOCHS`.

    Args:
        params: params of the run, with the cases and their numbers of trials.
        images: images of each kind of network, from `draw`.
        trainers: compiled networks of earlier runs, which are reused; networks that are missing are compiled and added.
    """
    tensorflow.import_tensorflow()
    trainers = {} if trainers is None else trainers
    group = params.training
    # Each compiled network runs in a thread of its own, because one small network leaves processor cores idle.
    pools: defaultdict[tuple[str, str], ThreadPoolExecutor] = defaultdict(lambda: ThreadPoolExecutor(1))
    try:
        runs = [
            pools[case.network, case.activation].submit(_measure_trial, params, key, trial, images, trainers)
            for key, case in group.cases.items()
            for trial in range(group.sizes(case.network).trials)
        ]
        for run in runs:
            yield run.result()
    finally:
        for pool in pools.values():
            pool.shutdown(cancel_futures=True)


def _measure_trial(
    params: Params, key: str, trial: int, images: Images, trainers: Trainers
) -> tuple[pd.DataFrame, pd.DataFrame]:
    case = params.training.cases[key]
    sizes, kind = params.training.sizes(case.network), (case.network, case.activation)
    if kind not in trainers:
        trainers[kind] = Trainer(_network(params, case))
    shape = trainers[kind].model.input_shape[1:]
    data, validation = (((x.reshape(-1, *shape)), y) for x, y in images[case.network])
    history = trainers[kind].history(
        case.initializer,
        data,
        validation,
        epochs=sizes.epochs,
        batch_size=sizes.batch_size,
        seed=params.seed,
        trial=trial,
    )
    at = {"case": key, "trial": trial}
    batches = [
        pd.DataFrame({**at, "epoch": epoch, "batch": range(1, len(losses) + 1), "loss": _rounded(losses)})
        for epoch, losses in enumerate(history.batches, start=1)
    ]
    epochs = {
        **at,
        "epoch": range(sizes.epochs + 1),
        "loss": _rounded([np.nan, *history.loss]),
        "validation_loss": _rounded(history.validation_loss),
        "validation_accuracy": _rounded(history.validation_accuracy),
    }
    return pd.concat(batches), pd.DataFrame(epochs)


def _rounded(losses: list[float]) -> np.ndarray:
    return significant(losses, LOSS_DIGITS)


def _network(params: Params, case: TrainingCase) -> object:
    if case.network == "cnn":
        return networks.cnn(dtype="float64")
    layers, width = params.training.mlp.hidden_layers, params.training.mlp.width
    return networks.mlp(layers, width, case.activation, case.initializer, seed=params.seed, dtype="float64")


def _drawn(
    name: str, images_and_labels: tuple[idx_files.Images, idx_files.Images], n: int, seed: int, key: int
) -> Data:
    """Draw n images, (n, 784), float32 from 0 to 1, and labels, (n,), uint8; `name` is the key of n in params.yaml."""
    images, labels = images_and_labels
    if n > len(images):
        raise InputError(
            f"params.yaml:{name}: received {n:,}; expected: up to {len(images):,}, as many as data/mnist holds"
        )
    rows = stream(seed, EXAMPLES, key).permutation(len(images))[:n]
    return idx_files.flat(images[rows]), labels[rows]
