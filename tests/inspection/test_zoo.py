"""Test on many models, healthy or with planted faults, that reports are true and that faults are reported.

The oracles are plain Keras for outputs and factors, and one large SGD step for the layers that training moves.
"""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from inspection.zoo import ZOO, Specimen, built

from deadrelu.inspection.inspect import Inspection, inspect
from deadrelu.inspection.keras.calls import operations
from deadrelu.inspection.keras.kinds import own_weights

FEW = ("relu", "resnet", "encoder_decoder", "custom_residual_blocks", "vision_transformer", "two_heads")
"""Models in which `make test` plants faults; `make soak` plants them in all."""
SPECIMENS = [pytest.param(name, marks=[] if name in FEW else pytest.mark.soak) for name in ZOO]


def inspected(specimen: Specimen) -> Inspection:
    """Inspect a specimen, in training mode if it has BatchNormalization, which has seen no data."""
    normalizes = any(type(o).__name__ == "BatchNormalization" for o in operations(specimen.model))
    return inspect(specimen.model, specimen.x, specimen.y, training=normalizes)


def messages_of(inspection: Inspection) -> str:
    return " ".join([*(finding.message for finding in inspection.findings), *inspection.summary])


def errors(inspection: Inspection) -> list[str]:
    return [finding.code for finding in inspection.findings if finding.severity == "error"]


def unmoved(inspection: Inspection) -> list[str]:
    return [layer for finding in inspection.findings if finding.code == "no-gradient" for layer in finding.layers]


def states(model: Any) -> list[np.ndarray]:
    import keras

    generators = [
        value.state
        for layer in model._flatten_layers()
        for value in vars(layer).values()
        if isinstance(value, keras.random.SeedGenerator)
    ]
    return [variable.numpy() for variable in (*model.weights, *generators)]


def predictions(specimen: Specimen) -> list[np.ndarray]:
    import keras

    return [np.asarray(output) for output in keras.tree.flatten(specimen.model(specimen.x))]


def unmoved_by_a_step(specimen: Specimen) -> set[str]:
    """Return the layers whose trainable weights an SGD step leaves unchanged, too large a step to be rounded away."""
    import keras
    import tensorflow as tf

    model, labels = specimen.model, specimen.y
    in_order = [labels[name] for name in model.output_names] if isinstance(labels, dict) else [labels]
    with tf.GradientTape() as tape:
        outputs = keras.tree.flatten(model(specimen.x, training=False))
        total = 0.0
        for output, truth in zip(outputs, in_order, strict=True):
            if truth.dtype.kind == "i":
                logits = tf.math.log(output) if np.allclose(tf.reduce_sum(output, -1), 1) else output
                total += tf.reduce_mean(tf.nn.sparse_softmax_cross_entropy_with_logits(truth, logits))
            else:
                total += tf.reduce_mean(tf.square(output - tf.reshape(tf.cast(truth, tf.float32), output.shape)))
    before = {id(v): v.numpy() for v in model.trainable_variables}
    gradients = tape.gradient(total, model.trainable_variables, unconnected_gradients=tf.UnconnectedGradients.ZERO)
    keras.optimizers.SGD(1e12).apply_gradients(zip(gradients, model.trainable_variables, strict=True))
    unmoved = set()
    for operation, name in operations(model).items():
        own = [variable for variable in own_weights(operation) if id(variable) in before]
        if own and all(np.array_equal(variable.numpy(), before[id(variable)]) for variable in own):
            unmoved.add(name)
    return unmoved


def check_what_is_said(specimen: Specimen, inspection: Inspection) -> None:
    """Compare what is reported with the oracles."""
    outputs = predictions(specimen)
    text = messages_of(inspection)
    finite = all(np.isfinite(output).all() for output in outputs)
    constant = all(np.ptp(output, axis=0).max() <= 1e-5 * max(1e-30, np.abs(output).max()) for output in outputs)
    assert ("dead-network" in inspection.codes) == ("The network is dead" in text)
    if "dead-network" in inspection.codes:
        assert constant
    if finite:
        assert "NaN" not in text
        assert set(unmoved(inspection)) == unmoved_by_a_step(specimen)
    named = inspection.table[inspection.table["unusual"]]
    assert ("multiplies the signal" in text) == (len(named) > 0 and "dead-network" not in inspection.codes)


