"""Write params.yaml with smaller values, and run the stages in this process within seconds."""

import time
from collections.abc import Callable, Iterable
from pathlib import Path

from ruamel.yaml import YAML

from deadrelu import engine
from deadrelu.analysis import load
from deadrelu.report import build
from deadrelu.settings import params
from deadrelu.settings.stages import Trainable
from deadrelu.stages import activations, collapse, data_mnist, data_target, safe_region, sensitivity, training

ROOT = Path(__file__).parents[2]
"""Root folder of this project."""

ACTIVATIONS = ("tanh-glorot_normal", "relu-he_normal", "tanh-glorot_uniform")
TRAINING = ("mlp-he_normal", "cnn-zeros")
TARGETS = ("x_sin_x", "step_sin_5x")
COLLAPSE = ("relu", "leaky_relu", "relu-refit", "step_sin_5x-rai")


def write_small_params(path: Path) -> None:
    """Write the project's params.yaml with smaller values: the bundled digits, few layers, 8 trials of one epoch."""
    yaml = YAML()
    tree = yaml.load(ROOT / "params.yaml")
    tree["data"]["mnist"]["source"] = "bundled"
    targets = {name: tree["data"]["targets"][name] for name in TARGETS}
    for target in targets.values():
        target["points"] = 200
    tree["data"]["targets"] = targets
    tree["activations"]["network"] = {"hidden_layers": 3, "width": 20}
    tree["activations"]["ensemble"] = {"networks": 3, "images": 20}
    tree["activations"]["cases"] = {key: tree["activations"]["cases"][key] for key in ACTIVATIONS}
    tree["training"] |= {"examples": 100, "validation": 50, "epochs": 1, "trials": 2}
    tree["training"]["mlp"] = {"hidden_layers": 1, "width": 8}
    tree["training"]["cnn"] = {"examples": 40, "validation": 20, "epochs": 1, "batch_size": 16, "trials": 2}
    tree["training"]["cases"] = {key: tree["training"]["cases"][key] for key in TRAINING}
    tree["collapse"] |= {"trials": 8, "epochs": 1}
    cases = tree["collapse"]["cases"]
    tree["collapse"]["cases"] = {key: cases[key] for key in COLLAPSE}
    cases["relu"]["follow"] = [0, 1, 3]
    cases["leaky_relu"]["follow"] = [0, 1]
    cases["relu-refit"]["fits"] = 2
    cases["step_sin_5x-rai"]["epochs"] = 2
    tree["safe_region"] |= {"depth": {"low": 2, "high": 3}, "width": {"low": 1, "high": 2}, "networks": 100}
    tree["safe_region"]["trained"] = {
        "of": "relu",
        "depths": [1, 3],
        "widths": [2],
        "initializers": ["main", "glorot_uniform"],
        "trials": 6,
        "epochs": 2,
    }
    tree["sensitivity"] = {
        "rai": {"of": "step_sin_5x-rai", "variations": {"sgd": {"optimizer": {"name": "sgd"}}, "short": {"epochs": 1}}},
        "deep": {"of": "relu", "variations": {"deeper": {"widths": [2, 2, 2]}, "few": {"target": {"points": 50}}}},
    }
    yaml.dump(tree, path)


def write_params_of_pipeline(path: Path) -> None:
    """Write small params, except that narrow networks have the notebook's 1,000 trials, 10 epochs and 3,000 points."""
    write_small_params(path)
    yaml = YAML()
    tree = yaml.load(path)
    tree["data"]["targets"]["x_sin_x"]["points"] = 3000
    tree["collapse"] |= {"trials": 1000, "epochs": 10}
    tree["safe_region"]["networks"] = 10_000
    yaml.dump(tree, path)


STAGES = ("data_target", "activations", "training", "collapse", "safe_region", "sensitivity")


def run_all(settings: params.Params, stages: Iterable[str] = STAGES) -> None:
    """Run all or some of the stages in this process, and write the report's numbers, but not its page."""
    if not Path("data/mnist").exists():
        data_mnist.main(settings)
    if "data_target" in stages:
        data_target.main(settings)
    if "activations" in stages:
        activations.main(settings)
    if "training" in stages:
        training.main(settings)
    for key in settings.collapse.cases if "collapse" in stages else ():
        collapse.main(settings, key)
    if "safe_region" in stages:
        safe_region.main(settings)
    for key in settings.sensitivity if "sensitivity" in stages else ():
        sensitivity.main(settings, key)
    build.write_numbers(load.read(settings), Path("reports"))


def network(case: Trainable) -> engine.Network:
    """Return the engine's description of a case with one input and one output."""
    return engine.Network(
        widths=tuple(case.widths),
        activation=case.activation,
        negative_slope=case.negative_slope,
        biases=case.biases,
        initialize=case.initializer,
    )


def tree(folder: Path) -> dict[str, bytes]:
    """Return the content of every file in a folder by its relative path."""
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def wait_until(true: Callable[[], bool], seconds: float = 60) -> None:
    """Call a function until it returns true; fail if it does not within so many seconds."""
    deadline = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < deadline
        time.sleep(0.02)
