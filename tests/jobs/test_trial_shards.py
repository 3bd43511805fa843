"""Test the job that three stages share: they measure shards of experiments and join the tables."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest

from deadrelu import engine
from deadrelu.engine import ranges
from deadrelu.jobs import trials
from deadrelu.jobs.experiment import Experiment
from deadrelu.jobs.shards import Shard, StopSignal
from deadrelu.jobs.store import Store
from deadrelu.storage import parquet, tables

BASE = Experiment(
    network=engine.Network(widths=(2, 2), activation="relu", biases=True, initialize="he_normal"),
    training=engine.Training(epochs=2, batch_size=16),
    target=engine.Target(function="x_sin_5x", low=-1.0, high=1.0, points=50),
    trials=40,
    seed=10,
)


def tables_by_name(files: dict[str, bytes], **schemas: Any) -> dict[str, pd.DataFrame]:
    """Return the tables of a shard by name."""
    known = {"trials": tables.TRIALS, "history": tables.HISTORY}
    return {
        name.removesuffix(".parquet"): parquet.from_bytes(files[name], known[name.removesuffix(".parquet")].schema)
        for name in files
        if name.removesuffix(".parquet") in known
    }


def measured(experiment: Experiment, low: int = 0, high: int | None = None) -> dict[str, pd.DataFrame]:
    shard = Shard(0, experiment, low, high or experiment.trials)
    return tables_by_name(trials.measure(shard, 2, StopSignal()))


@pytest.mark.parametrize(
    ("changes", "size"),
    [
        ({"activation": "relu", "biases": False}, 8 * 512),  # most are dead before training, which takes no time
        ({"activation": "relu", "biases": True}, 512),
        ({"activation": "tanh", "biases": False}, 512),
    ],
)
def test_shards_have_as_many_trials_as_memory_holds(changes: dict[str, Any], size: int) -> None:
    experiment = replace(BASE, network=replace(BASE.network, **changes), trials=size + 5)
    other = replace(BASE, trials=3)
    shards = trials.shards_of({"one": experiment, "other": other}, begin=7)
    assert {key: [(s.index, s.work, s.low, s.high) for s in parts] for key, parts in shards.items()} == {
        "one": [(7, experiment, 0, size), (8, experiment, size, size + 5)],
        "other": [(9, other, 0, 3)],
    }


def test_followed_trials_are_all_held_in_memory() -> None:
    followed = replace(BASE, network=replace(BASE.network, biases=False), trials=2000, follow=(1,))
    assert [len(shard) for shard in trials.shards_of({"a": followed})["a"]] == [512, 512, 512, 464]


@pytest.mark.parametrize("follow", [(), (0, 1, 2)])
def test_trials_are_the_same_in_whatever_shard(follow: tuple[int, ...]) -> None:
    experiment = replace(BASE, follow=follow)
    whole = measured(experiment)
    parts = [measured(experiment, 0, 13), measured(experiment, 13, 40)]
    assert set(whole) == ({"trials", "history"} if follow else {"trials"})
    pd.testing.assert_frame_equal(pd.concat([part["trials"] for part in parts], ignore_index=True), whole["trials"])
    if follow:
        joined = pd.concat([part["history"] for part in parts]).sort_values(["epoch", "trial"], ignore_index=True)
        pd.testing.assert_frame_equal(joined, whole["history"])


@pytest.mark.parametrize(
    ("network", "target"),
    [
        ({}, {}),
        ({"biases": False}, {}),
        ({"activation": "leaky_relu", "negative_slope": 0.1}, {}),
        ({"inputs": 2, "outputs": 2}, {"function": "abs_sum_abs_difference"}),
    ],
)
def test_checkpoints_are_shorter_trainings(network: dict[str, Any], target: dict[str, Any]) -> None:
    """Checkpoints include epoch 0, and epoch 3, which is beyond the 2 epochs of the table of trials."""
    changed = {"network": replace(BASE.network, **network), "target": replace(BASE.target, **target)}
    followed = measured(replace(BASE, **changed, follow=(0, 1, 3)))
    history, x = followed["history"], replace(BASE, **changed).target.sample(BASE.seed)[0]
    assert history[["epoch", "trial"]].to_numpy().tolist() == [[e, k] for e in (0, 1, 3) for k in range(40)]
    pd.testing.assert_frame_equal(followed["trials"], measured(replace(BASE, **changed))["trials"])
    before = history[history["epoch"] == 0]
    np.testing.assert_array_equal(before["range"], followed["trials"]["range_initial"])
    assert len({tuple(history[history["epoch"] == epoch]["range"]) for epoch in (0, 1, 3)}) == 3
    for epoch in (1, 3):
        rows = history[history["epoch"] == epoch]
        shorter = replace(BASE, **changed, training=replace(BASE.training, epochs=epoch))
        table = measured(shorter)["trials"]
        np.testing.assert_array_equal(rows["range"], table["range"])
        if x.shape[1] == 1:
            probes = table[[f"probe_{k}" for k in range(1, 6)]].to_numpy()
            np.testing.assert_array_equal(rows["probe_range"], np.ptp(probes, axis=1))
        else:
            assert rows["probe_range"].isna().all()


def test_dead_layers_are_those_of_the_weights() -> None:
    """Forward passes in NumPy with the engine's weights find the same dead layers of nine, at each checkpoint."""
    network = replace(BASE.network, widths=(2,) * 9)
    experiment = replace(BASE, network=network, trials=60, follow=(0, 1, 4))
    history = measured(experiment)["history"]
    x, y = experiment.target.sample(experiment.seed)
    dead_layers = []
    arguments: dict[str, Any] = {"trials": range(60), "seed": experiment.seed}
    (untrained,) = engine.run(network, replace(BASE.training, epochs=1), x, y, **arguments)
    weights = {0: untrained.initial}
    weights |= {e: next(engine.run(network, replace(BASE.training, epochs=e), x, y, **arguments)).final for e in (1, 4)}
    for epoch in (0, 1, 4):
        constant = np.ptp(engine.predict(network, weights[epoch], x)[:, :, 0], axis=1) == 0
        for own, is_constant in zip(weights[epoch], constant, strict=True):
            dead_layers.append(dead_layer_by_hand(own, x) if is_constant else 0)
    assert history["dead_layer"].tolist() == dead_layers
    assert len(set(dead_layers)) > 4
    assert 0.1 < np.mean([layer == 0 for layer in dead_layers]) < 0.9


