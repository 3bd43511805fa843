"""Test signals of Keras models against Keras itself, finite differences, and the theory of ReLU."""

from typing import Any

import numpy as np
import pytest

from deadrelu.inspection.keras import kinds, trace
from deadrelu.inspection.keras.losses import KerasLosses
from deadrelu.inspection.keras.model import KerasModel
from deadrelu.inspection.keras.unchanged import unchanged
from deadrelu.inspection.objectives import of_labels, random_projection
from deadrelu.inspection.records import LayerRecord
from deadrelu.inspection.subject import MAX_BATCH_ELEMENTS, MAX_BATCH_SIZE, Objective, batch_size
from deadrelu.settings.initializer import Normal
from deadrelu.signals import networks
from deadrelu.signals.statistics import Running

Arrays = tuple[np.ndarray, np.ndarray]


@pytest.fixture
def digits() -> Arrays:
    rng = np.random.default_rng(3)
    n = MAX_BATCH_SIZE + 7  # more than one batch
    return rng.uniform(0, 1, (n, 784)).astype(np.float32), rng.integers(0, 10, n).astype(np.uint8)


def mlp(activation: str = "relu", stddev: float = 0.1, **settings: Any) -> Any:
    return networks.mlp(2, 20, activation, Normal(name="random_normal", stddev=stddev), seed=1, **settings)


class Kept:
    """A recorder that keeps the signals and gradients that it is given."""

    def __init__(self, layers: int) -> None:
        self.signals: list[list[np.ndarray]] = [[] for _ in range(layers)]
        self.gradients: list[list[np.ndarray]] = [[] for _ in range(layers)]

    def forward(self, k: int, signal: np.ndarray, **_: Any) -> None:
        self.signals[k].append(signal)

    def slopes(self, k: int, largest: np.ndarray) -> None:
        pass

    def backward(self, k: int, gradient: np.ndarray) -> None:
        self.gradients[k].append(gradient)


def passed(subject: KerasModel, x: list[np.ndarray], objective: Objective, **options: Any) -> Kept:
    kept = Kept(len(subject.records))
    options = {"size": batch_size(subject.records), "training": False} | options
    assert sum(subject.passes(x, objective, kept, **options)) == len(x[0])
    return kept


def measured(model: Any, x: np.ndarray, labels: np.ndarray, **options: Any) -> tuple[list[LayerRecord], list[Any]]:
    """Return the layers, and for each activations and gradients over all batches and summed gradients of kernels."""
    subject = KerasModel(model, [x])
    objective = of_labels(KerasLosses(), subject.outputs, [labels], None)
    kept = passed(subject, [x], objective, **options)
    gradients = {id(v): g.numpy() for v, g in zip(subject.variables, subject.gradients, strict=True) if g is not None}
    kernels = [[gradients[id(kernel)] for kernel in kinds.kernels_of(entry.operation)] for entry in subject.traced]
    joined = [[np.concatenate(parts) if parts else None for parts in of] for of in (kept.signals, kept.gradients)]
    return subject.records, [*joined, kernels]


def records(model: Any, inputs: list[np.ndarray]) -> list[LayerRecord]:
    return [entry.record for entry in trace.trace(model, inputs).traced]


def branched() -> Any:
    """Build a two-input model with convolutions, BatchNorm, a skip, a nested model, an operator and a shared layer."""
    import keras

    layers = keras.layers
    keras.utils.set_random_seed(5)
    image, vector = keras.Input((6, 6, 2), name="image"), keras.Input((3,), name="vector")
    stem = layers.ReLU(name="stem_relu")(layers.BatchNormalization(name="bn")(layers.Conv2D(4, 3, name="conv")(image)))
    body = layers.Conv2D(4, 3, padding="same", activation="relu", name="body")(stem)
    summed = layers.Add(name="sum")([stem, body])
    flat = layers.Flatten(name="flat")(summed)
    inner = keras.Sequential([keras.Input((64,)), layers.Dense(8, activation="tanh", name="inner_dense")], name="inner")
    shared = layers.Dense(8, activation="relu", name="shared")
    joined = layers.Concatenate(name="join")([shared(shared(inner(flat))), layers.Dense(2, name="of_vector")(vector)])
    out = layers.Dense(3, activation="softmax", name="out")(keras.ops.relu(joined) + 1.0)
    return keras.Model([image, vector], out)


