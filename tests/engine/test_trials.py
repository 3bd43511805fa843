"""Test the trial engine against Keras: the same initial weights and order of points give the same final weights."""

from concurrent.futures import CancelledError
from threading import Timer
from typing import Any

import numpy as np
import pytest
from helpers.projects import network
from helpers.training import after_epochs, epoch_order, joined

from deadrelu import engine
from deadrelu.engine import initializers, programs, shuffles, trials
from deadrelu.settings import params
from deadrelu.settings.initializer import FanScaled, Rai
from deadrelu.stages import experiments

NOTEBOOK = engine.Training(epochs=10, batch_size=64)
SHORT = engine.Training(epochs=1, batch_size=64)
ONE_STEP = engine.Training(epochs=1, batch_size=3000)
Points = tuple[np.ndarray, np.ndarray]


def train_all(
    net: engine.Network, training: engine.Training, points: Points, numbers: range, threads: int | None = None
) -> engine.Trained:
    """Train the trials, and return all chunks joined."""
    return joined(engine.run(net, training, *points, trials=numbers, seed=10, threads=threads))


def keras_network(net: engine.Network, training: engine.Training) -> Any:
    import keras

    relu = keras.layers.LeakyReLU(negative_slope=net.negative_slope)
    layers: list[Any] = [keras.Input((net.inputs,))]
    for width in net.widths:
        layers.append(keras.layers.Dense(width, use_bias=net.biases))
        layers.append(relu if net.activation == "leaky_relu" else keras.layers.Activation(net.activation))
    model = keras.Sequential([*layers, keras.layers.Dense(net.outputs, use_bias=net.biases)])
    optimizer = keras.optimizers.Adam if isinstance(training.optimizer, engine.Adam) else keras.optimizers.SGD
    model.compile(optimizer=optimizer(training.optimizer.learning_rate), loss=training.loss)
    return model


def set_weights(model: Any, flat: np.ndarray) -> None:
    shapes = [weights.shape for weights in model.get_weights()]
    ends = np.cumsum([np.prod(shape) for shape in shapes])[:-1]
    model.set_weights([part.reshape(shape) for part, shape in zip(np.split(flat, ends), shapes, strict=True)])


def keras_begin(model: Any, start: np.ndarray) -> None:
    """Set the weights of a model, and reset its optimizer."""
    set_weights(model, start)
    for variable in model.optimizer.variables:
        if "learning_rate" not in variable.path:
            variable.assign(np.zeros(variable.shape))


def keras_epoch(
    model: Any, trial: int, epoch: int, training: engine.Training, points: Points
) -> tuple[np.ndarray, list[float]]:
    """Return weights and losses after one epoch of `model.fit`, with the points in the trial's order."""
    order = epoch_order(len(points[0]), 10, trial, epoch)
    x, y = (values[order] for values in points)
    losses = model.fit(x, y, batch_size=training.batch_size, shuffle=False, verbose=0).history["loss"]
    return np.concatenate([w.ravel() for w in model.get_weights()]), losses


def keras_train(
    model: Any, start: np.ndarray, trial: int, training: engine.Training, points: Points
) -> tuple[np.ndarray, np.ndarray]:
    """Return the final weights, and the losses of all epochs."""
    keras_begin(model, start)
    losses: list[float] = []
    for epoch in range(training.epochs):
        weights, epoch_losses = keras_epoch(model, trial, epoch, training, points)
        losses += epoch_losses
    return weights, np.array(losses)


