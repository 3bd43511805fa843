"""Stage training: train Keras networks on MNIST under each initialization, and record their losses.

Losses are computed in float64 and rounded, so that the tables are the same on every processor.
"""

from collections import defaultdict
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pandas as pd

from deadrelu import progress
from deadrelu.errors import InputError
from deadrelu.settings.params import Params
from deadrelu.signals import networks, tensorflow
from deadrelu.signals.trainer import Data, Trainer
from deadrelu.storage import files, idx_files, parquet, versions
from deadrelu.storage.rounding import significant
from deadrelu.storage.tables import BATCHES, DATA, EPOCHS, MNIST
from deadrelu.streams import EXAMPLES, stream

LOSS_DIGITS = 4  # significant ones: training amplifies relative errors of the last bits from 1e-16 to 1e-6

Images = dict[str, tuple[Data, Data]]  # training data and validation data of each kind of network, "mlp" and "cnn"
Trainers = dict[tuple[str, str], Trainer]  # compiled networks by kind and activation
Losses = tuple[pd.DataFrame, pd.DataFrame]  # losses of one trial by batch and by epoch, as in BATCHES and EPOCHS


def settings(params: Params) -> dict[str, object]:
    """Return the settings that the tables in `data/training/` depend on; each table records them."""
    return {"seed": params.seed, "training": params.training.model_dump()}


def main(params: Params) -> None:
    """Write `batches.parquet` and `epochs.parquet` to `data/training/`."""
    group, made_by = params.training, parquet.provenance(settings(params))
    total = sum(group.sizes(case.network).trials for case in group.cases.values())
    with files.new_folder(EPOCHS.path().parent) as folder, progress.rate_and_time_left() as bar:
        measured = bar.track(measure(params, draw(params), {}), total=total, description="training")
        for table, rows in zip((BATCHES, EPOCHS), zip(*measured, strict=True), strict=True):
            parquet.write(folder / table.name, pd.concat(rows), table.schema, made_by)
    versions.record("training", EPOCHS.path().parent, versions.KERAS_PACKAGES)


def draw(params: Params) -> Images:
    """Draw the images of each kind of network; if one kind needs fewer images, they are a subset of the other's."""
    seed, group = params.seed, params.training
    train, test = idx_files.read_training_set(DATA / MNIST), idx_files.read_test_set(DATA / MNIST)
    return {
        kind: (
            _drawn(f"{key}.examples", train, sizes.examples, seed, 0),
            _drawn(f"{key}.validation", test, sizes.validation, seed, 1),
        )
        for kind, key, sizes in (("mlp", "training", group), ("cnn", "training.cnn", group.cnn))
    }


def measure(params: Params, images: Images, trainers: Trainers) -> Iterator[Losses]:
    """Train each case on images from `draw`, and yield two tables per trial, as in `BATCHES` and `EPOCHS`.

    Compiled networks in `trainers`, of earlier runs, are reused; networks that are missing are compiled and added.
    """
    tensorflow.import_tensorflow()
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


def _measure_trial(params: Params, key: str, trial: int, images: Images, trainers: Trainers) -> Losses:
    seed, mlp, case = params.seed, params.training.mlp, params.training.cases[key]
    sizes, kind = params.training.sizes(case.network), (case.network, case.activation)
    if kind not in trainers and case.network == "cnn":
        trainers[kind] = Trainer(networks.cnn(dtype="float64"))
    elif kind not in trainers:
        size, initializer = (mlp.hidden_layers, mlp.width), case.initializer
        trainers[kind] = Trainer(networks.mlp(*size, case.activation, initializer, seed=seed, dtype="float64"))
    shape = trainers[kind].model.input_shape[1:]
    data, validation = ((x.reshape(-1, *shape), y) for x, y in images[case.network])
    history = trainers[kind].history(
        case.initializer, data, validation, epochs=sizes.epochs, batch_size=sizes.batch_size, seed=seed, trial=trial
    )
    losses = significant(history.batches, LOSS_DIGITS)
    epoch, batch = np.indices(losses.shape) + 1
    batches = pd.DataFrame({"epoch": epoch.ravel(), "batch": batch.ravel(), "loss": losses.ravel()})
    curves = significant([[np.nan, *history.loss], history.validation_loss, history.validation_accuracy], LOSS_DIGITS)
    epochs = pd.DataFrame(curves.T, columns=["loss", "validation_loss", "validation_accuracy"])
    return batches.assign(case=key, trial=trial), epochs.assign(case=key, trial=trial, epoch=epochs.index)


def _drawn(name: str, digits: tuple[idx_files.Images, idx_files.Images], n: int, seed: int, key: int) -> Data:
    """Draw n images, (n, 784), float32 from 0 to 1, and labels, (n,), uint8; `name` is the key of n in params.yaml."""
    images, labels = digits
    if n > len(images):
        expected = f"up to {len(images):,}, as many as data/mnist holds"
        raise InputError(f"params.yaml:{name}: received {n:,}; expected: {expected}")
    rows = stream(seed, EXAMPLES, key).permutation(len(images))[:n]
    return idx_files.flat(images[rows]), labels[rows]
