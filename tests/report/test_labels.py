"""Test that names are made from the settings."""

from deadrelu.report import labels, report_tables
from deadrelu.settings import params
from deadrelu.settings.initializer import FanScaled, Normal, Uniform
from deadrelu.settings.stages import CollapseCase, Variation


def with_cases(settings: params.Params, cases: dict[str, CollapseCase]) -> params.Params:
    """Return the params with only these cases of `collapse`."""
    return settings.model_copy(update={"collapse": settings.collapse.model_copy(update={"cases": cases})})


def test_names_of_cases_tell_them_apart(settings: params.Params) -> None:
    case = settings.collapse.cases["relu"]
    assert labels.narrow_networks(with_cases(settings, {"a": case})) == {"a": "ReLU"}
    assert labels.narrow_networks(with_cases(settings, {"a": case, "b": case})) == {"a": "ReLU: a", "b": "ReLU: b"}


def test_names_say_what_is_particular(settings: params.Params) -> None:
    """Names on the main target give the activation; those on other targets give the function and the initializer."""
    names = labels.narrow_networks(settings)
    assert len(set(names.values())) == len(names)
    assert names["leaky_relu"] == "Leaky ReLU (slope 0.1)"
    assert names["leaky_relu-refit"] == "Leaky ReLU (slope 0.1), fitted 50 times"
    assert names["x_sin_5x-rai"] == "x sin 5x, RAI"
    assert names["x_sin_5x-rai-he_first"] == "x sin 5x, RAI (first layer He normal)"
    assert names["x_sin_5x-he-mae"] == "x sin 5x, He normal, absolute error"
    elsewhere = settings.collapse.cases["leaky_relu"].model_copy(update={"target": "abs_x"})
    changed = with_cases(settings, {"a": elsewhere})
    assert labels.narrow_network(changed, "a") == "|x|, Glorot uniform, Leaky ReLU (slope 0.1)"


def test_initializers_say_what_they_were_given() -> None:
    assert [
        labels.initializer(settings)
        for settings in (
            Uniform(name="random_uniform", minval=-1.0, maxval=0.5),
            Normal(name="random_normal", mean=0.2, stddev=0.1),
            Normal(name="truncated_normal", stddev=0.3),
            FanScaled(name="glorot_normal"),
        )
    ] == [
        "Random uniform (-1 to 0.5)",
        "Random normal (μ = 0.2, σ = 0.1)",
        "Truncated normal (σ = 0.3)",
        "Glorot normal",
    ]
    case = CollapseCase(activation="leaky_relu", target="x_sin_x", negative_slope=0.1, widths=[1, 2, 2])
    assert labels.architecture(case) == (
        "3 hidden layers of 1, then 2 × 2 units; Glorot uniform, no biases; Adam (0.001), mean squared error"
    )


def test_initializers_of_the_grid_have_different_names(settings: params.Params) -> None:
    assert labels.grid_initializers(settings) == {
        "main": "He normal",
        "glorot_uniform": "Glorot uniform",
        "rai": "RAI",
    }
    twice = settings.safe_region.model_copy(update={"initializer": FanScaled(name="glorot_uniform")})
    names = labels.grid_initializers(settings.model_copy(update={"safe_region": twice}))
    assert names == {"main": "Glorot uniform: main", "glorot_uniform": "Glorot uniform: glorot_uniform", "rai": "RAI"}


def test_architecture_and_target(settings: params.Params) -> None:
    case = settings.collapse.cases["x_sin_5x-rai"]
    assert labels.architecture(case) == (
        "9 hidden layers of 2 units; RAI, random biases; Adam (0.001), mean squared error"
    )
    assert labels.widths([1, 2, 2, 3, 1, 1]) == "1, then 2 × 2, then 3, then 2 × 1 units"
    assert labels.widths([1]) == "1 unit"
    assert labels.target(settings.target_of("x_sin_5x-rai")) == "x sin 5x on [−1.732, 1.732]"


def test_variations_are_named_by_what_they_change(settings: params.Params) -> None:
    """Names of variations in params.yaml are those written here by hand."""
    names = {key: report_tables.variation_names(settings, key) for key in settings.sensitivity}
    assert names["x_sin_5x-rai"] == {
        "": "nothing: the case",
        "rai_first": "first layer RAI",
        "he_last": "last layer He normal",
        "he_not_cut": "first layer Variance scaling (2 / fan_in, untruncated normal)",
        "eight_hidden_layers": "8 hidden layers",
        "ten_hidden_layers": "10 hidden layers",
        "sgd": "SGD (0.01)",
        "rate_fast": "Adam (0.01)",
        "rate_slow": "Adam (0.0001)",
        "batches_of_128": "batches of 128",
        "one_batch": "batches of 3,000, 300 epochs",
        "interval_to_pi": "on [−3.142, 3.142]",
        "interval_to_1": "on [−1.000, 1.000]",
        "hundred_points": "300 epochs, 100 points",
    }
    assert names["x_sin_5x-he"]["rate_slow"] == "Adam (0.0001), 100 epochs"
    assert names["plane"]["he-19_layers"] == "19 hidden layers"
    assert names["plane"]["rai-19_layers"] == "19 hidden layers, RAI (first layer He normal)"


def test_other_changes_of_a_variation(settings: params.Params) -> None:
    base, learned = settings.collapse.complete(settings.collapse.cases["relu"]), settings.target_of("relu")
    same = Variation.model_validate(base.model_dump() | {"target": learned.model_dump(), "follow": []})

    def changes(**values: object) -> str:
        return labels.changes(Variation.model_validate(same.model_dump() | values), base, learned)

    assert changes() == "nothing"
    assert changes(activation="leaky_relu", negative_slope=0.1) == "Leaky ReLU (slope 0.1)"
    assert changes(biases=True) == "with biases"
    assert changes(loss="mean_absolute_error") == "mean absolute error"
    assert changes(widths=[1, *[3] * 9]) == "layers of 1, then 9 × 3 units"
    assert changes(epochs=1) == "1 epoch"
    assert changes(initializer={"name": "he_normal"}) == "He normal"
    assert changes(first_initializer={"name": "glorot_uniform"}) == "nothing"  # it is that of all layers
    assert changes(target=learned.model_dump() | {"function": "abs_x", "points": 1}) == "|x|, 1 point"
    every = {"biases": True, "optimizer": {"name": "sgd"}, "batch_size": 5, "epochs": 20}
    assert changes(**every) == "with biases, SGD (0.01), batches of 5, 20 epochs"


def test_a_variation_of_depth_and_width_says_both(settings: params.Params) -> None:
    """The case has layers of 1, then 9 × 2 units; the variation has three layers of 5, so that both sizes differ."""
    base, learned = settings.collapse.complete(settings.collapse.cases["relu"]), settings.target_of("relu")
    values = base.model_dump() | {"target": learned.model_dump(), "follow": [], "widths": [5, 5, 5]}
    assert "5" in labels.changes(Variation.model_validate(values), base, learned)


def test_criteria_have_the_names_that_events_have() -> None:
    assert labels.criteria(1e-3) == {"within": "range ≤ 0.001", "exact": "range exactly 0"}
    events = labels.events(1e-3)
    assert events["collapsed"] == f"{labels.criteria(1e-3)['within']} after it"
    assert events["born_dead"] == f"{labels.criteria(1e-3)['exact']} before training"
    assert len(set(events.values())) == 5
