"""Test `inspect` from Python and from the command line: it reports what is true, and names wrong input."""

import contextlib
import io
import json
import zipfile
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from helpers.browser import is_drawn, opened, serious
from helpers.commands import Done, deadrelu, in_a_process, one_line
from playwright.sync_api import Browser
from rich.console import Console

from deadrelu.errors import InputError
from deadrelu.inspection import inspect, printing, validation, verdicts, words
from deadrelu.inspection.command import LAYERS
from deadrelu.inspection.measure import Measured
from deadrelu.inspection.records import LayerRecord
from deadrelu.storage import parquet


def messages(inspection: inspect.Inspection) -> list[str]:
    """Return the messages of the findings and the sentences of the summary."""
    return [*(finding.message for finding in inspection.findings), *inspection.summary]


RNG = np.random.default_rng(6)
X, Y = RNG.normal(size=(300, 20)).astype(np.float32), RNG.integers(0, 3, 300)


def dense(*kernels: float, width: int = 30, separate: bool = False) -> Any:
    """Build ReLU layers with weights of standard deviation k √(2 / fan_in), so that each scales the signal by k."""
    import keras

    keras.utils.set_random_seed(11)
    layers: list[Any] = [keras.Input((20,))]
    fan_in = 20
    for k in kernels:
        normal = keras.initializers.RandomNormal(stddev=k * (2 / fan_in) ** 0.5)
        activation = None if separate else "relu"
        layers.append(keras.layers.Dense(width, activation, kernel_initializer=normal))
        layers += [keras.layers.Activation("relu")] if separate else []
        fan_in = width
    return keras.Sequential([*layers, keras.layers.Dense(3, "softmax", name="out")])


@pytest.mark.parametrize("separate", [False, True])
@pytest.mark.parametrize(("k", "verdict"), [(0.5, "vanish"), (1.0, ""), (2.0, "explode")])
def test_scale_of_the_weights_is_the_verdict(k: float, verdict: str, separate: bool) -> None:
    look = inspect.inspect(dense(*[k] * 8, separate=separate), X, Y)
    activations = look.table[look.table["kind"] == "activation"]
    last = activations["verdict"].iloc[-1]
    assert [word for word in ("vanish", "explode") if word in last] == ([verdict] if verdict else [])
    assert len(activations) == 8
    # Each layer's factor is k up to fluctuations at width 30: sqrt(5 / 30) / 2 per layer, averaged over 7 layers.
    mean = activations["forward_mean"].iloc[-1]
    assert abs(np.log(mean / k)) < 5 * np.sqrt(5 / 30) / 2 / np.sqrt(7)
    assert np.exp(np.log(activations["forward"].dropna()).mean()) == pytest.approx(mean)
    assert np.exp(np.log(activations["backward"].dropna()).mean()) == pytest.approx(
        activations["backward_mean"].iloc[0]
    )
    back = activations["backward_mean"].iloc[0]
    signal, gradient = (next(s for s in messages(look) if s.startswith(f"The {w} ")) for w in ("signal", "gradient"))
    assert f"over 8 activation layers, ×{mean:.3g} per layer" in signal
    assert f"over 8 activation layers, ×{back:.3g} per layer" in gradient
    assert ("vanishes" in signal, "explodes" in signal) == (k == 0.5, k == 2)
    change = {0.5: "vanishes", 1: None, 2: "explodes"}[k]
    expected = {f"signal-{change}", f"gradient-{change}"} if change else set()
    assert {code for code in look.codes if not code.endswith("-units")} == expected


def test_dead_network_is_called_dead() -> None:
    model = dense(1.0, 1.0, 1.0)
    model.layers[1].bias.assign([-1e3] * 30)
    look = inspect.inspect(model, X, Y)
    assert look.table["verdict"].tolist()[1:] == ["dead", "dead", "constant"]
    first = look.table["layer"].iloc[1]
    assert look.findings[0].message.startswith(
        "The network is dead: its output does not depend on the input. The first dead"
    )
    assert f"layer is {first}: the slope of relu is 0 in all 30 units on all 300 inputs" in look.findings[0].message
    assert "the gradient is exactly 0" in look.findings[1].message.lower()
    assert look.findings[1].layers == look.table["layer"].tolist()[:3]
    assert [finding.code for finding in look.findings] == ["dead-network", "no-gradient"]
    assert [finding.severity for finding in look.findings] == ["error", "warning"]
    first = look.table.iloc[0]
    assert (first["gradient_rms"], first["kernel_gradient_rms"]) == (0, 0)
    assert first["kernel_rms"] > 0


