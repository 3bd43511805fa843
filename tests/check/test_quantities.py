"""What is compared: every quantity, from the right rows, under the settings that it depends on."""

from pathlib import Path

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
    """A ReLU case, its loop, and a grid of one width."""
    tree = settings.model_dump()
    kept = ("relu", "relu-refit", "abs_sum_abs_difference-he")
    tree["collapse"]["cases"] = {key: tree["collapse"]["cases"][key] for key in kept}
    return params.Params.model_validate(tree)


@pytest.fixture(scope="module")
def found(small: params.Params) -> load.Results:
    """Four trials of each case: dead, dead by training, constant within the tolerance, alive."""
    trials = pd.DataFrame({"trial": range(4), "range": np.float32([0, 0, 5e-4, 1])})
    trials = trials.assign(born_dead=[True, False, False, False], dead=[True, True, False, False])
    trials = trials.assign(probes_equal=pd.Series([True, True, True, False], dtype=object))
    plane = trials.assign(probes_equal=None)
    fits = pd.DataFrame({"trial": np.tile(range(4), 2), "fit": np.repeat([1, 2], 4), "range": np.float32(0)})
    fits["probe_range"] = np.float32([0, 0, 1, 1, 0, 1, 0, 1])  # loops print 1, 1/2, 1/2, 0
    of_trials = {"relu": trials, "relu-refit": trials, "abs_sum_abs_difference-he": plane}
    counts = pd.DataFrame({"depth": [2, 3], "width": 4, "networks": 1000, "born_dead_low": 90})
    counts = counts.assign(born_dead_high=[100, 200], born_dead=[10, 20])
    grid = pd.DataFrame({"depth": 3, "width": 4, "trial": range(3)})
    grid = grid.assign(born_dead=[True, False, False], range=np.float32([0, 1e-3, 2e-3]))
    signals = pd.DataFrame({"case": ["a", "b"], "layer": [1, 2], "std": [1.0, 2.0], "rms": [3.0, 4.0]})
    signals = signals.assign(zero_fraction=[0.1, 0.2], input_std=[0.5, np.inf], gradient_rms=[0.6, 0.7], mean=[9, 9])
    epochs = pd.DataFrame({"case": "m", "epoch": [0, 1, 2], "loss": [np.nan, 2.0, 1.0]})
    epochs = epochs.assign(validation_loss=[4.0, 3.0, np.nan], validation_accuracy=[0.1, 0.2, 0.3])
    tables = {
        "signals": signals,
        "epochs": epochs,
        "collapse_rates": rates.collapse_rates(of_trials, small),
        "born_dead": grid_tables.born_dead_grid(counts, small.safe_region.initializer),
        "variations": pd.DataFrame({"reading": ["base"], "trials": 10, "rate": 0.3, "born_dead": 0.2}),
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
    return load.Results("official", 10_000, tables, of_trials, {"relu-refit": fits}, grid)


@pytest.fixture(scope="module")
def observed(small: params.Params, found: load.Results) -> dict[str, quantities.Observed]:
    points = pd.DataFrame({"x": np.float32([-1, 1]), "y": np.float32([2, 4])})
    return quantities.observe(small, found, points)


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
        "sensitivity",
    ]
    assert [name for name, of in observed.items() if of.needs_mnist] == ["data@mnist", "activations", "training"]
    assert observed["data@mnist"].exact == {"test_images": 10_000}


def test_points_are_those_of_the_table(observed: dict[str, quantities.Observed]) -> None:
    moments = {"x_mean": 0.0, "x_std": 1.0, "y_mean": 3.0, "y_std": 1.0}
    assert observed["data@target"].drawn == observed["data@target"].values == moments


def test_points_of_a_case_are_its_own(observed: dict[str, quantities.Observed], small: params.Params) -> None:
    target = small.collapse.cases["abs_sum_abs_difference-he"].target
    assert target is not None
    x, y = targets.sample(target.function, target.low, target.high, target.points, seed=small.seed)
    drawn = observed["collapse@abs_sum_abs_difference-he"].drawn
    assert drawn == pytest.approx(
        {"x_mean": x.mean(), "x_std": x.std(), "y_mean": y.mean(), "y_std": y.std()}, rel=1e-5
    )
    assert drawn != observed["collapse@relu"].drawn


