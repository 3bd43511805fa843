"""Test Keras models on which `inspect` once failed, or reported what is not true."""

import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from helpers.commands import deadrelu

from deadrelu.errors import InputError
from deadrelu.inspection import checkpoints
from deadrelu.inspection.inspect import Inspection, inspect
from deadrelu.watch import DeadUnits

RNG = np.random.default_rng(6)
X, Y = RNG.normal(size=(100, 20)).astype(np.float32), RNG.integers(0, 3, 100)


@pytest.fixture(autouse=True)
def _seeded() -> None:
    import keras

    keras.utils.set_random_seed(11)


def sequential(*layers: Any) -> Any:
    import keras

    return keras.Sequential([keras.Input((20,)), *layers])


def alarms(inspection: Inspection) -> list[str]:
    return [finding.code for finding in inspection.findings if finding.severity != "note"]


def test_statistics_of_batches_with_nan_are_undone() -> None:
    import keras

    model = sequential(keras.layers.Dense(8), keras.layers.BatchNormalization(), keras.layers.Dense(3))
    kernel = model.layers[0].kernel.numpy()
    kernel[0, 0] = np.nan
    model.layers[0].kernel.assign(kernel)
    inspection = inspect(model, X, training=True)
    assert all(np.isfinite(weight.numpy()).all() for weight in model.layers[1].weights)
    (broken,) = (finding for finding in inspection.findings if finding.code == "not-finite")
    weights = [name for name in broken.layers if "(" in name]
    assert weights == [f"{model.layers[0].name} (kernel)"]


def test_a_subclassed_model_takes_a_dictionary() -> None:
    import keras

    class Named(keras.Model):
        def __init__(self) -> None:
            super().__init__()
            self.first, self.out = keras.layers.Dense(8, "relu", name="first"), keras.layers.Dense(3, name="out")

        def call(self, x: Any) -> Any:
            return self.out(self.first(x["a"]) + 0 * keras.ops.sum(x["b"]))

    inspection = inspect(Named(), {"a": X, "b": X})
    assert inspection.table["layer"].tolist() == ["first", "out"]


def test_a_bidirectional_layer_has_its_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import keras

    monkeypatch.chdir(tmp_path)
    recurrent = keras.layers.Bidirectional(keras.layers.LSTM(4))
    keras.Sequential([keras.Input((5, 4)), recurrent, keras.layers.Dense(3)]).save("model.keras")
    np.save("x.npy", X.reshape(100, 5, 4))
    done = deadrelu("inspect", "model.keras", "--inputs", "x.npy")
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("flat", ["relu6", "sign"])
def test_an_output_that_varies_is_not_dead(flat: str) -> None:
    """A sign function, or a ReLU6 after huge weights, has slope 0 in all units, yet outputs depend on inputs."""
    import keras

    hidden = keras.layers.Dense(16, flat if flat == "relu6" else keras.ops.sign)
    model = sequential(hidden, keras.layers.Dense(3))
    if flat == "relu6":
        hidden.kernel.assign(1e6 * hidden.kernel)
    inspection = inspect(model, X)
    assert "dead-network" not in inspection.codes
    assert "constant-output" not in inspection.codes
    assert "No unit passes a gradient" in " ".join(finding.message for finding in inspection.findings)


def test_two_calls_of_one_relu_share_no_unit() -> None:
    import keras

    relu, first, second = keras.layers.ReLU(), keras.layers.Dense(8), keras.layers.Dense(8)
    x = keras.Input((20,))
    model = keras.Model(x, keras.layers.Dense(3)(relu(second(relu(first(x))))))
    first.bias.assign([-1e3] * 5 + [0.0] * 3)
    second.bias.assign([0.0] * 6 + [-1e3] * 2)
    (dead,) = (finding for finding in inspect(model, X).findings if finding.code == "dead-units")
    assert dead.numbers["units"] >= 7


