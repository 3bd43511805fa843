"""Test that every compared quantity comes from the right rows, and has the settings on which it depends."""

import functools
import operator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from deadrelu.analysis import grid as grid_tables
from deadrelu.analysis import load, rates
from deadrelu.check import quantities
from deadrelu.check.quantities import Count
from deadrelu.engine import targets
from deadrelu.settings import params


@pytest.fixture(scope="module")
def small(settings: params.Params) -> params.Params:
    """Return params of a followed ReLU case, its loop, a case of two inputs, a grid, and a table of two variations."""
    tree = settings.model_dump()
    kept = ("relu", "relu-refit", "abs_sum_abs_difference-he")
    tree["data"]["targets"] = {key: tree["data"]["targets"][key] for key in ("x_sin_x", "abs_sum_abs_difference")}
    tree["collapse"]["cases"] = {key: tree["collapse"]["cases"][key] for key in kept}
    tree["collapse"]["cases"]["relu"]["biases"] = True
    tree["safe_region"]["trained"]["of"] = "relu"
    variations = {"sgd": {"optimizer": {"name": "sgd"}}, "few": {"target": {"points": 9}}}
    tree["sensitivity"] = {"rates": {"of": "relu", "variations": variations}}
    return params.Params.model_validate(tree)


@pytest.fixture(scope="module")
def results(small: params.Params) -> load.Results:
    """Return results of four trials a case: dead at initialization, died in training, within the tolerance, active."""
    trials = pd.DataFrame({"trial": range(4), "range": np.float32([0, 0, 5e-4, 1])})
    trials = trials.assign(born_dead=[True, False, False, False], dead=[True, True, False, False])
    trials = trials.assign(probes_equal=pd.Series([True, True, True, False], dtype=object))
    trials = trials.assign(range_initial=np.float32([0, 9e-4, 2e-3, 2]))
    plane = trials.assign(probes_equal=None)
    fits = pd.DataFrame({"trial": np.tile(range(4), 2), "epoch": np.repeat([10, 20], 4), "range": np.float32(0)})
    fits["probe_range"] = np.float32([0, 0, 1, 1, 0, 1, 0, 1])  # loops print 1, 1/2, 1/2, 0
    followed = pd.DataFrame({"trial": np.tile([2, 0, 1, 3], 2), "epoch": np.repeat([500, 0], 4)})
    followed["range"] = np.float32([0.5, 0, 9e-4, 1e-4, 0, 0, 0, 0])  # the last epoch is first, trials in disorder
    trials_by_case = {"relu": trials, "relu-refit": trials, "abs_sum_abs_difference-he": plane}
    counts = pd.DataFrame({"depth": [2, 3], "width": 4, "networks": 1000, "born_dead_low": 90})
    counts = counts.assign(born_dead_high=[100, 200], born_dead=[10, 20])
    grid = pd.DataFrame({"initializer": np.repeat(["main", "glorot_uniform"], 3), "depth": 3, "width": 4})
    grid = grid.assign(trial=[0, 1, 2] * 2, born_dead=[True, False, False] * 2, dead=[True, True, False] * 2)
    grid = grid.assign(range=np.float32([0, 9e-4, 2e-3, 1, 1, 0]), range_initial=np.float32(1))
    signals = pd.DataFrame({"case": ["a", "b"], "layer": [1, 2], "std": [1.0, 2.0], "rms": [3.0, 4.0]})
    signals = signals.assign(zero_fraction=[0.1, 0.2], input_std=[0.5, np.inf], gradient_rms=[0.6, 0.7], mean=[9, 9])
    epochs = pd.DataFrame({"case": "m", "epoch": [0, 1, 2], "loss": [np.nan, 2.0, 1.0]})
    epochs = epochs.assign(validation_loss=[4.0, 3.0, np.nan], validation_accuracy=[0.1, 0.2, 0.3])
    tables = {
        "data": pd.DataFrame({"mnist_source": ["official"], "test_images": [10_000]}),
        "signals": signals,
        "epochs": epochs,
        "collapse_rates": rates.collapse_rates(trials_by_case, small),
        "born_dead": grid_tables.born_dead_grid(counts, small.safe_region.initializer),
        "explorer": pd.DataFrame(
            [
                ("main", 3, 4, 1000, 20, 3, 1),
                ("rai", 2, 4, 1000, 30, np.nan, np.nan),
                ("rai", 3, 4, 1000, 40, np.nan, np.nan),
                ("glorot_uniform", 2, 4, 1000, 50, 8, 6),
            ],
            columns=["initializer", "depth", "width", "networks", "count", "trained", "trained_count"],
        ),
    }
    varied = {"rates": pd.concat([trials.assign(variation="sgd"), trials[::-1].assign(variation="few")])}
    histories = {"relu": followed, "relu-refit": fits}
    return load.Results(tables, trials_by_case, histories, varied, grid)


