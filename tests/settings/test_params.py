"""Test that `params.yaml` is read strictly: each wrong value is refused in one line that names its key."""

from pathlib import Path

import pytest
from ruamel.yaml import YAML

from deadrelu.errors import InputError
from deadrelu.settings import params
from deadrelu.stages import experiments

ROOT = Path(__file__).parents[2]


def write_with(tmp_path: Path, dotted: str, value: object) -> Path:
    """Write a copy of the project's params.yaml with one value set, and return its path."""
    yaml = YAML()
    tree = yaml.load(ROOT / "params.yaml")
    *parents, last = dotted.split("/")
    node = tree
    for key in parents:
        node = node[key]
    node[last] = value
    path = tmp_path / "params.yaml"
    yaml.dump(tree, path)
    return path


def test_project_params_are_the_notebooks() -> None:
    loaded = params.load(ROOT / "params.yaml")
    assert len(loaded.activations.cases) == 10
    assert loaded.collapse.cases["relu"].widths == [1] + [2] * 9
    assert loaded.collapse.cases["leaky_relu"].negative_slope == 0.1


@pytest.mark.parametrize(
    ("dotted", "value", "named"),
    [
        ("collapse/trails", 10, "collapse.trails"),
        ("collapse/trials", "1000", "collapse.trials"),
        ("collapse/trials", 0, "collapse.trials"),
        ("collapse/trials", 10.5, "collapse.trials"),
        ("collapse/tolerance", float("nan"), "collapse.tolerance"),
        (
            "collapse/cases/x_sin_5x-he/target",
            "x_sin_5",
            "collapse.cases.x_sin_5x-he.target: received 'x_sin_5'; ",
        ),
        (
            "sensitivity/x_sin_5x-rai/variations/sgd/target",
            "abs_x",
            "sensitivity.x_sin_5x-rai.variations.sgd.target: received 'abs_x'; expected a group of keys",
        ),
        (
            "sensitivity/x_sin_5x-rai/variations/sgd",
            128,
            "sensitivity.x_sin_5x-rai.variations.sgd: received 128; expected a group of keys",
        ),
        (
            "collapse/cases/relu/initializer",
            "he_normal",
            "collapse.cases.relu.initializer: received 'he_normal'; expected a group of keys",
        ),
        ("seed", -1, "seed: received -1; expected a number greater than or equal to 0"),
        ("seed", "ten", "seed: received 'ten'; expected a valid integer"),
        ("seed", True, "seed"),
        ("data/mnist/source", "internet", "data.mnist.source"),
        ("data/targets/x_sin_x/low", 9.0, "data.targets.x_sin_x"),
        ("data/target", {"function": "abs_x"}, "data: target is an old key: expected data.targets.NAME"),
        ("collapse/cases/v1.5", {"activation": "relu", "target": "x_sin_x", "widths": [1]}, "collapse.cases.v1.5"),
        ("collapse/cases/relu/widths", [0], "collapse.cases.relu.widths.0"),
        (
            "collapse/cases/relu/widths",
            [512] * 100,
            "collapse.cases.relu: widths must make a network of at most 1,000,000",
        ),
        ("collapse/cases/relu/negative_slope", 0.1, "collapse.cases.relu"),
        ("activations/cases/relu-he_normal/initializer", {"name": "he"}, "activations.cases.relu-he_normal"),
        (
            "activations/cases/relu-he_normal/initializer",
            {},
            "activations.cases.relu-he_normal.initializer: this group",
        ),
        (
            "activations/cases/summary",
            {"activation": "relu", "initializer": {"name": "he_normal"}},
            "activations.cases",
        ),
        ("data/targets/x_sin_x/high", 1e308, "data.targets.x_sin_x.high"),
        ("collapse/cases/relu/initializer", {"name": "rai"}, "collapse.cases.relu: rai draws biases"),
        ("activations/cases/relu-he_normal/initializer", {"name": "rai"}, "activations.cases.relu-he_normal"),
        ("collapse/cases/relu/protocol", "refit", "collapse.cases.relu: fits must be given"),
        ("collapse/cases/relu/fits", 3, "collapse.cases.relu: fits must be given"),
        ("collapse/cases/relu/protocol", "both", "collapse.cases.relu.protocol"),
        ("collapse/cases/relu/protocol", "continued", "collapse.cases.relu.protocol: received 'continued'; expected"),
        ("safe_region/beside", {}, "safe_region: beside is an old key: expected other_initializers"),
        (
            "safe_region/other_initializers/main",
            {"initializer": {"name": "zeros"}},
            "safe_region.other_initializers: another initializer cannot be called 'main'",
        ),
        (
            "collapse/cases/relu-refit/target",
            "abs_sum_abs_difference",
            "collapse.cases.relu-refit.target: received 'abs_sum_abs_difference'; expected one of one input",
        ),
        (
            "collapse/cases/relu/target",
            {"function": "abs_x", "low": 1.0},
            "collapse.cases.relu.target: a target is described in data.targets: expected its name there",
        ),
        (
            "collapse/cases/relu/target",
            "x",
            "collapse.cases.relu.target: received 'x'; expected one of data.targets",
        ),
        (
            "data/targets/abs_x",
            {"function": "abs_x", "low": -1.0, "high": 1.0, "points": 100, "noise": 0.1},
            "data.targets.abs_x.noise: unknown key; known keys here: function, low, high, points",
        ),
        ("collapse/cases/relu/follow", [2, 1], "collapse.cases.relu.follow: numbers must ascend"),
        ("collapse/cases/relu-refit/follow", [1], "collapse.cases.relu-refit: follow is for independent trials"),
        (
            "collapse/cases/x_sin_5x-rai-he_first/first_initializer",
            {"name": "he_normal", "stdev": 1.0},
            "collapse.cases.x_sin_5x-rai-he_first.first_initializer.stdev: unknown key; known keys here: name",
        ),
        (
            "collapse/cases/relu/first_initializer",
            {"name": "random_normal", "stddev": "1"},
            "collapse.cases.relu.first_initializer.stddev: received",
        ),
        (
            "collapse/cases/relu/initializer",
            {"name": "he_norml"},
            "collapse.cases.relu.initializer.name: unknown name; did you mean he_normal?; expected one of random",
        ),
        (
            "collapse/cases/leaky_relu/negativ_slope",
            0.1,
            "collapse.cases.leaky_relu.negativ_slope: unknown key; did you mean negative_slope?",
        ),
        ("sensitivity/plane/of", "x", "sensitivity.plane.of: received 'x'; expected one of collapse.cases: relu"),
        (
            "sensitivity/plane/of",
            "relu-refit",
            "sensitivity.plane.of: received 'relu-refit'; expected a case of independ",
        ),
        (
            "sensitivity/plane/variations/rai",
            {"optimizer": {"name": "sgd", "rate": 1}},
            "sensitivity.plane.variations.rai.optimizer.rate: unknown key; known keys here: name, learning_rate",
        ),
        (
            "sensitivity/plane/variations/rai",
            {"target": {"point": 3}},
            "sensitivity.plane.variations.rai.target.point: unknown key; did you mean points?",
        ),
        ("sensitivity/readings", {}, "sensitivity: readings is an old key: expected sensitivity.NAME: {of: a case"),
        ("safe_region/trained/of", "x", "safe_region.trained.of: received 'x'; expected one of collapse.cases"),
        (
            "safe_region/trained/of",
            "leaky_relu",
            "safe_region.trained.of: received 'leaky_relu'; expected a case of",
        ),
        ("safe_region/trained/of", "abs_sum_abs_difference-he", "safe_region.trained.of: received 'abs_sum_abs_diff"),
        ("safe_region/trained/of", "relu", "safe_region.trained.initializers: RAI draws biases; expected a case"),
        ("safe_region/depth/low", 30, "safe_region.depth: low must not be above high"),
        ("safe_region/trained/widths", [3, 2], "safe_region.trained.widths: numbers must ascend"),
        ("safe_region/trained/depths", [6, 3], "safe_region.trained.depths: numbers must ascend"),
        ("safe_region/trained/depths", [3, 3], "safe_region.trained.depths: numbers must ascend"),
        ("safe_region/trained/initializers", ["rai"], "safe_region: trained.initializers must be some of main, glorot"),
        ("safe_region/trained/initializers", ["main", "he"], "safe_region: trained.initializers must be some of"),
        (
            "safe_region/trained/biases",
            False,
            "safe_region.trained: biases is an old key: expected of, a case of collapse",
        ),
        ("safe_region/width/high", 101, "safe_region.width: high must be at most 100"),
        ("collapse/cases/relu-refit/fits", 0, "collapse.cases.relu-refit.fits"),
        ("collapse/tolerance", -0.1, "collapse.tolerance"),
        ("data/targets/x_sin_x/low", 2.6457513110645907, "data.targets.x_sin_x"),
        (
            "collapse/cases/relu/optimizer",
            {"name": "sgd", "rate": 1},
            "collapse.cases.relu.optimizer.rate: unknown key",
        ),
    ],
)
def test_wrong_value_is_refused_in_one_line_that_names_it(
    tmp_path: Path, dotted: str, value: object, named: str
) -> None:
    path = write_with(tmp_path, dotted, value)
    with pytest.raises(InputError) as caught:
        params.load(path)
    message = str(caught.value)
    assert f"{path}:{named}" in message
    assert "\n" not in message


