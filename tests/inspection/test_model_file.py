"""Test untrusted model files: classes that Keras ships are loaded, and those that run code are refused and not run."""

import io
import json
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from deadrelu.errors import InputError
from deadrelu.inspection import model_file


def saved(path: Path, *layers: Any) -> Path:
    import keras

    keras.Sequential([keras.Input((4,)), *layers]).save(path)
    return path


def changed(path: Path, change: Callable[[dict[str, Any]], None]) -> Path:
    """Change the config in an archive, and return its path."""
    with zipfile.ZipFile(path) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    config = json.loads(members["config.json"])
    change(config)
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in members.items():
            archive.writestr(name, json.dumps(config) if name == "config.json" else content)
    return path


@pytest.mark.filterwarnings("ignore:The object being serialized includes a `lambda`:UserWarning")
def test_round_trip_without_optimizer(tmp_path: Path) -> None:
    import keras

    model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(2, activation="gelu", kernel_regularizer="l2")])
    model.compile("adam", loss=lambda y, p: keras.ops.mean(y - p))  # a custom loss is no obstacle
    model.save(tmp_path / "m.keras")
    loaded = model_file.load(tmp_path / "m.keras")
    x = np.ones((3, 4), np.float32)
    np.testing.assert_array_equal(loaded(x), model(x))
    assert not loaded.compiled


def test_lambda_is_refused_with_the_reason_and_not_run(tmp_path: Path) -> None:
    import keras

    path = saved(tmp_path / "m.keras", keras.layers.Lambda(lambda x: x * 2, name="mine", output_shape=(4,)))
    with pytest.raises(InputError, match=r"m\.keras: layer mine: a Lambda layer holds Python code"):
        model_file.load(path)


@pytest.mark.filterwarnings("ignore:The object being serialized includes a `lambda`:UserWarning")
def test_a_lambda_as_activation_is_refused_too(tmp_path: Path) -> None:
    import keras

    path = saved(tmp_path / "m.keras", keras.layers.Activation(lambda x: x * 2))
    with pytest.raises(InputError, match=r"a lambda is Python code|Keras cannot load it"):
        model_file.load(path)