@pytest.fixture(scope="module")
def observed(small: params.Params, results: load.Results) -> dict[str, quantities.Observed]:
    return quantities.observe(small, results)


def shown(counts: dict[str, Count]) -> dict[str, list[int]]:
    return {
        name: np.flatnonzero(count.outcomes).tolist() for name, count in counts.items() if count.outcomes is not None
    }


def test_stages_are_those_of_the_pipeline(observed: dict[str, quantities.Observed]) -> None:
    cases = ["collapse@relu", "collapse@relu-refit", "collapse@abs_sum_abs_difference-he"]
    assert list(observed) == [
        "data@mnist",
        "data@target",
        "activations",
        "training",
        *cases,
        "safe_region",
        "sensitivity@rates",
    ]
    assert [name for name, of in observed.items() if of.needs_mnist] == ["data@mnist", "activations", "training"]
    assert observed["data@mnist"].exact == {"test_images": 10_000}


def moments_of(x: np.ndarray, y: np.ndarray) -> dict[str, float]:
    return {"x_mean": x.mean(), "x_std": x.std(), "y_mean": y.mean(), "y_std": y.std()}


def test_points_are_those_of_all_training_sets(observed: dict[str, quantities.Observed], small: params.Params) -> None:
    assert quantities.of_points(np.float32([-1, 1]), np.float32([2, 4])) == {
        "x_mean": 0.0,
        "x_std": 1.0,
        "y_mean": 3.0,
        "y_std": 1.0,
    }
    expected = {}
    for key, group in small.data.targets.items():
        x, y = targets.Target(**group.model_dump()).sample(small.seed)
        expected |= {f"{key}.{name}": value for name, value in moments_of(x, y).items()}
    assert len(expected) == 8
    assert observed["data@target"].drawn == observed["data@target"].values == pytest.approx(expected, rel=1e-5)
    assert observed["data@target"].params["x_sin_x.points"] == 3000


def test_points_of_a_case_are_its_own(observed: dict[str, quantities.Observed], small: params.Params) -> None:
    target = small.target_of("abs_sum_abs_difference-he")
    x, y = targets.Target(**target.model_dump()).sample(small.seed)
    drawn = observed["collapse@abs_sum_abs_difference-he"].drawn
    assert drawn == pytest.approx(moments_of(x, y), rel=1e-5)
    assert drawn != observed["collapse@relu"].drawn


def test_signals_and_losses_are_the_finite_ones_of_the_last_epoch(observed: dict[str, quantities.Observed]) -> None:
    case_a = {f"a.layer_1.{k}": v for k, v in zip(quantities.SIGNALS, (1.0, 3.0, 0.1, 0.5, 0.6), strict=True)}
    case_b = {"b.layer_2.std": 2.0, "b.layer_2.rms": 4.0, "b.layer_2.zero_fraction": 0.2, "b.layer_2.gradient_rms": 0.7}
    assert observed["activations"].values == case_a | case_b
    assert set(quantities.SIGNALS) == {"std", "rms", "zero_fraction", "input_std", "gradient_rms"}
    assert observed["training"].values == {"m.loss": 1.0, "m.validation_accuracy": 0.3}
    assert quantities.of_training(
        pd.DataFrame({"case": ["m"], "epoch": 1, "loss": 1, "validation_loss": 2.0, "validation_accuracy": 0})
    ) == {"m.loss": 1, "m.validation_loss": 2, "m.validation_accuracy": 0}


def test_losses_are_those_of_the_last_epoch_of_each_case() -> None:
    """Cases may have different numbers of epochs."""
    epochs = pd.DataFrame({"case": ["m", "m", "c", "c", "c"], "epoch": [0, 1, 0, 1, 2]})
    epochs = epochs.assign(loss=[np.nan, 1, np.nan, 2, 3], validation_loss=[4, 5, 6, 7, 8], validation_accuracy=0.5)
    values = quantities.of_training(epochs)
    assert {name: value for name, value in values.items() if "accuracy" not in name} == {
        "m.loss": 1,
        "m.validation_loss": 5,
        "c.loss": 3,
        "c.validation_loss": 8,
    }


def test_outcomes_are_those_of_each_trial(observed: dict[str, quantities.Observed]) -> None:
    events = {"collapsed": [0, 1, 2], "collapsed_before": [0, 1], "probes_equal": [0, 1, 2]}
    events |= {"dead": [0, 1], "born_dead": [0]}
    assert shown(observed["collapse@relu"].counts) == events | {"collapsed_at_the_last_checkpoint": [0, 1, 3]}
    loop = {"loop_prints_0": [3], "loop_prints_1": [0]}
    assert shown(observed["collapse@relu-refit"].counts) == events | loop
    del events["probes_equal"]
    assert shown(observed["collapse@abs_sum_abs_difference-he"].counts) == events
    assert observed["collapse@relu"].counts["collapsed"].count == 3
    assert observed["collapse@relu-refit"].exact["theory_low"] == pytest.approx(0.9249, abs=1e-4)
    bounds = observed["collapse@abs_sum_abs_difference-he"].exact
    assert bounds["theory_low"] < bounds["theory_high"]


