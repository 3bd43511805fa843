"""A published number stands beside its own settings, and beside no other run."""

import pytest

from deadrelu.analysis import published
from deadrelu.settings import params


def changed(settings: params.Params, key: str, **values: object) -> params.Params:
    """The same params with some values of one case of `collapse` set."""
    tree = settings.model_dump()
    tree["collapse"]["cases"][key] |= values
    return params.Params.model_validate(tree)


@pytest.mark.parametrize(
    "change",
    [{"epochs": 11}, {"batch_size": 32}, {"cases": {"relu": params.CollapseCase(activation="relu", widths=[2] * 10)}}],
)
def test_of_the_notebook(settings: params.Params, change: dict[str, object]) -> None:
    assert published.notebook_rate(settings, "relu") == 0.956
    other = settings.model_copy(update={"collapse": settings.collapse.model_copy(update=change)})
    assert published.notebook_rate(other, "relu") is None


def test_of_the_notebooks_function_and_protocol_only(settings: params.Params) -> None:
    target = settings.data.target.model_copy(update={"function": "abs_x"})
    other = settings.model_copy(update={"data": settings.data.model_copy(update={"target": target})})
    assert published.notebook_rates(settings) == {"relu": 0.956, "leaky_relu": 0.192}
    assert published.loop_rates(settings) == {"relu-refit": 0.956, "leaky_relu-refit": 0.192}
    assert published.notebook_rates(other) == published.loop_rates(other) == {}
    own = settings.data.target.model_dump()
    apart = changed(settings, "relu", target=own, trials=5)
    assert published.notebook_rate(apart, "relu") == 0.956
    assert published.notebook_rates(apart) == {"leaky_relu": 0.192}  # beside the main cases
    assert published.notebook_rate(changed(settings, "relu", epochs=9), "relu") is None


@pytest.mark.parametrize(
    "values",
    [
        {"widths": [2] * 10},
        {"biases": False},
        {"loss": "mean_absolute_error"},
        {"initializer": {"name": "glorot_normal"}},
        {"target": {"function": "x_sin_5x", "low": -1.0, "high": 3**0.5, "points": 3000}},
        {"target": {"function": "x_sin_5x", "low": -(3**0.5), "high": 1.0, "points": 3000}},
        {"target": {"function": "x_sin_5x", "low": -(3**0.5), "high": 3**0.5, "points": 300}},
        {"protocol": "refit", "fits": 2},
    ],
)
def test_of_the_paper(settings: params.Params, values: dict[str, object]) -> None:
    assert published.lu_rate(settings, "x_sin_5x-he") == 0.919
    assert published.lu_rate(changed(settings, "x_sin_5x-he", **values), "x_sin_5x-he") is None


def test_of_the_paper_for_any_length_of_training(settings: params.Params) -> None:
    assert published.lu_rate(changed(settings, "x_sin_5x-rai", epochs=7, trials=9), "x_sin_5x-rai") == 0.292
    assert [key for key in settings.collapse.cases if published.is_lu_abs(settings, key)] == ["abs_x-he"]
    assert not published.is_lu_abs(changed(settings, "abs_x-he", initializer={"name": "glorot_normal"}), "abs_x-he")
    assert published.lu_rate(settings, "relu") is published.lu_rate(settings, "abs_x-he") is None
