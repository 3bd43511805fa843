"""From tables of trials to numbers, sentences and metrics, on tables small enough to check by hand."""

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy.stats import binomtest

from deadrelu import findings, labels, metrics, params, printed, summaries
from deadrelu.intervals import wilson


def trial_table(ranges: list[float], low: list[float], high: list[float], probes_equal: list[bool]) -> pd.DataFrame:
    return pd.DataFrame(
        {
            "range": np.array(ranges, np.float32),
            "range_low": np.array(low, np.float32),
            "range_high": np.array(high, np.float32),
            "probes_equal": probes_equal,
            "dead": np.array(ranges) == 0,
            "born_dead": False,
        }
    )


@pytest.fixture
def four() -> pd.DataFrame:
    """Exactly constant; constant within 1e-3; alive for x < 0 only; alive on both."""
    return trial_table([0, 5e-4, 2, 3], [0, 5e-4, 2, 1], [0, 5e-4, 0, 3], [True, False, True, False])


@pytest.fixture
def two_cases(settings: params.Params, four: pd.DataFrame) -> tuple[params.Params, dict[str, pd.DataFrame]]:
    return settings, {"relu": four, "leaky_relu": four}


def test_events_are_counted(two_cases: tuple[params.Params, dict[str, pd.DataFrame]]) -> None:
    settings, trials = two_cases
    rates = summaries.collapse_rates(trials, settings).set_index(["case", "event"])
    counts = {event: int(rates["count"]["relu", event]) for event in ("constant", "probes_equal", "dead", "born_dead")}
    assert counts == {"constant": 2, "probes_equal": 2, "dead": 1, "born_dead": 0}
    assert rates["theory"]["relu", "born_dead"] == pytest.approx(1 - 0.75**9)
    assert np.isnan(rates["theory"]["leaky_relu", "born_dead"])
    assert rates["notebook"]["relu", "constant"] == 0.956
    assert rates["notebook"]["leaky_relu", "constant"] == 0.192
    assert (rates["low"] <= rates["rate"]).all()
    assert (rates["rate"] <= rates["high"]).all()


def test_rate_grows_with_tolerance(four: pd.DataFrame) -> None:
    curve = summaries.rate_by_tolerance({"relu": four})
    assert curve["rate"].is_monotonic_increasing
    assert curve["count"].tolist()[0] == 1
    assert curve["count"].tolist()[-1] == 2
    assert curve[curve["tolerance"] >= 5.1e-4]["count"].min() == 2


def test_half_lines(four: pd.DataFrame) -> None:
    row = summaries.half_lines({"relu": four}, 1e-3).iloc[0]
    assert (row["probes_only"], row["positive_only"], row["negative_only"]) == (1, 1, 0)


def test_factor_per_layer() -> None:
    """A signal halved and a gradient doubled by each layer, rows in any order."""
    layers = np.array([3, 1, 2, 4])
    summary = pd.DataFrame(
        {
            "case": "a",
            "layer": layers,
            "input_std": 0.5**layers,
            "gradient_rms": 0.5**layers,
            "saturated_fraction": [0.1, 0.4, 0.2, 0.3],
            "zero_fraction": 0.0,
        }
    )
    row = summaries.signal_ratios(summary).iloc[0]
    assert (row["forward"], row["forward_low"], row["forward_high"]) == pytest.approx((0.5, 0.5, 0.5))
    assert row["backward"] == pytest.approx(2)
    assert (row["forward_verdict"], row["backward_verdict"]) == ("vanishes", "explodes")
    assert (row["saturated_least"], row["saturated_largest"]) == (0.1, 0.4)
    dead = summaries.signal_ratios(summary.assign(input_std=[0.0, 1, 1, 0])).iloc[0]
    assert (dead["forward"], dead["forward_verdict"]) == (0, "vanishes")
    alone = summaries.signal_ratios(summary[:1]).iloc[0]
    assert (alone["forward_verdict"], alone["backward_verdict"]) == ("not measured", "not measured")
    infinite = summaries.signal_ratios(summary.assign(input_std=[1.0, 2, np.inf, 3])).iloc[0]
    assert infinite["forward_verdict"] == "explodes"


@pytest.mark.parametrize(
    ("case", "low", "expected"),
    [
        ({}, -1.0, 1 - 0.75),
        ({}, 0.5, 1 - 0.5 * 0.75),
        ({"initializer": {"name": "random_uniform", "minval": 0.1, "maxval": 1.0}}, -1.0, np.nan),
        ({"biases": True}, -1.0, np.nan),
        ({"activation": "tanh"}, -1.0, np.nan),
    ],
)
def test_theory_stands_only_where_it_holds(
    case: dict[str, object], low: float, expected: float, settings: params.Params, four: pd.DataFrame
) -> None:
    changed = settings.model_dump()
    changed["collapse"]["cases"] = {"relu": {"activation": "relu", "widths": [1, 2]} | case}
    changed["data"]["target"]["low"] = low
    rates = summaries.collapse_rates({"relu": four}, params.Params.model_validate(changed))
    theory = rates.set_index("event")["theory"]["born_dead"]
    assert theory == pytest.approx(expected, nan_ok=True)


@pytest.mark.parametrize(
    "change",
    [{"epochs": 11}, {"batch_size": 32}, {"cases": {"relu": params.CollapseCase(activation="relu", widths=[2] * 10)}}],
)
def test_notebook_number_stands_beside_its_own_settings_only(
    settings: params.Params, change: dict[str, object]
) -> None:
    assert printed.notebook_rate(settings, "relu") == 0.956
    other = settings.model_copy(update={"collapse": settings.collapse.model_copy(update=change)})
    assert printed.notebook_rate(other, "relu") is None


