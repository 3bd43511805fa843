"""Test the losses of which gradients are taken: the usual one for each kind of labels, and labels that do not fit."""

from typing import Any

import numpy as np
import pytest

from deadrelu.errors import InputError
from deadrelu.inspection import objectives
from deadrelu.inspection.keras.losses import KerasLosses
from deadrelu.inspection.records import Output

RNG = np.random.default_rng(0)


def output(activation: str | None, *shape: int) -> Output:
    return Output("out", activation, shape)


@pytest.mark.parametrize(
    ("activation", "shape", "labels", "name"),
    [
        ("softmax", (3,), np.array([0, 2]), "cross-entropy"),
        ("softmax", (3,), np.array([[0.0], [2.0]]), "cross-entropy"),
        ("softmax", (3,), np.eye(3)[:2], "cross-entropy"),
        (None, (3,), np.array([0, 2]), "cross-entropy from logits"),
        (None, (3,), np.eye(3)[:2], "cross-entropy from logits"),
        (None, (3,), RNG.normal(size=(2, 3)), "mean squared error"),
        (None, (1,), np.array([0, 1]), "mean squared error"),
        ("sigmoid", (1,), np.array([0, 1]), "binary cross-entropy"),
        ("softmax", (4, 5, 3), np.zeros((2, 4, 5)), "cross-entropy"),
        (None, (4, 5, 3), RNG.normal(size=(2, 4, 5, 3)), "mean squared error"),
    ],
)
def test_usual_loss(activation: str | None, shape: tuple[int, ...], labels: Any, name: str) -> None:
    import keras

    objective = objectives.of_labels(KerasLosses(), [output(activation, *shape)], [labels], None)
    assert objective.name == name
    prediction = RNG.normal(size=(2, *shape)).astype(np.float32)
    if activation == "softmax":
        prediction = np.exp(prediction) / np.exp(prediction).sum(axis=-1, keepdims=True)
    if activation == "sigmoid":
        prediction = 1 / (1 + np.exp(-prediction))
    sparse = labels.shape[1:] not in ((*shape,), shape)
    kinds = {"binary": "BinaryCrossentropy", "mean": "MeanSquaredError"}
    default = "SparseCategoricalCrossentropy" if sparse else "CategoricalCrossentropy"
    keras_loss = getattr(keras.losses, kinds.get(name.split("-")[0].split()[0], default))()
    if name.endswith("logits"):
        keras_loss = type(keras_loss)(from_logits=True)
    truth = labels.reshape(2, 1) if name.startswith("bin") or shape == (1,) else labels
    # Keras averages over inputs (and positions); ours is the sum over inputs.
    expected = 2 * float(keras_loss(truth, prediction))
    assert float(objective.function([prediction], slice(0, 2))) == pytest.approx(expected, rel=1e-5)


def test_rows_are_the_batchs_own() -> None:
    labels = np.array([0.0, 10.0, 20.0])
    objective = objectives.of_labels(KerasLosses(), [output(None, 1)], [labels], None)
    assert float(objective.function([np.array([[11.0], [22.0]], np.float32)], slice(1, 3))) == 1 + 4


def test_several_outputs_are_added() -> None:
    outputs = [output(None, 1), output("softmax", 2)]
    objective = objectives.of_labels(KerasLosses(), outputs, [np.zeros(1), np.zeros(1)], None)
    assert objective.name == "mean squared error + cross-entropy"
    loss = objective.function([np.array([[3.0]], np.float32), np.array([[0.5, 0.5]], np.float32)], slice(0, 1))
    assert float(loss) == pytest.approx(9 + np.log(2))


def test_random_projection_does_not_depend_on_the_cut() -> None:
    outputs = [RNG.normal(size=(6, 3)).astype(np.float32), RNG.normal(size=(6, 2, 4)).astype(np.float32)]
    whole, cut, other = (objectives.random_projection(KerasLosses(), seed).function for seed in (7, 7, 8))
    parts = [float(cut([o[a:b] for o in outputs], slice(a, b))) for a, b in ((0, 1), (1, 4), (4, 6))]
    assert float(whole(outputs, slice(0, 6))) == pytest.approx(sum(parts), rel=1e-5)
    assert float(other(outputs, slice(0, 6))) != pytest.approx(sum(parts), rel=1e-2)


def test_loss_over_the_whole_batch_is_refused() -> None:
    objective = objectives.of_labels(KerasLosses(), [output("softmax", 3)], [np.eye(3)], "dice")
    with pytest.raises(InputError, match="loss: received 'dice'; expected: a loss of each input by itself"):
        objective.function([np.eye(3, dtype=np.float32)], slice(0, 3))


@pytest.mark.parametrize(
    ("labels", "loss", "named"),
    [
        (np.array([0, 3]), None, "values from 0 to 3; expected: whole numbers from 0 to 2"),
        (np.array([-1, 0]), None, "values from -1 to 0"),
        (np.zeros((2, 4)), None, r"shape \(2, 4\); expected for output out: \(n,\) with classes or \(n, 3\)"),
        (np.array([0, 1]), "nonsense", "loss: received 'nonsense'"),
        (np.array([0, 1]), "mean_squared_error", r"shape \(2,\); expected for output out: \(n, 3\)"),
        (np.array([0, 1]), "MeanSquaredError", r"shape \(2,\); expected for output out: \(n, 3\)"),
        (np.array([0, np.nan]), None, "labels: received NaN, infinity or beyond float32"),
        (np.array([0, 1e300]), None, "labels: received NaN, infinity or beyond float32"),
        (np.array(["a", "b"]), None, "labels: received <U1; expected: numbers"),
    ],
)
def test_what_does_not_fit_is_named(labels: np.ndarray, loss: str | None, named: str) -> None:
    with pytest.raises(InputError, match=named):
        objectives.of_labels(KerasLosses(), [output("softmax", 3)], [labels], loss)