def test_signals_and_losses_are_the_finite_ones_of_the_last_epoch(observed: dict[str, quantities.Observed]) -> None:
    of_a = {f"a.layer_1.{k}": v for k, v in zip(quantities.SIGNALS, (1.0, 3.0, 0.1, 0.5, 0.6), strict=True)}
    of_b = {"b.layer_2.std": 2.0, "b.layer_2.rms": 4.0, "b.layer_2.zero_fraction": 0.2, "b.layer_2.gradient_rms": 0.7}
    assert observed["activations"].values == of_a | of_b
    assert set(quantities.SIGNALS) == {"std", "rms", "zero_fraction", "input_std", "gradient_rms"}
    assert observed["training"].values == {"m.loss": 1.0, "m.validation_accuracy": 0.3}
    assert quantities.of_training(
        pd.DataFrame({"case": ["m"], "epoch": 1, "loss": 1, "validation_loss": 2.0, "validation_accuracy": 0})
    ) == {"m.loss": 1, "m.validation_loss": 2, "m.validation_accuracy": 0}


def test_outcomes_are_those_of_each_trial(observed: dict[str, quantities.Observed]) -> None:
    events = {"collapsed": [0, 1, 2], "probes_equal": [0, 1, 2], "dead": [0, 1], "born_dead": [0]}
    assert shown(observed["collapse@relu"].counts) == events
    loop = {"loop_prints_0": [3], "loop_prints_1": [0]}
    assert shown(observed["collapse@relu-refit"].counts) == events | loop
    del events["probes_equal"]
    assert shown(observed["collapse@abs_sum_abs_difference-he"].counts) == events
    assert observed["collapse@relu"].counts["collapsed"].count == 3
    assert observed["collapse@relu"].exact["theory_low"] == pytest.approx(0.9249, abs=1e-4)
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
        "glorot_uniform.width_4.depth_2.collapsed": (6, 8),
    }
    assert shown(region.counts) == {
        "trained.width_4.depth_3.collapsed": [0, 1],
        "trained.width_4.depth_3.born_dead": [0],
    }
    assert {name.rpartition(".")[2] for name in region.exact} == {"theory_low", "theory_high"}
    assert region.exact["width_4.depth_2.theory_low"] < region.exact["width_4.depth_3.theory_high"]


def test_settings_are_all_but_seed_and_sizes(small: params.Params, found: load.Results) -> None:
    """Runs that differ in them are not comparable; the tolerance is one, though no stage before the report reads it."""
    points = pd.DataFrame({"x": np.float32([0]), "y": np.float32([0])})

    def settings_of(tree: dict[str, object]) -> dict[str, dict[str, object]]:
        changed = params.Params.model_validate(tree)
        return {stage: of.params for stage, of in quantities.observe(changed, found, points).items()}

    before = settings_of(small.model_dump())
    tree = small.model_dump()
    tree["seed"] = 11
    tree["collapse"]["trials"] = 2000
    tree["collapse"]["cases"]["abs_sum_abs_difference-he"]["trials"] = 7
    tree["safe_region"]["networks"] = 5
    tree["safe_region"]["trained"]["trials"] = 5
    assert settings_of(tree) == before
    for group, key, value, touched in (
        ("collapse", "tolerance", 0.01, {name for name in before if name.startswith("collapse@")} | {"safe_region"}),
        ("training", "trials", 2, {"training"}),
        ("activations", "every", 3, {"activations"}),
    ):
        tree = small.model_dump()
        tree[group][key] = value
        after = settings_of(tree)
        assert {stage for stage in before if after[stage] != before[stage]} == touched


def test_files_of_a_stage_are_those_that_are_whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for name in (
        "collapse/relu/part-000000.parquet",
        "collapse/relu/.new-1/new",
        "collapse/relu/.part",
        "target/points.parquet",
    ):
        Path("data", name).parent.mkdir(parents=True, exist_ok=True)
        Path("data", name).touch()
    assert load.files_of("collapse@relu") == [Path("data/collapse/relu/part-000000.parquet")]
    assert load.files_of("data@target") == [Path("data/target/points.parquet")]
    assert load.files_of("activations") == []