@pytest.mark.parametrize("activation", ["tanh", "gelu", "silu", "elu", "leaky_relu"])
def test_kernels_of_zero_are_named_as_the_cause(activation: str) -> None:
    import keras

    zero = keras.layers.Dense(8, activation, kernel_initializer="zeros", name="zero")
    inspection = inspect(sequential(keras.layers.Dense(8, name="first"), zero, keras.layers.Dense(3)), X)
    (cause,) = (finding for finding in inspection.findings if finding.code == "zero-weights")
    assert cause.layers == ["zero"]
    assert "no-gradient" not in inspection.codes
    assert not any(finding.severity == "error" for finding in inspection.findings)


def test_json_rounds_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import keras

    monkeypatch.chdir(tmp_path)
    layers = [keras.layers.Dense(8, name=f"hidden_{k}") for k in range(3)]
    model = sequential(*layers)
    layers[1].kernel.assign(1e-12 * layers[1].kernel)
    model.save("model.keras")
    np.save("x.npy", X)
    rows = json.loads(deadrelu("inspect", "model.keras", "--inputs", "x.npy", "--json").stdout)["layers"]
    assert 0 < rows[1]["rms"] < 1e-10


def test_checkpoints_of_other_widths_and_other_names() -> None:
    import keras

    def built(width: int, prefix: str) -> Any:
        hidden = keras.layers.Dense(width, "relu", name=f"{prefix}_hidden")
        return sequential(hidden, keras.layers.Dense(3, name=f"{prefix}_out"))

    wider = checkpoints.changes(inspect(built(8, "a"), X), inspect(built(9, "a"), X))
    assert "Of another width: a_hidden." in wider.sentences
    assert wider.table["changed"].any()
    renamed = checkpoints.changes(inspect(built(8, "a"), X), inspect(built(8, "b"), X))
    assert len(renamed.table) == 2
    assert not any("-0" in sentence for sentence in renamed.sentences)
    other = sequential(keras.layers.Dense(4), keras.layers.Dense(4), keras.layers.Dense(4, name="c"))
    with pytest.raises(InputError, match="compare: received models without a layer in common"):
        checkpoints.changes(inspect(built(8, "a"), X), inspect(other, X))


def test_a_fault_of_our_own_is_no_fault_of_the_model(monkeypatch: pytest.MonkeyPatch) -> None:
    import keras

    from deadrelu.inspection import measure

    monkeypatch.setattr(measure, "MAX_DOUBLES", None)  # so that a comparison fails
    with pytest.raises(TypeError):
        inspect(sequential(keras.layers.Dense(3)), X)


def test_a_regularizer_moves_a_layer_without_a_gradient() -> None:
    import keras

    h = keras.layers.Dense(8, name="h", kernel_regularizer="l2")
    dead = keras.layers.Dense(8, "relu", name="dead")
    model = sequential(h, dead, keras.layers.Dense(3))
    dead.bias.assign([-1e3] * 8)
    (still,) = (finding for finding in inspect(model, X, Y).findings if finding.code == "no-gradient")
    assert "h" not in still.layers
    assert "dead" in still.layers


def test_losses_by_the_name_of_their_class() -> None:
    import keras

    model = sequential(keras.layers.Dense(3, "softmax"))
    model.compile("sgd", "SparseCategoricalCrossentropy")
    assert inspect(model, X, Y).gradient_of == "sparse categorical crossentropy"
    with pytest.raises(InputError, match=re.escape("received shape (100,); expected for output") + r".*: \(n, 3\)$"):
        inspect(model, X, Y, loss="mean_squared_error")


@pytest.mark.filterwarnings("ignore:Layer InputLayer does not have")
def test_models_that_cannot_be_measured_are_refused_before_training() -> None:
    import keras

    model = sequential(keras.layers.Dense(8, "relu"), keras.layers.Dense(3, "softmax"))
    model.quantize("int8")
    with pytest.raises(
        InputError, match=r"model: received layers quantized to whole numbers \(.*\); expected|received"
    ):
        inspect(model, X)
    model.compile("sgd", "sparse_categorical_crossentropy")
    watch = DeadUnits(X)
    watch.set_model(model)
    with pytest.raises(InputError, match="quantized"):
        watch.on_train_begin()