def test_notebook_number_is_for_its_function_only(settings: params.Params) -> None:
    target = settings.data.target.model_copy(update={"function": "abs_x"})
    other = settings.model_copy(update={"data": settings.data.model_copy(update={"target": target})})
    assert printed.notebook_rates(settings) == {"relu": 0.956, "leaky_relu": 0.192}
    assert printed.notebook_rates(other) == {}


def rate_row(count: int, trials: int, **more: float) -> pd.Series:
    values: dict[str, object] = {"trials": trials, "count": count, "notebook": np.nan, "theory": np.nan}
    return pd.Series(values | dict(wilson(count, trials)._asdict()) | more)


def test_sentences_follow_the_numbers() -> None:
    """Each sentence can come out the other way."""
    assert "no more than chance allows" in findings.collapse_answer(rate_row(950, 1000, notebook=0.956), 1e-3)
    assert "more than chance allows" in findings.collapse_answer(rate_row(900, 1000, notebook=0.956), 1e-3)
    assert "notebook" not in findings.collapse_answer(rate_row(900, 1000), 1e-3)
    answers = [findings.against_lu(rate_row(count, 1000)) for count in (940, 900, 800)]
    assert [next(w for w in ("Yes", "Undecided", "No:") if w in text) for text in answers] == [
        "Yes",
        "Undecided",
        "No:",
    ]
    assert "theory" not in findings.born_dead(rate_row(9, 10))
    p = binomtest(90, 100, 0.8).pvalue
    assert f"{p:.2g}" in findings.born_dead(rate_row(90, 100, theory=0.8))


def test_joint_tolerances() -> None:
    rows = [("a", 0.1, 950), ("b", 0.1, 100), ("a", 0.2, 955), ("b", 0.2, 200), ("a", 0.3, 999), ("b", 0.3, 200)]
    curve = pd.DataFrame(rows, columns=["case", "tolerance", "count"]).assign(trials=1000)
    text = findings.joint_tolerances(curve, {"a": 0.956, "b": 0.192})
    assert "from 0.2 to 0.2" in text
    assert "Under no tolerance" in findings.joint_tolerances(curve, {"a": 0.956, "b": 0.5})
    assert "not compared" in findings.joint_tolerances(curve, {})


@pytest.mark.parametrize(("width", "every", "units"), [(100, 20, "only 5 of the 100"), (100, 21, "all 100 units")])
def test_units_that_a_stride_meets(width: int, every: int, units: str) -> None:
    met = len(set(np.arange(0, 50 * width, every) % width))
    assert f"{met}" in units
    assert units in findings.units_sampled(width, every)


def test_names_of_cases_tell_them_apart(settings: params.Params) -> None:
    case = settings.collapse.cases["relu"]
    assert labels.narrow_networks({"a": case}) == {"a": "ReLU"}
    assert labels.narrow_networks({"a": case, "b": case}) == {"a": "ReLU: a", "b": "ReLU: b"}


def test_healthy_panels() -> None:
    panels = {"a": labels.Panel("ReLU", "He normal"), "b": labels.Panel("ReLU", "Glorot normal")}
    factors = {f"{way}{end}": 0.9 for way in ("forward", "backward") for end in ("", "_low", "_high")}
    ratios = pd.DataFrame({"case": ["a", "b"], "forward_verdict": ["holds", "vanishes"], "backward_verdict": "holds"})
    found = findings.healthy_panels(ratios.assign(**factors), panels, "ReLU")
    assert found.startswith("He normal (signal ×0.9 a layer, 95 % interval 0.9 to 0.9; gradient")
    assert "Glorot" not in found
    ratios = ratios.assign(**factors)
    assert findings.healthy_panels(ratios, panels, "tanh") == "none"


@pytest.mark.parametrize(
    ("low", "high", "word"),
    [(0.21, 0.9, "yes"), (0.1, 0.2, "no"), (0.2, 0.9, "in some trials"), (0.1, 0.9, "in some trials")],
)
def test_learned(low: float, high: float, word: str) -> None:
    assert findings.learned(pd.Series({"validation_accuracy_low": low, "validation_accuracy_high": high})) == word


def test_metrics_are_finite_numbers_of_six_digits(
    two_cases: tuple[params.Params, dict[str, pd.DataFrame]], tmp_path: Path
) -> None:
    settings, trials = two_cases
    rates = summaries.collapse_rates(trials, settings)
    summary = pd.DataFrame(
        {"case": ["a"], "layer": [1], "std": [1 / 3], "rms": [np.float32(0.1)], "zero_fraction": [0]}
    )
    epochs = pd.DataFrame(
        {"case": "m", "epoch": [0, 1], "loss": [np.nan, 2 / 3], "validation_loss": [2.0, np.inf]}
        | {"validation_accuracy": [0.1, 0.5]}
    )
    tree = json.loads(metrics.to_json(metrics.collect("official", 10_000, summary, epochs, rates)))
    assert tree["training"] == {"m": {"loss": 0.666667, "validation_accuracy": 0.5}}
    assert tree["data"]["mnist"] == {"source": "official", "test_images": 10_000}
    assert tree["activations"]["a"]["layer_1"] == {"std": 0.333333, "rms": 0.1, "zero_fraction": 0}
    assert set(tree["collapse"]["relu"]) == {
        *("trials", "rate", "rate_low", "rate_high", "born_dead_rate", "probes_equal_rate", "dead_rate")
    }
    assert tree["collapse"]["relu"]["rate"] == 0.5
    assert json.loads(metrics.to_json({"a": float("nan"), "b": {"c": float("inf"), "d": 1}})) == {"b": {"d": 1}}