@pytest.mark.parametrize(("trainings", "may_part"), [(2, 1), pytest.param(8, 2, marks=pytest.mark.soak)])
@pytest.mark.parametrize("key", ["relu", "leaky_relu"])
def test_all_weights_are_keras_weights(
    key: str, trainings: int, may_part: int, settings: params.Params, points: Points
) -> None:
    """Compare networks, none of them dead at initialization, after 1 step, 47 steps and the notebook's 470 steps.

    Both sum in float32, in different orders, so weights of size 1 differ by a few units of 1e-7 in the last place. The
    tolerance of 1e-6 allows ten of them; a step moves a weight by 1e-3. If a preactivation is so near 0 that the two
    programs take different sides of the kink, a long trajectory parts for good. This was seen in 1 of 32 trainings, so
    both of two part with probability 0.001, and more than two of eight with 0.0012.
    """
    net = network(settings.collapse.cases[key])
    assert net.n_weights == 37
    numbers = range(100)
    short = train_all(net, SHORT, points, numbers)
    long = train_all(net, NOTEBOOK, points, numbers)
    alive = np.flatnonzero(np.ptp(engine.predict(net, short.initial, points[0])[:, :, 0], axis=1) > 0)[:trainings]
    assert len(alive) >= min(trainings, 5)
    model = keras_network(net, NOTEBOOK)
    parted = 0
    one_step = train_all(net, ONE_STEP, points, numbers)
    for trial in map(int, alive):
        weights, _ = keras_train(model, one_step.initial[trial], trial, ONE_STEP, points)
        np.testing.assert_allclose(one_step.final[trial], weights, rtol=0, atol=2e-7)
        weights, losses = keras_train(model, short.initial[trial], trial, SHORT, points)
        np.testing.assert_allclose(short.final[trial], weights, rtol=0, atol=1e-6)
        np.testing.assert_allclose(short.loss[trial], losses, rtol=1e-5)
        weights, losses = keras_train(model, long.initial[trial], trial, NOTEBOOK, points)
        assert np.abs(long.final[trial] - long.initial[trial]).max() > 0.01
        parted += not np.allclose(long.final[trial], weights, rtol=0, atol=1e-4)
        np.testing.assert_allclose(long.loss[trial, 0], losses[0], rtol=1e-5)
    assert parted <= may_part


def glorot(rng: np.random.Generator, n: int, fan_in: int, fan_out: int) -> np.ndarray:
    return rng.normal(0, (2 / (fan_in + fan_out)) ** 0.5, (n, fan_in, fan_out)).astype(np.float32)


KINDS = {
    "relu": engine.Network(widths=(3, 2), activation="relu", initialize=glorot),
    "relu with biases": engine.Network(widths=(3, 2), activation="relu", biases=True, initialize=glorot),
    "elu": engine.Network(widths=(2, 2), activation="elu", biases=True, initialize=glorot),
    "gelu": engine.Network(widths=(2, 2), activation="gelu", biases=True, initialize=glorot),
    "tanh": engine.Network(widths=(2, 2), activation="tanh", biases=True, initialize=glorot),
    "sigmoid": engine.Network(widths=(2, 2), activation="sigmoid", biases=True, initialize=glorot),
    "two inputs, two outputs": engine.Network(
        widths=(2, 3), activation="leaky_relu", negative_slope=0.1, inputs=2, outputs=2, initialize=glorot
    ),
    "no hidden layer": engine.Network(
        widths=(), activation="relu", biases=True, inputs=2, outputs=2, initialize=glorot
    ),
    "wide": engine.Network(widths=(12, 9), activation="tanh", biases=True, inputs=2, outputs=2, initialize=glorot),
    "wide relu": engine.Network(widths=(30, 30), activation="relu", initialize=glorot),
    "wide relu with biases": engine.Network(
        widths=(4,) * 9, activation="relu", biases=True, inputs=2, outputs=2, initialize=glorot
    ),
    "rai": engine.Network(
        widths=(3, 2), activation="relu", biases=True, initialize=initializers.sampler(Rai(name="rai"))
    ),
}
TRAININGS = {
    "adam, mse": engine.Training(epochs=2, batch_size=32),
    "adam, mae": engine.Training(epochs=2, batch_size=32, loss="mean_absolute_error"),
    "sgd, mse": engine.Training(epochs=2, batch_size=32, optimizer=engine.SGD(learning_rate=0.05)),
}


