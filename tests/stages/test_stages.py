"""Test that stages write what the library computes from the right images into the right rows of their tables."""

import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest

from deadrelu import engine
from deadrelu.engine import initializers, ranges, untrained
from deadrelu.errors import InputError
from deadrelu.inspection import inspect
from deadrelu.jobs import trials
from deadrelu.settings import params
from deadrelu.signals import ensemble, networks
from deadrelu.signals.trainer import Trainer
from deadrelu.stages import (
    activations,
    collapse,
    data_target,
    experiments,
    safe_region,
    sensitivity,
    training,
    untrained_grid,
)
from deadrelu.storage import idx_files, parquet, tables
from deadrelu.storage.rounding import significant
from deadrelu.storage.tables import (
    BORN_DEAD,
    FUNCTIONS,
    GRADIENT_STATISTICS,
    HISTORY,
    NETWORKS,
    OTHER_INITIALIZERS,
    REGION_FUNCTIONS,
    STATISTICS,
    TRAINED_GRID,
    TRIALS,
    VARIATIONS,
    WEIGHTS,
)
from deadrelu.streams import ENSEMBLE, stream


@pytest.fixture
def run(project: Path, pipeline: Path) -> params.Params:
    """Copy the digits into the small project, and return its params."""
    shutil.copytree(pipeline / "data/mnist", "data/mnist")
    return params.load()


def test_activations_are_those_of_the_test_images(run: params.Params) -> None:
    activations.main(run)
    images, labels = idx_files.read_test_set(Path("data/mnist"))
    x, case = idx_files.flat(images), run.activations.cases["relu-he_normal"]
    model = networks.mlp(3, 20, case.activation, case.initializer, seed=run.seed, dtype="float64")
    expected = inspect.inspect(model, x, labels).table.iloc[1:-1]
    summary = tables.SUMMARY.read(activations.settings(run))
    rows = summary[summary["case"] == "relu-he_normal"]
    assert rows["layer"].tolist() == [1, 2, 3]
    for name in [*STATISTICS.split(), *GRADIENT_STATISTICS.split()]:
        np.testing.assert_array_equal(rows[name], significant(expected[name], 6))
    table = tables.SAMPLE.read(activations.settings(run), "relu-he_normal")
    third = table[table["layer"] == 3]
    flat = np.arange(0, len(x) * 20, run.activations.every)
    assert (third["sample"] * 20 + third["unit"]).tolist() == flat.tolist()
    outputs = model.layers[0](x)
    for layer in model.layers[1:4]:
        outputs = layer(outputs)
    np.testing.assert_allclose(third["activation"], np.asarray(outputs).ravel()[flat], rtol=1e-4, atol=1e-6)


def test_networks_of_an_activation_stage_are_each_drawn_from_their_own_streams(run: params.Params) -> None:
    """Each case has three networks on the first 20 test images; no two of them are the same."""
    activations.main(run)
    table = NETWORKS.read(activations.settings(run))
    cases = list(run.activations.cases)
    expected = [[case, network, layer] for case in cases for network in range(3) for layer in (1, 2, 3)]
    assert table[["case", "network", "layer"]].to_numpy().tolist() == expected
    images, labels = idx_files.read_test_set(Path("data/mnist"))
    x, draw = idx_files.flat(images)[:20].astype(float), initializers.sampler("he_normal")
    rngs = [stream(run.seed, ENSEMBLE, cases.index("relu-he_normal"), 2, layer) for layer in range(5)]
    spread, gradient = ensemble.strengths("relu", draw, x, labels[:20], width=20, rngs=rngs)
    rows = table[(table["case"] == "relu-he_normal") & (table["network"] == 2)]
    np.testing.assert_array_equal(rows["input_std"], significant(spread, 6))
    np.testing.assert_array_equal(rows["gradient_rms"], significant(gradient, 6))
    assert table["input_std"].nunique() == len(table)


def test_shared_layer_seeds_draw_every_layer_alike(run: params.Params, monkeypatch: pytest.MonkeyPatch) -> None:
    tree = run.model_dump()
    tree["activations"]["layer_seeds"] = "shared"
    drawn: list[Any] = []

    def kept(*_: Any, rngs: list[np.random.Generator], **__: Any) -> tuple[np.ndarray, np.ndarray]:
        drawn.append([rng.random() for rng in rngs])
        return np.ones(3), np.ones(3)

    monkeypatch.setattr(ensemble, "strengths", kept)
    images, labels = activations.images()
    activations.measure_networks(params.Params.model_validate(tree), images, labels)
    assert [len(set(numbers)) for numbers in drawn] == [1] * 9
    assert len({numbers[0] for numbers in drawn}) == 9
    drawn.clear()
    activations.measure_networks(run, images, labels)
    assert len({number for numbers in drawn for number in numbers}) == 9 * 5


