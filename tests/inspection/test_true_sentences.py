"""Test models for which a sentence was once false or missing: several outputs, NaN, networks that recover, softmax."""

from typing import Any

import numpy as np
import pytest

from deadrelu.inspection import inspect

X = np.random.default_rng(6).normal(size=(100, 20)).astype(np.float32)


def messages_of(inspection: inspect.Inspection) -> str:
    return " ".join(finding.message for finding in inspection.findings)


@pytest.fixture(autouse=True)
def seed() -> None:
    import keras

    keras.utils.set_random_seed(11)


def two_heads() -> Any:
    """Build a model with a trunk and two heads of two layers each: 'classes' and 'number'."""
    import keras

    inputs = keras.Input((20,))
    trunk = keras.layers.Dense(16, "relu", name="trunk")(inputs)
    a, b = (keras.layers.Dense(16, "relu", name=name)(trunk) for name in ("a", "b"))
    outputs = [keras.layers.Dense(4, "softmax", name="classes")(a), keras.layers.Dense(1, name="number")(b)]
    return keras.Model(inputs, outputs)


def test_with_several_outputs_the_gradient_is_judged_where_all_of_it_is() -> None:
    model = two_heads()
    model.get_layer("number").kernel.assign(model.get_layer("number").kernel * 1e3)
    assert not inspect.inspect(model, X).gradient
    model.get_layer("number").kernel.assign(np.zeros((16, 1)))
    inspection = inspect.inspect(model, X)
    (zero,) = (finding for finding in inspection.findings if finding.code == "zero-weights")
    assert zero.layers == ["number"]
    assert "no-gradient" not in inspection.codes
    assert inspection.gradient is None


def test_nan_is_not_dead() -> None:
    import keras

    model = keras.Sequential([keras.Input((20,)), *(keras.layers.Dense(8, "relu") for _ in range(3))])
    model.layers[0].kernel.assign(np.full((20, 8), np.nan))
    inspection = inspect.inspect(model, X)
    assert inspection.table["dead_units"].eq(0).all()
    assert {f.code for f in inspection.findings if f.severity != "note"} == {"not-finite"}


def test_a_network_that_a_step_may_bring_back_is_not_called_dead() -> None:
    """Training can change embeddings of 0 and a PReLU's slopes of 0, so neither alone makes a network dead."""
    import keras

    tokens = np.arange(60).reshape(20, 3) % 7
    stack = [keras.layers.Embedding(7, 4), keras.layers.Flatten(), keras.layers.Dense(8, "relu"), keras.layers.Dense(2)]
    model = keras.Sequential([keras.Input((3,), dtype="int32"), *stack])
    model.layers[0].embeddings.assign(np.zeros((7, 4)))
    for layer in (model.layers[2], model.layers[3]):
        layer.bias.assign(np.zeros(layer.bias.shape))
    assert inspect.inspect(model, tokens).codes >= {"dead-network"}  # a ReLU at 0 has no slope
    model.layers[2].bias.assign(np.full(8, 0.1))
    assert "dead-network" not in inspect.inspect(model, tokens).codes
    model = keras.Sequential([keras.Input((20,)), keras.layers.Dense(8), keras.layers.PReLU(), stack[3]])
    model.layers[0].bias.assign(np.full(8, -100.0))
    inspection = inspect.inspect(model, X)
    assert inspection.table["state"].tolist()[1] == "dead"
    assert "dead-network" not in inspection.codes


def test_logits_count_where_a_softmax_or_sigmoid_comes_last() -> None:
    """A softmax that large inputs saturate is not weak; the logits of one that is stuck on a class differ."""
    import keras

    layers = [keras.layers.Dense(16, "relu"), keras.layers.Dense(4, "softmax", name="classes")]
    model = keras.Sequential([keras.Input((20,)), *layers])
    text = messages_of(inspect.inspect(model, X * 255))
    assert "classes multiplies" not in text
    layers[1].bias.assign([100.0, 0.0, 0.0, 0.0])
    text = messages_of(inspect.inspect(model, X))
    assert "classes puts out the same for all inputs, to a part in a million; before its softmax, they differ." in text
    assert "does not depend" not in text


def test_what_lies_between_layers_on_the_trunk_counts() -> None:
    """In a subclassed model, x + f(x) is no layer, but counts for the signal on the path from the input."""
    import keras

    class Skips(keras.Model):
        def __init__(self) -> None:
            super().__init__()
            self.first, self.second = keras.layers.Dense(32, "swish"), keras.layers.Dense(32, "swish")
            self.last = keras.layers.Dense(4)

        def call(self, x: Any) -> Any:
            x = self.first(x)
            return self.last(x + keras.ops.tanh(self.second(x)))

    model = Skips()
    model(X[:2])
    model.first.bias.assign(np.full(32, -20.0))
    inspection = inspect.inspect(model, X)
    assert "signal-vanishes" in inspection.codes


def test_small_embeddings_are_named() -> None:
    import keras

    tokens = np.arange(60).reshape(20, 3) % 7
    model = keras.Sequential([keras.Input((3,), dtype="int32"), keras.layers.Embedding(7, 4, name="words")])
    assert "embeddings" not in messages_of(inspect.inspect(model, tokens))
    model.layers[0].embeddings.assign(model.layers[0].embeddings * 0.01)
    text = messages_of(inspect.inspect(model, tokens))
    assert "The embeddings of words have a root mean square of" in text
