"""Stages that measure: their tables hold what the functions below them say of the right images, in the right rows."""

import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from deadrelu.stages.collapse.tables import FITS, FUNCTIONS, TRIALS, WEIGHTS
from deadrelu.stages.safe_region.job import CURVE_POINTS
from deadrelu.stages.safe_region.tables import BORN_DEAD, OTHER_INITIALIZERS, REGION_FUNCTIONS, TRAINED_GRID

from deadrelu import engine
from deadrelu.engine import criteria, initializers, targets, untrained
from deadrelu.errors import InputError
from deadrelu.inspection import inspect
from deadrelu.settings import params
from deadrelu.signals import networks
from deadrelu.signals.trainer import Trainer
from deadrelu.stages import activations, data_target, training
from deadrelu.stages.activations import GRADIENT_STATISTICS, SAMPLE, STATISTICS, SUMMARY
from deadrelu.stages.collapse import job as collapse_job
from deadrelu.stages.collapse import stage as collapse_stage
from deadrelu.stages.safe_region import stage as safe_region_stage
from deadrelu.stages.training import BATCHES, EPOCHS
from deadrelu.storage import idx_files, parquet, points
from deadrelu.storage.rounding import significant


@pytest.fixture
def run(project: Path, pipeline: Path) -> params.Params:
    """Params of the small project, with its digits in place."""
    shutil.copytree(pipeline / "data/mnist", "data/mnist")
    return params.load()


def test_activations_are_those_of_the_test_images(run: params.Params) -> None:
    activations.main(run)
    images, labels = idx_files.read_test_set(Path("data/mnist"))
    x, case = idx_files.flat(images), run.activations.cases["relu-he_normal"]
    model = networks.mlp(3, 20, case.activation, case.initializer, seed=run.seed, dtype="float64")
    expected = inspect.inspect(model, x, labels).table.iloc[1:-1]
    summary = parquet.read(Path("data/activations/summary.parquet"), SUMMARY)
    rows = summary[summary["case"] == "relu-he_normal"]
    assert rows["layer"].tolist() == [1, 2, 3]
    for name in [*STATISTICS.split(), *GRADIENT_STATISTICS.split()]:
        np.testing.assert_array_equal(rows[name], significant(expected[name], 6))
    table = parquet.read(Path("data/activations/relu-he_normal.parquet"), SAMPLE)
    third = table[table["layer"] == 3]
    flat = np.arange(0, len(x) * 20, run.activations.every)
    assert (third["sample"] * 20 + third["unit"]).tolist() == flat.tolist()
    outputs = model.layers[0](x)
    for layer in model.layers[1:4]:
        outputs = layer(outputs)
    np.testing.assert_allclose(third["activation"], np.asarray(outputs).ravel()[flat], rtol=1e-4, atol=1e-6)


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
    epochs = parquet.read(Path("data/training/epochs.parquet"), EPOCHS)
    rows = epochs[(epochs["case"] == "mlp-he_normal") & (epochs["trial"] == 1)]
    np.testing.assert_array_equal(rows["loss"], np.float32(significant([np.nan, *history.loss], 4)))
    np.testing.assert_array_equal(rows["validation_loss"], np.float32(significant(history.validation_loss, 4)))
    np.testing.assert_array_equal(rows["validation_accuracy"], np.float32(significant(history.validation_accuracy, 4)))
    batches = parquet.read(Path("data/training/batches.parquet"), BATCHES)
    found = batches[(batches["case"] == "mlp-he_normal") & (batches["trial"] == 1)]
    np.testing.assert_array_equal(found["loss"], np.float32(significant(history.batches[0], 4)))
    assert found["batch"].tolist() == [1, 2]


def test_drawn_images_keep_their_labels() -> None:
    images = np.arange(40, dtype=np.uint8).repeat(784).reshape(40, 28, 28)
    x, labels = training._drawn("examples", (images, np.arange(40, dtype=np.uint8)), 30, 1, 0)
    assert (np.rint(255 * x[:, 0]) == labels).all()
    assert len(set(labels.tolist())) == 30
    assert labels.tolist() != sorted(labels.tolist())


