"""Test README.md and docs/: numbers are the committed ones, commands and code run, and links have targets."""

import contextlib
import importlib.util
import json
import re
import shutil
import subprocess
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd
import pytest
from helpers import clones
from helpers.commands import deadrelu
from helpers.projects import ROOT
from inspection import strangers, test_soak
from ruamel.yaml import YAML

from deadrelu.report import grid_findings
from deadrelu.settings import params

README = (ROOT / "README.md").read_text()
PAGES = {
    path.relative_to(ROOT).as_posix(): path.read_text()
    for path in sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/*.md")])
}
DOCS = {name: text for name, text in PAGES.items() if name.startswith("docs/")}
ELSEWHERE = ("make ", "source .venv/", "pip install", "dask ", "DASK_SCHEDULER_ADDRESS=")
"""Beginnings of commands that are not run here, but by `.ci/run` or other tests."""

LONG = "training.examples=60000", "safe_region.depth.high=50", "fits=1000"
"""Parts of commands that take minutes or hours, of which only the settings are checked."""


def commands(text: str) -> list[str]:
    """Return the commands that a reader would type, in order."""
    blocks = re.findall(r"^```console\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)
    return [line.removeprefix("$ ") for block in blocks for line in block.splitlines() if line.startswith("$ ")]


def to_run(text: str) -> list[str]:
    """Return the commands of a text that are run here."""
    return [c for c in commands(text) if not c.startswith(ELSEWHERE) and not any(word in c for word in LONG)]


def python(text: str) -> list[str]:
    return re.findall(r"^```python\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)


def failures(folder: Path, typed: list[str]) -> tuple[list[str], dict[str, str]]:
    """Run commands in turn; return those that fail, with their messages, and the output of all."""
    failed, printed = [], {}
    for command in typed:
        done = clones.attempt(folder, "bash", "-c", command)
        printed[command] = done.stdout
        if done.returncode:
            failed.append(f"{command}: {done.stdout[-500:]}{done.stderr[-1000:]}")
    return failed, printed


@pytest.fixture(scope="module")
def clone(pipeline: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Make a repository in which the pipeline ran and was accepted, with the model of docs/inspect.md."""
    folder = tmp_path_factory.mktemp("readme") / "repository"
    shutil.copytree(pipeline, folder, symlinks=True)
    with contextlib.chdir(folder):
        exec(python(DOCS["docs/inspect.md"])[0], {})
    with (folder / ".git" / "info" / "exclude").open("a") as file:
        file.write("model*\n*.npy\nseeds.csv\n")
    return folder


def test_every_command_of_the_readme_succeeds(clone: Path) -> None:
    """A reader's changed setting runs and is compared; this takes twenty seconds."""
    typed = to_run(README)
    for needed in (
        "dvc params diff",
        "dvc repro",
        "dvc metrics diff",
        "dvc plots diff",
        "deadrelu check",
        "git checkout",
    ):
        assert any(command.startswith(needed) for command in typed)
    failed, printed = failures(clone, typed)
    assert not failed
    assert "collapse.cases.leaky_relu.negative_slope" in printed["dvc params diff"]
    assert printed["deadrelu check"].splitlines()[-1].startswith("identical: ")
    assert (clone / "dvc_plots" / "index.html").exists()
    assert clones.run(clone, "git", "status", "--porcelain") == ""  # the README's last commands restore the files


@pytest.mark.parametrize(
    "page", [pytest.param(name, marks=pytest.mark.soak if name == "docs/experiments.md" else []) for name in DOCS]
)
def test_every_command_of_a_page_succeeds(page: str, clone: Path) -> None:
    # Only the first of three experiments in the queue is run: each takes DVC a quarter of a minute.
    typed = [re.sub(r"(--queue .*=[^,(]*),.*", r"\1", command) for command in to_run(DOCS[page])]
    typed = [command.replace("range(0,100)", "range(11,12)") for command in typed]
    failed, printed = failures(clone, typed)
    assert not failed
    if page == "docs/experiments.md":
        (table,) = [text for command, text in printed.items() if command.startswith("dvc exp show --md")]
        rows = [line for line in table.splitlines() if "[" in line]
        assert len(rows) == 2
        assert any("[steeper]" in row and row.split("|")[-2].strip() == "0.2" for row in rows)
    assert clones.run(clone, "git", "status", "--porcelain") == ""


def test_a_command_that_fails_is_noticed(clone: Path) -> None:
    text = "```console\n$ dvc metrics diff\n$ dvc metrics dif\nPath  Metric\n$ deadrelu chek   # typo\n```\n"
    failed, _ = failures(clone, commands(text))
    assert [line.split(":")[0] for line in failed] == ["dvc metrics dif", "deadrelu chek   # typo"]


def test_settings_of_long_experiments_are_valid() -> None:
    """An override with an unknown key, or with a value out of range, is found without hours of training."""
    long = [c for text in PAGES.values() for c in commands(text) if any(word in c for word in LONG)]
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
    text = "\n".join(PAGES.values())
    for target in sorted({command.split()[1] for command in commands(text) if command.startswith("make ")}):
        subprocess.run(["make", "--dry-run", target], cwd=ROOT, capture_output=True, check=True)
    present = "\n".join(text for name, text in PAGES.items() if name != "CHANGELOG.md")  # which names removed commands
    for command in sorted(set(re.findall(r"`(deadrelu [a-z-]+)", present))):
        assert deadrelu(*command.split()[1:], "--help").returncode == 0


@pytest.mark.parametrize("page", PAGES)
def test_links_and_pictures_lead_somewhere(page: str) -> None:
    """Links to files of the repository, and to headings in them, have targets; web addresses are not checked."""
    for target in re.findall(r"\]\(([^)\s]+)\)", PAGES[page]):
        if re.match("[a-z]+:", target):
            continue
        name, _, heading = target.partition("#")
        path = (ROOT / page).parent / name if name else ROOT / page
        assert path.exists(), target
        if heading:
            headings = re.findall(r"^#+ (.*)$", path.read_text(), re.MULTILINE)
            assert heading in {re.sub(r"[^\w -]", "", text.lower()).replace(" ", "-") for text in headings}, target


def test_tests_that_pages_name_are_there() -> None:
    for page, text in DOCS.items():
        for name in re.findall(r"`((?:\w+/)*(?:test_\w+\.py|arm64\.sh))`", text):
            assert (ROOT / "tests" / name.removeprefix("tests/")).exists(), f"{page}: {name}"


def test_counts_of_models_of_strangers_are_those_of_the_soak() -> None:
    text, models = " ".join(DOCS["docs/inspect.md"].split()), len(strangers.TORCH)
    assert f"has {models} PyTorch models and {len(strangers.KERAS)} Keras models" in text
    for plant, words in (
        ("dead", "dead layer"),
        ("NaN", "NaN"),
        ("× 0.02", "factor of 0.02"),
        ("× 50", "factor of 50"),
    ):
        absent = test_soak.WITHOUT_PAIR if plant == "dead" else test_soak.WITHOUT_LAYERS
        planted = models - len(absent)
        assert f"{words} in {planted - sum(missed == plant for _, missed in test_soak.UNSEEN)} of {planted}" in text


def test_readme_fits_a_few_screens_and_names_every_package() -> None:
    assert len(README.encode()) < 10_000
    packages = {path.parent.name for path in clones.PACKAGE.glob("*/__init__.py")}
    assert packages == set(re.findall(r"`(\w+)/`", README.split("## Where things are")[1].split("## Limits")[0])) - {
        *("data", "reports", "figures", "tests", "whole", "benchmarks"),
    }


def callback_failures(code: str, namespace: dict[str, Any]) -> list[str]:
    """Call the callbacks for other libraries as these do; return the names that were not logged."""
    logged: dict[str, Any] = {}
    exec(code, namespace)
    network, x = namespace["network"], namespace["x"][:64]
    network.log_dict = logged.update  # as a LightningModule has it
    namespace["LightningDeadUnits"](x).on_train_epoch_end(SimpleNamespace(current_epoch=1), network)
    state = SimpleNamespace(epoch=1.0, log_history=[])
    namespace["TrainerDeadUnits"](x).on_epoch_end(None, state, None, model=network)
    return [name for name in ("dead_units", "signal") if name not in logged or name not in state.log_history[0]]


def test_python_runs(clone: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    import keras

    (inspection,) = python(README)
    keras.utils.clear_session()  # names of layers count from it
    exec(inspection, {})
    printed = capsys.readouterr().out.splitlines()
    (shown,) = re.findall(r"```python\n.*?```\n+```\n(.*?)```", README, re.DOTALL)
    assert [line for line in shown.splitlines() if line.strip(" …") and line not in printed] == []
    namespace = {"model": keras.saving.load_model(clone / "model.keras")}
    namespace |= {name: np.load(clone / f"{file}.npy") for name, file in (("x", "x"), ("labels", "labels"))}
    *_, watched, torch_example, callbacks = python(DOCS["docs/inspect.md"])
    with contextlib.chdir(tmp_path):
        exec(watched, namespace)
        assert Path("dead_units.png").stat().st_size > 10_000
        if importlib.util.find_spec("torch"):
            exec(torch_example, namespace)
            assert "since" in capsys.readouterr().out
            assert not callback_failures(callbacks, namespace)
    (aggregation,) = python(DOCS["docs/experiments.md"])
    (clone / "seeds.csv").write_text(clones.run(clone, "dvc", "exp", "show", "--csv"))
    capsys.readouterr()
    with contextlib.chdir(clone):
        exec(aggregation, {})
    mean = re.search(r"^mean +([\d.]+) +([\d.]+)$", capsys.readouterr().out, re.MULTILINE)
    collapse = json.loads((clone / "reports" / "metrics.json").read_text())["collapse"]
    assert mean
    assert [float(rate) for rate in mean.groups()] == [collapse[key]["rate"] for key in ("relu", "leaky_relu")]
    (engine,) = python(DOCS["docs/engine.md"])
    exec(engine, {})
    losses = [float(line.split()[1]) for line in capsys.readouterr().out.splitlines()]
    assert len(losses) >= 1
    assert all(0 < loss < 10 for loss in losses)


QUESTIONS = ("relu", "exact"), ("leaky_relu", "within")
"""Case and criterion of the sentences on networks that die and on those that start slowly."""


def test_they_show_the_committed_numbers() -> None:
    results = " ".join(DOCS["docs/results.md"].split())
    metrics = json.loads((ROOT / "reports" / "metrics.json").read_text())
    rates, values = metrics["collapse"], params.load(ROOT / "params.yaml")
    after = {key: f"**{of['rate']:.3f}** ({of['rate_low']:.3f} to {of['rate_high']:.3f})" for key, of in rates.items()}
    assert rates.keys() == values.collapse.cases.keys()
    for key in values.collapse.refit:
        assert f"| {after[key]} |" in results
    for key in values.other_cases:
        of = rates[key]
        exactly = f"{of['born_dead_rate']:.3f}; {of['dead_rate']:.3f}"
        assert f"| {of['collapsed_before_rate']:.3f}; {after[key]} | {exactly} |" in results
    followed = pd.read_csv(ROOT / "reports" / "tables" / "over_training.csv").set_index(["case", "criterion", "epoch"])
    for key in values.main_cases:
        of, last = rates[key], followed.loc[key, :, 500]["rate"]
        before, late = f"{of['collapsed_before_rate']:.3f}", f"{last['within']:.3f}"
        assert f"| {before} | {after[key]} | {late} |" in README
        exactly = ", ".join(f"{rate:.3g}" for rate in (of["born_dead_rate"], of["dead_rate"], last["exact"]))
        assert f"| {exactly} | {before}, {after[key]}, {late} |" in results
    outcomes = pd.read_csv(ROOT / "reports" / "tables" / "before_and_after.csv").set_index(["case", "criterion"])
    dead, slow = (outcomes.loc[question, ["before", "after", "enter", "leave"]].astype(int) for question in QUESTIONS)
    one_line = " ".join(README.split())
    assert f"{dead['after']} of 1,000 networks are exactly constant after ten epochs." in one_line
    assert f"{dead['before']} are, {dead['enter']} die in training, and none comes back." in one_line
    assert dead["leave"] == 0
    leave = f"Of the {slow['before']} networks that start within 0.001 of a constant, {slow['leave']} leave it"
    assert f"{leave} in ten epochs; {slow['enter']} others enter." in one_line
    loops = pd.read_csv(ROOT / "reports" / "tables" / "loop_numbers.csv")
    loops = loops[loops["criterion"] == "probes_equal"].set_index(["case", "number"])["loops"]
    ones, zeros = loops["relu-refit", 1.0], loops["relu-refit", 0.0]
    assert f"{ones} would print exactly 1 and {zeros} exactly 0" in results
    assert f"Of {loops['leaky_relu-refit', 0.0]} with Leaky ReLU, all would print 0" in results
    cells = pd.read_csv(ROOT / "reports" / "tables" / "born_dead.csv")
    tables = {name: pd.read_csv(ROOT / "reports" / "tables" / f"{name}.csv") for name in ("trained_grid", "explorer")}
    trained = tables["trained_grid"].assign(
        rate=tables["trained_grid"]["dead"], networks=tables["trained_grid"]["trials"]
    )
    results_line = " ".join(results.split())
    for sentence in (grid_findings.wide_enough(cells, 0.01), grid_findings.wide_enough(trained, 0.1)):
        for depth, width in re.findall(r"(\d+) layers: ([^;.]+)[;.]", sentence):
            assert re.search(rf"\b{width} in each of {depth} layers", results_line), (depth, width)
    deepest = cells[(cells["depth"] == cells["depth"].max()) & (cells["width"] == cells["width"].max())].iloc[0]
    share = f"{100 * deepest['rate']:.2f} % are dead ({100 * deepest['low']:.2f} to {100 * deepest['high']:.2f} %)"
    assert f"With {deepest['width']:.0f} units in each of {deepest['depth']:.0f} layers, {share}" in results_line
    (rai,) = grid_findings.trained_initializers(tables["explorer"], values)
    for number in re.findall(r"[\d.]+ % \(|\d+ of \d+ cells", rai):
        assert number in results.replace("\n", " ")