def test_dead_units_are_counted() -> None:
    model = dense(1.0, 1.0, 1.0, separate=True)
    bias = np.zeros(30, np.float32)
    bias[:4] = -1e3
    model.layers[2].bias.assign(bias)
    inspection = inspect.inspect(model, X, Y)
    row = inspection.table.iloc[3]
    assert (row["kind"], row["dead_units"], row["units"]) == ("activation", 4, 30)
    assert row["verdict"].startswith("4 dead")
    assert any(
        s.startswith("Dead units, which pass no gradient on all 300 inputs: 4 of 30 in ") for s in messages(inspection)
    )
    model.layers[4].bias.assign(np.where(np.arange(30) < 9, -1e3, 0))
    (sentence,) = (s for s in messages(inspect.inspect(model, X, Y)) if s.startswith("Dead units"))
    assert "13 of 60 in " in sentence
    assert "the largest share is 9 of 30" in sentence


def test_a_dead_branch_is_not_a_dead_network() -> None:
    import keras

    keras.utils.set_random_seed(1)
    x = keras.Input((20,))
    off = keras.layers.Dense(8, "relu", bias_initializer=keras.initializers.Constant(-1e3), name="off")(x)
    on = keras.layers.Dense(8, "relu", name="on")(x)
    model = keras.Model(x, keras.layers.Dense(3, "softmax")(keras.layers.Add()([on, off])))
    inspection = inspect.inspect(model, X, Y)
    assert "dead-network" not in inspection.codes
    (dead,) = (finding for finding in inspection.findings if finding.code == "dead-layer")
    assert (dead.severity, dead.layers) == ("warning", ["off"])
    assert dead.message == "No unit passes a gradient on all 300 inputs in off."


def test_a_nearly_constant_layer_is_constant_and_a_faint_signal_is_not() -> None:
    model = dense(1.0, 1.0)
    model.layers[1].kernel.assign(1e-4 * model.layers[1].kernel)
    model.layers[1].bias.assign([1.0] * 30)
    assert inspect.inspect(model, X, Y).table["verdict"].iloc[1] != "constant"
    model.layers[1].kernel.assign(1e-4 * model.layers[1].kernel)
    assert inspect.inspect(model, X, Y).table["verdict"].iloc[1] == "constant"


def test_several_inputs_by_name_in_any_order() -> None:
    import keras

    keras.utils.set_random_seed(1)
    a, b = keras.Input((20,), name="a"), keras.Input((20,), name="b")
    joined = keras.layers.Concatenate()([keras.layers.Dense(4, name="of_a")(a), keras.layers.Dense(4, name="of_b")(b)])
    model = keras.Model([a, b], keras.layers.Dense(1)(joined))
    named = inspect.inspect(model, {"b": 9 * X, "a": X}).table
    pd.testing.assert_frame_equal(named, inspect.inspect(model, [X, 9 * X]).table)
    assert named.set_index("layer")["rms"]["of_b"] > 3 * named.set_index("layer")["rms"]["of_a"]


def test_saturation_and_scale_are_named() -> None:
    import keras

    keras.utils.set_random_seed(0)
    model = keras.Sequential([keras.Input((20,)), keras.layers.Dense(9, "tanh", name="flat"), keras.layers.Dense(1)])
    inspection = inspect.inspect(model, 1000 * X, X[:, 0])
    assert "saturated" in inspection.table["verdict"].iloc[0]
    assert any(s.startswith("The inputs have a root mean square of 1e+03") for s in messages(inspection))
    assert "Half or more of the outputs are at the limits of the activation in flat." in messages(inspection)
    assert any(s.startswith("Saturated units, at the limits of their activation") for s in messages(inspection))
    assert inspection.gradient_of == "mean squared error"


def test_a_linear_layer_of_zeros_is_not_dead() -> None:
    """A head of zeros is usual, and its own weights have a gradient."""
    model = dense(1.0, 1.0)
    model.layers[-1].kernel.assign(np.zeros((30, 3)))
    model.layers[-1].activation = None
    inspection = inspect.inspect(model, X, Y)
    assert inspection.table["verdict"].iloc[-1] == "zero"
    assert inspection.table["kernel_gradient_rms"].iloc[-1] > 0
    assert not any("dead" in s.lower() for s in messages(inspection))
    assert [finding.code for finding in inspection.findings if finding.severity != "note"] == []
    (zero,) = (finding for finding in inspection.findings if finding.code == "zero-weights")
    assert zero.layers == ["out"]