def test_collapse_of_two_inputs_has_no_half_lines_and_no_probes(run: params.Params) -> None:
    target = {"function": "abs_sum_abs_difference", "low": -1.0, "high": 1.0, "points": 100}
    plane = {"activation": "relu", "widths": [2, 2], "biases": True, "target": target, "trials": 5}
    collapse_stage.main(with_case(run, "plane", plane), "plane")
    table = parquet.read(Path("data/collapse/plane/part-000000.parquet"), TRIALS)
    assert len(table) == 5
    absent = ["born_dead_low", "born_dead_high", "range_low", "range_high", "probes_equal", "probe_1", "probe_5"]
    assert table[absent].isna().all(axis=None)
    assert table.drop(columns=absent).drop(columns=["probe_2", "probe_3", "probe_4"]).notna().all(axis=None)
    x, y = targets.sample(*target.values(), seed=run.seed)  # type: ignore[arg-type]
    network = engine.Network(
        widths=(2, 2),
        activation="relu",
        biases=True,
        inputs=2,
        outputs=2,
        initialize=initializers.sampler(params.FanScaled(name="glorot_uniform")),
    )
    training = engine.Training(epochs=run.collapse.epochs, batch_size=run.collapse.batch_size)
    (trained,) = engine.run(network, training, x, y, trials=range(5), seed=run.seed)
    outputs = engine.predict(network, trained.final, x)
    np.testing.assert_array_equal(table["range"], np.ptp(outputs, axis=1).max(axis=1))
    np.testing.assert_array_equal(table["prediction_min"], outputs.min(axis=(1, 2)))
    np.testing.assert_allclose(table["loss_final"], ((outputs - y) ** 2).mean(axis=(1, 2)), rtol=1e-5)


def test_every_column_of_a_trial_is_what_the_engine_says(run: params.Params) -> None:
    """200 ReLU networks by SGD on the absolute error, so that each setting of a case counts."""
    data_target.main(run)
    case = {"activation": "relu", "widths": [2, 2, 2], "loss": "mean_absolute_error", "trials": 200, "epochs": 3}
    case |= {"optimizer": {"name": "sgd", "learning_rate": 0.05}, "initializer": {"name": "he_normal"}}
    collapse_stage.main(with_case(run, "case", case), "case")
    table = parquet.read_parts(Path("data/collapse/case"), TRIALS)
    x, y = (column.ravel() for column in points.read_arrays(run))
    draw = initializers.sampler(params.FanScaled(name="he_normal"))
    network = engine.Network(widths=(2, 2, 2), activation="relu", initialize=draw)
    training = engine.Training(
        epochs=3, batch_size=64, optimizer=engine.SGD(learning_rate=0.05), loss="mean_absolute_error"
    )
    (trained,) = engine.run(network, training, x, y, trials=range(200), seed=run.seed)
    before, after = (engine.predict(network, weights, x)[:, :, 0] for weights in (trained.initial, trained.final))
    probes = engine.predict(network, trained.final, criteria.PROBES)[:, :, 0]
    expected = {
        "born_dead_low": np.ptp(before[:, x < 0], axis=1) == 0,
        "born_dead_high": np.ptp(before[:, x > 0], axis=1) == 0,
        "born_dead": np.ptp(before, axis=1) == 0,
        "dead": np.ptp(after, axis=1) == 0,
        "prediction_min": after.min(axis=1),
        "prediction_max": after.max(axis=1),
        "range_low": np.ptp(after[:, x < 0], axis=1),
        "range_high": np.ptp(after[:, x > 0], axis=1),
        "range": np.ptp(after, axis=1),
        **{f"probe_{k}": probes[:, k - 1] for k in range(1, 6)},
        "probes_equal": np.ptp(probes, axis=1) == 0,
    }
    for name, values in expected.items():
        np.testing.assert_array_equal(table[name], values)
    assert len({tuple(table[name]) for name in ("born_dead_low", "born_dead_high", "born_dead", "dead")}) == 4
    np.testing.assert_allclose(table["loss_initial"], np.abs(before - y).mean(axis=1), rtol=1e-5)
    np.testing.assert_allclose(table["loss_final"], np.abs(after - y).mean(axis=1), rtol=1e-5)
    np.testing.assert_array_equal(np.stack(table["loss"]), trained.loss)


