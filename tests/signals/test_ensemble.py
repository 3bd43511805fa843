"""Test signals of untrained networks in NumPy against Keras's layers and gradients with the same weights."""

from typing import Any

import numpy as np
import pytest

from deadrelu.engine import initializers
from deadrelu.settings.initializer import FanScaled, Normal, Settings, ZerosOrOnes
from deadrelu.signals import ensemble, networks

RNG = np.random.default_rng(5)
X, LABELS = RNG.uniform(0, 1, (40, 784)), RNG.integers(0, 10, 40).astype(np.uint8)


def generators(layers: int) -> list[np.random.Generator]:
    return [np.random.default_rng(layer) for layer in range(layers + 2)]


def keras_network(activation: str, draw: initializers.Sampler, layers: int, width: int) -> Any:
    """Build the notebook's MLP in Keras with the weights that the same generators draw."""
    model = networks.mlp(layers, width, activation, FanScaled(name="he_normal"), seed=0, dtype="float64")
    sizes = [784, *[width] * (layers + 1), 10]
    for k, rng in enumerate(generators(layers)):
        model.layers[k].set_weights([draw(rng, 1, sizes[k], sizes[k + 1])[0], np.zeros(sizes[k + 1])])
    return model


@pytest.mark.parametrize("activation", ["relu", "tanh", "sigmoid"])
@pytest.mark.parametrize(
    ("initializer", "layers", "width"),
    [
        (FanScaled(name="he_normal"), 4, 12),
        (FanScaled(name="glorot_uniform"), 2, 30),
        (Normal(name="random_normal", stddev=0.4), 3, 8),
        (FanScaled(name="glorot_normal"), 1, 5),
    ],
)
def test_strengths_are_those_of_keras(activation: str, initializer: Settings, layers: int, width: int) -> None:
    import keras
    import tensorflow as tf

    draw = initializers.sampler(initializer)
    spread, gradient = ensemble.strengths(activation, draw, X, LABELS, width=width, rngs=generators(layers))
    model, signals = keras_network(activation, draw, layers, width), [tf.constant(X)]
    with tf.GradientTape() as tape:
        tape.watch(signals[0])
        for layer in model.layers:
            signals.append(layer(signals[-1]))
        loss = tf.reduce_sum(keras.losses.sparse_categorical_crossentropy(LABELS, signals[-1]))
    hidden = signals[2 : layers + 2]
    keras_spread = [np.sqrt(np.mean(np.var(signal, axis=0))) for signal in hidden]
    np.testing.assert_allclose(spread, keras_spread, rtol=1e-9)
    gradients = tape.gradient(loss, hidden)
    np.testing.assert_allclose(gradient, [np.sqrt(np.mean(np.square(array))) for array in gradients], rtol=1e-6)
    assert spread.shape == gradient.shape == (layers,)
    assert (spread > 0).all()


def overflowing() -> tuple[np.ndarray, np.ndarray]:
    """Return strengths of 60 layers, each of which multiplies the signal by about a million."""
    draw = initializers.sampler(Normal(name="random_normal", stddev=1e6))
    return ensemble.strengths("relu", draw, X, LABELS, width=10, rngs=generators(60))


def test_signals_that_overflow_are_not_finite() -> None:
    with np.errstate(over="ignore", invalid="ignore"):
        spread, _ = overflowing()
    assert np.isfinite(spread[0])
    assert not np.isfinite(spread[-1])


def test_signals_that_overflow_warn_nobody() -> None:
    """Settings allow overflow, so a user would see NumPy's warnings, which would fail this test."""
    overflowing()


def test_zeros_have_no_signal() -> None:
    draw = initializers.sampler(ZerosOrOnes(name="zeros"))
    for strength in ensemble.strengths("tanh", draw, X, LABELS, width=6, rngs=generators(3)):
        assert strength.tolist() == [0, 0, 0]