def test_layers_of_a_branched_model() -> None:
    model = branched()
    rng = np.random.default_rng(0)
    inputs = [rng.normal(size=(2, 6, 6, 2)), rng.normal(size=(2, 3))]
    entries = {
        entry.name: (entry.kind, entry.activation, entry.on_trunk, entry.shape) for entry in records(model, inputs)
    }
    # The image's path is the longer one, so layers that only the vector goes through are a branch.
    assert entries == {
        "conv": ("weights", None, True, (4, 4, 4)),
        "bn": ("normalization", None, True, (4, 4, 4)),
        "stem_relu": ("activation", "relu", True, (4, 4, 4)),
        "body": ("activation", "relu", False, (4, 4, 4)),
        "sum": ("merge", None, True, (4, 4, 4)),
        "inner/inner_dense": ("activation", "tanh", True, (8,)),
        "shared": ("activation", "relu", True, (8,)),
        "shared (call 2)": ("activation", "relu", True, (8,)),
        "of_vector": ("weights", None, False, (2,)),
        "join": ("merge", None, True, (10,)),
        "relu": ("activation", "relu", True, (10,)),
        "out": ("output", "softmax", True, (3,)),
    }
    assert not any("call" in vars(layer) for layer in model.layers)  # nothing is left wrapped


def test_trunk_goes_around_skips_only() -> None:
    import keras

    kl = keras.layers
    x = keras.Input((4,))
    first = kl.Dense(4, name="first")(x)
    branch = kl.Dense(4, name="branch")(first)
    model = keras.Model(x, kl.Dense(2, name="last")(kl.Add(name="sum")([first, branch])))
    trunk = {entry.name: entry.on_trunk for entry in records(model, [np.zeros((1, 4))])}
    assert trunk == {"first": True, "branch": False, "sum": True, "last": True}


def test_a_late_input_or_an_early_output_is_no_way_around() -> None:
    import keras

    kl = keras.layers
    x, late = keras.Input((4,)), keras.Input((4,))
    hidden = kl.Dense(4, name="second")(kl.Dense(4, name="first")(x))
    outputs = [kl.Dense(1, name="early")(x), kl.Dense(1, name="last")(kl.Add(name="sum")([hidden, late]))]
    model = keras.Model([x, late], outputs)
    survey = trace.trace(model, [np.zeros((1, 4)), np.zeros((1, 4))])
    trunk = {entry.record.name: entry.record.on_trunk for entry in survey.traced}
    assert trunk == {"first": True, "second": True, "sum": True, "last": True, "early": False}
    assert [output.name for output in survey.outputs] == ["early", "last"]


def test_outputs_in_the_models_order_with_the_activation_behind_a_reshape() -> None:
    import keras

    kl = keras.layers
    x = keras.Input((4,))
    number = kl.Dense(3, name="number")(kl.Dense(5, activation="relu")(x))
    classes = kl.Reshape((4,), name="classes")(kl.Dense(4, activation="softmax", name="inside")(number))
    survey = trace.trace(keras.Model(x, [classes, number]), [np.zeros((1, 4))])
    assert survey.outputs == [("classes", "softmax", (4,)), ("number", None, (3,))]
    assert [entry.record.name for entry in survey.traced if entry.record.kind == "output"] == ["number", "classes"]


@pytest.mark.parametrize("last", ["Dropout", "Activation"])
def test_a_layer_that_changes_nothing_is_no_second_output(last: str) -> None:
    import keras

    end = keras.layers.Dropout(0.5) if last == "Dropout" else keras.layers.Activation("linear")
    model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(3, name="dense"), end])
    traced, outputs, *_ = trace.trace(model, [np.zeros((1, 4))])
    assert [(entry.record.name, entry.record.kind) for entry in traced] == [("dense", "output")]
    assert [output.shape for output in outputs] == [(3,)]