def some_points(net: engine.Network, n: int) -> Points:
    """Return n points of a smooth function with as many inputs and outputs as the network."""
    x = np.random.default_rng(7).uniform(-2, 2, (n, net.inputs)).astype(np.float32)
    return x, np.stack([np.sin(x.sum(axis=1) + k) for k in range(net.outputs)], axis=1)


# `make test` trains each kind in one way, and two kinds in every way; `make soak` runs all pairs.
PAIRS = [
    pytest.param(
        net,
        training,
        id=f"{kind}, {way}",
        marks=[] if way == "adam, mse" or kind in ("relu with biases", "wide relu") else pytest.mark.soak,
    )
    for kind, net in KINDS.items()
    for way, training in TRAININGS.items()
]


@pytest.mark.parametrize(("net", "training"), PAIRS)
def test_every_kind_of_network_is_keras(net: engine.Network, training: engine.Training) -> None:
    """Train eight steps, the last of each epoch with 4 points; the tolerance is 1e-5, as their exp and erf differ."""
    assert programs.is_unrolled(net) == (max(net.widths, default=0) <= 3)
    points = some_points(net, 100)
    trained = train_all(net, training, points, range(2))
    model = keras_network(net, training)
    for trial in range(2):
        set_weights(model, trained.initial[trial])
        outputs = engine.predict(net, trained.initial[trial : trial + 1], points[0])[0]
        np.testing.assert_allclose(outputs, np.asarray(model(points[0])), rtol=1e-5, atol=1e-6)
        weights, losses = keras_train(model, trained.initial[trial], trial, training, points)
        np.testing.assert_allclose(trained.final[trial], weights, rtol=0, atol=1e-5)
        np.testing.assert_allclose(trained.loss[trial], losses, rtol=1e-5)


@pytest.mark.parametrize(("n_points", "batch_size"), [(100, 64), (100, 100), (100, 1000), (1, 64), (7, 1)])
@pytest.mark.parametrize("kind", ["two inputs, two outputs", "wide"])
def test_any_batch_size(kind: str, n_points: int, batch_size: int) -> None:
    """The last batch is divided by its true size, as in Keras."""
    net, training = KINDS[kind], engine.Training(epochs=2, batch_size=batch_size)
    points = some_points(net, n_points)
    trained = train_all(net, training, points, range(2))
    model = keras_network(net, training)
    for trial in range(2):
        weights, losses = keras_train(model, trained.initial[trial], trial, training, points)
        np.testing.assert_allclose(trained.final[trial], weights, rtol=0, atol=1e-5)
        np.testing.assert_allclose(trained.loss[trial], losses, rtol=1e-5)


@pytest.mark.parametrize("key", ["relu", "leaky_relu"])
def test_trial_depends_on_its_number_alone(key: str, settings: params.Params, points: Points) -> None:
    """A trial has the same bits alone, at the edge of a block, among few or many, and with one thread or two."""
    net = network(settings.collapse.cases[key])
    training = engine.Training(epochs=2, batch_size=64)
    end = 2 * shuffles.BLOCK + 3
    many = train_all(net, training, points, range(end))
    assert many.trial.tolist() == list(range(end))
    block, drawn = shuffles.BLOCK, trials.DRAWN_TOGETHER
    for numbers in (range(5, 6), range(drawn - 1, drawn + 2), range(250, 259), range(block - 1, end)):
        for threads in (1, 2):
            few = train_all(net, training, points, numbers, threads)
            assert few.trial.tolist() == list(numbers)
            for name in ("initial", "final", "loss"):
                assert getattr(few, name).tobytes() == getattr(many, name)[numbers.start : numbers.stop].tobytes()


