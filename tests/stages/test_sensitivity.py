"""The readings of the paper: rates are the engine's, deaths those of networks followed by hand."""

from pathlib import Path

import numpy as np
import pytest
from deadrelu.stages.sensitivity.tables import DEATHS, RATES

from deadrelu import engine
from deadrelu.engine import initializers, targets
from deadrelu.settings import params
from deadrelu.stages.sensitivity import stage
from deadrelu.storage import parquet

HE, RAI = (initializers.sampler(of) for of in (params.FanScaled(name="he_normal"), params.Rai(name="rai")))


@pytest.fixture
def small(settings: params.Params, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> params.Params:
    monkeypatch.chdir(tmp_path)
    few = {"points": 100, "first_initializer": {"name": "he_normal"}}
    tree = settings.model_dump(exclude_none=True)
    tree["sensitivity"] = {
        "trials": 30,
        "epochs": 2,
        "collapsed_within": 0.001,
        "readings": {"eight": {"points": 100, "hidden_layers": 8}},
        "base": few,
        "variations": {
            "last": {**few, "last_initializer": {"name": "he_normal"}},
            "sgd": {**few, "optimizer": {"name": "sgd"}},
        },
        "plane": {"hidden_layers": [2, 3], "width": 2, "epochs": 1},
        "deaths": 40,
    }
    return params.Params.model_validate(tree)


def test_rates_are_those_of_the_engine(small: params.Params) -> None:
    stage.main(small)
    table = parquet.read(Path("data/sensitivity/rates.parquet"), RATES)
    assert len(table) == (4 + 3 + 4) * 9
    x, y = targets.sample("x_sin_5x", -(3**0.5), 3**0.5, 100, seed=small.seed)
    network = engine.Network(
        widths=(2,) * 9, activation="relu", biases=True, initialize=RAI, initialize_first=HE, initialize_last=HE
    )
    (trained,) = engine.run(network, engine.Training(epochs=2, batch_size=64), x, y, trials=range(30), seed=small.seed)
    spans = [np.ptp(engine.predict(network, w, x)[:, :, 0], axis=1) for w in (trained.initial, trained.final)]
    rows = table[table["reading"] == "last"].set_index("criterion")["count"]
    assert rows["born_dead"] == (spans[0] == 0).sum() > 0
    assert rows["dead"] == (spans[1] == 0).sum()
    assert rows["within_0.001"] == (spans[1] <= 1e-3).sum() > rows["dead"] - 1
    assert rows["within_0.1"] == (spans[1] <= 0.1).sum()
    outputs = engine.predict(network, trained.final, x)[:, :, 0]
    best = np.mean((outputs - y) ** 2, axis=1) >= 0.99 * y.var()
    assert rows["best_constant"] == best.sum()


def test_first_and_last_layers_have_their_own_initializer() -> None:
    network = engine.Network(
        widths=(2, 2), activation="relu", biases=True, initialize=RAI, initialize_first=HE, initialize_last=HE
    )
    weights = engine.draw_weights(network, 1, np.arange(100))
    assert (weights[:, 2:4] == 0).all()  # biases of the first layer: He has none
    assert (weights[:, 4:10] != 0).all()
    assert (weights[:, 12] == 0).all()
    assert (weights[:, 4:10] > 0).mean() > 0.6  # RAI is asymmetric
    plain = engine.Network(widths=(2, 2), activation="relu", biases=True, initialize=RAI)
    same = engine.Network(
        widths=(2, 2), activation="relu", biases=True, initialize=RAI, initialize_first=RAI, initialize_last=RAI
    )
    a, b = (engine.draw_weights(of, 1, np.arange(100)) for of in (plain, same))
    np.testing.assert_array_equal(a, b)


def test_the_first_dead_layer_is_found() -> None:
    """Three networks of two layers of two units: alive; dead in the second layer; in the first, and so in both."""
    network = engine.Network(widths=(2, 2), activation="relu", biases=True, initialize=RAI)
    alive = [1, 1, 0, 0, 1, 1, 1, 1, 0, 0, 1, 1, 0]
    second = [1, 1, 0, 0, 1, 1, 1, 1, -9, -9, 1, 1, 0]
    first = [1, 1, -9, -9, 1, 1, 1, 1, 0, 0, 1, 1, 0]
    x = np.linspace(-1, 1, 5, dtype=np.float32)[:, None]
    found = stage.first_dead_layer(network, np.array([alive, second, first], np.float32), x)
    assert found.tolist() == [0, 2, 1]


def test_deaths_are_those_of_networks_followed_epoch_by_epoch(small: params.Params) -> None:
    stage.main(small)
    deaths = parquet.read(Path("data/sensitivity/deaths.parquet"), DEATHS)
    assert deaths.groupby("initializer", sort=False).size().to_dict() == {"he": 40, "rai": 40}
    he = deaths[deaths["initializer"] == "he"].set_index("trial")
    x, y = targets.sample("x_sin_5x", -(3**0.5), 3**0.5, 100, seed=small.seed)
    network = engine.Network(widths=(2,) * 9, activation="relu", biases=True, initialize=HE)
    spans = []
    for epochs in (1, 2):
        (trained,) = engine.run(
            network, engine.Training(epochs=epochs, batch_size=64), x, y, trials=range(40), seed=small.seed
        )
        for weights in (trained.initial, trained.final) if epochs == 1 else (trained.final,):
            spans.append(np.ptp(engine.predict(network, weights, x)[:, :, 0], axis=1) <= 1e-3)
    for trial in range(40):
        history = [bool(of[trial]) for of in spans]
        expected = -1 if not history[-1] else max((k + 1 for k, dead in enumerate(history) if not dead), default=0)
        assert he.loc[trial, "epoch"] == expected
        last_alive = max((k for k, dead in enumerate(history) if not dead), default=-1)
        assert he.loc[trial, "revived"] == any(history[: last_alive + 1])
    born = he[he["epoch"] == 0]
    assert len(born) > 25
    assert (born["layer"] > 0).mean() > 0.9