@pytest.mark.parametrize("first", ["Embedding", "Rescaling"])
def test_inputs_that_are_meant_to_be_large_are_not_rescaled(first: str) -> None:
    import keras

    layer = keras.layers.Embedding(900, 4) if first == "Embedding" else keras.layers.Rescaling(1 / 900)
    flat = keras.layers.Flatten()
    model = keras.Sequential([keras.Input((20,)), layer, flat, keras.layers.Dense(3, "softmax")])
    inspection = inspect.inspect(model, RNG.integers(0, 900, (50, 20)).astype(np.float32), Y[:50])
    assert not any("root mean square" in s for s in messages(inspection))


def test_labels_by_the_names_of_the_outputs_in_any_order() -> None:
    """Each head has its own loss: the gradient is that of a tape around the model with both losses by hand."""
    import keras
    import tensorflow as tf

    keras.utils.set_random_seed(3)
    x = keras.Input((20,))
    hidden = keras.layers.Dense(16, "relu", name="hidden")(x)
    number = keras.layers.Dense(3, name="number")(hidden)
    model = keras.Model(x, [keras.layers.Dense(3, "softmax", name="classes")(hidden), number])
    targets = RNG.normal(size=(300, 3)).astype(np.float32)
    inspection = inspect.inspect(model, X, {"number": targets, "classes": Y}, batch_size=70)
    assert inspection.gradient_of == "cross-entropy + mean squared error"
    with tf.GradientTape() as tape:
        p, q = model(X)
        loss = keras.losses.SparseCategoricalCrossentropy()(Y, p) + keras.losses.MeanSquaredError()(targets, q)
    expected = np.sqrt(np.mean(np.square(tape.gradient(loss, model.get_layer("hidden").kernel.value))))
    row = inspection.table.set_index("layer").loc["hidden"]
    assert row["kernel_gradient_rms"] == pytest.approx(float(expected), rel=1e-4)
    with pytest.raises(InputError, match="labels: received a, b; expected: classes, number"):
        inspect.inspect(model, X, {"a": Y, "b": Y})


def test_names_from_a_file_cannot_break_lines() -> None:
    import keras

    model = keras.Sequential([keras.Input((20,)), keras.layers.Dense(3, "softmax", name="a\nb\x1b[31m $_$")])
    assert inspect.inspect(model, X, Y).table["layer"].iloc[0] == "a?b?[31m $_$"


def test_not_finite_is_named() -> None:
    model = dense(1.0, 1.0)
    model.layers[1].kernel.assign(np.full((30, 30), np.float32(3e38)))
    inspection = inspect.inspect(model, X, Y)
    assert inspection.table["verdict"].tolist()[1:] == ["infinite", "NaN"]
    assert inspection.findings[0].message == (
        f"NaN in 1 layer, first in {inspection.table['layer'].iloc[2]}; infinite numbers in 1 layer, first in "
        f"{inspection.table['layer'].iloc[1]}."
    )
    assert {f.code for f in inspection.findings if f.severity != "note"} == {"not-finite"}
    model.layers[1].kernel.assign(np.full((30, 30), np.nan, np.float32))
    assert f"weights that are not finite: {model.layers[1].name} (kernel)." in " ".join(
        messages(inspect.inspect(model, X, Y))
    )


def test_batch_normalization_that_has_seen_nothing() -> None:
    import keras

    model = keras.Sequential([keras.Input((20,)), keras.layers.BatchNormalization(), keras.layers.Dense(3, "softmax")])
    assert "1 BatchNormalization layer without data so far" in messages(inspect.inspect(model, X, Y))[-1]
    assert not any("without data" in s for s in messages(inspect.inspect(model, X, Y, training=True)))
    model.compile("sgd", "sparse_categorical_crossentropy")
    model.train_on_batch(X, Y)
    assert not any("without data" in s for s in messages(inspect.inspect(model, X, Y)))


def test_without_labels_gradients_show_the_same_factor() -> None:
    model = dense(*[0.5] * 6)
    with_loss, without = (inspect.inspect(model, X, labels) for labels in (Y, None))
    assert without.gradient_of == "a random projection of the outputs"
    a, b = (inspection.table["backward_mean"].iloc[0] for inspection in (with_loss, without))
    assert a == pytest.approx(b, rel=0.1)


