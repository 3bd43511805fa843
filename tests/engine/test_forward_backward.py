"""Test that the compiled programs give the same bits as the code of `forward_backward` on NumPy arrays."""

import itertools
from typing import Any

import numpy as np
import pytest
from helpers.reference import Reference

from deadrelu import engine
from deadrelu.engine import batch, compiler, forward_backward, programs

ACTIVATIONS = {"relu": 0.0, "leaky_relu": 0.1, "elu": 0.0, "gelu": 0.0, "tanh": 0.0, "sigmoid": 0.0}
OPTIMIZERS = {"adam": engine.Adam(), "sgd": engine.SGD(learning_rate=0.05)}
LOSSES = ["mean_squared_error", "mean_absolute_error"]


class Point:
    """A point of each trial: inputs, then targets, each of shape (trials,)."""

    def __init__(self, values: np.ndarray, inputs: int) -> None:
        self.input = lambda i: values[i]
        self.target = lambda j: values[inputs + j]


class Plan(forward_backward.Plan):
    """The batches of an epoch, for NumPy."""

    def __init__(self, training: engine.Training, table: np.ndarray, rows: np.ndarray, rates: np.ndarray, inputs: int):
        self.starts, self.sizes, _ = batch.batches(len(table), training.batch_size)
        self.table, self.rows, self.rates, self.inputs = table, rows, rates, inputs
        self.first, self.end = 0, len(self.sizes)
        self.loss = np.zeros((1, table.shape[2]), np.float32)

    def batch(self, b: int) -> Any:
        parts = {"first": self.starts[b], "end": self.starts[b + 1], "size": self.sizes[b], "rate": self.rates[b]}
        return type("Batch", (), {**parts, "epoch": 0})

    def point(self, p: int) -> Point:
        return Point(self.table[self.rows[p]], self.inputs)