def test_cells_are_counted_by_name(observed: dict[str, quantities.Observed]) -> None:
    region = observed["safe_region"]
    untrained = {name: (count.count, count.trials) for name, count in region.counts.items() if count.outcomes is None}
    assert untrained == {
        "width_4.depth_2.born_dead": (10, 1000),
        "width_4.depth_2.born_dead_on_x_above_0": (100, 1000),
        "width_4.depth_3.born_dead": (20, 1000),
        "width_4.depth_3.born_dead_on_x_above_0": (200, 1000),
        "rai.width_4.depth_3.born_dead": (40, 1000),  # the deepest
    }
    assert shown(region.counts) == {
        "trained.width_4.depth_3.collapsed": [0, 1],
        "trained.width_4.depth_3.born_dead": [0],
        "trained.width_4.depth_3.dead": [0, 1],
        "trained.glorot_uniform.width_4.depth_3.collapsed": [2],
        "trained.glorot_uniform.width_4.depth_3.born_dead": [0],
        "trained.glorot_uniform.width_4.depth_3.dead": [0, 1],
    }
    assert {name.rpartition(".")[2] for name in region.exact} == {"theory_low", "theory_high"}
    assert region.exact["width_4.depth_2.theory_low"] < region.exact["width_4.depth_3.theory_high"]


def test_variations_keep_the_outcome_of_each_trial(observed: dict[str, quantities.Observed]) -> None:
    """The outcomes are in the order of the table, so that trial k is compared with trial k."""
    assert shown(observed["sensitivity@rates"].counts) == {
        "sgd.collapsed": [0, 1, 2],
        "sgd.born_dead": [0],
        "sgd.dead": [0, 1],
        "few.collapsed": [1, 2, 3],
        "few.born_dead": [3],
        "few.dead": [2, 3],
    }
    assert observed["sensitivity@rates"].params["variations.few.target.points"] == 9


def test_settings_are_all_but_seed_and_sizes(small: params.Params, results: load.Results) -> None:
    """Runs of other settings are not comparable, also those of another tolerance, which only the report reads."""

    def settings_of(tree: dict[str, object]) -> dict[str, dict[str, object]]:
        changed = params.Params.model_validate(tree)
        return {stage: of.params for stage, of in quantities.observe(changed, results).items()}

    before = settings_of(small.model_dump())
    tree = small.model_dump()
    tree["seed"] = 11
    tree["collapse"]["trials"] = 2000
    tree["collapse"]["cases"]["abs_sum_abs_difference-he"]["trials"] = 7
    tree["safe_region"]["networks"] = 5
    tree["safe_region"]["trained"]["trials"] = 5
    tree["sensitivity"]["rates"]["variations"]["sgd"]["trials"] = 5
    assert settings_of(tree) == before
    cases = {name for name in before if name.startswith("collapse@")}
    plane = "collapse@abs_sum_abs_difference-he"
    edits: list[tuple[str, object, set[str]]] = [
        ("collapse.tolerance", 0.01, cases | {"safe_region", "sensitivity@rates"}),
        ("training.trials", 2, {"training"}),
        ("training.cnn.trials", 2, {"training"}),
        ("activations.every", 3, {"activations"}),
        ("activations.ensemble.images", 3, {"activations"}),
        ("data.targets.abs_sum_abs_difference.points", 7, {"data@target", plane}),
        ("collapse.cases.relu.follow", [0, 3], {"collapse@relu"}),
        ("safe_region.trained.epochs", 3, {"safe_region"}),
        ("sensitivity.rates.variations.sgd.epochs", 3, {"sensitivity@rates"}),
    ]
    for key, value, touched in edits:
        tree = small.model_dump()
        *groups, last = key.split(".")
        group: dict[str, Any] = functools.reduce(operator.getitem, groups, tree)
        assert group[last] != value
        group[last] = value
        after = settings_of(tree)
        assert {stage for stage in before if after[stage] != before[stage]} == touched, key


def test_files_of_a_stage_are_those_that_are_whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for name in (
        "collapse/relu/part-000000.parquet",
        "collapse/relu/.new-1/new",
        "collapse/relu/.part",
        "sensitivity/rates/trials.parquet",
        "targets/x_sin_x.parquet",
        "mnist/source.json",
    ):
        Path("data", name).parent.mkdir(parents=True, exist_ok=True)
        Path("data", name).touch()
    assert load.files_of("collapse@relu") == [Path("data/collapse/relu/part-000000.parquet")]
    assert load.files_of("data@target") == [Path("data/targets/x_sin_x.parquet")]
    assert load.files_of("data@mnist") == [Path("data/mnist/source.json")]
    assert load.files_of("sensitivity@rates") == [Path("data/sensitivity/rates/trials.parquet")]
    assert load.files_of("activations") == []
