"""Test that a published number is compared only with runs of its own settings."""

from typing import Any

import pytest

from deadrelu.analysis import published
from deadrelu.settings import params
from deadrelu.settings.stages import CollapseCase, TargetParams

ELSEWHERE = "elsewhere"


def with_case(settings: params.Params, key: str, **values: Any) -> params.Params:
    """Return the params with some values of one case of `collapse` set; `target` holds changes of its target."""
    case = settings.collapse.cases[key].model_dump()
    targets = settings.data.targets
    if "target" in values:
        changed = targets[case["target"]].model_dump() | values.pop("target")
        targets = {**targets, ELSEWHERE: TargetParams.model_validate(changed)}
        values["target"] = ELSEWHERE
    cases = {**settings.collapse.cases, key: CollapseCase.model_validate(case | values)}
    collapse = settings.collapse.model_copy(update={"cases": cases})
    data = settings.data.model_copy(update={"targets": targets})
    return settings.model_copy(update={"collapse": collapse, "data": data})


def of_notebook(settings: params.Params, key: str) -> float | None:
    return published.notebook_rates(settings, settings.collapse.independent).get(key)


def lu(settings: params.Params, key: str, **values: Any) -> float | None:
    changed = with_case(settings, key, **values)
    return published.lu_rate(changed, changed.collapse.cases[key])


@pytest.mark.parametrize(
    "values",
    [
        {"epochs": 11},
        {"batch_size": 32},
        {"widths": [2] * 10},
        {"biases": True},
        {"initializer": {"name": "he_normal"}},
        {"first_initializer": {"name": "he_normal"}},
        {"last_initializer": {"name": "he_normal"}},
        {"optimizer": {"name": "sgd"}},
        {"optimizer": {"name": "adam", "learning_rate": 0.01}},
        {"loss": "mean_absolute_error"},
        {"target": {"function": "abs_x"}},
        {"target": {"low": 0.0}},
        {"target": {"points": 300}},
        {"protocol": "refit", "fits": 2, "follow": []},
    ],
)
def test_of_the_notebook(settings: params.Params, values: dict[str, Any]) -> None:
    assert of_notebook(settings, "relu") == 0.956
    assert of_notebook(with_case(settings, "relu", **dict(values)), "relu") is None


@pytest.mark.parametrize("shared", [{"epochs": 11}, {"batch_size": 32}])
def test_of_the_notebook_with_what_all_cases_share(settings: params.Params, shared: dict[str, int]) -> None:
    other = settings.model_copy(update={"collapse": settings.collapse.model_copy(update=shared)})
    assert published.notebook_rates(other, other.collapse.cases) == {}


def test_of_the_notebooks_main_cases_and_loops(settings: params.Params) -> None:
    assert published.notebook_rates(settings, settings.main_cases) == {"relu": 0.956, "leaky_relu": 0.192}
    assert published.notebook_rates(settings, settings.collapse.refit) == {
        "relu-refit": 0.956,
        "leaky_relu-refit": 0.192,
    }
    # The number of trials and the checkpoints do not matter.
    assert of_notebook(with_case(settings, "relu", trials=5, follow=[0, 7]), "relu") == 0.956
    # The same data under another name are the notebook's, too, but not those of the main cases.
    apart = with_case(settings, "relu", target={})
    assert of_notebook(apart, "relu") == 0.956
    assert published.notebook_rates(apart, apart.main_cases) == {"leaky_relu": 0.192}


@pytest.mark.parametrize(
    "values",
    [
        {"widths": [2] * 10},
        {"biases": False},
        {"activation": "tanh"},
        {"loss": "mean_absolute_error"},
        {"initializer": {"name": "glorot_normal"}},
        {"first_initializer": {"name": "glorot_normal"}},
        {"last_initializer": {"name": "glorot_normal"}},
        {"target": {"low": -1.0}},
        {"target": {"high": 1.0}},
        {"target": {"points": 300}},
        {"target": {"function": "abs_x"}},
        {"protocol": "refit", "fits": 2, "follow": []},
    ],
)
def test_of_the_paper(settings: params.Params, values: dict[str, Any]) -> None:
    assert lu(settings, "x_sin_5x-he") == 0.919
    assert lu(settings, "x_sin_5x-he", **dict(values)) is None


def test_of_the_paper_for_any_training(settings: params.Params) -> None:
    """The training does not matter, because the paper does not describe its own."""
    for values in ({"epochs": 7, "trials": 9}, {"batch_size": 3}, {"optimizer": {"name": "sgd"}}):
        assert lu(settings, "x_sin_5x-rai", **values) == 0.292


def test_of_the_paper_for_both_starts_of_rai(settings: params.Params) -> None:
    assert lu(settings, "x_sin_5x-rai-he_first") == lu(settings, "x_sin_5x-rai") == 0.292
    assert lu(settings, "step_sin_5x-rai-he_first") == lu(settings, "step_sin_5x-rai") == 0.326
    assert lu(settings, "x_sin_5x-rai", first_initializer={"name": "glorot_normal"}) is None
    assert lu(settings, "relu") is lu(settings, "abs_x-he") is lu(settings, "x_sin_5x-he-mae") is None


def test_of_the_paper_for_two_inputs_of_any_depth(settings: params.Params) -> None:
    """Layers have 4 units; their number does not matter, because the paper does not state it."""
    key = "abs_sum_abs_difference-he"
    assert lu(settings, key) == lu(settings, key, widths=[4] * 20) == 0.768
    assert lu(settings, key, widths=[2] * 9) is None
    assert lu(settings, key, initializer={"name": "rai"}, first_initializer={"name": "he_normal"}) == 0.096


def test_of_variations_by_their_own_network_and_target(settings: params.Params) -> None:
    """Numbers apply to RAI's variations of the training or the interpretation, and to all variations of two inputs."""
    known = {
        key: [name for name, variant in table.variations.items() if published.lu_rate(settings, variant) is not None]
        for key, table in settings.sensitivity.items()
    }
    assert known["x_sin_5x-rai"] == ["rai_first", "sgd", "rate_fast", "rate_slow", "batches_of_128", "one_batch"]
    assert known["x_sin_5x-he"] == known["step_sin_5x-rai"] == known["step_sin_5x-he"] == ["rate_slow"]
    assert known["plane"] == list(settings.sensitivity["plane"].variations)


def test_its_first_row_is_a_bound(settings: params.Params) -> None:
    def is_first(settings: params.Params, key: str) -> bool:
        return published.is_lu_abs(settings, settings.collapse.cases[key])

    assert [key for key in settings.collapse.cases if is_first(settings, key)] == ["abs_x-he"]
    for values in ({"initializer": {"name": "glorot_normal"}}, {"target": {"low": 0.0}}, {"widths": [2] * 8}):
        assert not is_first(with_case(settings, "abs_x-he", **values), "abs_x-he")
