"""Signals against Keras, finite differences and hand-made arrays."""

import numpy as np
import pytest

from deadrelu import networks, params, signals

GLOROT = params.FanScaled(name="glorot_normal")
HIDDEN = ["hidden_1", "hidden_2"]


@pytest.fixture
def digits() -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(3)
    n = signals.BATCH + 7  # more than one batch
    return rng.uniform(0, 1, (n, 784)).astype(np.float32), rng.integers(0, 10, n).astype(np.uint8)


def test_activations_are_those_of_keras(digits: tuple[np.ndarray, np.ndarray]) -> None:
    import keras

    x, labels = digits
    model = networks.mlp(2, 20, "relu", GLOROT, seed=1)
    activations, gradients = signals.layer_signals(model, HIDDEN, x, labels)
    taps = keras.Model(model.inputs, [model.get_layer(name).output for name in HIDDEN])
    for ours, keras_own, gradient in zip(activations, taps.predict(x, verbose=0), gradients, strict=True):
        np.testing.assert_allclose(ours, keras_own, rtol=1e-5, atol=1e-6)
        assert gradient.shape == ours.shape == (len(x), 20)


def test_gradients_are_finite_differences(digits: tuple[np.ndarray, np.ndarray]) -> None:
    """Central differences of the loss in float64, through the layers behind the tap; tanh, so that it is smooth."""
    x, labels = digits
    model = networks.mlp(2, 20, "tanh", GLOROT, seed=1)
    activations, gradients = signals.layer_signals(model, HIDDEN, x, labels)
    kernels = {layer.name: layer.kernel.numpy().astype(np.float64) for layer in model.layers}

    def loss(first_hidden: np.ndarray) -> np.ndarray:
        logits = np.tanh(first_hidden @ kernels["hidden_2"]) @ kernels["softmax"]
        return np.log(np.exp(logits).sum(axis=1)) - logits[np.arange(len(logits)), labels]

    at = activations[0].astype(np.float64)
    for unit in (0, 7, 19):
        step = np.zeros(20)
        step[unit] = 1e-5
        differences = (loss(at + step) - loss(at - step)) / 2e-5
        # The probabilities that Keras's loss sees are float32: relative errors of 1e-5, some more by cancellation.
        np.testing.assert_allclose(gradients[0][:, unit], differences, rtol=1e-3, atol=1e-5)


def test_statistics_by_hand() -> None:
    signal = np.array([[0, 1, -1], [0, 0, 0.995]], np.float32)
    found = signals.statistics(signal, activation="tanh", quantiles=(0.5,))
    values = [0, 1, -1, 0, 0, np.float64(np.float32(0.995))]
    assert found == pytest.approx(
        {
            "mean": np.mean(values),
            "std": np.std(values),
            "rms": np.sqrt(np.mean(np.square(values))),
            "input_std": np.sqrt((0**2 + 0.5**2 + np.std([-1, values[-1]]) ** 2) / 3),
            "zero_fraction": 3 / 6,
            "dead_units": 1,
            "saturated_fraction": 3 / 6,
            "q50": 0,
        }
    )


def test_units_that_differ_but_ignore_the_input_carry_no_signal() -> None:
    constant_units = np.tile(np.array([0.2, 0.5, 0.9], np.float32), (10, 1))
    found = signals.statistics(constant_units, activation="sigmoid", quantiles=())
    assert found["std"] > 0.2
    assert found["input_std"] < 1e-7


def test_relu_has_no_saturation() -> None:
    signal = np.array([[0, 100]], np.float32)
    assert signals.statistics(signal, activation="relu", quantiles=())["saturated_fraction"] == 0


def test_inputs_times_four_are_signals_times_four(digits: tuple[np.ndarray, np.ndarray]) -> None:
    """ReLU without biases is homogeneous, and 4 is a power of two: equality without a tolerance."""
    x, labels = digits
    model = networks.mlp(2, 20, "relu", GLOROT, seed=1)
    once, _ = signals.layer_signals(model, HIDDEN, x, labels)
    four, _ = signals.layer_signals(model, HIDDEN, 4 * x, labels)
    for a, b in zip(once, four, strict=True):
        assert (4 * a == b).all()


@pytest.mark.parametrize(("ratio", "name"), [(0.5, "vanishes"), (1.0, "holds"), (2.0, "explodes")])
def test_verdict(ratio: float, name: str) -> None:
    assert signals.verdict(ratio) == name


def test_certain_and_wrong_predictions_keep_their_gradient() -> None:
    """(p - y) W^T, also where the probability of the true class is 0: a loss that clips it would give 0 there."""
    rng = np.random.default_rng(0)
    x, labels = rng.uniform(0, 1, (50, 784)).astype(np.float32), rng.integers(0, 10, 50).astype(np.uint8)
    model = networks.mlp(2, 20, "relu", params.Normal(name="random_normal", stddev=3.0), seed=1)
    (last,), (gradient,) = signals.layer_signals(model, ["hidden_2"], x, labels)
    kernel = model.get_layer("softmax").kernel.numpy().astype(np.float64)
    logits = last @ kernel
    p = np.exp(logits - logits.max(axis=1, keepdims=True))
    p /= p.sum(axis=1, keepdims=True)
    assert (p[np.arange(50), labels] < 1e-30).any()
    expected = (p - np.eye(10)[labels]) @ kernel.T
    np.testing.assert_allclose(gradient, expected, rtol=1e-3, atol=1e-4)
