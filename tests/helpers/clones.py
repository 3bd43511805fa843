"""Make Git repositories with the pipeline's files and small params, in which tests run the real `dvc`."""

import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

from helpers.projects import ROOT, write_small_params

PACKAGE = ROOT / "src" / "deadrelu"
FILES = ("dvc.yaml", "reports/report.ipynb", "src/deadrelu", "Makefile", ".ci", ".dvcignore", ".gitignore")
DVC_FILES = (".dvc/config", ".dvc/.gitignore", ".dvc/plots", ".dvc/plots_page.html")


def make(folder: Path, write_params: Callable[[Path], None] = write_small_params) -> None:
    """Make a repository with one commit, in which no stage has run."""
    for name in (*FILES, *DVC_FILES):
        copy(ROOT / name, folder / name)
    write_params(folder / "params.yaml")
    run(folder, "git", "init", "--quiet", "--initial-branch=main")
    run(folder, "git", "config", "user.name", "test")
    run(folder, "git", "config", "user.email", "test@localhost")
    commit(folder)


def copy(source: Path, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    if source.is_dir():
        shutil.copytree(source, target, ignore=shutil.ignore_patterns("__pycache__"))
    else:
        shutil.copy(source, target)


def commit(folder: Path) -> None:
    run(folder, "git", "add", "--all")
    run(folder, "git", "commit", "--quiet", "-m", "state")


def run(folder: Path, *command: str) -> str:
    """Run a command that must succeed, and return what it prints to stdout."""
    done = attempt(folder, *command)
    assert done.returncode == 0, f"{command}: {done.stdout}{done.stderr}"
    return done.stdout


def attempt(folder: Path, *command: str) -> subprocess.CompletedProcess[str]:
    """Run a command with dvc and deadrelu of this environment, the folder's code and the bundled digits."""
    env = environment(folder)
    return subprocess.run(command, cwd=folder, env=env, capture_output=True, text=True, check=False)


def environment(folder: Path) -> dict[str, str]:
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    env = {key: value for key, value in os.environ.items() if key != "MNIST_DIR" and not key.startswith("GITHUB_")}
    return env | {"PATH": path, "PYTHONPATH": str(folder / "src"), "DVC_NO_ANALYTICS": "1"}


def stages_run(output: str) -> list[str]:
    return [line.split("'")[1] for line in output.splitlines() if line.startswith("Running stage")]


def edit(path: Path, old: str, new: str) -> None:
    text = path.read_text()
    assert text.count(old) == 1
    path.write_text(text.replace(old, new))
