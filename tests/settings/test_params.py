"""`params.yaml` is read strictly: each wrong value is refused in one line that names its key."""

from pathlib import Path

import pytest
from ruamel.yaml import YAML

from deadrelu.errors import InputError
from deadrelu.settings import params

ROOT = Path(__file__).parents[2]


def write_with(tmp_path: Path, dotted: str, value: object) -> Path:
    """A copy of the project's params.yaml with one value set."""
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
        ("seed", -1, "seed"),
        ("seed", True, "seed"),
        ("data/mnist/source", "internet", "data.mnist.source"),
        ("data/target/low", 9.0, "data.target"),
        ("collapse/cases/v1.5", {"activation": "relu", "widths": [1]}, "collapse.cases.v1.5"),
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
        ("data/target/high", 1e308, "data.target.high"),
        ("data/target/function", "abs_sum_abs_difference", "data.target: a function of one input"),
        ("collapse/cases/relu/initializer", {"name": "rai"}, "collapse.cases.relu: rai draws biases"),
        ("activations/cases/relu-he_normal/initializer", {"name": "rai"}, "activations.cases.relu-he_normal"),
        ("collapse/cases/relu/protocol", "refit", "collapse.cases.relu: fits must be given"),
        ("collapse/cases/relu/fits", 3, "collapse.cases.relu: fits must be given"),
        ("collapse/cases/relu/protocol", "both", "collapse.cases.relu.protocol"),
        ("collapse/cases/relu/protocol", "continued", "collapse.cases.relu.protocol: renamed: expected refit"),
        ("safe_region/beside", {}, "safe_region: beside is renamed: expected other_initializers"),
        (
            "safe_region/other_initializers/main",
            {"initializer": {"name": "zeros"}},
            "safe_region.other_initializers: another initializer cannot be called 'main'",
        ),
        (
            "collapse/cases/relu-refit/target",
            {"function": "abs_sum_abs_difference", "low": -1.0, "high": 1.0, "points": 9},
            "collapse.cases.relu-refit: protocol: refit looks at",
        ),
        ("collapse/cases/relu/target", {"function": "abs_x", "low": 1.0}, "collapse.cases.relu.target.high"),
        (
            "collapse/cases/relu/target",
            {"function": "abs_x", "low": -1.0, "high": 1.0, "points": 100, "noise": 0.1},
            "collapse.cases.relu.target.noise: unknown key; known keys here: function, low, high, points",
        ),
        ("safe_region/depth/low", 30, "safe_region.depth: low must not be above high"),
        ("safe_region/trained/widths", [3, 2], "safe_region.trained.widths: sizes must ascend"),
        ("safe_region/trained/depths", [6, 3], "safe_region.trained.depths: sizes must ascend"),
        ("safe_region/trained/depths", [3, 3], "safe_region.trained.depths: sizes must ascend"),
        ("safe_region/trained/initializers", ["rai"], "safe_region: trained.initializers must be some of main, glorot"),
        ("safe_region/trained/initializers", ["main", "he"], "safe_region: trained.initializers must be some of"),
        ("safe_region/trained/biases", False, "safe_region: trained.initializers: RAI draws biases, and needs"),
        (
            "safe_region/trained/target",
            {"function": "abs_sum_abs_difference", "low": -1.0, "high": 1.0, "points": 9},
            "safe_region.trained.target: a function of one input",
        ),
        ("safe_region/width/high", 101, "safe_region.width: high must be at most 100"),
        ("collapse/cases/relu-refit/fits", 0, "collapse.cases.relu-refit.fits"),
        ("collapse/tolerance", -0.1, "collapse.tolerance"),
        ("data/target/low", 2.6457513110645907, "data.target"),
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


def test_case_has_its_own_length_and_target_or_those_of_all() -> None:
    loaded = params.load(ROOT / "params.yaml")
    settings = loaded.collapse
    assert (settings.trials_of("relu"), settings.epochs_of("relu")) == (settings.trials, settings.epochs)
    assert loaded.target_of("relu") == loaded.data.target
    case = settings.cases["abs_sum_abs_difference-he"]
    assert (settings.trials_of("abs_sum_abs_difference-he"), settings.epochs_of("abs_sum_abs_difference-he")) == (
        case.trials,
        case.epochs,
    )
    assert loaded.target_of("abs_sum_abs_difference-he") == case.target


def test_tables_depend_on_the_points_they_are_trained_on(tmp_path: Path) -> None:
    loaded, other = (
        params.load(path) for path in (ROOT / "params.yaml", write_with(tmp_path, "data/target/points", 50))
    )
    assert loaded.of_collapse("relu") != other.of_collapse("relu")
    assert loaded.of_collapse("x_sin_5x-he") == other.of_collapse("x_sin_5x-he")
    assert loaded.of_safe_region() == other.of_safe_region()  # its networks have a target of their own
    trees = [tree.model_dump() for tree in (loaded, other)]
    for tree in trees:
        tree["safe_region"]["trained"]["target"] = None
    ours, theirs = map(params.Params.model_validate, trees)
    assert ours.of_safe_region() != theirs.of_safe_region()


def test_case_of_refits_with_a_target_is_one_of_refits(tmp_path: Path) -> None:
    target = {"function": "abs_x", "low": -1.0, "high": 1.0, "points": 9}
    loaded = params.load(write_with(tmp_path, "collapse/cases/relu-refit/target", target)).collapse
    assert "relu-refit" in loaded.refit
    assert "relu-refit" not in (*loaded.own_target, *loaded.main)


def test_one_depth_and_one_width_are_a_grid(tmp_path: Path) -> None:
    loaded = params.load(write_with(tmp_path, "safe_region/depth", {"low": 3, "high": 3}))
    assert list(loaded.safe_region.depth.values) == [3]


def test_every_case_is_of_one_kind() -> None:
    settings = params.load(ROOT / "params.yaml").collapse
    assert sorted([*settings.main, *settings.own_target, *settings.refit]) == sorted(settings.cases)
    assert settings.main == ["relu", "leaky_relu"]


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
