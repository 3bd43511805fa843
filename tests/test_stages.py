"""Stages that measure: their tables hold what the functions below them say of the right images, in the right rows."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from deadrelu import inspection, mnist, networks, params, tables
from deadrelu.stages import activations, data_mnist, training
from deadrelu.training import Trainer


@pytest.fixture
def run(project: Path) -> params.Params:
    """Params of the small project, with its digits in place."""
    settings = params.load()
    data_mnist.main(settings)
    return settings


def test_activations_are_those_of_the_test_images(run: params.Params) -> None:
    activations.main(run)
    images, labels = mnist.read_test_set(Path("data/mnist"))
    x, case = mnist.flat(images), run.activations.cases["relu-he_normal"]
    model = networks.mlp(3, 20, case.activation, case.initializer, seed=run.seed)
    expected = inspection.inspect(model, x, labels).table.iloc[1:-1]
    summary = tables.read(Path("data/activations/summary.parquet"), tables.SUMMARY)
    rows = summary[summary["case"] == "relu-he_normal"]
    assert rows["layer"].tolist() == [1, 2, 3]
    for name in [*tables.STATISTICS.split(), *tables.GRADIENT_STATISTICS.split()]:
        np.testing.assert_array_equal(rows[name], expected[name])
    table = tables.read(Path("data/activations/relu-he_normal.parquet"), tables.ACTIVATIONS)
    third = table[table["layer"] == 3]
    flat = np.arange(0, len(x) * 20, run.activations.every)
    assert (third["sample"] * 20 + third["unit"]).tolist() == flat.tolist()
    outputs = model.layers[0](x)
    for layer in model.layers[1:4]:
        outputs = layer(outputs)
    np.testing.assert_allclose(third["activation"], np.asarray(outputs).ravel()[flat], rtol=1e-4, atol=1e-6)


def test_sample_does_not_depend_on_the_batches() -> None:
    a, g = np.random.default_rng(0).normal(size=(2, 30, 7)).astype(np.float32)
    whole = activations._every(a, g, 4, 0)
    cut = [activations._every(a[i:j], g[i:j], 4, i) for i, j in ((0, 5), (5, 6), (6, 30))]
    pd.testing.assert_frame_equal(pd.concat(cut, ignore_index=True), whole)
    assert (whole["gradient"].to_numpy() == g.ravel()[::4]).all()


def test_trainings_are_on_training_images_and_validated_on_others(run: params.Params) -> None:
    training.main(run)
    settings = run.training
    x, y = training._drawn("examples", mnist.read_training_set(Path("data/mnist")), 100, run.seed, 0)
    held = training._drawn("validation", mnist.read_test_set(Path("data/mnist")), 50, run.seed, 1)
    case = settings.cases["mlp-he_normal"]
    history = Trainer(networks.mlp(1, 8, "relu", case.initializer, seed=0)).history(
        case.initializer, (x, y), held, epochs=1, batch_size=64, seed=run.seed, trial=1
    )
    epochs = tables.read(Path("data/training/epochs.parquet"), tables.EPOCHS)
    rows = epochs[(epochs["case"] == "mlp-he_normal") & (epochs["trial"] == 1)]
    np.testing.assert_array_equal(rows["loss"], np.float32([np.nan, *history.loss]))
    np.testing.assert_array_equal(rows["validation_loss"], np.float32(history.validation_loss))
    np.testing.assert_array_equal(rows["validation_accuracy"], np.float32(history.validation_accuracy))
    batches = tables.read(Path("data/training/batches.parquet"), tables.BATCHES)
    found = batches[(batches["case"] == "mlp-he_normal") & (batches["trial"] == 1)]
    np.testing.assert_array_equal(found["loss"], np.float32(history.batches[0]))
    assert found["batch"].tolist() == [1, 2]


def test_drawn_images_keep_their_labels() -> None:
    images = np.arange(40, dtype=np.uint8).repeat(784).reshape(40, 28, 28)
    x, labels = training._drawn("examples", (images, np.arange(40, dtype=np.uint8)), 30, 1, 0)
    assert (np.rint(255 * x[:, 0]) == labels).all()
    assert len(set(labels.tolist())) == 30
    assert labels.tolist() != sorted(labels.tolist())
