"""Test rates and metrics made from tables of trials that are small enough to check by hand."""

import json

import numpy as np
import pandas as pd
import pytest

from deadrelu.analysis import grid as grid_tables
from deadrelu.analysis import outcomes, rates, theory
from deadrelu.analysis.intervals import p_of_bounds
from deadrelu.engine import ranges, targets
from deadrelu.engine.ranges import PROBES
from deadrelu.report import labels, metrics
from deadrelu.settings import params
from deadrelu.settings.initializer import Normal

Case = dict[str, pd.DataFrame]


def trial_table(ranges: list[float], low: list[float], high: list[float], probes: list[float]) -> pd.DataFrame:
    """Return trials with these ranges; `probes` is the last of the five predictions, of which the others are 0.

    Before training, the ranges are half as large, in the opposite order.
    """
    columns = {f"probe_{k}": np.zeros(len(ranges), np.float32) for k in range(1, len(PROBES))}
    return pd.DataFrame(
        {
            "range_initial": np.array(ranges, np.float32)[::-1] / 2,
            "range": np.array(ranges, np.float32),
            "range_low": np.array(low, np.float32),
            "range_high": np.array(high, np.float32),
            **columns,
            "probe_5": np.array(probes, np.float32),
            "probes_equal": np.array(probes) == 0,
            "prediction_min": np.arange(len(ranges), dtype=np.float32),
            "dead": np.array(ranges) == 0,
            "born_dead": False,
        }
    )


@pytest.fixture
def four() -> pd.DataFrame:
    """Return four trials: exactly constant, constant within 1e-3, active for x < 0 only, and active on both sides.

    Before training, they are constant within 1e-3, active, constant within 1e-3, and exactly constant.
    """
    return trial_table([0, 5e-4, 2, 1.5e-3], [0, 5e-4, 2, 1.2e-3], [0, 5e-4, 0, 1.5e-3], [0, 1e-4, 0, 1])


@pytest.fixture
def two_cases(settings: params.Params, four: pd.DataFrame) -> tuple[params.Params, Case]:
    return settings, {"relu": four, "leaky_relu": four}


def test_events_are_counted(two_cases: tuple[params.Params, Case]) -> None:
    settings, trials = two_cases
    table = rates.collapse_rates(trials, settings).set_index(["case", "event"])
    counts = table["count"]["relu"].to_dict()
    assert counts == {"collapsed_before": 3, "collapsed": 2, "probes_equal": 2, "born_dead": 0, "dead": 1}
    assert list(counts) == list(labels.events(1e-3))
    for end in ("low", "high"):
        assert table[f"theory_{end}"]["relu", "born_dead"] == pytest.approx(1 - 0.75**9)
        assert np.isnan(table[f"theory_{end}"]["leaky_relu", "born_dead"])
        assert np.isnan(table[f"theory_{end}"]["relu", "dead"])
    assert table["notebook"]["relu", "collapsed"] == 0.956
    assert table["notebook"]["leaky_relu", "collapsed"] == 0.192
    assert table["lu"].isna().all()
    assert table["notebook"]["relu", "probes_equal"] == 0.956
    for event in ("dead", "born_dead", "collapsed_before"):
        assert np.isnan(table["notebook"]["relu", event])
    assert (table["low"] <= table["rate"]).all()
    assert (table["rate"] <= table["high"]).all()


def test_numbers_of_the_paper_stand_beside_its_rows(settings: params.Params, four: pd.DataFrame) -> None:
    table = rates.collapse_rates(dict.fromkeys(settings.other_cases, four), settings)
    constant = table[table["event"] == "collapsed"].set_index("case")
    in_print = {"x_sin_5x-he": 0.919, "x_sin_5x-rai": 0.292, "step_sin_5x-he": 0.938, "step_sin_5x-rai": 0.326}
    in_print |= {f"{row}-rai-he_first": in_print[f"{row}-rai"] for row in ("x_sin_5x", "step_sin_5x")}
    in_print |= {"abs_sum_abs_difference-he": 0.768}
    assert constant["lu"].dropna().to_dict() == in_print
    untrained = table[table["event"] == "born_dead"].set_index("case")
    bounds = theory.born_dead_on_interval([2] * 9)
    assert tuple(untrained.loc["x_sin_5x-he", ["theory_low", "theory_high"]]) == pytest.approx(tuple(bounds))
    assert untrained.loc[["x_sin_5x-rai", "step_sin_5x-rai"], "theory_low"].isna().all()
    many = tuple(untrained.loc["abs_sum_abs_difference-he", ["theory_low", "theory_high"]])
    assert many == pytest.approx(tuple(theory.born_dead_on_any_inputs([4] * 9)))
    assert untrained.loc["x_sin_5x-he", "theory_p"] == pytest.approx(p_of_bounds(0, 4, *bounds))
    assert table[table["event"] != "born_dead"]["theory_p"].isna().all()