def test_output_of_a_softmax_has_no_gradient_of_a_loss_on_logits() -> None:
    assert np.isnan(inspect.inspect(dense(1.0), X, Y).table["gradient_rms"].iloc[-1])
    assert inspect.inspect(dense(1.0), X).table["gradient_rms"].iloc[-1] == pytest.approx(1, rel=0.2)


def test_three_lines_print_a_table_and_sentences() -> None:
    text = str(inspect.inspect(dense(1.0, 1.0), X, Y))
    (header,) = (line for line in text.splitlines() if line.split()[:1] == ["layer"])
    assert header.split() == [*("layer", "rms", "zero_fraction", "dead_units", "units", "gradient_rms", "verdict")]
    assert "The signal holds: from the input to " in text


@pytest.mark.parametrize(
    ("x", "y", "named"),
    [
        (X[:, :5], None, r"inputs: received shape \(300, 5\); expected: \(n, 20\)"),
        (X[:0], None, "inputs: received 0; expected: 2 or more that differ"),
        (X[:1], None, "inputs: received 1; expected: 2 or more that differ"),
        (X[[0] * 9], None, "inputs: received 9 equal; expected: 2 or more that differ"),
        (1e300 * X.astype(float), None, "inputs: received NaN, infinity or beyond float32"),
        (X.astype(str), None, "inputs: received <U"),
        (np.vstack([X] * 4 + [np.where(X > 3, np.nan, X)]), None, "inputs: received NaN, infinity or beyond float32"),
        (np.where(X > 3, np.nan, X), None, "inputs: received NaN, infinity or beyond float32"),
        ([X, X], None, "inputs: received 2; expected: 1"),
        (X, Y[:5], "labels: received 5 for 300 inputs"),
        (X, Y + 1, "labels: received values from 1 to 3"),
        ({"a": X, "b": X}, None, "inputs: received a, b; expected: "),
    ],
)
def test_what_does_not_fit_is_named(x: Any, y: Any, named: str) -> None:
    with pytest.raises(InputError, match=named):
        inspect.inspect(dense(1.0), x, y)


