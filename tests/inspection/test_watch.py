"""Units that die in training are in the logs of their epoch, and told once."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from deadrelu.inspection.inspect import inspect
from deadrelu.watch import DeadUnits

RNG = np.random.default_rng(2)
X, Y = RNG.normal(size=(128, 8)).astype(np.float32), RNG.integers(0, 3, 128)


def model() -> Any:
    import keras

    keras.utils.set_random_seed(4)
    hidden = [keras.layers.Dense(16, "relu", name=f"hidden_{k}") for k in range(3)]
    built = keras.Sequential([keras.Input((8,)), *hidden, keras.layers.Dense(3, "softmax", name="out")])
    built.compile("sgd", "sparse_categorical_crossentropy")
    return built


def test_logs_are_what_inspect_finds_at_the_end(tmp_path: Path) -> None:
    import keras

    watched, watch = model(), DeadUnits(X, Y)
    log = keras.callbacks.CSVLogger(tmp_path / "log.csv")
    history = watched.fit(X, Y, epochs=3, verbose=0, callbacks=[watch, log]).history
    found = inspect(watched, X, Y).table.set_index("layer")
    for name in ("hidden_0", "hidden_1", "hidden_2"):
        assert history[f"{name}/dead_units"][-1] == found.loc[name, "dead_units"]
        assert history[f"{name}/zero_fraction"][-1] == pytest.approx(found.loc[name, "zero_fraction"])
    assert history["dead_units"][-1] == found["dead_units"].sum()
    assert {"signal", "gradient", "dead_units"} <= set(pd.read_csv(tmp_path / "log.csv").columns)
    assert watch.table.groupby("epoch").size().tolist() == [4, 4, 4]


def test_watching_changes_no_bit_of_the_training() -> None:
    import keras

    def trained(callbacks: list[Any]) -> list[np.ndarray]:
        keras.utils.set_random_seed(4)
        layers = [keras.layers.Dense(8, "relu"), keras.layers.Dropout(0.5), keras.layers.BatchNormalization()]
        built = keras.Sequential([keras.Input((8,)), *layers, keras.layers.Dense(3, "softmax")])
        built.compile("adam", "sparse_categorical_crossentropy")
        built.fit(X, Y, epochs=3, verbose=0, callbacks=callbacks)
        return built.get_weights()

    for a, b in zip(trained([]), trained([DeadUnits(X)]), strict=True):
        np.testing.assert_array_equal(a, b)


def test_a_layer_that_dies_is_told_once(capsys: pytest.CaptureFixture[str]) -> None:
    import keras

    class Kill(keras.callbacks.Callback):
        def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
            if epoch == 1:
                self.model.get_layer("hidden_1").bias.assign([-1000.0] * 16)

    watch = DeadUnits(X)
    history = model().fit(X, Y, epochs=4, verbose=0, callbacks=[Kill(), watch]).history
    told = [line for line in capsys.readouterr().err.splitlines() if line.startswith("deadrelu: ")]
    # Behind it, units without biases are dead as well.
    assert told[0].startswith("deadrelu: epoch 2: layer")
    assert "hidden_1" in told[0]
    assert len(told) == 1
    assert history["hidden_1/dead_units"][0] < 16
    assert history["hidden_1/dead_units"][1:] == [16, 16, 16]
    of_layer = watch.units[watch.units["layer"] == "hidden_1"]
    assert len(of_layer) == 16
    assert set(of_layer["since"]) <= {1, 2}
    assert 2 in set(of_layer["since"])
    axes = watch.figure().axes
    assert [label.get_text() for label in axes[0].get_yticklabels()] == ["hidden_0", "hidden_1", "hidden_2", "out"]
    assert axes[0].collections[0].get_array().reshape(4, 4)[1].tolist()[1:] == [100, 100, 100]


def test_every_so_many_epochs_and_an_empty_figure() -> None:
    watch = DeadUnits(X, every=2)
    empty = watch.figure()
    texts = [*empty.texts, *(text for ax in empty.axes for text in ax.texts)]
    assert any("nothing to draw" in text.get_text() for text in texts)
    history = model().fit(X, Y, epochs=4, verbose=0, callbacks=[watch]).history
    assert len(history["dead_units"]) == 2