def test_sample_does_not_depend_on_the_batches() -> None:
    a, g = np.random.default_rng(0).normal(size=(2, 30, 7)).astype(np.float32)
    whole = activations._every(a, g, 4, 0)
    cut = [activations._every(a[i:j], g[i:j], 4, i) for i, j in ((0, 5), (5, 6), (6, 30))]
    pd.testing.assert_frame_equal(pd.concat(cut, ignore_index=True), whole)
    assert (whole["gradient"].to_numpy() == significant(g.ravel()[::4], 5)).all()


def test_trainings_are_on_training_images_and_validated_on_others(run: params.Params) -> None:
    training.main(run)
    settings = run.training
    x, y = training._drawn("examples", idx_files.read_training_set(Path("data/mnist")), 100, run.seed, 0)
    held = training._drawn("validation", idx_files.read_test_set(Path("data/mnist")), 50, run.seed, 1)
    case = settings.cases["mlp-he_normal"]
    history = Trainer(networks.mlp(1, 8, "relu", case.initializer, seed=0, dtype="float64")).history(
        case.initializer, (x, y), held, epochs=1, batch_size=64, seed=run.seed, trial=1
    )
    epochs = tables.EPOCHS.read(training.settings(run))
    rows = epochs[(epochs["case"] == "mlp-he_normal") & (epochs["trial"] == 1)]
    np.testing.assert_array_equal(rows["loss"], np.float32(significant([np.nan, *history.loss], 4)))
    np.testing.assert_array_equal(rows["validation_loss"], np.float32(significant(history.validation_loss, 4)))
    np.testing.assert_array_equal(rows["validation_accuracy"], np.float32(significant(history.validation_accuracy, 4)))
    batches = tables.BATCHES.read(training.settings(run))
    trial_batches = batches[(batches["case"] == "mlp-he_normal") & (batches["trial"] == 1)]
    np.testing.assert_array_equal(trial_batches["loss"], np.float32(significant(history.batches[0], 4)))
    assert trial_batches["batch"].tolist() == [1, 2]


def test_each_kind_of_network_has_its_own_epochs_trials_and_digits(run: params.Params) -> None:
    """The MLP has two trials of one epoch on 100 digits, the CNN one trial of two epochs on 40."""
    tree = run.model_dump()
    tree["training"]["cnn"] |= {"epochs": 2, "trials": 1}
    settings = params.Params.model_validate(tree)
    training.main(settings)
    epochs, batches = (table.read(training.settings(settings)) for table in (tables.EPOCHS, tables.BATCHES))
    rows = [("mlp-he_normal", trial, epoch) for trial in (0, 1) for epoch in (0, 1)]
    rows += [("cnn-zeros", 0, epoch) for epoch in (0, 1, 2)]
    assert list(epochs[["case", "trial", "epoch"]].itertuples(index=False, name=None)) == rows
    steps = batches.groupby(["case", "trial", "epoch"], sort=False).size().to_dict()
    assert steps == {("mlp-he_normal", 0, 1): 2, ("mlp-he_normal", 1, 1): 2} | {
        ("cnn-zeros", 0, epoch): 3 for epoch in (1, 2)
    }
    images = training.draw(settings)
    sizes = {kind: [len(labels) for _, labels in both] for kind, both in images.items()}
    assert sizes == {"mlp": [100, 50], "cnn": [40, 20]}
    for own, others in zip(images["cnn"], images["mlp"], strict=True):
        np.testing.assert_array_equal(own[0], others[0][: len(own[0])])


def test_drawn_images_keep_their_labels() -> None:
    images = np.arange(40, dtype=np.uint8).repeat(784).reshape(40, 28, 28)
    x, labels = training._drawn("examples", (images, np.arange(40, dtype=np.uint8)), 30, 1, 0)
    assert (np.rint(255 * x[:, 0]) == labels).all()
    assert len(set(labels.tolist())) == 30
    assert labels.tolist() != sorted(labels.tolist())