def test_keras_is_told_to_be_safe(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Keras's safe mode is a second line of defence, which none of the files in these tests reaches."""
    import keras

    path = saved(tmp_path / "m.keras", keras.layers.Dense(2))
    asked = {}
    monkeypatch.setattr(keras.saving, "load_model", lambda _, **options: asked.update(options))
    model_file.load(path)
    assert asked == {"compile": False, "safe_mode": True}


def test_weights_that_are_declared_and_not_held(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import h5py
    import keras

    def with_weights(change: Callable[[Any], None]) -> Path:
        path = saved(tmp_path / "m.keras", keras.layers.Dense(2, name="dense"))
        with zipfile.ZipFile(path) as archive:
            members = {name: archive.read(name) for name in archive.namelist()}
        content = io.BytesIO(members["model.weights.h5"])
        with h5py.File(content, "r+") as file:
            change(file)
        with zipfile.ZipFile(path, "w") as archive:
            for name, member in members.items():
                archive.writestr(name, content.getvalue() if name == "model.weights.h5" else member)
        return path

    path = with_weights(lambda file: file.create_dataset("vast", (10**9,), chunks=(1000,)))
    with pytest.raises(InputError, match="its weights declare more than they hold, in vast"):
        model_file.load(path)
    path = with_weights(lambda file: file.update({"elsewhere": h5py.ExternalLink("/etc/passwd", "/")}))
    with pytest.raises(InputError, match="its weights hold a link, elsewhere"):
        model_file.load(path)
    path = saved(tmp_path / "m.keras", keras.layers.Dense(2, name="dense"))
    changed(path, lambda config: config["config"]["layers"][1]["config"].update(units=10**9))
    with pytest.raises(InputError, match=r"m\.keras: its layers declare 5,000,000,000 weights, it holds 10"):
        model_file.load(path)
    monkeypatch.setattr(keras.initializers.GlorotUniform, "__call__", lambda *_, **__: pytest.fail("made after all"))
    with keras.StatelessScope():  # at its end, Keras creates all deferred weights
        pass


@pytest.mark.parametrize(
    ("class_name", "module", "named"),
    [
        ("Lambda", "keras.layers", "layer dense: a Lambda layer holds Python code"),
        ("Lambda", None, "layer dense: a Lambda layer holds Python code"),
        ("TFSMLayer", "keras.layers", "layer dense: a TFSMLayer runs a TensorFlow program"),
        ("TorchModuleWrapper", "keras.layers", "layer dense: a TorchModuleWrapper is unpickled"),
        ("system", "os", "layer dense: os.system is not a class of Keras"),
        ("Mine", "package", "layer dense: package.Mine is not a class of Keras.*deadrelu.inspect"),
        ("Dence", "keras.layers", "Keras cannot load it"),
        ("Dense", "keras_evil.layers", "layer dense: keras_evil.layers.Dense is not a class of Keras"),
    ],
)
def test_classes_that_run_code_or_are_not_of_keras(
    tmp_path: Path, class_name: str, module: str | None, named: str
) -> None:
    import keras

    path = saved(tmp_path / "m.keras", keras.layers.Dense(2, name="dense"))
    changed(path, lambda config: config["config"]["layers"][1].update(class_name=class_name, module=module))
    with pytest.raises(InputError, match=named):
        model_file.load(path)


def test_an_initializer_deep_inside_is_looked_at_too(tmp_path: Path) -> None:
    import keras

    path = saved(tmp_path / "m.keras", keras.layers.Dense(2, name="dense"))
    evil = {"module": "builtins", "class_name": "Lambda", "config": {}}
    changed(path, lambda config: config["config"]["layers"][1]["config"].update(bias_initializer=evil))
    with pytest.raises(InputError, match="a Lambda layer holds Python code"):
        model_file.load(path)


def test_too_large_damaged_missing_and_foreign_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import keras

    with pytest.raises(InputError, match=r"none\.keras: missing"):
        model_file.load(tmp_path / "none.keras")
    with pytest.raises(InputError, match=r"m\.h5: received a name that ends with '\.h5'; expected: a \.keras file"):
        model_file.load(tmp_path / "m.h5")
    (tmp_path / "text.keras").write_text("not an archive")
    with pytest.raises(InputError, match=r"text\.keras: not a model file: File is not a zip file"):
        model_file.load(tmp_path / "text.keras")
    with zipfile.ZipFile(tmp_path / "other.keras", "w") as archive:
        archive.writestr("readme.txt", "")
    with pytest.raises(InputError, match=r"other\.keras: received an archive of readme\.txt"):
        model_file.load(tmp_path / "other.keras")
    path = saved(tmp_path / "m.keras", keras.layers.Dense(2))
    whole = path.read_bytes()
    with zipfile.ZipFile(path) as archive:
        config = archive.read("config.json")
    with zipfile.ZipFile(path, "w") as archive:  # without its weights
        archive.writestr("config.json", config)
    with pytest.raises(InputError, match=r"m\.keras: "):
        model_file.load(path)
    path.write_bytes(whole)
    changed(path, lambda config: config["config"]["layers"][1]["config"].update(units=10**13))
    with pytest.raises(InputError, match=r"m\.keras: its layers declare 50,000,000,000,000 weights"):
        model_file.load(path)
    saved(path, keras.layers.Dense(2))
    monkeypatch.setattr(model_file, "LARGEST_CONFIG", 100)
    with pytest.raises(InputError, match=r"m\.keras: config\.json unpacks to .* bytes; expected: 100"):
        model_file.load(path)
    monkeypatch.setattr(model_file, "MAX_UNPACKED_BYTES", 1000)
    with pytest.raises(InputError, match=r"m\.keras: unpacks to .* bytes; expected: 1,000"):
        model_file.load(path)