def test_layers_with_several_outputs_count_with_their_first() -> None:
    import keras

    x = keras.Input((5, 2))
    sequence, *_ = keras.layers.LSTM(3, return_sequences=True, return_state=True, name="lstm")(x)
    model = keras.Model(x, keras.layers.Dense(1)(sequence))
    (lstm, _) = records(model, [np.zeros((1, 5, 2))])
    assert (lstm.name, lstm.kind, lstm.activation, lstm.on_trunk, lstm.shape) == (
        *("lstm", "activation", "tanh", True),
        (5, 3),
    )


def test_activations_are_those_of_keras() -> None:
    import keras

    model = branched()
    rng = np.random.default_rng(1)
    inputs = [rng.normal(size=(9, 6, 6, 2)).astype(np.float32), rng.normal(size=(9, 3)).astype(np.float32)]
    subject = KerasModel(model, inputs)
    names = {layer.name for layer in model.layers} - {"shared"}
    outer = [k for k, entry in enumerate(subject.records) if entry.name in names]
    own = [model.get_layer(subject.records[k].name).output for k in outer]
    keras_own = keras.Model(model.inputs, own)(inputs)
    kept = passed(subject, inputs, random_projection(KerasLosses(), 0), size=4)
    assert len(outer) == 8
    for k, expected in zip(outer, keras_own, strict=True):
        np.testing.assert_allclose(np.concatenate(kept.signals[k]), expected, rtol=1e-5, atol=1e-6)


def test_gradients_of_kernels_are_those_of_keras() -> None:
    """The gradients equal those of a tape around the whole model, with the loss that Keras itself computes."""
    import tensorflow as tf

    model = branched()
    rng = np.random.default_rng(2)
    inputs = [rng.normal(size=(9, 6, 6, 2)).astype(np.float32), rng.normal(size=(9, 3)).astype(np.float32)]
    labels = rng.integers(0, 3, 9)
    subject = KerasModel(model, inputs)
    objective = of_labels(KerasLosses(), subject.outputs, [labels], None)
    assert objective.name == "cross-entropy"
    passed(subject, inputs, objective, size=4)
    ours = dict(zip((v.path for v in subject.variables), subject.gradients, strict=True))
    model.compile("sgd", "sparse_categorical_crossentropy")
    with tf.GradientTape() as tape:
        loss = model.compute_loss(inputs, tf.constant(labels), model(inputs))
    own = dict(
        zip([v.path for v in model.trainable_variables], tape.gradient(loss, model.trainable_variables), strict=True)
    )
    for path, gradient in own.items():
        np.testing.assert_allclose(ours[path] / len(labels), gradient, rtol=1e-4, atol=1e-7)


def test_frozen_layers_have_gradients_too(digits: Arrays) -> None:
    x, labels = digits[0][:20], digits[1][:20]
    model, frozen = mlp(), mlp()
    frozen.trainable = False
    for a, b in zip(measured(model, x, labels)[1][2], measured(frozen, x, labels)[1][2], strict=True):
        np.testing.assert_array_equal(a, b)
        assert np.abs(a[0]).max() > 0


def test_mixed_precision_does_not_break_the_trunk() -> None:
    import keras

    policy = keras.DTypePolicy("mixed_float16")
    hidden = [keras.layers.Dense(8, "relu", dtype=policy) for _ in range(4)]
    model = keras.Sequential([keras.Input((6,)), *hidden, keras.layers.Dense(3, "softmax", dtype="float32")])
    recorded = records(model, [np.zeros((1, 6))])
    assert [entry.on_trunk for entry in recorded] == [True] * 5


def test_biases_and_slopes_are_no_kernels() -> None:
    import keras

    gru, prelu = keras.layers.GRU(3), keras.layers.PReLU()
    gru.build((None, 5, 2))
    prelu.build((None, 4, 3))
    assert [tuple(kernel.shape) for kernel in kinds.kernels_of(gru)] == [(2, 9), (3, 9)]
    assert kinds.kernels_of(prelu) == []