def test_each_training_set_is_a_table_of_what_cases_train_on(run: params.Params) -> None:
    plane = {"function": "abs_sum_abs_difference", "low": -1.0, "high": 1.0, "points": 100}
    settings = with_target(run, "plane", plane)
    data_target.main(settings)
    assert sorted(path.name for path in Path("data/targets").iterdir()) == [
        *("plane.parquet", "step_sin_5x.parquet", "x_sin_x.parquet")
    ]
    x_sin_x = tables.points(1, 1).read(data_target.settings(settings, "x_sin_x"), "x_sin_x")
    x, y = experiments.of_case(settings, "relu").target.sample(run.seed)
    np.testing.assert_array_equal(x_sin_x, np.concatenate([x, y], axis=1))
    np.testing.assert_allclose(x_sin_x["y"], x_sin_x["x"] * np.sin(x_sin_x["x"].astype(float)), rtol=1e-6)
    table = tables.points(2, 2).read(data_target.settings(settings, "plane"), "plane")
    assert table[["x_1", "x_2"]].abs().max(axis=None) <= 1
    np.testing.assert_allclose(table["y_1"], (table["x_1"] + table["x_2"]).abs(), rtol=1e-5, atol=1e-7)
    np.testing.assert_allclose(table["y_2"], (table["x_1"] - table["x_2"]).abs(), rtol=1e-5, atol=1e-7)


def test_a_target_that_is_gone_leaves_no_table(run: params.Params) -> None:
    data_target.main(run)
    tree = run.model_dump()
    tree["data"]["targets"]["other"] = tree["data"]["targets"].pop("step_sin_5x")
    tree["collapse"]["cases"] = {"relu": tree["collapse"]["cases"]["relu"]}
    tree["sensitivity"] = {}
    data_target.main(params.Params.model_validate(tree))
    assert sorted(path.name for path in Path("data/targets").iterdir()) == ["other.parquet", "x_sin_x.parquet"]


def test_collapse_of_two_inputs_has_no_half_lines_and_no_probes(run: params.Params) -> None:
    target = {"function": "abs_sum_abs_difference", "low": -1.0, "high": 1.0, "points": 100}
    plane = {"activation": "relu", "widths": [2, 2], "biases": True, "target": "plane", "trials": 5}
    collapse.main(with_case(with_target(run, "plane", target), "plane", plane), "plane")
    table = parquet.read(TRIALS.path("plane"), TRIALS.schema)
    assert len(table) == 5
    absent = ["born_dead_low", "born_dead_high", "range_low", "range_high", "probes_equal", "probe_1", "probe_5"]
    assert table[absent].isna().all(axis=None)
    assert table.drop(columns=absent).drop(columns=["probe_2", "probe_3", "probe_4"]).notna().all(axis=None)
    x, y = engine.Target(**target).sample(run.seed)  # type: ignore[arg-type]
    network = engine.Network(
        widths=(2, 2), activation="relu", biases=True, inputs=2, outputs=2, initialize="glorot_uniform"
    )
    setup = engine.Training(epochs=run.collapse.epochs, batch_size=run.collapse.batch_size)
    (trained,) = engine.run(network, setup, x, y, trials=range(5), seed=run.seed)
    before, after = (engine.predict(network, weights, x) for weights in (trained.initial, trained.final))
    np.testing.assert_array_equal(table["range_initial"], np.ptp(before, axis=1).max(axis=1))
    np.testing.assert_array_equal(table["range"], np.ptp(after, axis=1).max(axis=1))
    np.testing.assert_array_equal(table["prediction_min"], after.min(axis=(1, 2)))
    np.testing.assert_allclose(table["loss_final"], ((after - y) ** 2).mean(axis=(1, 2)), rtol=1e-5)