@pytest.mark.parametrize(
    "kind", [{"activation": "relu", "trials": 100}, {"activation": "leaky_relu", "negative_slope": 0.1}]
)
def test_loop_keeps_what_each_fit_left(run: params.Params, kind: dict[str, object]) -> None:
    """Each fit is a longer training; the last is what the table of trials holds."""
    data_target.main(run)
    loop = {**kind, "widths": [2, 2], "protocol": "refit", "fits": 3}
    collapse_stage.main(with_case(run, "loop", loop), "loop")
    fits = parquet.read(Path("data/collapse/loop/fits.parquet"), FITS)
    numbers = range(int(str(kind.get("trials", 8))))
    assert fits[["fit", "trial"]].to_numpy().tolist() == [[fit, trial] for fit in (1, 2, 3) for trial in numbers]
    last = parquet.read_parts(Path("data/collapse/loop"), TRIALS)
    for fit in (1, 2, 3):
        longer = {key: value for key, value in loop.items() if key not in ("protocol", "fits")} | {"epochs": fit}
        collapse_stage.main(with_case(run, "longer", longer), "longer")
        table = parquet.read_parts(Path("data/collapse/longer"), TRIALS)
        rows = fits[fits["fit"] == fit]
        np.testing.assert_array_equal(rows["range"], table["range"])
        probes = table[[f"probe_{k}" for k in range(1, 6)]].to_numpy()
        np.testing.assert_array_equal(rows["probe_range"], np.ptp(probes, axis=1))
    pd.testing.assert_frame_equal(last, table)  # losses of all fits, too


def test_safe_region_holds_both_grids(run: params.Params) -> None:
    data_target.main(run)
    safe_region_stage.main(run)
    cells = parquet.read(Path("data/safe_region/born_dead.parquet"), BORN_DEAD)
    assert cells[["width", "depth"]].to_numpy().tolist() == [[1, 2], [1, 3], [2, 2], [2, 3]]
    draw = initializers.sampler(run.safe_region.initializer)
    expected = untrained.born_dead(draw, 2, 3, range(100), seed=run.seed)
    for name, counts in (("low", expected.low), ("high", expected.high)):
        assert cells[cells["width"] == 2][f"born_dead_{name}"].tolist() == counts[1:].tolist()
    assert cells[cells["width"] == 2]["born_dead"].tolist() == expected.both[1:].tolist()
    assert expected.low.tolist() != expected.high.tolist() != expected.both.tolist()
    trained = parquet.read(Path("data/safe_region/trained.parquet"), TRAINED_GRID)
    names = ("main", "glorot_uniform")
    cells_trained = [[name, depth, 2, trial] for depth in (1, 3) for name in names for trial in range(6)]
    assert trained[["initializer", "depth", "width", "trial"]].to_numpy().tolist() == cells_trained
    others = parquet.read(Path("data/safe_region/other_initializers.parquet"), OTHER_INITIALIZERS).set_index(
        ["initializer", "width"]
    )
    rai = initializers.sampler(params.Rai(name="rai"))
    x = np.linspace(run.data.target.low, run.data.target.high, CURVE_POINTS)
    constant = untrained.born_constant(rai, x, 2, 3, range(100), seed=run.seed)
    assert others.loc[("rai", 2), "born_dead"].tolist() == constant[1:].tolist()
    glorot = initializers.sampler(params.FanScaled(name="glorot_uniform"))
    expected = untrained.born_dead(glorot, 2, 3, range(100), seed=run.seed)
    assert others.loc[("glorot_uniform", 2), "born_dead"].tolist() == expected.both[1:].tolist()
    for depth in (1, 3):  # with the settings of the grid, not of collapse
        same = {"activation": "relu", "widths": [2] * depth, "initializer": {"name": "he_normal"}}
        alone = with_case(run, "same", same | {"trials": 6, "epochs": 2})
        batches = alone.collapse.model_copy(update={"batch_size": 32})
        collapse_stage.main(alone.model_copy(update={"collapse": batches}), "same")
        table = parquet.read_parts(Path("data/collapse/same"), TRIALS)
        cell = trained[(trained["depth"] == depth) & (trained["initializer"] == "main")]
        np.testing.assert_array_equal(cell["range"], table["range"])
        np.testing.assert_array_equal(cell["born_dead"], table["born_dead"])


