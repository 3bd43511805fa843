"""What several test modules need: the project's files, its networks, and a folder with a small pipeline."""

import os
import shutil
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from browser import browser  # noqa: F401  a fixture

from deadrelu import engine
from deadrelu.settings import initializers, params, targets

os.environ["KERAS_BACKEND"] = "tensorflow"
os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"

ROOT = Path(__file__).parents[1]


@pytest.fixture(scope="session")
def settings() -> params.Params:
    """The project's own params.yaml."""
    return params.load(ROOT / "params.yaml")


@pytest.fixture(scope="session")
def points() -> tuple[np.ndarray, np.ndarray]:
    """The notebook's 3,000 training points."""
    return targets.sample("x_sin_x", -(7**0.5), 7**0.5, 3000, seed=10)


def network(case: params.CollapseCase) -> engine.Network:
    """The engine's description of a case of one input and output."""
    return engine.Network(
        widths=tuple(case.widths),
        activation=case.activation,
        negative_slope=case.negative_slope,
        biases=case.biases,
        initialize=initializers.sampler(case.initializer),
    )


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with params for a run of seconds: two panels, 8 trials, the bundled digits."""
    folder = tmp_path / "project"
    (folder / "reports").mkdir(parents=True)
    shutil.copy(ROOT / "reports" / "report.ipynb", folder / "reports")
    write_small_params(folder / "params.yaml")
    monkeypatch.chdir(folder)
    monkeypatch.delenv("MNIST_DIR", raising=False)
    return folder


def write_small_params(path: Path) -> None:
    """The project's params.yaml, cut down."""
    from ruamel.yaml import YAML

    yaml = YAML()
    tree = yaml.load(ROOT / "params.yaml")
    tree["data"]["mnist"]["source"] = "bundled"
    tree["data"]["target"]["points"] = 200
    tree["activations"]["network"] = {"hidden_layers": 3, "width": 20}
    kept = ("tanh-glorot_normal", "relu-he_normal")
    tree["activations"]["cases"] = {key: tree["activations"]["cases"][key] for key in kept}
    training = {"examples": 100, "validation": 50, "epochs": 1, "trials": 2, "mlp": {"hidden_layers": 1, "width": 8}}
    training["cnn"] = {"examples": 40, "validation": 20, "batch_size": 16}
    tree["training"] |= training
    kept = ("mlp-he_normal", "cnn-zeros")
    tree["training"]["cases"] = {key: tree["training"]["cases"][key] for key in kept}
    tree["collapse"]["trials"] = 8
    tree["collapse"]["epochs"] = 1
    cases = tree["collapse"]["cases"]
    tree["collapse"]["cases"] = {key: cases[key] for key in ("relu", "leaky_relu", "relu-continued", "step_sin_5x-rai")}
    cases["relu-continued"]["fits"] = 2
    cases["step_sin_5x-rai"]["epochs"] = 2
    cases["step_sin_5x-rai"]["target"]["points"] = 200
    tree["safe_region"] |= {"depth": {"low": 2, "high": 3}, "width": {"low": 1, "high": 2}, "networks": 100}
    tree["safe_region"]["trained"] |= {"depths": [1, 3], "widths": [2], "trials": 6, "epochs": 2, "batch_size": 32}
    yaml.dump(tree, path)


def wait_until(true: Callable[[], bool], seconds: float = 60) -> None:
    """Look again and again; fail where it does not become true."""
    deadline = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < deadline
        time.sleep(0.02)
