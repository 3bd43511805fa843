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
    assert names["leaky_relu-continued"] == "Leaky ReLU (slope 0.1), fitted 50 times"
    assert names["x_sin_5x-rai"] == "x sin 5x, RAI"
    assert names["x_sin_5x-he-mae"] == "x sin 5x, He normal, absolute error"


def test_architecture_and_target(settings: params.Params) -> None:
    case = settings.collapse.cases["x_sin_5x-rai"]
    assert labels.architecture(case) == (
        "9 hidden layers of width 9 × 2; RAI, random biases; Adam (0.001), mean squared error"
    )
    assert labels.widths([1, 2, 2, 3, 1, 1]) == "1, 2 × 2, 3, 2 × 1"
    assert case.target is not None
    assert labels.target(case.target) == "x sin 5x on [−1.732, 1.732]"
