"""Test that loss histories equal those of Keras's own training, whatever was trained before."""

import numpy as np
import pandas as pd
import pytest

from deadrelu.analysis import summaries
from deadrelu.settings.initializer import FanScaled, ZerosOrOnes
from deadrelu.signals import networks
from deadrelu.signals.trainer import Trainer
from deadrelu.streams import ORDER, stream

HE = FanScaled(name="he_normal")
ZEROS = ZerosOrOnes(name="zeros")
RNG = np.random.default_rng(4)
FLAT = RNG.random((70, 784)).astype(np.float32), RNG.integers(0, 10, 70).astype(np.uint8)
OTHERS = RNG.random((30, 784)).astype(np.float32), RNG.integers(0, 10, 30).astype(np.uint8)
IMAGES = FLAT[0].reshape(-1, 28, 28, 1), FLAT[1]
SETTINGS = {"epochs": 2, "batch_size": 32, "seed": 3, "trial": 1}


def mlp() -> object:
    return networks.mlp(2, 12, "relu", HE, seed=0)


def test_history_is_that_of_keras_fit() -> None:
    """The weights and the order are the same in `fit`, whose log is a running mean over the epoch."""
    import keras

    history = Trainer(mlp()).history(HE, FLAT, OTHERS, **SETTINGS)
    model = mlp()
    networks.redraw(model, HE, seed=3, trial=1)
    model.compile("rmsprop", "sparse_categorical_crossentropy")
    rng = stream(3, ORDER, 1)
    for epoch in range(2):
        logged: list[float] = []
        order = rng.permutation(70)
        log = keras.callbacks.LambdaCallback(on_train_batch_end=lambda _, logs, to=logged: to.append(logs["loss"]))
        fitted = model.fit(
            FLAT[0][order],
            FLAT[1][order],
            validation_data=OTHERS,
            batch_size=32,
            shuffle=False,
            verbose=0,
            callbacks=[log],
        )
        sizes = np.array([32, 32, 6])
        running = np.cumsum(np.array(history.batches[epoch]) * sizes) / np.cumsum(sizes)
        np.testing.assert_allclose(running, logged, rtol=1e-4)
        np.testing.assert_allclose(history.loss[epoch], fitted.history["loss"][0], rtol=1e-4)
        np.testing.assert_allclose(history.validation_loss[epoch + 1], fitted.history["val_loss"][0], rtol=1e-4)


@pytest.mark.parametrize("build", [mlp, networks.cnn])
def test_a_training_does_not_depend_on_the_ones_before(build: object) -> None:
    """Weights, optimizer, order and Dropout start afresh, so the history is exactly the same."""
    data = FLAT if build is mlp else IMAGES
    used, new = Trainer(build()), Trainer(build())  # type: ignore[operator]
    used.history(ZEROS, data, data, **{**SETTINGS, "trial": 0})
    assert used.history(HE, data, data, **SETTINGS) == new.history(HE, data, data, **SETTINGS)


def test_trials_and_seeds_differ() -> None:
    trainer = Trainer(networks.cnn())
    first = trainer.history(HE, IMAGES, IMAGES, **SETTINGS)
    assert trainer.history(HE, IMAGES, IMAGES, **{**SETTINGS, "trial": 2}) != first
    assert trainer.history(HE, IMAGES, IMAGES, **{**SETTINGS, "seed": 4}) != first


def test_dropouts_of_layers_and_trials_differ() -> None:
    model = networks.cnn()
    states = set()
    for trial in (0, 1):
        networks.redraw(model, HE, seed=3, trial=trial)
        states |= {
            tuple(layer.seed_generator.state.numpy()) for layer in model.layers if hasattr(layer, "seed_generator")
        }
    assert len(states) == 4


def test_zeros_never_learn_more_than_how_often_a_class_comes() -> None:
    """Every gradient but that of the output biases is 0, so every image gets the same answer."""
    trainer = Trainer(networks.cnn())
    history = trainer.history(ZEROS, IMAGES, IMAGES, **SETTINGS)
    assert history.batches[0][0] == pytest.approx(np.log(10))
    assert history.validation_loss[0] == pytest.approx(np.log(10))
    answers = trainer.model(IMAGES[0]).numpy()
    assert np.ptp(answers, axis=0).max() < 1e-7  # on some processors the softmax of the last images differs by a bit
    assert history.validation_accuracy[-1] == pytest.approx((IMAGES[1] == answers[0].argmax()).mean())
    assert all((layer.kernel.numpy() == 0).all() for layer in trainer.model.layers if hasattr(layer, "kernel"))


def test_no_two_layers_share_their_weights() -> None:
    model = mlp()
    networks.redraw(model, HE, seed=0, trial=0)
    first, second = model.get_layer("hidden_1").kernel.numpy(), model.get_layer("hidden_2").kernel.numpy()
    assert first.shape == second.shape
    assert not np.isclose(first, second).any()


def test_summaries_by_hand() -> None:
    batches = pd.DataFrame(
        {"case": "a", "trial": [0, 0, 1, 1], "epoch": [1, 2, 1, 2], "batch": 1, "loss": np.float32([4, 2, 8, 0])}
    )
    curve = summaries.loss_curves(batches)
    assert curve["step"].tolist() == [1, 2]
    assert curve["loss"].tolist() == [6, 3.5]  # medians of (4, 8) and of the running means (3, 4)
    assert (curve["loss_low"].tolist(), curve["loss_high"].tolist()) == ([4, 3], [8, 4])
    long = pd.DataFrame(
        {"case": "a", "trial": 0, "epoch": 1, "batch": range(1, 11), "loss": np.float32([1e9, *[1] * 9])}
    )
    # The mean is over 8 batches: from the 9th on, the huge loss is not in it and leaves no rounding error.
    assert summaries.loss_curves(long)["loss"].tolist()[8:] == [1, 1]
    lost = batches.assign(loss=[1.0, 1.0, np.nan, np.inf])
    curve = summaries.loss_curves(lost)
    assert curve["loss_low"].tolist() == [1, 1]
    assert curve["loss_high"].tolist() == [np.inf, np.inf]
    epochs = pd.DataFrame(
        {"case": "a", "trial": [0, 1, 2], "epoch": 1, "loss": [1.0, 2, 9], "validation_loss": 1.0}
        | {"validation_accuracy": [0.5, 0.1, 0.2]}
    )
    row = summaries.epochs_over_trials(epochs).iloc[0]
    assert (row["trials"], row["loss"], row["validation_accuracy"], row["validation_accuracy_low"]) == (3, 2, 0.2, 0.1)
    diverged = pd.concat([epochs.assign(epoch=0, loss=np.nan), epochs.assign(loss=[1.0, np.nan, np.nan])])
    before, after = (summaries.epochs_over_trials(diverged).iloc[k] for k in (0, 1))
    assert np.isnan(before["loss"])
    assert (after["loss_low"], after["loss"]) == (1, np.inf)