def test_two_inputs_have_no_probes(settings: params.Params, four: pd.DataFrame) -> None:
    plane = four.assign(probes_equal=None)
    table = rates.collapse_rates({"abs_sum_abs_difference-he": plane}, settings)
    assert table["event"].tolist() == ["collapsed_before", "collapsed", "born_dead", "dead"]


def test_rate_grows_with_tolerance_in_every_place(four: pd.DataFrame) -> None:
    curve = rates.rate_by_tolerance({"relu": four})
    assert set(curve["criterion"]) == set(rates.PLACES) == set(labels.PLACES)
    for _, rows in curve.groupby("criterion"):
        assert rows["rate"].is_monotonic_increasing
    counts = curve[np.isclose(curve["tolerance"], 1e-3)].set_index("criterion")["count"].to_dict()
    assert counts == {"interval": 2, "negative": 2, "positive": 3, "probes": 3}
    interval = curve[curve["criterion"] == "interval"]
    assert interval["count"].tolist()[0] == 1
    assert interval[interval["tolerance"] >= 5.1e-4]["count"].min() == 2


def test_half_lines(four: pd.DataFrame) -> None:
    """The last two are constant on each half-line but not across, and active for x > 0 only, with equal probes."""
    more = trial_table([1.6e-3, 2], [8e-4, 0], [8e-4, 2], [1e-4, 0])
    row = rates.half_lines({"relu": pd.concat([four, more])}, 1e-3).iloc[0]
    assert (row["trials"], row["probes_only"], row["positive_only"], row["negative_only"]) == (6, 2, 1, 1)


def one_sided_trials(sign: float) -> pd.DataFrame:
    """Return trials of a constant network and of x itself, with the engine's ranges at 20 inputs of one sign."""
    x = sign * np.linspace(0.1, 2, 20, dtype=np.float32)[:, None]
    spread = ranges.spread(np.stack([np.zeros_like(x), x]), x)
    return trial_table([0, 1.9], [0, 0], [0, 0], [0, 1]).assign(
        **{name: spread.get(name) for name in ("range", "range_low", "range_high")}
    )


@pytest.mark.parametrize(("sign", "missing"), [(1, "range_low"), (-1, "range_high")])
def test_half_lines_of_inputs_on_one_side_of_0_have_no_row(sign: float, missing: str, four: pd.DataFrame) -> None:
    """With `low: 0.0`, no network is measured at x < 0, so none can be said to be constant there."""
    one_sided = one_sided_trials(sign)
    assert one_sided[missing].isna().all()
    table = rates.half_lines({"positive": one_sided, "both": four}, 1e-3)
    assert table["case"].tolist() == ["both"]
    curve = rates.rate_by_tolerance({"positive": one_sided}).groupby("criterion")["count"].max()
    assert curve["negative" if sign > 0 else "positive"] == 0  # what was not measured is not constant
    assert curve["positive" if sign > 0 else "negative"] == 1


def test_one_diverged_trial_leaves_the_half_lines_of_others(four: pd.DataFrame) -> None:
    broken = four.assign(range=[0, 5e-4, 2, np.nan], range_low=[0, 5e-4, 2, np.nan], range_high=[0, 5e-4, 0, np.nan])
    row = rates.half_lines({"relu": broken}, 1e-3).iloc[0]
    assert (row["trials"], row["positive_only"], row["negative_only"]) == (4, 1, 0)


def test_no_case_is_an_empty_table_with_columns() -> None:
    for table in (rates.rate_by_tolerance({}), rates.half_lines({}, 1e-3), rates.loop_numbers({}, 1e-3)):
        assert table.empty
        assert "case" in table