def dead_layer_by_hand(weights: np.ndarray, x: np.ndarray) -> int:
    """Return the first of nine layers of two units that is 0 on all inputs, or 0; weights are in Keras's order."""
    signal, k = x.astype(float), 0
    for layer in range(1, 10):
        fan_in = signal.shape[1]
        kernel, bias = weights[k : k + 2 * fan_in].reshape(fan_in, 2), weights[k + 2 * fan_in : k + 2 * fan_in + 2]
        k += 2 * fan_in + 2
        signal = np.maximum(signal @ kernel + bias, 0)
        if (signal == 0).all():
            return layer
    return 0


def test_the_first_dead_layer_is_found() -> None:
    """Of four networks, one is active, one dies in layer 2, one in layer 1, and one has a unit for each sign of x."""
    network = engine.Network(widths=(2, 2), activation="relu", biases=True, initialize="rai")
    alive = [1, 1, 0, 0, 1, 1, 1, 1, 0, 0, 1, 1, 0]
    second = [1, 1, 0, 0, 1, 1, 1, 1, -9, -9, 1, 1, 0]
    first = [1, 1, -9, -9, 1, 1, 1, 1, 0, 0, 1, 1, 0]
    half = [1, -1, 0, 0, 1, 1, 1, 1, 0, 0, 1, 1, 0]
    weights = np.array([alive, second, first, half], np.float32)
    x = np.linspace(-1, 1, 5, dtype=np.float32)[:, None]
    assert trials.first_dead_layer(network, weights, x).tolist() == [0, 2, 1, 0]
    assert trials.first_dead_layer(replace(network, activation="tanh"), weights, x).tolist() == [0] * 4
    assert trials.first_dead_layer(network, weights[:0], x).tolist() == []


@pytest.mark.parametrize(
    ("low", "high", "absent", "present"),
    [(0.0, 1.0, "low", "high"), (-1.0, 0.0, "high", "low"), (-1.0, 1.0, "", "low"), (-1.0, 1.0, "", "high")],
)
def test_half_lines_without_inputs_have_no_columns(low: float, high: float, absent: str, present: str) -> None:
    """The columns are null, not 0 or false, which would be a measured range or outcome."""
    table = measured(replace(BASE, target=replace(BASE.target, low=low, high=high)))["trials"]
    for column in ("range", "born_dead"):
        assert table[f"{column}_{present}"].notna().all()
        assert not absent or table[f"{column}_{absent}"].isna().all()
    x = replace(BASE.target, low=low, high=high).sample(BASE.seed)[0][:, 0]
    assert ((x < 0).any(), (x > 0).any()) == (absent != "low", absent != "high")
    if absent:  # all inputs lie on the other half-line
        np.testing.assert_array_equal(table[f"range_{present}"], table["range"])
        np.testing.assert_array_equal(table[f"born_dead_{present}"].astype(bool), table["born_dead"])


def test_saved_are_the_first_trials_of_the_first_shard_only() -> None:
    experiment = replace(BASE, saved_trials=5)
    first, second = (trials.measure(Shard(k, experiment, 20 * k, 20 * k + 20), 1, StopSignal()) for k in (0, 1))
    assert set(first) == {"trials.parquet", "weights.parquet", "functions.parquet"}
    assert set(second) == {"trials.parquet"}
    weights = parquet.from_bytes(first["weights.parquet"], tables.WEIGHTS.schema)
    functions = parquet.from_bytes(first["functions.parquet"], tables.FUNCTIONS.schema)
    assert weights["trial"].tolist() == [*range(5)]
    assert functions["trial"].tolist() == [trial for trial in range(5) for _ in range(trials.CURVE_POINTS)]
    none = replace(BASE, saved_trials=0)
    assert set(trials.measure(Shard(0, none, 0, 8), 1, StopSignal())) == {"trials.parquet"}