def test_mean_factor_is_for_layers_of_one_kind_on_the_trunk() -> None:
    """Factors compare layers of one kind on the trunk; a branch has none; a layer with an unusual gain is reported."""
    kinds = ["weights", "activation"] * 6 + ["output"]
    strengths = [2.0 ** -(k // 2) for k in range(12)]
    table = pd.DataFrame(
        {
            "layer": [f"layer_{k}" for k in range(13)],
            "layer_class": "Dense",
            "activation": "relu",
            "kind": kinds,
            "on_trunk": [k != 4 for k in range(13)],
            "parameters": 20,
            "units": 4,
            "size": 4,
            "rms": 1.0,
            "zero_fraction": 0.5,
            "input_std": [*strengths, 1e9],
            "dead_units": 0.0,
            "saturated_units": 0.0,
            "saturated_fraction": 0.0,
            "gradient_rms": 1.0,
            "gain": 0.5,
            "strength": [*strengths, 1e9],
            "step": np.nan,
            "source_size": 4,
            "given_std": 1.0,
        }
    )
    about = {"on_trunk": True, "on_each_trunk": True, "shares": None}
    layers = [LayerRecord(f"layer_{k}", "Dense", kinds[k], "relu", frozenset(), (4,), (), **about) for k in range(13)]
    measured = Measured(table, layers, 10, 1, "a loss", 1.0, [], [], [], 0, "Keras", [])
    judged = verdicts.judge(measured).table
    assert judged["forward"].fillna(0).tolist() == pytest.approx([0, 0, 0.5, 0.5, 0, 0.5, 0.25, *[0.5] * 5, 0])
    assert judged["signal"].tolist()[11] == "vanishes"
    assert judged["signal"].tolist()[4] == "not measured"
    weak = measured.table.assign(gain=[0.5] * 11 + [0.01, 0.5])
    judged = verdicts.judge(replace(measured, table=weak)).table
    assert judged["unusual"].tolist() == [False] * 11 + [True, False]
    assert words.verdict(judged.iloc[11]).startswith("signal ×0.01 here")


@pytest.mark.parametrize(("width", "scheme"), [(390, "dark"), (1440, "light")])
def test_page_of_a_model_in_a_browser(width: int, scheme: str, folder: Path, browser: Browser) -> None:
    run(folder, "model.keras", "--inputs", "x.npy", "--labels", "y.npz", "--out", "in-a-browser")
    with opened(browser, folder / "in-a-browser" / "signals.html", width=width, scheme=scheme) as tab:
        assert tab.evaluate("document.documentElement.scrollWidth") <= width
        assert is_drawn(tab.locator("img").screenshot(), scheme)
        assert tab.locator("th button").count() > 5
        assert tab.locator("nav").count() == 0
        assert serious(tab) == []


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Make a folder with saved models and their inputs, as a user has them."""
    path = tmp_path_factory.mktemp("inspect")

    dense(*[0.5] * 5).save(path / "model.keras")
    with zipfile.ZipFile(path / "model.keras") as whole, zipfile.ZipFile(path / "empty.keras", "w") as empty:
        for name in whole.namelist():
            config = '{"module": "keras", "class_name": "Sequential", "config": {"name": "s", "layers": []}}'
            empty.writestr(name, config if name == "config.json" else whole.read(name))
    np.save(path / "x.npy", X)
    pd.DataFrame(X).rename(columns=str).to_parquet(path / "x.parquet")
    np.savez(path / "y.npz", labels=Y)
    np.save(path / "short.npy", X[:, :3])
    return path


def run(folder: Path, *words: str) -> Done:
    with contextlib.chdir(folder):
        return deadrelu("inspect", *words)


class Text(HTMLParser):
    """A parser that collects the text of a page and the addresses to which it refers."""

    def __init__(self) -> None:
        super().__init__()
        self.words: list[str] = []
        self.addresses: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.addresses += [value for key, value in attrs if key in ("src", "href") and value]

    def handle_data(self, data: str) -> None:
        self.words.append(data)


def test_command_prints_a_table_and_writes_files(folder: Path) -> None:
    with contextlib.chdir(folder):
        done = in_a_process("inspect", "model.keras", "--inputs", "x.npy", "--labels", "y.npz")
    assert done.returncode == 0, done.stderr
    for shown in (
        "layer",
        "rms",
        "zeros",
        "dead units",
        "verdict",
        "! signal-vanishes: The signal vanishes",
        "300 inputs",
    ):
        assert shown in done.stdout
    out = folder / "model-signals"
    assert sorted(path.name for path in out.iterdir()) == ["layers.parquet", "layers.png", "signals.html"]
    table = parquet.read(out / "layers.parquet", LAYERS)
    import keras

    model = keras.saving.load_model(folder / "model.keras")
    expected = inspect.inspect(model, X, Y).table
    pd.testing.assert_frame_equal(table, expected, check_dtype=False, check_exact=True)
    made_by = parquet.made_by(out / "layers.parquet")
    assert {"model_sha256", "inputs_sha256", "labels_sha256"} <= set(made_by["params"])
    page = Text()
    page.feed((out / "signals.html").read_text())
    assert all(address.startswith(("data:", "#")) for address in page.addresses)
    assert "Signals of model.keras" in page.words
    assert any("The signal vanishes" in words for words in page.words)


def test_command_on_a_table_into_a_folder_with_other_files(folder: Path) -> None:
    out = folder / "mine"
    out.mkdir()
    (out / "notes.txt").write_text("keep me")
    done = run(folder, "model.keras", "--inputs", "x.parquet", "--first", "50", "--out", "mine")
    assert done.returncode == 0, done.stderr
    assert "50 inputs" in done.stdout
    assert sorted(path.name for path in out.iterdir()) == ["layers.parquet", "layers.png", "notes.txt", "signals.html"]


def test_options_of_the_command_reach_the_model(folder: Path) -> None:
    """Flat rows become images, training mode and the seed are used, and a name that looks like markup is printed."""
    import keras

    layers = [
        keras.layers.Conv2D(2, 2, name="[red]c"),
        keras.layers.BatchNormalization(name="bn"),
        keras.layers.Flatten(),
    ]
    keras.Sequential([keras.Input((4, 5, 1)), *layers, keras.layers.Dense(3)]).save(folder / "image.keras")
    done = run(folder, "image.keras", "--inputs", "x.parquet", "--training-mode", "--seed", "5")
    assert done.returncode == 0, done.stderr
    stdout = done.stdout
    assert "[red]c" in stdout
    assert "training mode" in stdout
    table = parquet.read(folder / "image-signals" / "layers.parquet", LAYERS).set_index("layer")
    assert table["rms"]["bn"] == pytest.approx(1, rel=1e-2)
    assert parquet.made_by(folder / "image-signals" / "layers.parquet")["seed"] == 5


@pytest.mark.parametrize(
    ("words", "named"),
    [
        (["model.keras", "--inputs", "short.npy"], "short.npy: received shape (300, 3); expected: (n, 20)"),
        (["model.keras", "--inputs", "x.npy", "--labels", "x.npy"], "x.npy: received shape (300, 20)"),
        (["none.keras", "--inputs", "x.npy"], "none.keras: missing"),
        (["x.npy", "--inputs", "x.npy"], "x.npy: received a name that ends with '.npy'; expected: a .keras file"),
        (["model.keras", "--inputs", "x.npy", "--out", "x.npy"], "x.npy: received a file; expected: a folder"),
        (["model.keras", "--inputs", "x.npy", "--loss", "nope", "--labels", "y.npz"], "loss: received 'nope'"),
        (["model.keras", "--inputs", "x.npy", "--loss", "mse"], "loss: received 'mse' without labels"),
        (["empty.keras", "--inputs", "x.npy"], "empty.keras: "),
        (["model.keras", "--inputs", "."], ".: received a name that ends with ''"),
    ],
)
def test_wrong_input_is_one_line_and_leaves_nothing(folder: Path, words: list[str], named: str) -> None:
    before = sorted(folder.rglob("*"))
    done = run(folder, *words)
    assert named in one_line(done)
    assert sorted(folder.rglob("*")) == before


def test_fail_on_exits_with_1_if_the_model_has_the_problem(folder: Path) -> None:
    done = run(folder, "model.keras", "--inputs", "x.npy", "--fail-on", "dead", "--fail-on", "vanishes")
    assert done.returncode == 1
    assert "model.keras: received a model with signal-vanishes, gradient-vanishes; expected: none" in done.stderr
    assert run(folder, "model.keras", "--inputs", "x.npy", "--fail-on", "warning").returncode == 1
    ignored = ["--ignore", "signal-vanishes", "--ignore", "gradient-vanishes"]
    done = run(folder, "model.keras", "--inputs", "x.npy", "--fail-on", "vanishes", *ignored)
    assert done.returncode == 0
    assert "signal-vanishes" not in done.stdout
    assert run(folder, "model.keras", "--inputs", "x.npy", "--fail-on", "dead").returncode == 0
    assert run(folder, "model.keras", "--inputs", "x.npy", "--fail-on", "sick").returncode == 2


def test_json_has_what_the_table_and_the_sentences_say(folder: Path) -> None:
    done = run(folder, "model.keras", "--inputs", "x.npy", "--labels", "y.npz", "--json")
    import keras

    report = json.loads(done.stdout)
    expected = inspect.inspect(keras.saving.load_model(folder / "model.keras"), X, Y)
    assert [finding["code"] for finding in report["findings"]] == [finding.code for finding in expected.findings]
    assert [finding["message"] for finding in report["findings"]] == [finding.message for finding in expected.findings]
    assert report["signal"]["factor"] == pytest.approx(expected.signal.factor)
    assert [row["layer"] for row in report["layers"]] == expected.table["layer"].tolist()
    assert [row["rms"] for row in report["layers"]] == pytest.approx(expected.table["rms"].tolist(), rel=1e-6)
    assert report["layers"][-1]["gradient_rms"] is None  # NaN


@pytest.mark.parametrize("columns", [60, 80, 200])
def test_names_are_never_cut(folder: Path, columns: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Rows can be distinguished even in a narrow terminal."""
    import keras

    long = "a_convolution_with_a_long_name_in_block"
    layers = [keras.layers.Dense(4, name=f"{long}_{k}") for k in range(3)]
    model = keras.Sequential([keras.Input((20,)), *layers])
    inspection = inspect.inspect(model, X)
    console = Console(width=columns, record=True, file=io.StringIO())
    printing.print_table(console, printing.written(inspection.table), "about")
    text = console.export_text()
    first = "".join(line.split("│")[1].strip() for line in text.splitlines() if line.startswith("│"))
    assert first == "".join(f"{long}_{k}" for k in range(3))
    assert "…" not in text


@pytest.mark.parametrize(
    ("model", "named"),
    [
        (
            "model.keras",
            r"expected: a Keras model or a torch.nn.Module; `keras.saving.load_model\('model.keras'\)`",
        ),
        (Path("model.keras"), "model: received a path"),
        (None, "model: received NoneType; expected: a Keras model or a torch.nn.Module"),
        (
            lambda k: k.layers.Dense(3),
            "model: received Dense; expected: a Keras model or a torch.nn.Module; `keras.Sequential",
        ),
    ],
)
def test_what_is_no_model_is_named(model: Any, named: str) -> None:
    import keras

    subject = model(keras) if callable(model) else model
    with pytest.raises(InputError, match=named):
        inspect.inspect(subject, X, Y)


def test_datasets_tensors_and_losses_are_taken_as_users_have_them() -> None:
    import keras
    import tensorflow as tf

    model = dense(1.0, 1.0)
    expected = inspect.inspect(model, X, Y)
    dataset = tf.data.Dataset.from_tensor_slices((X, Y)).batch(64)
    for inspection in (
        inspect.inspect(model, dataset),
        inspect.inspect(model, [tf.constant(X)], tf.constant(Y)),
        inspect.inspect(model, {"arr_0": X}, Y),
        inspect.inspect(model, X, Y, loss=keras.losses.SparseCategoricalCrossentropy()),
    ):
        pd.testing.assert_frame_equal(inspection.table, expected.table, rtol=1e-5)
    assert inspect.inspect(model, dataset.repeat()).inputs >= validation.MAX_FROM_BATCHES
    assert inspect.inspect(model, (X[start : start + 8] for start in (0, 8))).inputs == 16
    with pytest.raises(InputError, match="inputs: received an empty dataset"):
        inspect.inspect(model, iter(()))
    with pytest.raises(InputError, match="labels: received labels, and a dataset that has its own"):
        inspect.inspect(model, dataset, Y)

    def squares(truth: Any, predicted: Any) -> Any:
        return keras.ops.mean(keras.ops.square(keras.ops.one_hot(truth, 3) - predicted), axis=-1)

    by_function = inspect.inspect(model, X, Y, loss=squares)
    assert by_function.gradient_of == "squares"
    model.compile("sgd", loss=squares)
    compiled = inspect.inspect(model, X, Y)
    assert compiled.gradient_of == "squares"
    pd.testing.assert_frame_equal(compiled.table, by_function.table)
    assert not np.allclose(compiled.table["gradient_rms"][:2], expected.table["gradient_rms"][:2])


def test_a_token_outside_the_vocabulary_is_named() -> None:
    import keras

    model = keras.Sequential([keras.Input((20,)), keras.layers.Embedding(50, 4), keras.layers.Flatten()])
    with pytest.raises(InputError, match="inputs: received the token 50; expected: 0 to 49, as in Embedding"):
        inspect.inspect(model, np.arange(40).reshape(2, 20) + 11)


def test_bytes_of_an_image_are_a_large_scale() -> None:
    model = dense(1.0)
    inspection = inspect.inspect(model, RNG.integers(0, 256, (50, 20)).astype(np.uint8), Y[:50])
    assert any(s.startswith("The inputs have a root mean square of 1") for s in messages(inspection))


def test_dropout_draws_what_the_seed_says_whatever_it_drew_before() -> None:
    """The state of the layer's generator is restored afterwards, also in nested models."""
    import keras

    dropout = keras.layers.Dropout(0.5, name="dropout")
    inner = keras.Sequential([keras.Input((20,)), dropout], name="inner")
    model = keras.Sequential([keras.Input((20,)), keras.layers.Dense(20), inner, keras.layers.Dense(3)])
    first = inspect.inspect(model, X, training=True, seed=4).table
    model(X, training=True)  # advances the generator
    before = dropout.seed_generator.state.numpy()
    again = inspect.inspect(model, X, training=True, seed=4).table
    assert (dropout.seed_generator.state.numpy() == before).all()
    pd.testing.assert_frame_equal(first, again)
    other = inspect.inspect(model, X, training=True, seed=5).table
    assert other["rms"].iloc[-1] != first["rms"].iloc[-1]


def test_an_input_by_another_name_is_refused_also_when_it_is_the_only_one() -> None:
    with pytest.raises(InputError, match="inputs: received z; expected: "):
        inspect.inspect(dense(0.5), {"z": X})