def reference(
    net: engine.Network, training: engine.Training, points: batch.Points, weights: np.ndarray, numbers: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Return final weights and losses by the arithmetic on arrays of shape (trials,)."""
    n = len(numbers)
    layers = list(forward_backward.layers_of(net.sizes, net.biases))

    def between(body: Any, *, backwards: bool = False) -> None:
        for layer in layers[-2:0:-1] if backwards else layers[1:-1]:
            body(layer)

    arrays = {name: np.zeros((net.n_weights, n), np.float32) for name in ("gradient", "mean", "square")}
    arrays |= {name: np.zeros((sum(net.sizes), n), np.float32) for name in programs.UNITS}
    arrays["weights"] = weights.T.copy()
    table = points.table(tuple(numbers.tolist()), n)
    rates, losses = batch.learning_rates(training, points.n, training.epochs), []
    for epoch in range(training.epochs):
        plan = Plan(training, table, batch.left(points.n, points.seed, 0, epoch), rates[epoch], net.inputs)
        vars(plan).update(arrays, n_weights=net.n_weights, between=between)
        plan.first_layer, plan.last_layer = layers[0], layers[-1]
        forward_backward.Arithmetic(Reference(), net, plan).train(training)
        losses.append(plan.loss[0] / np.float32(points.n))
    return batch.plain(arrays["weights"].T), batch.plain(np.stack(losses, axis=1))


def normal(rng: np.random.Generator, n: int, fan_in: int, fan_out: int) -> np.ndarray:
    return rng.standard_normal((n, fan_in, fan_out)).astype(np.float32)


def network(activation: Any, **more: Any) -> engine.Network:
    settings = {"widths": (3, 2), "biases": True, "inputs": 2, "outputs": 2}
    return engine.Network(
        activation=activation, negative_slope=ACTIVATIONS[activation], initialize=normal, **settings | more
    )


def both(net: engine.Network, training: engine.Training, scale: float = 1.0) -> None:
    """Train four trials on 23 points with the programs and with NumPy, and compare all bits."""
    rng = np.random.default_rng(3)
    x = (scale * rng.standard_normal((23, net.inputs))).astype(np.float32)
    points = batch.Points(x, np.sin(x[:, :1] + np.arange(net.outputs, dtype=np.float32)), 10)
    numbers = np.array([0, 3, 100, 127])
    weights = engine.draw_weights(net, 10, numbers)
    with np.errstate(all="ignore"):
        expected = reference(net, training, points, weights, numbers)
    trials = batch.TrialBatch(net, training, points, weights, numbers)
    loss = trials.train(training.epochs, engine.Stop())
    assert (trials.weights != weights).any()
    assert trials.weights.tobytes() == expected[0].tobytes()
    assert loss.tobytes() == expected[1].tobytes()


# `make test` runs two pairs, in which each optimizer and each loss occurs once; `make soak` runs all pairs.
WAYS = [
    pytest.param(*way, marks=[] if way in (("adam", LOSSES[0]), ("sgd", LOSSES[1])) else pytest.mark.soak)
    for way in itertools.product(OPTIMIZERS, LOSSES)
]


@pytest.mark.parametrize("unrolled", [True, False], ids=["written out", "loops"])
@pytest.mark.parametrize(("optimizer", "loss"), WAYS)
@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_programs_compute_what_the_arithmetic_says(
    activation: str, optimizer: str, loss: Any, unrolled: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two epochs have batches of 8, 8 and 7 points: blocks of points that are computed together, and a remainder."""
    monkeypatch.setattr(programs, "MAX_UNROLLED_WEIGHTS", 100 if unrolled else 0)
    training = engine.Training(epochs=2, batch_size=8, optimizer=OPTIMIZERS[optimizer], loss=loss)
    both(network(activation), training)


@pytest.mark.parametrize("positions", [1, 50, 1000], ids=["one epoch", "two epochs", "all epochs"])
def test_the_number_of_epochs_in_a_call_changes_no_bit(positions: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """An epoch has 23 points, so that 50 positions are two epochs a call and leave one of five for the last call."""
    monkeypatch.setattr(batch, "POSITIONS_PER_CALL", positions)
    both(network("relu"), engine.Training(epochs=5, batch_size=8))


@pytest.mark.parametrize("widths", [(1,), (5,), (4, 1, 9), (2, 2, 2, 2, 2), (17, 6)], ids=str)
@pytest.mark.parametrize("biases", [True, False])
def test_loops_take_layers_of_any_size(widths: tuple[int, ...], biases: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    """Loops take widths that are no multiple of the tile, a single layer, and many layers."""
    monkeypatch.setattr(programs, "MAX_UNROLLED_WEIGHTS", 0)
    both(network("leaky_relu", widths=widths, biases=biases), engine.Training(epochs=2, batch_size=8))


@pytest.mark.parametrize("unrolled", [True, False], ids=["written out", "loops"])
def test_diverging_trainings_diverge_alike(unrolled: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    """Infinite weights have the same bits, and so have NaN weights, because all NaN are replaced by one."""
    monkeypatch.setattr(programs, "MAX_UNROLLED_WEIGHTS", 100 if unrolled else 0)
    wild = engine.Training(epochs=3, batch_size=8, optimizer=engine.SGD(learning_rate=1e4))
    both(network("elu"), wild, scale=10.0)


@pytest.mark.parametrize(("lanes", "points"), [(4, 4), (8, 2), (16, 1), (32, 4)])
@pytest.mark.parametrize("unrolled", [True, False], ids=["written out", "loops"])
def test_what_is_computed_side_by_side_changes_no_bit(
    lanes: int, points: int, unrolled: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(programs, "MAX_UNROLLED_WEIGHTS", 100 if unrolled else 0)
    monkeypatch.setattr(programs, "lanes", lambda _: lanes)
    monkeypatch.setattr(programs, "POINTS", points)
    programs._compiled.cache_clear()
    both(network("tanh"), engine.Training(epochs=2, batch_size=8))
    programs._compiled.cache_clear()


@pytest.mark.parametrize("unrolled", [True, False], ids=["written out", "loops"])
def test_predictions_and_active_units(unrolled: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    """Predictions equal matrix products in float64 up to rounding, and last layers are 0 in the same networks."""
    monkeypatch.setattr(programs, "MAX_UNROLLED_WEIGHTS", 100 if unrolled else 0)
    net = network("relu", widths=(2, 1, 2), biases=False, inputs=1, outputs=1)
    weights = engine.draw_weights(net, 10, np.arange(100))
    x = np.linspace(-2, 2, 31, dtype=np.float32)
    outputs = engine.predict(net, weights, x)
    a, b, c, d = (part.astype(float) for part in np.split(weights, [2, 4, 6], axis=1))
    hidden = np.maximum(x[None, :, None] * a[:, None], 0)
    hidden = np.maximum((hidden * b[:, None]).sum(axis=2), 0)
    last = np.maximum(hidden[:, :, None] * c[:, None], 0)
    expected = (last * d[:, None]).sum(axis=2)
    np.testing.assert_allclose(outputs[:, :, 0], expected, rtol=1e-5, atol=1e-6)
    dead = engine.trials._last_layer_is_dead(net, weights, x[:, None], engine.Stop())
    assert 10 < dead.sum() < 90
    assert (dead == (last == 0).all(axis=(1, 2))).all()


def test_programs_align_their_stack(monkeypatch: pytest.MonkeyPatch) -> None:
    """Otherwise vectors on the stack may cross cache lines, depending on the caller."""
    written: list[str] = []
    optimized = compiler.optimized
    monkeypatch.setattr(compiler, "optimized", lambda *given: written.append(str(given[0])) or optimized(*given))
    programs._compiled.cache_clear()
    programs.program("predict", network("relu"))
    (text,) = written
    assert '"stackrealign"' in text