@pytest.mark.parametrize("name", ZOO)
def test_nothing_is_said_of_untouched_models_that_is_not_so(name: str) -> None:
    specimen = built(name)
    before = states(specimen.model)
    inspection = inspected(specimen)
    assert all(np.array_equal(a, b) for a, b in zip(before, states(specimen.model), strict=True))
    assert not [finding for finding in inspection.findings if finding.severity != "note"]
    text = messages_of(inspection)
    for alarm in ("dead:", "Dead layer", "multiplies", "vanishes", "explodes", "NaN", "not finite", "does not"):
        assert alarm not in text
    assert inspection.table["layer"].is_unique
    check_what_is_said(specimen, inspection)


Plant = Callable[[list[tuple[Any, str]]], str | None]
"""A function that breaks one of the layers given with their paths, and returns its path, or None if it cannot."""


def kernels(layers: list[tuple[Any, str]]) -> list[tuple[Any, str]]:
    single = [(o.layer if type(o).__name__ == "TimeDistributed" else o, name) for o, name in layers]
    return [(o, name) for o, name in single if hasattr(o, "kernel") and not hasattr(o, "cell")]


def dead_biases(layers: list[tuple[Any, str]]) -> str | None:
    flat = ("relu", "gelu", "silu", "elu", "selu")
    pairs = [(o, n) for o, n in kernels(layers) if getattr(o.activation, "__name__", "") in flat and o.bias is not None]
    if not pairs:
        return None
    layer, name = pairs[len(pairs) // 2]
    layer.bias.assign(np.full(layer.bias.shape, -1000.0))
    return name


def scaled(factor: float) -> Plant:
    def plant(layers: list[tuple[Any, str]]) -> str | None:
        pairs = kernels(layers)
        if len(pairs) < 3:
            return None
        layer, name = pairs[len(pairs) // 2]
        layer.kernel.assign(factor * layer.kernel)
        return name

    return plant


def all_weak(layers: list[tuple[Any, str]]) -> str | None:
    for layer, _ in layers:
        for variable in own_weights(layer):
            if len(variable.shape) > 1 and "bias" not in variable.name:
                variable.assign(0.05 * variable)
    return ""


def not_a_number(layers: list[tuple[Any, str]]) -> str | None:
    pairs = kernels(layers)
    if not pairs:
        return None
    layer, name = pairs[len(pairs) // 2]
    kernel = layer.kernel.numpy().copy()
    kernel.ravel()[3] = np.nan
    layer.kernel.assign(kernel)
    return name


PLANTS: dict[str, tuple[Plant, Callable[[str, Inspection, str], bool]]] = {
    "dead biases": (
        dead_biases,
        lambda name, look, text: look.table.set_index("layer").loc[name, "verdict"] == "dead" and name in text,
    ),
    "one weak": (
        scaled(0.05),
        lambda name, look, text: f"{name} multiplies" in text or "signal-vanishes" in look.codes,
    ),
    "one exploding": (
        scaled(50.0),
        lambda name, look, text: f"{name} multiplies" in text or "signal-explodes" in look.codes,
    ),
    "all weak": (all_weak, lambda _, look, text: "signal-vanishes" in look.codes or "multiplies the signal" in text),
    "NaN": (
        not_a_number,
        lambda name, look, text: f"{name} (kernel)" in text and "NaN in " in text and "not-finite" in look.codes,
    ),
}

RECURRENT = ("lstm", "encoder_decoder", "gru", "bidirectional", "time_distributed", "convolutional_lstm")
ABSENT = {
    "dead biases": (
        *("tanh", "convnet_with_normalization", "resnet", "preactivated_resnet", "mobilenet", "discriminator"),
        *("generator", "lstm", "encoder_decoder", "gru"),
    ),
    "one weak": ("shallow", "preprocessed", *RECURRENT),
    "one exploding": ("shallow", "preprocessed", *RECURRENT),
}
"""Models with no layer to break in this way: they have no bias before a ReLU, or fewer than three kernels."""

UNSEEN = {
    ("one weak", "mobilenet"): "a depthwise convolution, whose defaults are as weak, before BatchNormalization",
    ("one exploding", "mobilenet"): "the same",
    ("one exploding", "tanh"): "saturates, and is said to",
    ("one exploding", "squeeze_and_excite"): "saturates a sigmoid",
    (
        "one exploding",
        "convolutional_autoencoder",
    ): "×7.6 in a layer without others to compare with; the gradient grows",
}


@pytest.mark.parametrize("plant", PLANTS)
@pytest.mark.parametrize("name", SPECIMENS)
def test_plants_are_found_and_what_is_said_of_them_is_so(name: str, plant: str) -> None:
    specimen = built(name)
    breaks, finds = PLANTS[plant]
    broken = breaks(list(operations(specimen.model).items()))
    if broken is None:
        assert (plant, name) in [(of, model) for of, models in ABSENT.items() for model in models]
        return
    inspection = inspected(specimen)
    assert finds(broken, inspection, messages_of(inspection)) == ((plant, name) not in UNSEEN)
    check_what_is_said(specimen, inspection)


def test_own_factors_are_those_of_keras() -> None:
    """A layer's gain is the ratio of the standard deviations over inputs of its output and its input in plain Keras."""
    import keras

    for name in ("vgg", "unet", "tanh"):
        specimen = built(name)
        gains = inspected(specimen).table.set_index("layer")["gain"].dropna()
        assert len(gains) > 4
        assert gains.index[-1] == specimen.model.layers[-1].name  # a softmax, whose logits count
        for layer, gain in gains[:-1].items():
            both = [specimen.model.get_layer(layer).input, specimen.model.get_layer(layer).output]
            before, after = keras.Model(specimen.model.inputs, both)([specimen.x])
            spread = [np.sqrt(np.asarray(a, np.float64).var(axis=0).mean()) for a in (before, after)]
            assert gain == pytest.approx(spread[1] / spread[0], rel=1e-4)


def test_states_are_measured_where_the_model_uses_states() -> None:
    table = inspected(built("encoder_decoder")).table.set_index("layer")
    assert table.loc["encoder", "units"] == 16  # h and c, not the sequence
    assert table.loc["encoder", "gradient_rms"] > 0
    assert table.loc["first", "size"] == 8 * 8


def test_constants_in_preprocessing_join_nothing() -> None:
    table = inspected(built("preprocessed")).table
    assert table["layer"].tolist() == ["conv2d", "dense"]


def test_a_dead_gelu_is_dead_and_a_softmax_that_underflows_is_not() -> None:
    specimen = built("gelu")
    specimen.model.layers[2].bias.assign(np.full(32, -12.0))  # its outputs are not all 0
    inspection = inspected(specimen)
    assert inspection.table["verdict"].iloc[2] == "dead"
    assert errors(inspection) == ["dead-network"]
    specimen = built("gelu")
    specimen.model.layers[-1].bias.assign([0.0, -1000.0, 0.0])
    inspection = inspected(specimen)
    assert inspection.table[["dead_units", "verdict"]].iloc[-1].tolist() == [0, ""]


def test_dead_units_over_time_steps_are_dead_in_all_of_them() -> None:
    specimen = built("time_distributed")
    specimen.model.layers[0].layer.bias.assign([-1000.0] * 3 + [0.0] * 5)
    inspection = inspected(specimen)
    assert inspection.table["layer"].tolist() == ["time_distributed", "gru", "dense_1"]
    assert inspection.table["dead_units"].tolist() == [3, 0, 0]
    specimen.model.layers[0].layer.bias.assign([-1000.0] * 8)
    assert errors(inspected(specimen)) == ["dead-network"]


def test_layers_in_a_compiled_function_are_looked_into() -> None:
    import keras
    import tensorflow as tf

    class Compiled(keras.layers.Layer):
        def __init__(self) -> None:
            super().__init__(name="compiled")
            self.inner = keras.layers.Dense(4, "relu", name="inside")
            self.run = tf.function(lambda x: self.inner(x))

        def call(self, x: Any) -> Any:
            return self.run(x)

    model = keras.Sequential([keras.Input((20,)), Compiled(), keras.layers.Dense(3, name="last")])
    specimen = built("relu")
    inspection = inspect(model, specimen.x, specimen.y)
    assert inspection.table["layer"].tolist() == ["compiled/inside", "last"]
    assert not tf.config.functions_run_eagerly()


def test_a_shared_layer_counts_once() -> None:
    specimen = built("siamese")
    layer = specimen.model.get_layer("sequential").layers[0]
    bias = np.zeros(16, np.float32)
    bias[:5] = -1000
    layer.bias.assign(bias)
    inspection = inspect(specimen.model, specimen.x, specimen.y)
    assert "5 of 16 in sequential/dense." in messages_of(inspection)
    assert "1 BatchNormalization layer without data" in messages_of(inspection)