def test_case_has_its_own_length_or_that_of_all() -> None:
    loaded = params.load(ROOT / "params.yaml")
    settings = loaded.collapse
    assert settings.epochs_of("relu") == settings.epochs
    assert loaded.target_of("relu") == loaded.data.targets["x_sin_x"]
    case = settings.cases["abs_sum_abs_difference-he"]
    assert settings.epochs_of("abs_sum_abs_difference-he") == case.epochs
    complete = settings.complete(case)
    assert (complete.trials, complete.epochs, complete.batch_size) == (case.trials, case.epochs, settings.batch_size)
    complete = settings.complete(settings.cases["relu"])
    assert (complete.trials, complete.epochs, complete.batch_size) == (1000, 10, 64)


def test_an_edited_target_changes_the_experiments_that_use_it_and_no_other(tmp_path: Path) -> None:
    before, after = (
        params.load(path) for path in (ROOT / "params.yaml", write_with(tmp_path, "data/targets/x_sin_5x/points", 50))
    )
    for key, case in before.collapse.cases.items():
        same = experiments.of_case(before, key) == experiments.of_case(after, key)
        assert same == (case.target != "x_sin_5x")
    for key, table in before.sensitivity.items():
        same = experiments.of_variations(before, key) == experiments.of_variations(after, key)
        changed_points = {"hundred_points"} & table.variations.keys()
        assert same == (before.collapse.cases[table.of].target != "x_sin_5x"), changed_points
    assert experiments.of_grid(before) != experiments.of_grid(after)


