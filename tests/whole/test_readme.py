"""The README: its numbers are the committed ones, its commands and code run."""

import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest
from helpers import clones
from helpers.projects import ROOT
from ruamel.yaml import YAML

from deadrelu.report import rate_findings
from deadrelu.settings import params

README = (ROOT / "README.md").read_text()
ELSEWHERE = ("make ", "source .venv/", "pip install", "deadrelu bench", "dask ", "DASK_SCHEDULER_ADDRESS=")
"""Commands that are not run here: `.ci/run` and other tests do."""

LONG = "training.examples=60000", "safe_region.depth.high=50", "fits=1000"
"""Experiments of minutes and hours: their settings are checked."""


def commands(text: str) -> list[str]:
    """What a reader would type, in order."""
    blocks = re.findall(r"^```console\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)
    return [line.removeprefix("$ ") for block in blocks for line in block.splitlines() if line.startswith("$ ")]


def failures(folder: Path, typed: list[str]) -> tuple[list[str], dict[str, str]]:
    """Run commands in turn; those that fail, with what they say, and the output of all."""
    failed, printed = [], {}
    for command in typed:
        done = clones.attempt(folder, "bash", "-c", command)
        printed[command] = done.stdout
        if done.returncode:
            failed.append(f"{command}: {done.stdout[-500:]}{done.stderr[-1000:]}")
    return failed, printed


@pytest.fixture(scope="module")
def clone(pipeline: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A repository in which the pipeline ran and was accepted, with the model of the README."""
    folder = tmp_path_factory.mktemp("readme") / "repository"
    shutil.copytree(pipeline, folder, symlinks=True)
    clones.run(folder, sys.executable, "-c", python()[0])
    with (folder / ".git" / "info" / "exclude").open("a") as file:
        file.write("model*\n*.npy\n")
    return folder


def python() -> list[str]:
    return re.findall(r"^```python\n(.*?)^```$", README, re.MULTILINE | re.DOTALL)


def test_every_command_succeeds(clone: Path) -> None:
    typed = [c for c in commands(README) if not c.startswith(ELSEWHERE) and not any(word in c for word in LONG)]
    for needed in (
        *(
            "dvc params diff",
            "dvc repro",
            "dvc metrics diff",
            "dvc plots diff",
            "dvc exp run --queue",
            "dvc exp run -n",
        ),
        *("dvc exp show", "deadrelu check", "deadrelu inspect", "git checkout"),
    ):
        assert any(command.startswith(needed) for command in typed)
    # Of three experiments in the queue the first stands for the others: each takes DVC a quarter of a minute.
    typed = [re.sub(r"(--queue .*=[^,]*),.*", r"\1", command) for command in typed]
    failed, printed = failures(clone, typed)
    assert not failed
    by_start = {
        start: next(out for command, out in printed.items() if command.startswith(start))
        for start in ("dvc params diff", "dvc exp show", "deadrelu check", "dvc plots diff")
    }
    assert "collapse.cases.leaky_relu.negative_slope" in by_start["dvc params diff"]
    rows = [line for line in by_start["dvc exp show"].splitlines() if "[" in line]
    assert len(rows) == 2
    assert any("[steeper]" in row and row.split("|")[-2].strip() == "0.2" for row in rows)
    assert by_start["deadrelu check"].splitlines()[-1].startswith("identical: ")
    assert (clone / "dvc_plots" / "index.html").exists()
    assert clones.run(clone, "git", "status", "--porcelain") == ""  # the README leads back


def test_a_command_that_fails_is_noticed(clone: Path) -> None:
    text = "```console\n$ dvc metrics diff\n$ dvc metrics dif\nPath  Metric\n$ deadrelu chek   # typo\n```\n"
    failed, _ = failures(clone, commands(text))
    assert [line.split(":")[0] for line in failed] == ["dvc metrics dif", "deadrelu chek   # typo"]


def test_settings_of_long_experiments_are_valid() -> None:
    """The override of a key that does not exist, or with a value out of range, is found without hours of training."""
    long = [command for command in commands(README) if any(word in command for word in LONG)]
    assert len(long) == 3
    for command in long:
        tree = YAML(typ="safe").load(ROOT / "params.yaml")
        overrides = re.findall(r"-S '?([a-z0-9_.-]+)=([^\s']+)", command)
        assert overrides
        for dotted, value in overrides:
            *groups, key = dotted.split(".")
            branch = tree
            for group in groups:
                branch = branch[group]
            assert key in branch
            branch[key] = json.loads(value)
        params.Params.model_validate(tree)


def test_other_commands_are_there() -> None:
    for target in sorted({command.split()[1] for command in commands(README) if command.startswith("make ")}):
        subprocess.run(["make", "--dry-run", target], cwd=ROOT, capture_output=True, check=True)
    for command in sorted(set(re.findall(r"`(deadrelu [a-z-]+)", README))):
        clones.run(ROOT, *command.split(), "--help")


def test_python_runs(clone: Path) -> None:
    model, inspection, engine = python()
    loaded = "import keras, numpy as np\nmodel = keras.saving.load_model('model.keras')\n"
    arrays = "x, labels = np.load('x.npy'), np.load('labels.npy')\n"
    assert "model.keras" in model
    shown = clones.run(clone, sys.executable, "-c", loaded + arrays + inspection)
    assert "dense_1" in shown
    losses = [float(line.split()[1]) for line in clones.run(clone, sys.executable, "-c", engine).splitlines()]
    assert len(losses) >= 1
    assert all(0 < loss < 10 for loss in losses)


def test_it_shows_the_committed_numbers() -> None:
    metrics = json.loads((ROOT / "reports" / "metrics.json").read_text())
    for case in metrics["collapse"].values():
        low, high = case["rate_low"], case["rate_high"]
        assert f"| **{case['rate']:.3f}** ({low:.3f} to {high:.3f}) |" in README
    loops = pd.read_csv(ROOT / "reports" / "tables" / "loop_numbers.csv")
    loops = loops[loops["criterion"] == "probes_equal"].set_index(["case", "number"])["loops"]
    ones, zeros = loops["relu-continued", 1.0], loops["relu-continued", 0.0]
    assert f"{ones} would print exactly 1 and {zeros} exactly 0" in " ".join(README.split())
    assert f"of {loops['leaky_relu-continued', 0.0]} with Leaky ReLU, all would print 0" in " ".join(README.split())
    cells = pd.read_csv(ROOT / "reports" / "tables" / "born_dead.csv")
    widths = re.findall(r"(\d+) layers: (\d+) units", rate_findings.wide_enough(cells, 0.01))
    (shallow, _), (middle, _), (deep, _) = widths
    text = f"takes {{}} units in each of {shallow} layers, {{}} of {middle}, {{}} of {deep};"
    assert text.format(*(width for _, width in widths)) in " ".join(README.split())