@pytest.mark.parametrize(
    ("case", "low", "expected"),
    [
        ({}, -1.0, 1 - 0.75),
        ({}, 0.5, 1 - 0.5 * 0.75),
        ({}, 0.0, 1 - 0.5 * 0.75),
        ({}, -1e-9, 1 - 0.5 * 0.75),  # the interval has both signs, its 3,000 points have one
        ({"initializer": {"name": "variance_scaling"}}, -1.0, 1 - 0.75),
        ({"initializer": {"name": "random_uniform", "minval": -1.0, "maxval": 1.0}}, -1.0, 1 - 0.75),
        ({"initializer": {"name": "random_uniform", "minval": -1.0, "maxval": 0.5}}, -1.0, np.nan),
        ({"initializer": {"name": "random_normal", "stddev": 1.0}}, -1.0, 1 - 0.75),
        ({"initializer": {"name": "random_normal", "mean": 0.1, "stddev": 1.0}}, -1.0, np.nan),
        ({"initializer": {"name": "random_uniform", "minval": 0.1, "maxval": 1.0}}, -1.0, np.nan),
        ({"biases": True}, -1.0, 1 - 0.75),  # they start at zero
        ({"biases": True, "initializer": {"name": "rai"}}, -1.0, np.nan),
        ({"initializer": {"name": "orthogonal"}}, -1.0, np.nan),
        ({"activation": "tanh"}, -1.0, np.nan),
    ],
)
def test_theory_stands_only_where_it_holds(
    case: dict[str, object], low: float, expected: float, settings: params.Params, four: pd.DataFrame
) -> None:
    changed = settings.model_dump()
    cases = {"relu": {"activation": "relu", "target": "x_sin_x", "widths": [1, 2]} | case}
    changed["collapse"]["cases"] = cases | {"x_sin_5x-he": changed["collapse"]["cases"]["x_sin_5x-he"]}  # of the grid
    changed["sensitivity"] = {}
    changed["data"]["targets"]["x_sin_x"]["low"] = low
    table = rates.collapse_rates({"relu": four}, params.Params.model_validate(changed)).set_index("event")
    assert table["theory_low"]["born_dead"] == pytest.approx(expected, nan_ok=True)
    assert table["theory_high"]["born_dead"] == pytest.approx(expected, nan_ok=True)


def test_values_are_those_of_collapsed_networks_with_biases(settings: params.Params, four: pd.DataFrame) -> None:
    trials = dict.fromkeys(settings.collapse.cases, four)
    table = rates.collapse_values(trials, settings).set_index("case")
    assert set(table.index) == {
        key
        for key, case in settings.collapse.cases.items()
        if case.biases and key != "abs_sum_abs_difference-he"  # which has two outputs
    }
    row = table.loc["step_sin_5x-he"]
    assert (row["collapsed"], row["q50"]) == (2, 0.5)  # trials 0 and 1, and they predict their numbers
    _, y = targets.Target("step_sin_5x", -(3**0.5), 3**0.5, 3000).sample(settings.seed)
    assert row["mean"] == pytest.approx(y.mean(dtype=float))
    assert row["median"] == np.median(y)
    assert row["q25"] == 0.25


def test_numbers_of_loops() -> None:
    """Three loops of four fits have equal probes always, never and from the second fit on; the last is within 1."""
    fits = pd.DataFrame(
        {
            "trial": np.tile([0, 1, 2], 4),
            "epoch": np.repeat([10, 20, 30, 40], 3),
            "probe_range": [0, 1, 1, 0, 1, 0, 0, 1, 0, 0, 1, 0],
            "range": [9, 9, 0.5] * 4,
        }
    )
    loop_counts = rates.loop_numbers({"loop": fits}, 1.0).set_index(["criterion", "number"])["loops"]
    assert loop_counts["probes_equal"].to_dict() == {0: 1, 0.75: 1, 1: 1}
    assert loop_counts["collapsed"].to_dict() == {0: 2, 1: 1}
    assert set(rates.loop_numbers({"loop": fits}, 1.0)["total"]) == {3}


