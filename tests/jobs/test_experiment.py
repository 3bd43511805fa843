"""Test that the settings of an experiment, which its tables record, include every field."""

import json
from collections.abc import Callable
from dataclasses import replace

import pytest

from deadrelu import engine
from deadrelu.jobs.experiment import Experiment
from deadrelu.settings.initializer import FanScaled, Normal, Rai

BASE = Experiment(
    network=engine.Network(widths=(1, 2), activation="relu", biases=True, initialize=FanScaled(name="he_normal")),
    training=engine.Training(epochs=3, batch_size=64),
    target=engine.Target(function="x_sin_x", low=-1.0, high=1.0, points=100),
    trials=8,
    seed=10,
)

OTHERS: dict[str, Callable[[Experiment], Experiment]] = {
    "widths": lambda e: replace(e, network=replace(e.network, widths=(1, 3))),
    "activation": lambda e: replace(e, network=replace(e.network, activation="tanh")),
    "biases": lambda e: replace(e, network=replace(e.network, biases=False)),
    "initializer": lambda e: replace(e, network=replace(e.network, initialize=FanScaled(name="glorot_normal"))),
    "its argument": lambda e: replace(
        e, network=replace(e.network, initialize=Normal(name="random_normal", stddev=0.3))
    ),
    "first initializer": lambda e: replace(e, network=replace(e.network, initialize_first=Rai(name="rai"))),
    "last initializer": lambda e: replace(e, network=replace(e.network, initialize_last=Rai(name="rai"))),
    "epochs": lambda e: replace(e, training=replace(e.training, epochs=4)),
    "batch size": lambda e: replace(e, training=replace(e.training, batch_size=32)),
    "optimizer": lambda e: replace(e, training=replace(e.training, optimizer=engine.SGD())),
    "learning rate": lambda e: replace(e, training=replace(e.training, optimizer=engine.Adam(learning_rate=0.01))),
    "loss": lambda e: replace(e, training=replace(e.training, loss="mean_absolute_error")),
    "function": lambda e: replace(e, target=replace(e.target, function="abs_x")),
    "interval": lambda e: replace(e, target=replace(e.target, low=-2.0)),
    "points": lambda e: replace(e, target=replace(e.target, points=101)),
    "trials": lambda e: replace(e, trials=9),
    "seed": lambda e: replace(e, seed=11),
    "fits": lambda e: replace(e, fits=2),
    "follow": lambda e: replace(e, follow=(0, 5)),
    "saved trials": lambda e: replace(e, saved_trials=0),
}


def test_every_field_is_in_the_settings() -> None:
    digests = [BASE.digest, *(other(BASE).digest for other in OTHERS.values())]
    assert len(set(digests)) == len(OTHERS) + 1
    assert replace(BASE).digest == BASE.digest


def test_settings_are_plain_and_leave_out_what_is_not_given() -> None:
    settings = BASE.settings
    assert json.loads(json.dumps(settings)) == settings
    assert settings["network"]["widths"] == [1, 2]
    assert settings["network"]["initialize"] == {"name": "he_normal"}
    assert settings["training"]["optimizer"]["learning_rate"] == 0.001
    assert "fits" not in settings
    assert not {"initialize_first", "initialize_last"} & settings["network"].keys()


def test_initializers_are_names_or_groups_and_no_functions() -> None:
    """Functions are refused as initializers, because no name identifies what they draw."""
    named = replace(BASE, network=replace(BASE.network, initialize="he_normal"))
    assert named.settings["network"]["initialize"] == "he_normal"
    drawn = replace(BASE, network=replace(BASE.network, initialize=lambda *_: None))
    with pytest.raises(TypeError, match="an experiment names its initializers, got the function"):
        _ = drawn.settings


@pytest.mark.parametrize(
    ("fits", "follow", "epochs", "checkpoints"),
    [(None, (), 3, ()), (None, (0, 1, 7), 3, (0, 1, 7)), (4, (), 12, (3, 6, 9, 12))],
)
def test_checkpoints_are_fits_or_what_is_followed(
    fits: int | None, follow: tuple[int, ...], epochs: int, checkpoints: tuple[int, ...]
) -> None:
    experiment = replace(BASE, fits=fits, follow=follow)
    assert (experiment.epochs, experiment.checkpoints) == (epochs, checkpoints)


def test_it_is_described_in_words() -> None:
    assert str(BASE) == "2 relu layers of 2 units on x_sin_x"