def test_functions_are_those_of_the_networks(run: params.Params) -> None:
    """Of the grid, untrained as drawn and trained as the engine leaves them; of a case, of its first trials."""
    data_target.main(run)
    tree = run.model_dump()
    tree["safe_region"]["trained"]["trials"] = 10  # more than are drawn
    run = params.Params.model_validate(tree)
    safe_region_stage.main(run)
    drawn = parquet.read(Path("data/safe_region/functions.parquet"), REGION_FUNCTIONS)
    rai = drawn[(drawn["initializer"] == "rai") & (drawn["depth"] == 3) & (drawn["width"] == 2)]
    x = np.linspace(run.data.target.low, run.data.target.high, CURVE_POINTS)
    expected = untrained.functions(initializers.sampler(params.Rai(name="rai")), x, 2, 3, 8, seed=run.seed)[2]
    np.testing.assert_allclose(rai["value"].to_numpy().reshape(8, -1), expected, rtol=1e-6)
    assert not rai["trained"].any()
    same = {"activation": "relu", "widths": [2, 2, 2], "initializer": {"name": "he_normal"}, "trials": 8, "epochs": 2}
    alone = with_case(run, "same", same)
    batches = alone.collapse.model_copy(update={"batch_size": 32})
    collapse_stage.main(alone.model_copy(update={"collapse": batches}), "same")
    kept = parquet.read(Path("data/collapse/same/functions.parquet"), FUNCTIONS)
    assert kept["trial"].unique().tolist() == list(range(8))
    grid = kept["x"].unique()
    assert len(grid) == collapse_job.CURVE_POINTS
    network = engine.Network(
        widths=(2, 2, 2), activation="relu", initialize=initializers.sampler(params.FanScaled(name="he_normal"))
    )
    x, y = (column.ravel() for column in points.read_arrays(run))
    training = engine.Training(epochs=2, batch_size=32)
    (trained,) = engine.run(network, training, x, y, trials=range(8), seed=run.seed)
    for name, weights in (("untrained", trained.initial), ("trained", trained.final)):
        outputs = engine.predict(network, weights, grid)[:, :, 0]
        np.testing.assert_allclose(kept[name].to_numpy().reshape(8, -1), outputs, rtol=1e-5, atol=1e-7)
    assert (kept["untrained"] != kept["trained"]).any()
    weights = parquet.read(Path("data/collapse/same/weights.parquet"), WEIGHTS)
    assert weights["trial"].tolist() == list(range(8))
    for name, of_trials in (("initial", trained.initial), ("final", trained.final)):
        np.testing.assert_array_equal(np.stack(weights[name].to_list()), of_trials)
    he = drawn[(drawn["initializer"] == "main") & (drawn["depth"] == 3) & drawn["trained"]]
    at = he["x"].unique()
    np.testing.assert_allclose(
        he["value"].to_numpy().reshape(8, -1), engine.predict(network, trained.final, at)[:, :, 0], rtol=1e-5, atol=1e-7
    )


def test_large_grids_keep_counts_and_no_functions(run: params.Params, monkeypatch: pytest.MonkeyPatch) -> None:
    data_target.main(run)
    monkeypatch.setattr("deadrelu.stages.safe_region.job.MAX_CELLS_WITH_FUNCTIONS", 3)
    safe_region_stage.main(run)
    drawn = parquet.read(Path("data/safe_region/functions.parquet"), REGION_FUNCTIONS)
    assert drawn["trained"].all()
    assert len(parquet.read(Path("data/safe_region/other_initializers.parquet"), OTHER_INITIALIZERS)) == 8