@pytest.mark.parametrize("follow", [(), (1, 2)])
def test_progress_ends_at_all_trials(follow: tuple[int, ...]) -> None:
    shown: list[int] = []
    trials.measure(Shard(0, replace(BASE, follow=follow), 10, 40), 1, StopSignal(shown.append))
    assert shown[-1] == 30
    assert shown == sorted(shown)


def test_files_of_trials_have_enough_rows(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Shards of 10 trials, in files of at least 25 rows, make one file of three shards and one of the last."""
    monkeypatch.setattr(trials, "TRIALS_PER_SHARD", 10)
    monkeypatch.setattr(trials, "MIN_ROWS_PER_FILE", 25)
    experiment = replace(BASE, follow=(0, 2))
    shards, store = trials.shards_of({"a": experiment})["a"], Store(str(tmp_path / "work"))
    store.make()
    for shard in shards:
        store.put(shard, trials.measure(shard, 1, StopSignal()))
    (tmp_path / "new").mkdir()
    trials.publish(store, shards, tmp_path / "new")
    rows = {path.name: pq.read_metadata(path).num_rows for path in (tmp_path / "new").iterdir()}
    saved = {"functions.parquet": 10 * trials.CURVE_POINTS, "weights.parquet": 10}
    assert rows == {"part-000000.parquet": 30, "part-000001.parquet": 10, "history.parquet": 80, **saved}
    read = parquet.read_parts(tmp_path / "new", tables.TRIALS.schema)
    pd.testing.assert_frame_equal(read, measured(experiment)["trials"])
    assert parquet.made_by(tmp_path / "new/part-000000.parquet") == parquet.provenance(experiment.settings)


def test_several_experiments_are_one_table(tmp_path: Path) -> None:
    experiments = {"a": replace(BASE, trials=7), "b": replace(BASE, trials=3, seed=11)}
    shards, store = trials.shards_of(experiments), Store(str(tmp_path / "work"))
    store.make()
    for shard in (shard for experiment_shards in shards.values() for shard in experiment_shards):
        store.put(shard, trials.measure(shard, 1, StopSignal()))
    names = {key: {"variation": f"variation {key}"} for key in experiments}
    trials.publish_together(store, shards, names, tmp_path, tables.VARIATIONS, {"params": {"of": "all"}})
    table = parquet.read(tmp_path / tables.VARIATIONS.name, tables.VARIATIONS.schema)
    assert table["variation"].tolist() == ["variation a"] * 7 + ["variation b"] * 3
    for key, experiment in experiments.items():
        rows = table[table["variation"] == f"variation {key}"].drop(columns="variation").reset_index(drop=True)
        pd.testing.assert_frame_equal(rows, measured(experiment)["trials"])
    assert parquet.made_by(tmp_path / tables.VARIATIONS.name) == {"params": {"of": "all"}}


def test_probes_are_where_the_notebook_looked() -> None:
    table = measured(BASE)["trials"]
    x, y = BASE.target.sample(BASE.seed)
    (trained,) = engine.run(BASE.network, BASE.training, x, y, trials=range(40), seed=BASE.seed)
    outputs = engine.predict(BASE.network, trained.final, np.float32([0.05, 0.15, 0.5, 1.0, 1.5]))[:, :, 0]
    np.testing.assert_array_equal(table[[f"probe_{k}" for k in range(1, 6)]], outputs)
    assert len(ranges.PROBES) == 5
    np.testing.assert_array_equal(table["probes_equal"].astype(bool), np.ptp(outputs, axis=1) == 0)
    assert 0 < table["probes_equal"].mean() < 1


def test_first_and_last_layers_have_their_own_initializer() -> None:
    """He initialization sets biases to 0, but RAI draws them, and draws more positive weights than negative ones."""
    network = replace(BASE.network, initialize="rai", initialize_first="he_normal", initialize_last="he_normal")
    shard = Shard(0, replace(BASE, network=network, trials=100, saved_trials=100), 0, 100)
    content = trials.measure(shard, 1, StopSignal())["weights.parquet"]
    weights = np.stack(parquet.from_bytes(content, tables.WEIGHTS.schema)["initial"].to_list())
    assert (weights[:, 2:4] == 0).all()  # biases of the first layer
    assert (weights[:, 4:10] != 0).all()
    assert (weights[:, 12] == 0).all()
    assert (weights[:, 4:10] > 0).mean() > 0.6
    assert abs((weights[:, [0, 1, 10, 11]] > 0).mean() - 0.5) < 4 * (0.25 / 400) ** 0.5
