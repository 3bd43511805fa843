"""Shared fixtures: the project's settings and points, a small project, a run of the pipeline, and a browser."""

import os
import shutil
import signal
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from filelock import FileLock
from helpers import clones
from helpers.processes import become_subreaper, children, kill_all
from helpers.projects import ROOT, write_params_of_pipeline, write_small_params
from playwright.sync_api import Browser, sync_playwright

from deadrelu.engine import targets
from deadrelu.settings import params

os.environ["KERAS_BACKEND"] = "tensorflow"
os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"

BROWSERS = ("chromium", "chromium-browser", "google-chrome")


FIRST = (
    *("check/test_check", "engine/test_trials", "whole/test_pipeline", "whole/test_crashes", "report/test_figures"),
    *("whole/test_readme", "whole/test_dvc", "report/test_page", "whole/"),
)
"""Test files that run first, because they take longest and would otherwise keep other processes waiting at the end.
The first makes the pipeline's run; the others in the first line do not wait for it."""


def pytest_configure() -> None:
    """Restore the SIGINT handler, also for child processes: shells start background commands with SIGINT ignored."""
    signal.signal(signal.SIGINT, signal.default_int_handler)
    become_subreaper()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call() -> Iterator[None]:
    """End every process that a test started, even if the test failed."""
    before = set(children())
    try:
        return (yield)
    finally:
        kill_all(process for process in children() if process not in before)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Sort the files that take longest to the front."""

    def place(item: pytest.Item) -> int:
        path = item.path.as_posix()
        return next((k for k, name in enumerate(FIRST) if name in path), len(FIRST))

    items.sort(key=place)


def chromium() -> str | None:
    """Return the path of Debian's chromium or of Chrome, or None."""
    return next(filter(None, map(shutil.which, BROWSERS)), None)


def pytest_unconfigure(config: pytest.Config) -> None:
    """Report in the last line which tests could not run on this machine."""
    if not hasattr(config, "workerinput") and not config.option.collectonly and chromium() is None:
        print("Not tested: pages in a browser, which `apt-get install chromium` brings.")


@pytest.fixture(scope="session")
def settings() -> params.Params:
    """Return the settings in the project's own params.yaml."""
    return params.load(ROOT / "params.yaml")


@pytest.fixture(scope="session")
def points() -> tuple[np.ndarray, np.ndarray]:
    """Return the notebook's 3,000 training points."""
    x, y = targets.Target("x_sin_x", -(7**0.5), 7**0.5, 3000).sample(10)
    return x[:, 0], y[:, 0]


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Make and enter a folder with params for a run of seconds: three panels, 8 trials, bundled digits, no results."""
    folder = tmp_path / "project"
    (folder / "reports").mkdir(parents=True)
    shutil.copy(ROOT / "reports" / "report.ipynb", folder / "reports")
    write_small_params(folder / "params.yaml")
    monkeypatch.chdir(folder)
    monkeypatch.delenv("MNIST_DIR", raising=False)
    return folder


@pytest.fixture(scope="session")
def pipeline(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a repository in which `dvc repro` ran and the results were accepted; all workers share it: only read it.

    The file `repro.log` next to it holds what `dvc repro` printed.
    """
    workers = "PYTEST_XDIST_WORKER" in os.environ
    base = tmp_path_factory.getbasetemp().parent if workers else tmp_path_factory.getbasetemp()
    folder, done = base / "pipeline", base / "pipeline.done"
    with FileLock(base / "pipeline.lock"):
        if not done.exists():
            clones.make(folder, write_params_of_pipeline)
            printed = clones.run(folder, "dvc", "repro")
            clones.run(folder, "deadrelu", "check", "--update", "--seeds", "20")
            clones.commit(folder)
            (base / "repro.log").write_text(printed)
            done.touch()
    return folder


@pytest.fixture
def repository(pipeline: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Make a copy of that repository that the test may change, and enter it."""
    folder = tmp_path / "repository"
    shutil.copytree(pipeline, folder, symlinks=True)
    monkeypatch.chdir(folder)
    monkeypatch.delenv("MNIST_DIR", raising=False)
    return folder


@pytest.fixture(scope="module")  # closed before other modules run: Playwright keeps an event loop in this thread
def browser() -> Iterator[Browser]:
    """Yield a running chromium; where there is none, skip the test, or fail it on CI."""
    if (program := chromium()) is None:
        text = "no chromium on this machine: `apt-get install chromium` for the tests of pages"
        pytest.fail(text) if os.environ.get("CI") else pytest.skip(text)
    with sync_playwright() as playwright:
        opened = playwright.chromium.launch(executable_path=program, args=["--no-sandbox"])
        yield opened
        opened.close()
