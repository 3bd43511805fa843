"""The trial engine is right when it is Keras: same weights in, same order of the points, same weights out."""

from typing import Any

import numpy as np
import pytest
from conftest import network

from deadrelu import collapse, params, trials

NOTEBOOK = trials.Training(epochs=10, batch_size=64)
SHORT = trials.Training(epochs=1, batch_size=64)
Points = tuple[np.ndarray, np.ndarray]


def train_all(net: trials.Network, training: trials.Training, points: Points, numbers: range) -> trials.Trained:
    """All chunks as one."""
    chunks = list(trials.run(net, training, *points, trials=numbers, seed=10))
    return trials.Trained(*(np.concatenate([getattr(c, f) for c in chunks]) for f in trials.Trained.__annotations__))


def keras_network(net: trials.Network) -> Any:
    import keras

    layers: list[Any] = [keras.Input((1,))]
    for width in net.widths:
        layers.append(keras.layers.Dense(width, use_bias=False))
        relu = net.activation == "relu"
        layers.append(keras.layers.ReLU() if relu else keras.layers.LeakyReLU(negative_slope=net.negative_slope))
    model = keras.Sequential([*layers, keras.layers.Dense(1, use_bias=False)])
    model.compile(optimizer="adam", loss="mean_squared_error")
    return model


def keras_train(
    model: Any, net: trials.Network, start: np.ndarray, trial: int, training: trials.Training, points: Points
) -> tuple[np.ndarray, np.ndarray]:
    """Final weights and losses of `model.fit`, which sees the points in the trial's order."""
    ends = np.cumsum([fan_in * fan_out for fan_in, fan_out in net.layers])[:-1]
    model.set_weights([w.reshape(s) for w, s in zip(np.split(start, ends), net.layers, strict=True)])
    for variable in model.optimizer.variables:
        if "learning_rate" not in variable.path:
            variable.assign(np.zeros(variable.shape))  # a fresh Adam
    losses = []
    for epoch in range(training.epochs):
        order = trials.epoch_order(len(points[0]), 10, trial, epoch)
        x, y = (values[order] for values in points)
        losses += model.fit(x, y, batch_size=training.batch_size, shuffle=False, verbose=0).history["loss"]
    return np.concatenate([w.ravel() for w in model.get_weights()]), np.array(losses)


@pytest.mark.parametrize("key", ["relu", "leaky_relu"])
def test_all_weights_are_keras_weights(key: str, settings: params.Params, points: Points) -> None:
    """47 steps, then the notebook's 470, of eight networks that are not born dead.

    Both sum in float32, in another order: weights of size 1 differ by a few units of 1e-7 in the last place. 1e-6
    allows ten of them, and a step moves a weight by 1e-3. Where a preactivation is so near 0 that the two programs
    take different sides of the kink, a long trajectory parts for good: seen in 1 of 32 trainings, so more than two
    of eight part with probability 0.0012.
    """
    net = network(settings.collapse.cases[key])
    assert net.n_weights == 37
    numbers = range(100)
    short = train_all(net, SHORT, points, numbers)
    long = train_all(net, NOTEBOOK, points, numbers)
    alive = np.flatnonzero(np.ptp(trials.predict(net, short.initial, points[0]), axis=1) > 0)[:8]
    assert len(alive) >= 5
    model = keras_network(net)
    parted = 0
    for trial in map(int, alive):
        weights, losses = keras_train(model, net, short.initial[trial], trial, SHORT, points)
        np.testing.assert_allclose(short.final[trial], weights, rtol=0, atol=1e-6)
        np.testing.assert_allclose(short.loss[trial], losses, rtol=1e-5)
        weights, losses = keras_train(model, net, long.initial[trial], trial, NOTEBOOK, points)
        assert np.abs(long.final[trial] - long.initial[trial]).max() > 0.01
        parted += not np.allclose(long.final[trial], weights, rtol=0, atol=1e-4)
        np.testing.assert_allclose(long.loss[trial, 0], losses[0], rtol=1e-5)
    assert parted <= 2


def test_forward_pass_is_keras(settings: params.Params, points: Points) -> None:
    net = network(settings.collapse.cases["leaky_relu"])
    model = keras_network(net)
    weights = np.concatenate([w.ravel() for w in model.get_weights()])
    expected = model.predict(points[0][:, None], verbose=0)[:, 0]
    got = trials.predict(net, weights[None, :], points[0])[0]
    np.testing.assert_allclose(got, expected, rtol=1e-5, atol=1e-9)


def test_trial_depends_on_its_number_alone(settings: params.Params, points: Points) -> None:
    """Bit for bit: alone, first or last of a chunk, among few or many."""
    net = network(settings.collapse.cases["leaky_relu"])
    training = trials.Training(epochs=2, batch_size=64)
    many = train_all(net, training, points, range(trials.CHUNK + 3))
    for numbers in (range(5, 6), range(trials.CHUNK - 1, trials.CHUNK + 2), range(250, 259)):
        few = train_all(net, training, points, numbers)
        assert few.trial.tolist() == list(numbers)
        for name in ("initial", "final", "loss"):
            assert getattr(few, name).tobytes() == getattr(many, name)[numbers.start : numbers.stop].tobytes()


def test_every_trial_and_epoch_has_its_own_order() -> None:
    orders = [trials.epoch_order(50, 10, trial, epoch) for trial in range(3) for epoch in range(3)]
    assert all(sorted(order) == list(range(50)) for order in orders)
    assert len({order.tobytes() for order in orders}) == 9


def test_born_dead_networks_never_move(settings: params.Params, points: Points) -> None:
    """Zero on all inputs means an identically zero gradient: the final weights are the first, exactly."""
    net = network(settings.collapse.cases["relu"])
    trained = train_all(net, trials.Training(epochs=2, batch_size=64), points, range(200))
    dead = collapse.spread(trials.predict(net, trained.initial, points[0]), points[0]).range == 0
    moved = (trained.initial != trained.final).any(axis=1)
    assert 0 < dead.sum() < 200
    assert not moved[dead].any()
    assert moved[~dead].all()


@pytest.mark.parametrize(("points_", "batch_size"), [(100, 64), (100, 100), (100, 1000), (1, 64), (7, 1)])
def test_any_batch_size(points_: int, batch_size: int, settings: params.Params, points: Points) -> None:
    """The last batch is divided by its true size, as in Keras."""
    net = network(settings.collapse.cases["leaky_relu"])
    few = points[0][:points_], points[1][:points_]
    training = trials.Training(epochs=2, batch_size=batch_size)
    trained = train_all(net, training, few, range(2))
    model = keras_network(net)
    for trial in range(2):
        weights, losses = keras_train(model, net, trained.initial[trial], trial, training, few)
        np.testing.assert_allclose(trained.final[trial], weights, rtol=0, atol=1e-6)
        np.testing.assert_allclose(trained.loss[trial], losses, rtol=1e-5)