def test_wide_trial_depends_on_its_number_alone() -> None:
    net, training = KINDS["wide relu"], TRAININGS["adam, mse"]
    points = some_points(net, 100)
    many = train_all(net, training, points, range(150))
    few = train_all(net, training, points, range(140, 141))
    assert few.final.tobytes() == many.final[140:141].tobytes()


def test_born_dead_networks_are_skipped_and_would_not_have_moved(
    settings: params.Params, points: Points, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A network that is 0 on all inputs has gradient 0, so that skipping it leaves the same weights and losses."""
    net = network(settings.collapse.cases["relu"])
    skipped = train_all(net, SHORT, points, range(200))
    monkeypatch.setattr(engine.Network, "can_be_dead", False)
    trained = train_all(net, SHORT, points, range(200))
    assert skipped.final.tobytes() == trained.final.tobytes()
    np.testing.assert_allclose(skipped.loss, trained.loss, rtol=1e-5)
    dead = (engine.predict(net, trained.initial, points[0]) == 0).all(axis=(1, 2))
    moved = (trained.initial != trained.final).any(axis=1)
    assert 0 < dead.sum() < 200
    assert (moved == ~dead).all()


@pytest.mark.parametrize("key", ["x_sin_5x-he", "abs_sum_abs_difference-he", "x_sin_5x-rai"])
@pytest.mark.parametrize("loss", ["mean_squared_error", "mean_absolute_error"])
def test_output_biases_of_dead_networks_are_trained_alone_to_the_same_bits(
    key: str, loss: Any, settings: params.Params, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A network whose last hidden layer is 0 learns its output biases only, with and without the fast path."""
    experiment = experiments.of_case(settings, key)
    points = experiment.target.sample(10)
    training = engine.Training(epochs=3, batch_size=64, loss=loss)
    fast = train_all(experiment.network, training, points, range(130))
    monkeypatch.setattr(trials, "MAX_RATE_OF_BIASES", 0.0)
    whole = train_all(experiment.network, training, points, range(130))
    for name in ("initial", "final", "loss"):
        assert getattr(fast, name).tobytes() == getattr(whole, name).tobytes()
    moved = fast.final != fast.initial
    outputs = experiment.network.outputs
    only_biases = moved.any(axis=1) & ~moved[:, :-outputs].any(axis=1)
    assert 0 < only_biases.sum() < 130


def test_nothing_is_drawn_ahead_where_no_network_lives() -> None:
    """With forty layers of one unit all networks are dead; the first trials are returned before the last are drawn."""
    net = engine.Network(widths=(1,) * 40, activation="relu", initialize="he_normal")
    drawn: list[int] = []
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(trials, "draw_weights", lambda n, s, numbers: drawn.append(len(numbers)) or draw(n, s, numbers))
        chunks = engine.run(net, SHORT, *some_points(net, 20), trials=range(100_000), seed=10)
        next(chunks)
        chunks.close()
    assert sum(drawn) <= 2 * shuffles.BLOCK
    stop = engine.Stop()
    stop.set()
    with pytest.raises(CancelledError):
        next(engine.run(net, SHORT, *some_points(net, 20), trials=range(100_000), seed=10, stop=stop))


draw = trials.draw_weights


@pytest.mark.parametrize("epochs", [[], [2, 1], [1, 1], [0, 1]])
def test_epochs_that_do_not_ascend_are_refused(epochs: list[int]) -> None:
    net = KINDS["relu with biases"]
    with pytest.raises(ValueError, match="epochs must ascend from 1 or more"):
        next(engine.run(net, SHORT, *some_points(net, 9), trials=range(2), seed=1, epochs=epochs))


def test_a_sampler_has_a_name() -> None:
    named = engine.Network(widths=(3,), activation="relu", initialize="he_normal")
    group = engine.Network(widths=(3,), activation="relu", initialize=FanScaled(name="he_normal"))
    numbers = np.arange(5)
    np.testing.assert_array_equal(engine.draw_weights(named, 1, numbers), engine.draw_weights(group, 1, numbers))
    unknown = engine.Network(widths=(3,), activation="relu", initialize="he_norml")
    with pytest.raises(ValueError, match=r"initialize: received 'he_norml'; expected: .*he_normal"):
        engine.draw_weights(unknown, 1, numbers)


def test_widths_may_be_a_list_and_a_sampler_need_not_be_hashable() -> None:
    """Caches of programs do not depend on initializers, whose `==` may even return an array."""

    class Sampler:
        __hash__ = None  # type: ignore[assignment]

        def __call__(self, *arguments: Any) -> np.ndarray:
            return initializers.sampler("he_normal")(*arguments)

        def __eq__(self, other: object) -> Any:
            return np.array([True, False])

    plain = engine.Network(widths=(3, 2), activation="relu", initialize="he_normal")
    odd = engine.Network(widths=[3, 2], activation="relu", initialize=Sampler())  # type: ignore[arg-type]
    x, y = some_points(plain, 20)
    both = [train_all(network, SHORT, (x, y), range(4)).final for network in (plain, odd)]
    assert both[0].tobytes() == both[1].tobytes()
    assert engine.predict(odd, both[1], x).shape == (4, 20, 1)


FITS = 3


@pytest.mark.parametrize("kind", ["relu", "leaky_relu"])
def test_refits_are_keras_fits_in_a_loop(kind: str, settings: params.Params, points: Points) -> None:
    """The weights after each of three fits of one epoch are those of three calls of `fit`, which keep the optimizer.

    The tolerance is 1e-5 for 141 steps, in which one trial in a hundred may part at a kink. Five trials are compared.
    """
    net = network(settings.collapse.cases[kind])
    epochs = range(1, FITS + 1)
    fitted = after_epochs(engine.run(net, SHORT, *points, trials=range(100), seed=10, epochs=epochs), epochs)
    assert len(fitted) == FITS
    moved = (fitted[0].final != fitted[0].initial).any(axis=1)
    model = keras_network(net, SHORT)
    for trial in map(int, np.flatnonzero(moved)[:5]):
        keras_begin(model, fitted[0].initial[trial])
        for fit, after in enumerate(fitted):
            weights, losses = keras_epoch(model, trial, fit, SHORT, points)
            np.testing.assert_allclose(after.final[trial], weights, rtol=0, atol=1e-5)
            np.testing.assert_allclose(after.loss[trial], losses, rtol=1e-4)
    for after in fitted:  # networks that are dead at initialization do not move
        assert (after.final[~moved] == after.initial[~moved]).all()
        assert (after.initial == fitted[0].initial).all()
    assert (~moved).any() == (kind == "relu")


def test_first_fit_is_an_independent_trial_and_others_change_nothing(settings: params.Params, points: Points) -> None:
    """The bits of a trial do not depend on other trials, on later fits or on the number of threads."""
    net = network(settings.collapse.cases["relu"])
    alone = train_all(net, SHORT, points, range(300))
    epochs = [1, 2]
    many = after_epochs(engine.run(net, SHORT, *points, trials=range(300), seed=10, epochs=epochs), epochs)
    for name in ("trial", "initial", "final", "loss"):
        assert getattr(many[0], name).tobytes() == getattr(alone, name).tobytes()
    for threads in (1, 2):
        arguments = {"trials": range(90, 200), "seed": 10, "threads": threads}
        few = after_epochs(engine.run(net, SHORT, *points, epochs=epochs, **arguments), epochs)
        for part, whole in zip(few, many, strict=True):
            assert part.final.tobytes() == whole.final[90:200].tobytes()
            assert part.loss.tobytes() == whole.loss[90:200].tobytes()
    assert (many[1].final != many[0].final).any()


def test_biases_of_rai_are_drawn_and_those_of_others_zero() -> None:
    net = KINDS["rai"]  # 1 to 3, 3 to 2, 2 to 1: kernels of 3, 6 and 2 weights, each followed by its biases
    is_bias = np.repeat([False, True, False, True, False, True], [3, 3, 6, 2, 2, 1])
    drawn = engine.draw_weights(net, 10, np.arange(200))
    assert (drawn[:, is_bias] != 0).all()
    zero = engine.draw_weights(KINDS["relu with biases"], 10, np.arange(200))
    assert (zero[:, is_bias] == 0).all()
    assert (zero[:, ~is_bias] != 0).all()


def test_diverging_training_is_recorded_as_such(points: Points) -> None:
    """A learning rate of 1e6 gives losses that are not finite, and no error."""
    wild = engine.Training(epochs=3, batch_size=64, optimizer=engine.SGD(learning_rate=1e6))
    trained = train_all(KINDS["elu"], wild, points, range(4))
    assert not np.isfinite(trained.loss[:, -1]).any()


def test_one_million_trials_begin_at_once(points: Points) -> None:
    """The first trials are returned before the last are drawn, so that memory does not grow with their number."""
    few = (points[0][:10], points[1][:10])
    chunks = engine.run(KINDS["relu"], TRAININGS["adam, mse"], *few, trials=range(1_000_000), seed=10)
    assert next(chunks).trial.tolist() == list(range(shuffles.BLOCK))
    chunks.close()


@pytest.mark.parametrize(("x", "y"), [((5, 2), (5, 1)), ((5, 1), (4, 1)), ((0, 1), (0, 1))])
def test_points_of_another_shape_are_refused(x: tuple[int, int], y: tuple[int, int]) -> None:
    with pytest.raises(ValueError, match="must have shapes"):
        next(engine.run(KINDS["relu"], SHORT, np.zeros(x), np.zeros(y), trials=range(1), seed=1))


@pytest.mark.parametrize("widths", [(512, 512), (3,) * 100], ids=["width 512", "100 layers"])
def test_large_networks_are_trained(widths: tuple[int, ...]) -> None:
    """Two steps move the weights and leave finite losses; a batch may be larger than the training set."""
    net = engine.Network(widths=widths, activation="leaky_relu", negative_slope=0.9, initialize=glorot)
    training = engine.Training(epochs=2, batch_size=64)
    trained = train_all(net, training, some_points(net, 5), range(2))
    assert np.isfinite(trained.loss).all()
    assert (trained.final != trained.initial).any(axis=1).all()


@pytest.mark.parametrize("widths", [(2, 2), (400, 400)], ids=["small", "one step takes minutes"])
def test_a_stop_ends_programs_at_their_next_point(widths: tuple[int, ...]) -> None:
    """Without the stop signal, this test would take hours."""
    net = engine.Network(widths=widths, activation="tanh", initialize=glorot)
    points = some_points(net, 100_000)
    training = engine.Training(epochs=100_000, batch_size=100_000)
    stop = engine.Stop()
    timer = Timer(0.5, stop.set)
    timer.start()
    with pytest.raises(CancelledError):
        list(engine.run(net, training, *points, trials=range(8), seed=10, stop=stop))
    with pytest.raises(CancelledError):
        engine.predict(net, engine.draw_weights(net, 10, np.arange(8)), points[0], stop)
    timer.join()


@pytest.mark.parametrize("trials", [range(0), range(5, 5), range(0, 100, 2), range(-1, 3), range(9, 0, -1)])
def test_trials_that_are_not_consecutive_numbers_are_refused(
    trials: range, settings: params.Params, points: Points
) -> None:
    described = network(settings.collapse.cases["relu"])
    arguments = {"trials": trials, "seed": 1}
    with pytest.raises(ValueError, match="trials must be consecutive numbers from 0 on"):
        next(engine.run(described, ONE_STEP, *points, **arguments))
    with pytest.raises(ValueError, match="trials must be consecutive numbers from 0 on"):
        next(engine.run(described, ONE_STEP, *points, epochs=[1], **arguments))