def test_every_column_of_a_trial_is_what_the_engine_says(run: params.Params) -> None:
    """The case has 200 ReLU networks, SGD and the absolute error, so that each of its settings matters."""
    case = {"activation": "relu", "widths": [2, 2, 2], "loss": "mean_absolute_error", "trials": 200, "epochs": 3}
    case |= {"optimizer": {"name": "sgd", "learning_rate": 0.05}, "initializer": {"name": "he_normal"}}
    case |= {"batch_size": 50, "target": "x_sin_x"}
    settings = with_case(run, "case", case)
    collapse.main(settings, "case")
    table = tables.read_trials(experiments.of_case(settings, "case").settings, "case", 200)
    x, y = points_of(run, "x_sin_x")
    network = engine.Network(widths=(2, 2, 2), activation="relu", initialize="he_normal")
    setup = engine.Training(
        epochs=3, batch_size=50, optimizer=engine.SGD(learning_rate=0.05), loss="mean_absolute_error"
    )
    (trained,) = engine.run(network, setup, x, y, trials=range(200), seed=run.seed)
    before, after = (engine.predict(network, weights, x)[:, :, 0] for weights in (trained.initial, trained.final))
    probes = engine.predict(network, trained.final, ranges.PROBES)[:, :, 0]
    expected = {
        "born_dead_low": np.ptp(before[:, x < 0], axis=1) == 0,
        "born_dead_high": np.ptp(before[:, x > 0], axis=1) == 0,
        "born_dead": np.ptp(before, axis=1) == 0,
        "dead": np.ptp(after, axis=1) == 0,
        "prediction_min": after.min(axis=1),
        "prediction_max": after.max(axis=1),
        "range_low": np.ptp(after[:, x < 0], axis=1),
        "range_high": np.ptp(after[:, x > 0], axis=1),
        "range_initial": np.ptp(before, axis=1),
        "range": np.ptp(after, axis=1),
        **{f"probe_{k}": probes[:, k - 1] for k in range(1, 6)},
        "probes_equal": np.ptp(probes, axis=1) == 0,
    }
    for name, values in expected.items():
        np.testing.assert_array_equal(table[name], values)
    assert len({tuple(table[name]) for name in ("born_dead_low", "born_dead_high", "born_dead", "dead")}) == 4
    assert (table["range_initial"] != table["range"]).mean() > 0.2
    np.testing.assert_allclose(table["loss_initial"], np.abs(before - y).mean(axis=1), rtol=1e-5)
    np.testing.assert_allclose(table["loss_final"], np.abs(after - y).mean(axis=1), rtol=1e-5)
    np.testing.assert_array_equal(np.stack(table["loss"]), trained.loss)


def test_columns_of_a_half_line_without_inputs_are_null(run: params.Params) -> None:
    """On [0, 1], the columns for x < 0 are null, and those for x > 0 equal those for all inputs."""
    settings = with_target(run, "half", {"function": "x_sin_x", "low": 0.0, "high": 1.0, "points": 50})
    collapse.main(with_case(settings, "half", {"activation": "relu", "widths": [2], "target": "half"}), "half")
    columns = pq.read_table(TRIALS.path("half"))
    nulls = {name: columns[name].null_count for name in ("born_dead_low", "range_low", "born_dead_high", "range_high")}
    assert nulls == {"born_dead_low": 8, "range_low": 8, "born_dead_high": 0, "range_high": 0}
    assert columns["range_high"].equals(columns["range"].cast(columns["range_high"].type))
    assert columns["born_dead_high"].to_pylist() == columns["born_dead"].to_pylist()


def test_followed_trials_are_those_of_shorter_trainings(run: params.Params) -> None:
    """The table of trials is the same as without `follow`; checkpoints beyond its epochs are measured, too."""
    case = {"activation": "relu", "widths": [2, 2], "trials": 30, "epochs": 2, "biases": True, "target": "x_sin_x"}
    followed = with_case(run, "followed", case | {"follow": [0, 1, 2, 4]})
    collapse.main(followed, "followed")
    history = HISTORY.read(experiments.of_case(followed, "followed").settings, "followed")
    numbers = [[epoch, trial] for epoch in (0, 1, 2, 4) for trial in range(30)]
    assert history[["epoch", "trial"]].to_numpy().tolist() == numbers
    for epoch in (1, 2, 4):
        collapse.main(with_case(run, "alone", case | {"epochs": epoch}), "alone")
        assert not HISTORY.path("alone").exists()
        table = parquet.read_parts(Path("data/collapse/alone"), TRIALS.schema)
        rows = history[history["epoch"] == epoch]
        np.testing.assert_array_equal(rows["range"], table["range"])
        np.testing.assert_array_equal(rows["probe_range"], np.ptp(table[PROBE_COLUMNS].to_numpy(), axis=1))
        if epoch == 2:
            own = parquet.read_parts(Path("data/collapse/followed"), TRIALS.schema)
            pd.testing.assert_frame_equal(own, table)
            np.testing.assert_array_equal(history[history["epoch"] == 0]["range"], table["range_initial"])


PROBE_COLUMNS = [f"probe_{k}" for k in range(1, 6)]


