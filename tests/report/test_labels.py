"""Names are made from the settings."""

from deadrelu.report import labels
from deadrelu.settings import params


def test_names_of_cases_tell_them_apart(settings: params.Params) -> None:
    case = settings.collapse.cases["relu"]
    assert labels.narrow_networks({"a": case}) == {"a": "ReLU"}
    assert labels.narrow_networks({"a": case, "b": case}) == {"a": "ReLU: a", "b": "ReLU: b"}


def test_names_say_what_is_particular(settings: params.Params) -> None:
    names = labels.narrow_networks(settings.collapse.cases)
    assert len(set(names.values())) == len(names)
    assert names["leaky_relu-refit"] == "Leaky ReLU (slope 0.1), fitted 50 times"
    assert names["x_sin_5x-rai"] == "x sin 5x, RAI"
    assert names["x_sin_5x-he-mae"] == "x sin 5x, He normal, absolute error"


def test_initializers_say_what_they_were_given() -> None:
    assert [
        labels.initializer(settings)
        for settings in (
            params.Uniform(name="random_uniform", minval=-1.0, maxval=0.5),
            params.Normal(name="random_normal", mean=0.2, stddev=0.1),
            params.Normal(name="truncated_normal", stddev=0.3),
            params.FanScaled(name="glorot_normal"),
        )
    ] == [
        "Random uniform (-1 to 0.5)",
        "Random normal (μ = 0.2, σ = 0.1)",
        "Truncated normal (σ = 0.3)",
        "Glorot normal",
    ]
    case = params.CollapseCase(activation="leaky_relu", negative_slope=0.1, widths=[1, 2, 2])
    assert labels.narrow_network(case) == "Leaky ReLU (slope 0.1)"
    assert labels.architecture(case) == (
        "3 hidden layers of width 1, 2 × 2; Glorot uniform, no biases; Adam (0.001), mean squared error"
    )


def test_initializers_of_the_grid_have_different_names(settings: params.Params) -> None:
    assert labels.grid_initializers(settings) == {
        "main": "He normal",
        "glorot_uniform": "Glorot uniform",
        "rai": "RAI",
    }
    twice = settings.safe_region.model_copy(update={"initializer": params.FanScaled(name="glorot_uniform")})
    names = labels.grid_initializers(settings.model_copy(update={"safe_region": twice}))
    assert names == {"main": "Glorot uniform: main", "glorot_uniform": "Glorot uniform: glorot_uniform", "rai": "RAI"}


def test_architecture_and_target(settings: params.Params) -> None:
    case = settings.collapse.cases["x_sin_5x-rai"]
    assert labels.architecture(case) == (
        "9 hidden layers of width 9 × 2; RAI, random biases; Adam (0.001), mean squared error"
    )
    assert labels.widths([1, 2, 2, 3, 1, 1]) == "1, 2 × 2, 3, 2 × 1"
    assert case.target is not None
    assert labels.target(case.target) == "x sin 5x on [−1.732, 1.732]"