def test_grids_by_hand(settings: params.Params) -> None:
    counts = pd.DataFrame(
        {"depth": [2], "width": [3], "networks": [100], "born_dead_low": [7], "born_dead_high": [20], "born_dead": [5]}
    )
    (row,) = grid_tables.born_dead_grid(counts, settings.safe_region.initializer).to_dict("records")
    assert (row["positive"], row["rate"]) == (0.2, 0.05)
    assert (row["positive_count"], row["count"]) == (20, 5)
    assert row["positive_p"] == pytest.approx(p_of_bounds(20, 100, 1 - (7 / 8) ** 2, 1 - (7 / 8) ** 2))
    assert row["p"] == pytest.approx(p_of_bounds(5, 100, *theory.born_dead_on_interval([3, 3])))
    assert row["positive_low"] < 0.2 < row["positive_high"]
    assert row["positive_theory"] == pytest.approx(1 - (7 / 8) ** 2)
    assert (row["theory_low"], row["theory_high"]) == pytest.approx(theory.born_dead_on_interval([3, 3]))
    shifted = Normal(name="random_normal", mean=0.1, stddev=1.0)
    assert np.isnan(grid_tables.born_dead_grid(counts, shifted)["theory_low"][0])
    trained = pd.DataFrame(
        {
            "depth": 2,
            "width": [3, 3, 4, 4],
            "trial": [0, 1, 0, 1],
            "born_dead": [True, False, False, False],
            "dead": [True, False, True, False],
            "range_initial": [0.0, 2.0, 9e-4, 1.0],
            "range": [0, 5e-4, 0.0, 2.0],
        }
    )
    cells = grid_tables.trained_grid(trained, 1e-3).set_index("width")
    assert cells["rate"].to_dict() == {3: 1, 4: 0.5}
    assert cells["born_dead"].to_dict() == {3: 0.5, 4: 0}
    assert cells["dead"].to_dict() == {3: 0.5, 4: 0.5}
    assert cells["before"].to_dict() == {3: 0.5, 4: 0.5}
    assert cells["trials"].to_dict() == {3: 2, 4: 2}


def test_metrics_are_finite_numbers_of_six_digits(
    two_cases: tuple[params.Params, Case],
) -> None:
    settings, trials = two_cases
    signals = pd.DataFrame(
        {"case": ["a"], "layer": [1], "std": [1 / 3], "rms": [np.float32(0.1)], "zero_fraction": [0]}
    )
    epochs = pd.DataFrame(
        {"case": "m", "epoch": [0, 1], "loss": [np.nan, 2 / 3], "validation_loss": [2.0, np.inf]}
        | {"validation_accuracy": [0.1, 0.5]}
    )
    grid = pd.DataFrame({"depth": [2], "width": [3], "born_dead": [0.5], "rate": [2 / 3]})
    numbers = {
        "data": pd.DataFrame({"mnist_source": ["official"], "test_images": [10_000]}),
        "signals": signals,
        "epochs": epochs,
        "collapse_rates": rates.collapse_rates(trials, settings),
        "loop_numbers": pd.DataFrame(
            {
                "case": "leaky_relu",
                "criterion": ["probes_equal", "probes_equal", "collapsed"],
                "number": [0.0, 0.5, 1.0],
            }
            | {"loops": [3, 1, 4], "total": 4}
        ),
        "trained_grid": grid,
        "before_and_after": outcomes.before_and_after(trials, 1e-3),
        "over_training": pd.DataFrame(
            {"case": "relu", "criterion": ["exact", "within", "exact"], "epoch": [0, 5, 5], "rate": [0.25, 1 / 3, 0.5]}
        ),
    }
    tree = json.loads(metrics.to_json(metrics.collect(numbers)))
    assert tree["training"] == {"m": {"loss": 0.666667, "validation_accuracy": 0.5}}
    assert tree["data"]["mnist"] == {"source": "official", "test_images": 10_000}
    assert tree["activations"]["a"]["layer_1"] == {"std": 0.333333, "rms": 0.1, "zero_fraction": 0}
    assert set(tree["collapse"]["relu"]) == {
        *("trials", "rate", "rate_low", "rate_high", "born_dead_rate", "probes_equal_rate", "dead_rate"),
        *("collapsed_before_rate", "dead_rate_after_5_epochs", "rate_after_5_epochs"),
    }
    assert not [name for name in tree["collapse"]["leaky_relu"] if "epochs" in name]
    assert tree["collapse"]["relu"]["rate"] == 0.5
    assert tree["collapse"]["relu"]["collapsed_before_rate"] == 0.75
    last = {name: tree["collapse"]["relu"][f"{name}_after_5_epochs"] for name in ("rate", "dead_rate")}
    assert last == {"rate": 0.333333, "dead_rate": 0.5}
    loops = [tree["collapse"]["leaky_relu"][f"loop_prints_{end}_rate"] for end in (0, 1)]
    assert loops == [0.75, 0]
    assert tree["safe_region"] == {"width_3": {"depth_2": {"born_dead_rate": 0.5, "rate": 0.666667}}}
    assert json.loads(metrics.to_json({"a": float("nan"), "b": {"c": float("inf"), "d": 1}})) == {"b": {"d": 1}}