def test_a_variation_is_its_case_with_what_it_names() -> None:
    loaded = params.load(ROOT / "params.yaml")
    case, table = loaded.collapse.cases["x_sin_5x-rai-he_first"], loaded.sensitivity["x_sin_5x-rai"]
    sgd, few = table.variations["sgd"], table.variations["hundred_points"]
    assert sgd.optimizer.name == "sgd"
    assert (sgd.widths, sgd.initializers, sgd.epochs) == (case.widths, case.initializers, case.epochs)
    assert few.target == loaded.target_of(table.of).model_copy(update={"points": 100})
    assert sgd.follow == [] != case.follow
    assert params.Params.model_validate(loaded.model_dump()) == loaded


def test_experiments_are_told_apart_by_their_digests() -> None:
    loaded = params.load(ROOT / "params.yaml")
    listed = [experiments.of_case(loaded, key) for key in loaded.collapse.cases]
    listed += [variation for key in loaded.sensitivity for variation in experiments.of_variations(loaded, key).values()]
    listed += experiments.of_grid(loaded).values()
    assert len({experiment.digest for experiment in listed}) == len(set(listed)) == len(listed)
    again = [experiments.of_case(params.load(ROOT / "params.yaml"), key) for key in loaded.collapse.cases]
    assert [experiment.digest for experiment in again] == [experiment.digest for experiment in listed[: len(again)]]


def test_one_depth_and_one_width_are_a_grid(tmp_path: Path) -> None:
    loaded = params.load(write_with(tmp_path, "safe_region/depth", {"low": 3, "high": 3}))
    assert list(loaded.safe_region.depth.values) == [3]


def test_every_case_is_of_one_kind() -> None:
    settings = params.load(ROOT / "params.yaml")
    kinds = [*settings.main_cases, *settings.other_cases, *settings.collapse.refit]
    assert sorted(kinds) == sorted(settings.collapse.cases)
    assert settings.main_cases == ["relu", "leaky_relu"]


def test_a_new_case_put_first_is_not_the_reports_question(tmp_path: Path) -> None:
    tree = YAML(typ="safe").load(ROOT / "params.yaml")
    new = {"activation": "tanh", "target": "abs_x", "widths": [3]}
    tree["collapse"]["cases"] = {"new": new, **tree["collapse"]["cases"]}
    YAML().dump(tree, tmp_path / "params.yaml")
    assert params.load(tmp_path / "params.yaml").main_cases == ["relu", "leaky_relu"]


def test_unknown_key_is_answered_with_the_known_ones(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="known keys here: trials, epochs, batch_size, tolerance, cases"):
        params.load(write_with(tmp_path, "collapse/trails", 10))


def test_mistyped_key_is_named_rather_than_the_one_it_leaves_missing(tmp_path: Path) -> None:
    path = tmp_path / "params.yaml"
    path.write_text((ROOT / "params.yaml").read_text().replace("  tolerance:", "  tolerence:"))
    with pytest.raises(InputError, match=r"params\.yaml:collapse\.tolerence: unknown key"):
        params.load(path)
    path.write_text((ROOT / "params.yaml").read_text().replace("  tolerance: 0.001", ""))
    with pytest.raises(InputError, match=r"params\.yaml:collapse\.tolerance: this key is required; received nothing"):
        params.load(path)


@pytest.mark.parametrize("text", ["seed: [", "\x00", "- 1", ""])
def test_file_that_is_no_params_file_is_refused(tmp_path: Path, text: str) -> None:
    path = tmp_path / "params.yaml"
    path.write_text(text)
    with pytest.raises(InputError, match=r"params\.yaml"):
        params.load(path)


def test_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"nowhere\.yaml"):
        params.load(tmp_path / "nowhere.yaml")