def test_a_subclassed_model_before_its_first_call() -> None:
    import keras

    class Mine(keras.Model):
        def __init__(self) -> None:
            super().__init__()
            self.hidden, self.out = keras.layers.Dense(4, activation="relu"), keras.layers.Dense(2)

        def call(self, x: Any) -> Any:
            return self.out(self.hidden(x))

    recorded = records(Mine(), [np.zeros((3, 5), np.float32)])
    assert [(entry.kind, entry.on_trunk) for entry in recorded] == [("activation", True), ("output", True)]


def test_gradients_are_finite_differences(digits: Arrays) -> None:
    """Gradients equal central differences of the loss in float64 through the later layers; tanh makes it smooth."""
    x, labels = digits
    model = mlp("tanh")
    recorded, (activations, gradients, _) = measured(model, x, labels)
    first = [entry.name for entry in recorded].index("hidden_1")
    kernels = {layer.name: layer.kernel.numpy().astype(np.float64) for layer in model.layers}

    def loss(first_hidden: np.ndarray) -> np.ndarray:
        logits = np.tanh(first_hidden @ kernels["hidden_2"]) @ kernels["softmax"]
        return np.log(np.exp(logits).sum(axis=1)) - logits[np.arange(len(logits)), labels]

    hidden = activations[first].astype(np.float64)
    for unit in (0, 7, 19):
        step = np.zeros(20)
        step[unit] = 1e-5
        differences = (loss(hidden + step) - loss(hidden - step)) / 2e-5
        # Keras's loss gets float32 probabilities, so relative errors are 1e-5, and larger where there is cancellation.
        np.testing.assert_allclose(gradients[first][:, unit], differences, rtol=1e-3, atol=1e-5)


def test_certain_and_wrong_predictions_keep_their_gradient() -> None:
    """The gradient is (p - y) W^T, also where the true class has probability 0: a loss that clips gives 0 there."""
    rng = np.random.default_rng(0)
    x, labels = rng.uniform(0, 1, (50, 784)).astype(np.float32), rng.integers(0, 10, 50).astype(np.uint8)
    model = mlp(stddev=3.0)
    recorded, (activations, gradients, _) = measured(model, x, labels)
    last = [entry.name for entry in recorded].index("hidden_2")
    kernel = model.get_layer("softmax").kernel.numpy().astype(np.float64)
    logits = activations[last] @ kernel
    p = np.exp(logits - logits.max(axis=1, keepdims=True))
    p /= p.sum(axis=1, keepdims=True)
    assert (p[np.arange(50), labels] < 1e-30).any()
    expected = (p - np.eye(10)[labels]) @ kernel.T
    np.testing.assert_allclose(gradients[last], expected, rtol=1e-3, atol=1e-4)


def test_batches_make_no_difference_to_gradients(digits: Arrays) -> None:
    x, labels = digits[0][:20], digits[1][:20]
    _, whole = measured(mlp(), x, labels)
    _, cut = measured(mlp(), x, labels, size=7)
    pairs = zip(whole[0] + whole[1], cut[0] + cut[1], strict=True)
    for a, b in ((a, b) for a, b in pairs if a is not None):  # a softmax has no gradient of its own
        np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-6)


def test_inputs_times_four_are_signals_times_four_and_the_same_dead_units(digits: Arrays) -> None:
    """ReLU without biases is homogeneous, and 4 is a power of two, so the test needs no tolerance."""
    x, labels = digits
    recorded, (once, _, _) = measured(mlp(), x, labels)
    _, (four, _, _) = measured(mlp(), 4 * x, labels)
    dead = 0.0
    for entry, a, b in zip(recorded[:-1], once, four, strict=False):
        assert (4 * a == b).all()
        described = []
        for signal in (a, b):
            running = Running(len(x), entry.activation)
            running.add(signal)
            described.append(running.statistics())
        assert described[0]["dead_units"] == described[1]["dead_units"]
        assert described[0]["rms"] * 4 == described[1]["rms"]
        dead += described[0]["dead_units"]
    assert dead > 0  # images are positive, so that some units are off for all