@pytest.mark.parametrize(
    "kind", [{"activation": "relu", "trials": 100}, {"activation": "leaky_relu", "negative_slope": 0.1}]
)
def test_loop_keeps_what_each_fit_left(run: params.Params, kind: dict[str, object]) -> None:
    """Each fit equals a longer training, and the table of trials holds the last one."""
    alike = {**kind, "widths": [2, 2], "target": "x_sin_x", "epochs": 2}
    loop = with_case(run, "loop", alike | {"protocol": "refit", "fits": 3})
    collapse.main(loop, "loop")
    fits = HISTORY.read(experiments.of_case(loop, "loop").settings, "loop")
    numbers = range(int(str(kind.get("trials", 8))))
    assert fits[["epoch", "trial"]].to_numpy().tolist() == [[e, trial] for e in (2, 4, 6) for trial in numbers]
    last = parquet.read_parts(Path("data/collapse/loop"), TRIALS.schema)
    for epochs in (2, 4, 6):
        collapse.main(with_case(run, "longer", alike | {"epochs": epochs}), "longer")
        table = parquet.read_parts(Path("data/collapse/longer"), TRIALS.schema)
        rows = fits[fits["epoch"] == epochs]
        np.testing.assert_array_equal(rows["range"], table["range"])
        np.testing.assert_array_equal(rows["probe_range"], np.ptp(table[PROBE_COLUMNS].to_numpy(), axis=1))
    pd.testing.assert_frame_equal(last, table)  # losses of all fits, too


def test_safe_region_holds_both_grids(run: params.Params) -> None:
    safe_region.main(run)
    settings = safe_region.settings(run)
    cells = BORN_DEAD.read(settings)
    assert cells[["width", "depth"]].to_numpy().tolist() == [[1, 2], [1, 3], [2, 2], [2, 3]]
    draw = initializers.sampler(run.safe_region.initializer)
    expected = untrained.born_dead(draw, 2, 3, range(100), seed=run.seed)
    for name, counts in (("low", expected.low), ("high", expected.high)):
        assert cells[cells["width"] == 2][f"born_dead_{name}"].tolist() == counts[1:].tolist()
    assert cells[cells["width"] == 2]["born_dead"].tolist() == expected.both[1:].tolist()
    assert expected.low.tolist() != expected.high.tolist() != expected.both.tolist()
    others = OTHER_INITIALIZERS.read(settings).set_index(["initializer", "width"])
    rai, target = initializers.sampler("rai"), run.target_of_grid
    x = np.linspace(target.low, target.high, untrained_grid.CURVE_POINTS)
    constant = untrained.born_constant(rai, x, 2, 3, range(100), seed=run.seed)
    assert others.loc[("rai", 2), "born_dead"].tolist() == constant[1:].tolist()
    glorot = initializers.sampler("glorot_uniform")
    expected = untrained.born_dead(glorot, 2, 3, range(100), seed=run.seed)
    assert others.loc[("glorot_uniform", 2), "born_dead"].tolist() == expected.both[1:].tolist()


def test_trained_cells_are_cases_with_other_widths_and_initializers(run: params.Params) -> None:
    """Every column of a trial is that of the grid's case with the settings that the grid replaces."""
    tree = run.model_dump()
    tree["collapse"]["cases"]["relu"] |= {"batch_size": 32, "optimizer": {"name": "sgd", "learning_rate": 0.05}}
    # The grid ignores these settings: each cell has one initializer, and is not followed.
    tree["collapse"]["cases"]["relu"] |= {"last_initializer": {"name": "zeros"}, "follow": [0, 1]}
    settings = params.Params.model_validate(tree)
    safe_region.main(settings)
    trained = TRAINED_GRID.read(safe_region.settings(settings))
    names = ("main", "glorot_uniform")
    cells = [[name, depth, 2, trial] for depth in (1, 3) for name in names for trial in range(6)]
    assert trained[["initializer", "depth", "width", "trial"]].to_numpy().tolist() == cells
    for depth in (1, 3):
        for name, initializer in (("main", "he_normal"), ("glorot_uniform", "glorot_uniform")):
            same = {"activation": "relu", "widths": [2] * depth, "initializer": {"name": initializer}}
            same |= {"target": "x_sin_x", "trials": 6, "epochs": 2, "batch_size": 32}
            same |= {"optimizer": {"name": "sgd", "learning_rate": 0.05}}
            collapse.main(with_case(run, "same", same), "same")
            table = parquet.read_parts(Path("data/collapse/same"), TRIALS.schema)
            cell = trained[(trained["depth"] == depth) & (trained["initializer"] == name)]
            pd.testing.assert_frame_equal(cell[TRIALS.schema.names].reset_index(drop=True), table)


