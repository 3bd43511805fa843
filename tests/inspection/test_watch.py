"""Test that units that die in training are in the logs of their epoch, and reported once."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from deadrelu.errors import InputError
from deadrelu.inspection.inspect import inspect
from deadrelu.watch import DeadUnitLog, DeadUnits

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
    table = inspect(watched, X, Y).table.set_index("layer")
    last = watch.table[watch.table["epoch"] == 3].set_index("layer")
    for name in ("hidden_0", "hidden_1", "hidden_2"):
        for number in ("dead_units", "zero_fraction"):
            assert last.loc[name, number] == pytest.approx(table.loc[name, number])
    assert history["dead_units"][-1] == table["dead_units"].sum()
    assert set(history) == {"loss", "dead_units", "zero_fraction", "signal", "gradient"}
    assert {"signal", "gradient", "dead_units"} <= set(pd.read_csv(tmp_path / "log.csv").columns)
    assert watch.table.groupby("epoch").size().to_dict() == {0: 4, 1: 4, 2: 4, 3: 4}


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
    model().fit(X, Y, epochs=4, verbose=0, callbacks=[Kill(), watch])
    lines = [line for line in capsys.readouterr().err.splitlines() if line.startswith("deadrelu: ")]
    # After it, units without biases are dead as well.
    assert lines[0].startswith("deadrelu: epoch 2: layer")
    assert "hidden_1" in lines[0]
    assert len(lines) == 1
    dead_units = watch.table[watch.table["layer"] == "hidden_1"]["dead_units"].tolist()
    assert max(dead_units[:2]) < 16
    assert dead_units[2:] == [16, 16, 16]
    layer_units = watch.units[watch.units["layer"] == "hidden_1"]
    assert len(layer_units) == 16
    assert set(layer_units["since"]) <= {0, 1, 2}
    assert 2 in set(layer_units["since"])
    axes = watch.figure().axes
    assert [label.get_text() for label in axes[0].get_yticklabels()] == ["hidden_0", "hidden_1", "hidden_2", "out"]
    assert axes[0].collections[0].get_array().reshape(4, 5)[1].tolist()[2:] == [100, 100, 100]


def test_every_so_many_epochs_and_an_empty_figure() -> None:
    watch = DeadUnits(X, every=2)
    empty = watch.figure()
    texts = [*empty.texts, *(text for ax in empty.axes for text in ax.texts)]
    assert any("nothing to draw" in text.get_text() for text in texts)
    history = model().fit(X, Y, epochs=4, verbose=0, callbacks=[watch]).history
    assert np.isnan(history["dead_units"]).tolist() == [True, False, True, False]
    assert len(pd.DataFrame(history)) == 4
    assert sorted(set(watch.table["epoch"])) == [0, 2, 4]
    five = DeadUnits(X, every=5)
    built = model()
    built.fit(X, Y, epochs=5, verbose=0, callbacks=[five])
    assert sorted(set(five.table["epoch"])) == [0, 5]
    built.fit(X, Y, epochs=5, verbose=0, callbacks=[five])  # a second training continues the count of epochs
    assert sorted(set(five.table["epoch"])) == [0, 5, 10]
    with pytest.raises(InputError, match="every: received 0; expected: 1 or more epochs"):
        DeadUnits(X, every=0)


def test_a_run_that_is_not_finite_is_reported(capsys: pytest.CaptureFixture[str]) -> None:
    built = model()
    built.layers[0].kernel.assign(np.full((8, 16), np.nan))
    history = built.fit(X, Y, epochs=2, verbose=0, callbacks=[DeadUnits(X)]).history
    assert np.isnan(history["dead_units"]).all()
    assert capsys.readouterr().err.count("deadrelu: epoch 0: NaN in 4 layers") == 1


def test_epochs_from_0_on_have_units() -> None:
    built = model()
    built.layers[1].bias.assign([-1000.0] * 16)
    log = DeadUnitLog(X)
    look = log.add(built, epoch=0)
    assert set(log.units["since"]) == {0}
    assert next(finding.code for finding in look.findings) == "dead-network"


def test_of_a_loader_no_more_is_taken_than_is_looked_at() -> None:
    taken = []

    def batches() -> Any:
        for k in range(100):
            taken.append(k)
            yield X

    log = DeadUnitLog(batches())
    assert len(taken) == 2
    assert log.add(model())["dead_units"] >= 0
