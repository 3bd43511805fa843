"""Test models of `keras.applications` with random weights; hundreds of layers take a minute each."""

from typing import Any

import numpy as np
import pytest

from deadrelu.inspection.inspect import inspect

MODELS = (
    "VGG16",
    "ResNet50",
    "MobileNetV2",
    "DenseNet121",
    "EfficientNetB0",
    "InceptionV3",
    "ConvNeXtTiny",
    "Xception",
)


def shifted(model: Any) -> tuple[Any, str]:
    """Return the weights that shift all units before an activation, and its layer, for the middle one of all these."""
    shifts = []
    for layer in model.layers:
        if type(layer).__name__ in ("Activation", "ReLU"):
            before = layer.input._keras_history.operation
            shifts.append((getattr(before, "beta", getattr(before, "bias", None)), layer.name))
        elif getattr(getattr(layer, "activation", None), "__name__", "") == "relu":
            shifts.append((layer.bias, layer.name))
    shifts = [(shift, name) for shift, name in shifts if shift is not None]
    return shifts[len(shifts) // 2]


@pytest.mark.soak
@pytest.mark.parametrize("name", MODELS)
def test_dead_layer_of_a_known_architecture_is_found(name: str) -> None:
    import keras

    keras.utils.set_random_seed(1)
    model = getattr(keras.applications, name)(weights=None, input_shape=(96, 96, 3), classes=10)
    x = np.random.default_rng(3).normal(size=(6, 96, 96, 3)).astype(np.float32)
    untouched = inspect(model, x)
    assert not {"dead-network", "dead-layer"} & untouched.codes
    assert "dead" not in untouched.table["verdict"].tolist()
    shift, dead = shifted(model)
    shift.assign(np.full(shift.shape, -1000.0))
    inspection = inspect(model, x)
    assert inspection.table.set_index("layer").loc[dead, "verdict"] == "dead"
    assert any(dead in finding.layers for finding in inspection.findings if finding.severity == "error")
    keras.utils.clear_session()


@pytest.mark.soak  # graphs of hundreds of layers are traced: a minute
@pytest.mark.parametrize("name", ["ResNet50V2", "MobileNetV3Small", "EfficientNetB0"])
def test_architectures_of_keras_applications(name: str) -> None:
    """The images are small; tracing hundreds of layers takes the time."""
    import keras

    keras.utils.set_random_seed(2)
    model = getattr(keras.applications, name)(weights=None, input_shape=(64, 64, 3), classes=10)
    x = np.random.default_rng(4).uniform(-1, 1, size=(6, 64, 64, 3)).astype(np.float32)
    inspection = inspect(model, x, np.arange(6), training=True)
    table = inspection.table
    weighted = [layer.name for layer in model.layers if any(len(w.shape) > 1 for w in layer.weights)]
    assert set(weighted) <= set(table["layer"])
    assert table["parameters"].sum() == model.count_params()
    assert np.isfinite(table["rms"]).all()
    assert table["on_trunk"].sum() > 20
    # The outputs of BatchNormalization have a mean square of at most 1, over inputs and positions of each unit.
    normalized = table[table["layer"].str.contains("bn")]
    assert len(normalized) > 30
    assert (normalized["rms"] < 1.001).all()