def test_positions_and_masks_are_no_signals() -> None:
    import keras

    class Positions(keras.layers.Layer):
        def build(self, shape: Any) -> None:
            self.table = self.add_weight(shape=shape[1:], initializer="glorot_uniform")

        def call(self, x: Any) -> Any:
            return keras.ops.broadcast_to(self.table, keras.ops.shape(x))

    tokens = RNG.integers(0, 9, (30, 6))
    x = keras.Input((6,), dtype="int32")
    embedded = keras.layers.Embedding(9, 8, name="embedding")(x)
    positions = Positions(name="positions")(embedded)
    model = keras.Model(x, keras.layers.Dense(3)(keras.layers.Add(name="sum")([embedded, positions])))
    inspection = inspect(model, tokens)
    assert "positions" not in inspection.table["layer"].tolist()
    assert alarms(inspection) == []


def test_the_worst_of_many_is_not_hidden() -> None:
    """One layer is far weaker than the seven other weak ones, and is reported first."""
    import keras

    layers = [keras.layers.Dense(20, name=f"layer_{k}") for k in range(12)]
    model = sequential(*layers)
    for k in range(7):
        layers[k].kernel.assign(0.03 * layers[k].kernel)
    layers[9].kernel.assign(1e-4 * layers[9].kernel)
    unusual = [finding.layers for finding in inspect(model, X).findings if finding.code == "unusual-scale"]
    assert unusual[0] == ["layer_9"]


def test_frozen_layers_have_a_note() -> None:
    import keras

    frozen = keras.layers.Dense(8, "relu", name="frozen", trainable=False)
    inspection = inspect(sequential(frozen, keras.layers.Dense(3)), X, Y)
    assert inspection.table["frozen"].tolist() == [True, False]
    (note,) = (finding for finding in inspection.findings if finding.code == "frozen")
    assert note.layers == ["frozen"]
    assert "no-gradient" not in inspection.codes


def test_each_code_is_in_the_documents() -> None:
    """The table in docs/inspect.md has a row for each of `codes.CODES`."""
    from deadrelu.inspection.codes import CODES

    page = (Path(__file__).parents[2] / "docs" / "inspect.md").read_text(encoding="utf-8")
    for name, code in CODES.items():
        assert f"| `{name}` | {code.severity} | {code.meaning} | {code.decided} | {code.remedy} |" in page


def test_history_is_a_table(capsys: pytest.CaptureFixture[str]) -> None:
    import keras

    model = sequential(*[keras.layers.Dense(8, "relu") for _ in range(7)], keras.layers.Dense(3, "softmax"))
    model.compile("sgd", "sparse_categorical_crossentropy")
    history = model.fit(X, Y, epochs=3, verbose=2, callbacks=[DeadUnits(X, every=2)]).history
    assert pd.DataFrame(history).shape == (3, 5)
    longest = max(capsys.readouterr().out.splitlines(), key=len)
    assert longest.count(": ") == 5  # loss, and the four numbers of the log


def test_layers_before_the_first_weight_have_a_gradient() -> None:
    """A model of several inputs begins with a layer that joins them, to which no weight leads."""
    import keras

    one, other = keras.Input((20,), name="one"), keras.Input((20,), name="other")
    joined = keras.layers.Concatenate()([one, other])
    model = keras.Model([one, other], keras.layers.Dense(3)(keras.layers.Dense(16, "relu")(joined)))
    inspection = inspect(model, {"one": X, "other": X[::-1]}, Y)
    assert inspection.table["gradient_rms"].iloc[0] > 0.01
    assert alarms(inspection) == []