def test_cells_take_trials_and_epochs_of_their_case_where_the_grid_has_none(run: params.Params) -> None:
    tree = run.model_dump()
    tree["safe_region"]["trained"] |= {"trials": None, "epochs": None}
    cells = experiments.of_grid(params.Params.model_validate(tree))
    assert {(cell.trials, cell.training.epochs) for cell in cells.values()} == {(8, 1)}
    tree["collapse"]["cases"]["relu"] |= {"trials": 5, "epochs": 4}
    cells = experiments.of_grid(params.Params.model_validate(tree))
    assert {(cell.trials, cell.training.epochs) for cell in cells.values()} == {(5, 4)}


def test_functions_are_those_of_the_networks(run: params.Params) -> None:
    """Saved functions are those of the grid's networks, untrained and trained, and of the first trials of a case."""
    tree = run.model_dump()
    tree["safe_region"]["trained"]["trials"] = 10  # more than are saved
    run = params.Params.model_validate(tree)
    safe_region.main(run)
    drawn = REGION_FUNCTIONS.read(safe_region.settings(run))
    rai = drawn[(drawn["initializer"] == "rai") & (drawn["depth"] == 3) & (drawn["width"] == 2)]
    x = np.linspace(run.target_of_grid.low, run.target_of_grid.high, untrained_grid.CURVE_POINTS)
    expected = untrained.functions(initializers.sampler("rai"), x, 2, 3, 8, seed=run.seed)[2]
    np.testing.assert_allclose(rai["value"].to_numpy().reshape(8, -1), expected, rtol=1e-6)
    assert not rai["trained"].any()
    same = {"activation": "relu", "widths": [2, 2, 2], "initializer": {"name": "he_normal"}, "target": "x_sin_x"}
    alone = with_case(run, "same", same | {"trials": 8, "epochs": 2})
    collapse.main(alone, "same")
    settings = experiments.of_case(alone, "same").settings
    kept = FUNCTIONS.read(settings, "same")
    assert kept["trial"].unique().tolist() == list(range(8))
    grid = kept["x"].unique()
    np.testing.assert_allclose(grid, np.linspace(-(7**0.5), 7**0.5, trials.CURVE_POINTS), rtol=1e-6, atol=1e-6)
    network = engine.Network(widths=(2, 2, 2), activation="relu", initialize="he_normal")
    x, y = points_of(run, "x_sin_x")
    setup = engine.Training(epochs=2, batch_size=64)
    (trained,) = engine.run(network, setup, x, y, trials=range(8), seed=run.seed)
    for name, weights in (("untrained", trained.initial), ("trained", trained.final)):
        outputs = engine.predict(network, weights, grid)[:, :, 0]
        np.testing.assert_allclose(kept[name].to_numpy().reshape(8, -1), outputs, rtol=1e-5, atol=1e-7)
    assert (kept["untrained"] != kept["trained"]).any()
    weights = WEIGHTS.read(settings, "same")
    assert weights["trial"].tolist() == list(range(8))
    for name, trial_weights in (("initial", trained.initial), ("final", trained.final)):
        np.testing.assert_array_equal(np.stack(weights[name].to_list()), trial_weights)
    he = drawn[(drawn["initializer"] == "main") & (drawn["depth"] == 3) & drawn["trained"]]
    assert he["network"].unique().tolist() == list(range(8))
    x = he["x"].unique()
    np.testing.assert_allclose(
        he["value"].to_numpy().reshape(8, -1), engine.predict(network, trained.final, x)[:, :, 0], rtol=1e-5, atol=1e-7
    )