def test_two_inputs_or_outputs_have_no_functions_to_draw(run: params.Params) -> None:
    target = {"function": "abs_sum_abs_difference", "low": -1.0, "high": 1.0, "points": 50}
    case = {"activation": "relu", "widths": [2], "biases": True, "target": target, "trials": 4, "epochs": 1}
    collapse_stage.main(with_case(run, "plane", case), "plane")
    made = sorted(path.name for path in Path("data/collapse/plane").iterdir())
    assert made == ["part-000000.parquet", "weights.parquet"]


def test_weights_of_large_networks_are_not_kept(run: params.Params) -> None:
    data_target.main(run)
    case = {"activation": "relu", "widths": [30, 40], "trials": 2, "epochs": 1}
    collapse_stage.main(with_case(run, "large", case), "large")
    assert not Path("data/collapse/large/weights.parquet").exists()


def test_safe_region_tells_the_dying_from_the_born_dead(run: params.Params) -> None:
    data_target.main(run)
    tree = run.model_dump()
    tree["safe_region"]["trained"] |= {"depths": [6], "trials": 128, "epochs": 30, "batch_size": 8}
    safe_region_stage.main(params.Params.model_validate(tree))
    trained = parquet.read(Path("data/safe_region/trained.parquet"), TRAINED_GRID)
    trained = trained[trained["initializer"] == "main"]
    assert 0 < trained["born_dead"].sum() < (trained["range"] == 0).sum()


def test_grid_trains_as_a_case_of_collapse_does(run: params.Params) -> None:
    """With biases and a target of its own: RAI too, and of each trial the bits of the case with the same settings."""
    data_target.main(run)
    tree = run.model_dump()
    target = {"function": "x_sin_5x", "low": -2.0, "high": 1.0, "points": 40}
    tree["safe_region"]["trained"] |= {
        "depths": [3],
        "widths": [2],
        "biases": True,
        "initializers": ["main", "rai"],
        "trials": 20,
        "target": target,
    }
    budget = {key: tree["safe_region"]["trained"][key] for key in ("epochs", "trials")}
    tree["collapse"]["batch_size"] = tree["safe_region"]["trained"]["batch_size"]
    for key, name in (("main", "he_normal"), ("rai", "rai")):
        case = {"activation": "relu", "widths": [2, 2, 2], "biases": True, "initializer": {"name": name}}
        tree["collapse"]["cases"][key] = case | budget | {"target": target}
    settings = params.Params.model_validate(tree)
    safe_region_stage.main(settings)
    trained = parquet.read(Path("data/safe_region/trained.parquet"), TRAINED_GRID)
    functions = parquet.read(Path("data/safe_region/functions.parquet"), REGION_FUNCTIONS)
    assert functions[functions["trained"]].groupby("initializer")["x"].nunique().to_dict() == dict.fromkeys(
        ("main", "rai"), CURVE_POINTS
    )
    for key in ("main", "rai"):
        collapse_stage.main(settings, key)
        trials = parquet.read_parts(Path(f"data/collapse/{key}"), TRIALS)
        own = trained[trained["initializer"] == key]
        assert own["range"].tolist() == trials["range"].tolist()
        assert own["born_dead"].tolist() == trials["born_dead"].tolist()


def with_case(settings: params.Params, key: str, case: dict[str, object]) -> params.Params:
    """The same params with one more case of `collapse`."""
    tree = settings.model_dump()
    tree["collapse"]["cases"][key] = case
    return params.Params.model_validate(tree)


def test_points_of_another_target_are_refused(run: params.Params) -> None:
    """Or tables would say of themselves that they were made from points that they were not made from."""
    data_target.main(run)
    tree = run.model_dump()
    tree["data"]["target"]["high"] = 2.0
    other = params.Params.model_validate(tree)
    for stage in (lambda: collapse_stage.main(other, "relu"), lambda: safe_region_stage.main(other)):
        with pytest.raises(InputError, match=r"points\.parquet: made by other params than those in params\.yaml"):
            stage()
    assert not list(Path("data").glob("collapse*"))
    assert not list(Path("data").glob("safe_region*"))