@pytest.mark.parametrize(("stddev", "width"), [(0.1, 40), (0.3, 30)])
def test_relu_multiplies_the_mean_square_by_half_the_fan_in_times_the_variance(stddev: float, width: int) -> None:
    """For symmetric weights without biases, E[q_(l+1) | q_l] = q_l N Var(w) / 2 exactly; 60 networks are averaged."""
    x = np.random.default_rng(0).normal(size=(20, 784)).astype(np.float32)
    normal = Normal(name="random_normal", stddev=stddev)
    ratios = []
    for seed in range(60):
        model = networks.mlp(4, width, "relu", normal, seed=seed)
        recorded, (activations, _, _) = measured(model, x, np.zeros(20, np.uint8))
        q = [
            np.mean(a.astype(float) ** 2)
            for entry, a in zip(recorded, activations, strict=True)
            if entry.kind == "activation"
        ]
        ratios.append(np.mean(np.divide(q[1:], q[:-1])))
    error = np.std(ratios, ddof=1) / np.sqrt(len(ratios))
    # Five standard errors give a false alarm in 2 million; a factor off by a half would be some 20 of them off.
    assert abs(np.mean(ratios) - width * stddev**2 / 2) < 5 * error
    assert 20 * error < width * stddev**2 / 4


def test_training_mode_uses_the_batch_and_leaves_the_model_as_it_was() -> None:
    import keras

    model = keras.Sequential([keras.Input((5,)), keras.layers.BatchNormalization(name="bn"), keras.layers.Dense(2)])
    before = [weight.numpy() for weight in model.weights]
    x = np.random.default_rng(0).normal(7, 3, size=(64, 5)).astype(np.float32)
    with unchanged(model, 0):
        subject, objective = KerasModel(model, [x]), random_projection(KerasLosses(), 0)
        inference = passed(subject, [x], objective).signals[0][0]
        training = passed(subject, [x], objective, training=True).signals[0][0]
    np.testing.assert_allclose(inference.mean(), 7, atol=0.5)
    np.testing.assert_allclose(training.mean(axis=0), 0, atol=1e-5)
    np.testing.assert_allclose(training.std(axis=0), 1, atol=1e-3)
    assert all((a == b.numpy()).all() for a, b in zip(before, model.weights, strict=True))


def test_memory_is_bounded_by_the_batch() -> None:
    def entry(elements: int) -> LayerRecord:
        about = {"on_trunk": True, "on_each_trunk": True, "shares": None}
        return LayerRecord("a", "Dense", "weights", None, frozenset(), (elements,), (), **about)

    assert batch_size([entry(10)]) == MAX_BATCH_SIZE
    assert batch_size([entry(MAX_BATCH_ELEMENTS // 16)] * 2) == 8
    assert batch_size([entry(2 * MAX_BATCH_ELEMENTS)]) == 1


@pytest.mark.parametrize(
    ("layer", "name"),
    [
        (lambda k: k.layers.Dense(1, activation="relu"), "relu"),
        (lambda k: k.layers.Dense(1), None),
        (lambda k: k.layers.Activation("tanh"), "tanh"),
        (lambda k: k.layers.Activation("linear"), None),
        (lambda k: k.layers.ReLU(), "relu"),
        (lambda k: k.layers.ReLU(max_value=6), "relu6"),
        (lambda k: k.layers.Activation("relu6"), "relu6"),
        (lambda k: k.layers.LeakyReLU(), "leaky_relu"),
        (lambda k: k.layers.PReLU(), "prelu"),
        (lambda k: k.layers.ELU(), "elu"),
        (lambda k: k.layers.Softmax(), "softmax"),
        (lambda k: k.layers.Activation("hard_sigmoid"), "hard_sigmoid"),
        (lambda k: k.layers.Flatten(), None),
        (lambda k: k.layers.TimeDistributed(k.layers.Dense(1, activation="relu")), "relu"),
    ],
)
def test_activation_names(layer: Any, name: str | None) -> None:
    import keras

    assert kinds.activation_name(layer(keras)) == name