def test_large_grids_keep_counts_and_no_functions_of_untrained_networks(
    run: params.Params, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(untrained_grid, "MAX_CELLS_WITH_FUNCTIONS", 3)
    safe_region.main(run)
    settings = safe_region.settings(run)
    assert REGION_FUNCTIONS.read(settings)["trained"].all()
    assert len(OTHER_INITIALIZERS.read(settings)) == 8


def test_counts_of_several_shards_are_those_of_one(run: params.Params, monkeypatch: pytest.MonkeyPatch) -> None:
    tree = run.model_dump()
    tree["safe_region"]["networks"] = 2500
    settings = params.Params.model_validate(tree)
    contents = []
    for size in (1000, 100_000):
        monkeypatch.setattr(untrained_grid, "NETWORKS_PER_SHARD", size)
        shards = untrained_grid.shards_of(settings)
        assert len(shards) == 3 * 2 * (3 if size == 1000 else 1)
        assert [shard.index for shard in shards] == [*range(len(shards))]
        safe_region.main(settings)
        contents.append([table.path().read_bytes() for table in (BORN_DEAD, OTHER_INITIALIZERS, REGION_FUNCTIONS)])
    assert contents[0] == contents[1]
    assert (BORN_DEAD.read(safe_region.settings(settings))["networks"] == 2500).all()


def test_two_inputs_or_outputs_have_no_functions_to_draw(run: params.Params) -> None:
    target = {"function": "abs_sum_abs_difference", "low": -1.0, "high": 1.0, "points": 50}
    case = {"activation": "relu", "widths": [2], "biases": True, "target": "plane", "trials": 4, "epochs": 1}
    collapse.main(with_case(with_target(run, "plane", target), "plane", case), "plane")
    names = sorted(path.name for path in Path("data/collapse/plane").iterdir())
    assert names == ["part-000000.parquet", "weights.parquet"]


def test_weights_of_large_networks_are_not_kept(run: params.Params) -> None:
    for widths, kept in ([30, 30], True), ([30, 40], False):  # 960 and 1,270 weights
        case = {"activation": "relu", "widths": widths, "target": "x_sin_x", "trials": 2, "epochs": 1}
        collapse.main(with_case(run, "large", case), "large")
        assert WEIGHTS.path("large").exists() == kept


def test_safe_region_tells_the_dying_from_the_born_dead(run: params.Params) -> None:
    tree = run.model_dump()
    tree["collapse"]["cases"]["relu"]["batch_size"] = 8
    tree["safe_region"]["trained"] |= {"depths": [6], "trials": 128, "epochs": 30}
    settings = params.Params.model_validate(tree)
    safe_region.main(settings)
    trained = TRAINED_GRID.read(safe_region.settings(settings))
    trained = trained[trained["initializer"] == "main"]
    assert 0 < trained["born_dead"].sum() < trained["dead"].sum()
    np.testing.assert_array_equal(trained["dead"], trained["range"] == 0)
    np.testing.assert_array_equal(trained["born_dead"], trained["range_initial"] == 0)


def test_grid_of_a_case_with_biases_trains_rai_on_its_target(run: params.Params) -> None:
    """Each trial, also with RAI, has the bits of the trial of a case with the same settings."""
    settings = with_target(run, "short", {"function": "x_sin_5x", "low": -2.0, "high": 1.0, "points": 40})
    tree = with_case(
        settings, "base", {"activation": "relu", "widths": [9], "biases": True, "target": "short"}
    ).model_dump()
    grid = {"of": "base", "depths": [3], "widths": [2], "initializers": ["main", "rai"], "trials": 20, "epochs": 2}
    tree["safe_region"]["trained"] = grid
    for key, name in (("main", "he_normal"), ("rai", "rai")):
        case = {"activation": "relu", "widths": [2, 2, 2], "biases": True, "initializer": {"name": name}}
        tree["collapse"]["cases"][key] = case | {"epochs": 2, "trials": 20, "target": "short"}
    settings = params.Params.model_validate(tree)
    safe_region.main(settings)
    trained = TRAINED_GRID.read(safe_region.settings(settings))
    functions = REGION_FUNCTIONS.read(safe_region.settings(settings))
    assert functions[functions["trained"]].groupby("initializer")["x"].nunique().to_dict() == dict.fromkeys(
        ("main", "rai"), trials.CURVE_POINTS
    )
    assert functions["x"].min() == -2
    assert functions["x"].max() == 1
    for key in ("main", "rai"):
        collapse.main(settings, key)
        table = parquet.read_parts(Path(f"data/collapse/{key}"), TRIALS.schema)
        own = trained[trained["initializer"] == key][TRIALS.schema.names].reset_index(drop=True)
        pd.testing.assert_frame_equal(own, table)
    assert (own["range"] > 0).any()


CHANGES: dict[str, dict[str, Any]] = {
    "as_it_is": {},
    "deeper": {"widths": [2, 2, 2]},
    "sgd": {"optimizer": {"name": "sgd"}},
    "slow": {"optimizer": {"name": "adam", "learning_rate": 0.0001}, "epochs": 3},
    "first": {"first_initializer": {"name": "he_normal"}},
    "narrow": {"target": {"low": -0.5, "points": 60}},
    "few": {"trials": 5, "batch_size": 16},
}


def test_variations_are_cases_of_which_something_is_changed(run: params.Params) -> None:
    """Every column of a trial is that of a case with these settings; variations of a followed case are not followed."""
    base = {"activation": "relu", "widths": [2, 2], "biases": True, "initializer": {"name": "rai"}, "trials": 20}
    base |= {"epochs": 2, "follow": [0, 1], "target": "step_sin_5x"}
    tree = with_case(run, "base", base).model_dump()
    tree["sensitivity"] = {"table": {"of": "base", "variations": CHANGES}}
    settings = params.Params.model_validate(tree)
    sensitivity.main(settings, "table")
    assert [path.name for path in Path("data/sensitivity/table").iterdir()] == ["trials.parquet"]
    variations = VARIATIONS.read(sensitivity.settings(settings, "table"), "table")
    sizes = {name: 5 if name == "few" else 20 for name in CHANGES}
    assert variations.groupby("variation", sort=False).size().to_dict() == sizes
    own = tree["data"]["targets"]["step_sin_5x"]
    collapse.main(settings, "base")
    as_it_is = parquet.read_parts(Path("data/collapse/base"), TRIALS.schema)
    for name, changes in CHANGES.items():
        case = {**base, "follow": [], **changes, "target": "changed"}
        alone = with_case(with_target(run, "changed", own | changes.get("target", {})), "alone", case)
        collapse.main(alone, "alone")
        table = parquet.read_parts(Path("data/collapse/alone"), TRIALS.schema)
        rows = variations[variations["variation"] == name][TRIALS.schema.names].reset_index(drop=True)
        pd.testing.assert_frame_equal(rows, table)
        assert rows.equals(as_it_is) == (name == "as_it_is")


def test_each_table_of_variations_has_its_own_folder_and_settings(run: params.Params) -> None:
    for key in run.sensitivity:
        sensitivity.main(run, key)
    assert sorted(path.name for path in Path("data/sensitivity").iterdir()) == ["deep", "rai"]
    with pytest.raises(InputError, match=r"data/sensitivity/deep/trials\.parquet: made by other params"):
        VARIATIONS.read(sensitivity.settings(run, "rai"), "deep")
    tree = run.model_dump()
    tree["sensitivity"]["rai"]["variations"]["short"]["epochs"] = 2
    changed = params.Params.model_validate(tree)
    assert sensitivity.settings(changed, "deep") == sensitivity.settings(run, "deep")
    assert sensitivity.settings(changed, "rai") != sensitivity.settings(run, "rai")


@pytest.mark.parametrize(
    ("has_tables", "message"), [(True, "received 'nope'; expected: rai, deep"), (False, "expected: none: the group")]
)
def test_a_table_that_is_not_there_is_refused(run: params.Params, has_tables: bool, message: str) -> None:
    settings = run if has_tables else run.model_copy(update={"sensitivity": {}})
    with pytest.raises(InputError, match=rf"params\.yaml:sensitivity: received 'nope'; .*{message.split('; ')[-1]}"):
        sensitivity.main(settings, "nope")
    assert not Path("data/sensitivity").exists()


def test_settings_of_a_case_are_its_experiment(run: params.Params) -> None:
    """Trials, epochs and batch size are those of all cases or its own; the target enters by content, not by name."""
    relu = experiments.of_case(run, "relu")
    assert (relu.trials, relu.training.epochs, relu.training.batch_size, relu.follow) == (8, 1, 64, (0, 1, 3))
    assert (relu.fits, experiments.of_case(run, "relu-refit").fits) == (None, 2)
    assert relu.target == engine.Target(function="x_sin_x", low=-(7**0.5), high=7**0.5, points=200)
    renamed = with_target(run, "renamed", run.data.targets["x_sin_x"].model_dump())
    same = run.collapse.cases["relu"].model_copy(update={"target": "renamed"}).model_dump()
    assert experiments.of_case(with_case(renamed, "relu", same), "relu").settings == relu.settings
    own = with_case(run, "own", same | {"target": "x_sin_x", "trials": 3, "epochs": 4, "batch_size": 5})
    experiment = experiments.of_case(own, "own")
    assert experiment == replace(relu, trials=3, training=replace(relu.training, epochs=4, batch_size=5))


def with_case(settings: params.Params, key: str, case: dict[str, Any]) -> params.Params:
    """Return the params with one more case of `collapse`."""
    tree = settings.model_dump()
    tree["collapse"]["cases"][key] = case
    return params.Params.model_validate(tree)


def with_target(settings: params.Params, key: str, target: dict[str, Any]) -> params.Params:
    """Return the params with one more training set."""
    tree = settings.model_dump()
    tree["data"]["targets"][key] = target
    return params.Params.model_validate(tree)


def points_of(settings: params.Params, key: str) -> tuple[np.ndarray, np.ndarray]:
    """Write the table of a training set of one input in data/, and return its columns x and y."""
    data_target.main(settings)
    table = tables.points(1, 1).read(data_target.settings(settings, key), key)
    return table["x"].to_numpy(), table["y"].to_numpy()
