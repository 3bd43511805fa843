"""The pipeline: its files agree with the code, and the real `dvc` reruns what an edit touches and nothing else."""

import ast
import json
import os
import re
import shutil
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from conftest import ROOT, write_small_params
from ruamel.yaml import YAML

from deadrelu import drawings, params, rate_findings

PACKAGE = ROOT / "src" / "deadrelu"
EDGES = {"cli", "errors", "progress"}
"""Modules that change no result: the command line, the error type, the progress bar."""


def resolved_stages() -> dict[str, dict[str, Any]]:
    """Stages of the committed dvc.lock: what DVC makes of dvc.yaml."""
    return dict(YAML(typ="safe").load(ROOT / "dvc.lock")["stages"])


def imports(path: Path) -> set[Path]:
    """Modules of this package that a module imports, directly or not, itself included."""
    found, queue = set(), [path]
    while queue:
        module = queue.pop()
        if module in found:
            continue
        found.add(module)
        code = module.read_text() if module.suffix == ".py" else notebook_code(module)
        for node in ast.walk(ast.parse(code)):
            if isinstance(node, ast.ImportFrom) and node.module and node.module.split(".")[0] == "deadrelu":
                base = PACKAGE.joinpath(*node.module.split(".")[1:])
                names = [base / f"{alias.name}.py" for alias in node.names] + [base.with_suffix(".py")]
                queue += [name for name in names if name.is_file()]
    return found


def notebook_code(path: Path) -> str:
    cells = json.loads(path.read_text())["cells"]
    return "\n".join("".join(cell["source"]) for cell in cells if cell["cell_type"] == "code")


@pytest.mark.parametrize(
    "stage", ["data@mnist", "data@target", "activations", "training", "collapse@relu", "safe_region", "report"]
)
def test_a_stage_depends_on_every_module_it_uses(stage: str) -> None:
    name = stage.replace("data@", "data_").split("@")[0]
    used = imports(PACKAGE / "stages" / f"{name}.py")
    if stage == "report":
        used |= imports(ROOT / "reports" / "report.ipynb")
    listed = {ROOT / dep["path"] for dep in resolved_stages()[stage]["deps"]}
    # data@*: their values stand in params.yaml whole, without a default in params.py that could change a result.
    edges = EDGES | ({"params"} if name.startswith("data_") else set())
    missing = {path.name for path in used - listed if path.stem not in edges}
    assert not missing


def test_lock_is_of_the_committed_params_and_official_digits() -> None:
    stages = resolved_stages()
    values = YAML(typ="safe").load(ROOT / "params.yaml")
    assert stages["report"]["params"]["params.yaml"] == values
    assert {f"collapse@{key}" for key in values["collapse"]["cases"]} <= set(stages)
    metrics = json.loads((ROOT / "reports" / "metrics.json").read_text())
    assert metrics["data"]["mnist"] == {"source": "official", "test_images": 10_000}
    assert set(metrics["activations"]) == set(values["activations"]["cases"])
    assert set(metrics["training"]) == set(values["training"]["cases"])
    assert set(metrics["collapse"]) == set(values["collapse"]["cases"])
    widths = values["safe_region"]["trained"]["widths"]
    assert set(metrics["safe_region"]) == {f"width_{width}" for width in widths}


def test_every_param_is_read_by_a_stage() -> None:
    read = {key for stage in resolved_stages().values() for key in stage.get("params", {}).get("params.yaml", {})}
    assert set(params.Params.model_fields) <= {key.split(".")[0] for key in read}


def test_readme_shows_the_committed_numbers() -> None:
    """Its table of rates, and a map that names every module."""
    readme = (ROOT / "README.md").read_text()
    metrics = json.loads((ROOT / "reports" / "metrics.json").read_text())
    for case in metrics["collapse"].values():
        low, high = case["rate_low"], case["rate_high"]
        assert f"| **{case['rate']:.3f}** ({low:.3f} to {high:.3f}) |" in readme
    loops = pd.read_csv(ROOT / "reports" / "tables" / "loop_numbers.csv")
    loops = loops[loops["criterion"] == "probes_equal"].set_index(["case", "number"])["loops"]
    ones, zeros = loops["relu-continued", 1.0], loops["relu-continued", 0.0]
    assert f"{ones} would print exactly 1 and {zeros} exactly 0" in " ".join(readme.split())
    assert f"of {loops['leaky_relu-continued', 0.0]} with Leaky ReLU, all would print 0" in " ".join(readme.split())
    cells = pd.read_csv(ROOT / "reports" / "tables" / "born_dead.csv")
    widths = re.findall(r"(\d+) layers: (\d+) units", rate_findings.wide_enough(cells, 0.01))
    (shallow, _), (middle, _), (deep, _) = widths
    text = f"takes {{}} units in each of {shallow} layers, {{}} of {middle}, {{}} of {deep};"
    assert text.format(*(width for _, width in widths)) in " ".join(readme.split())
    for module in PACKAGE.glob("*.py"):
        assert module.stem in ("__init__", "__main__") or f"{module.stem}.py" in readme


class Tags(HTMLParser):
    """What a page asks of other hosts, and its images."""

    def __init__(self) -> None:
        super().__init__()
        self.addresses: list[str] = []
        self.images: list[dict[str, str | None]] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        values = dict(attrs)
        if tag == "img":
            self.images.append(values)
        if tag in ("script", "link", "img", "iframe"):
            self.addresses += [value for key, value in attrs if key in ("src", "href") and value]


@pytest.fixture(scope="module")
def clone(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A Git clone of the files that the pipeline needs, with small params."""
    folder = tmp_path_factory.mktemp("clone")
    for name in ("dvc.yaml", ".dvc/config", ".dvc/.gitignore", ".dvc/plots", ".dvcignore", ".gitignore"):
        copy(ROOT / name, folder / name)
    copy(PACKAGE, folder / "src" / "deadrelu")
    copy(ROOT / "reports" / "report.ipynb", folder / "reports" / "report.ipynb")
    write_small_params(folder / "params.yaml")
    run(folder, "git", "init", "--quiet")
    commit(folder)
    return folder


def copy(source: Path, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    if source.is_dir():
        shutil.copytree(source, target, ignore=shutil.ignore_patterns("__pycache__"))
    else:
        shutil.copy(source, target)


def commit(folder: Path) -> None:
    run(folder, "git", "add", "--all")
    run(folder, "git", "-c", "user.name=test", "-c", "user.email=test@localhost", "commit", "--quiet", "-m", "state")


def run(folder: Path, *command: str) -> str:
    done = attempt(folder, *command)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def attempt(folder: Path, *command: str) -> subprocess.CompletedProcess[str]:
    beside = Path(sys.executable).parent  # dvc and deadrelu of this environment
    path = f"{beside}{os.pathsep}{os.environ['PATH']}"
    env = {key: value for key, value in os.environ.items() if key != "MNIST_DIR"} | {"PATH": path}
    return subprocess.run(command, cwd=folder, env=env, capture_output=True, text=True, check=False)


def stages_run(output: str) -> list[str]:
    return [line.split("'")[1] for line in output.splitlines() if line.startswith("Running stage")]


def edit(folder: Path, old: str, new: str) -> None:
    path = folder / "params.yaml"
    text = path.read_text()
    assert text.count(old) == 1
    path.write_text(text.replace(old, new))


def test_pipeline_from_nothing_to_a_report_and_again(clone: Path) -> None:
    """The order of these steps is a user's: run, run again, edit a case, compare, run, make a mistake."""
    out = run(clone, "dvc", "repro")
    assert stages_run(out) == [
        *("data@mnist", "data@target", "activations", "training"),
        *("collapse@relu", "collapse@leaky_relu", "collapse@relu-continued", "collapse@step_sin_5x-rai"),
        *("safe_region", "report"),
    ]
    metrics = json.loads((clone / "reports" / "metrics.json").read_text())
    assert metrics["data"]["mnist"] == {"source": "bundled", "test_images": 1000}
    assert metrics["collapse"]["relu"]["trials"] == 8
    first_page = (clone / "reports" / "report.html").read_text()
    check_page(first_page)
    commit(clone)

    out = run(clone, "dvc", "repro")
    assert stages_run(out) == []
    assert "up to date" in out

    edit(clone, "negative_slope: 0.1", "negative_slope: 0.2")
    difference = json.loads(run(clone, "dvc", "params", "diff", "--json"))
    assert difference == {
        "params.yaml": {"collapse.cases.leaky_relu.negative_slope": {"old": 0.1, "new": 0.2, "diff": 0.1}}
    }
    assert stages_run(run(clone, "dvc", "repro")) == ["collapse@leaky_relu", "report"]
    assert "slope 0.2" in (clone / "reports" / "report.html").read_text()

    edit(clone, "negative_slope: 0.2", "negative_slope: 0.1")
    assert "report" in stages_run(run(clone, "dvc", "repro"))
    assert (clone / "reports" / "report.html").read_text() == first_page
    assert run(clone, "git", "status", "--porcelain") == ""  # the same bytes in every tracked figure, table and metric

    edit(clone, "  tolerance:", "  tolerence:")
    failed = attempt(clone, "dvc", "repro")
    assert failed.returncode != 0
    told = [line for line in failed.stderr.splitlines() if line.startswith("deadrelu: ")]
    assert len(told) == 1
    assert "params.yaml:collapse.tolerence: unknown key" in told[0]
    assert (clone / "reports" / "report.html").read_text() == first_page
    assert run(clone, "git", "status", "--porcelain").split() == ["M", "params.yaml"]
    edit(clone, "  tolerence:", "  tolerance:")

    out = run(clone, "dvc", "plots", "show")
    assert "index.html" in out


def check_page(html: str) -> None:
    """The three answers, the banner, every figure with words beside it, and no request to anyone."""
    for words in ("1. Which initialization", "2. How often", "3. How often", "Not the official MNIST", "95 % interval"):
        assert words in html
    tags = Tags()
    tags.feed(html)
    assert all(address.startswith(("data:", "#")) for address in tags.addresses)
    assert len(tags.images) == len(drawings.FIGURES)
    assert all(image["alt"] for image in tags.images)


def test_removed_case_is_not_read(clone: Path) -> None:
    """DVC leaves the folder of a case that params.yaml no longer has."""
    run(clone, "dvc", "repro")
    shutil.copytree(clone / "data" / "collapse" / "relu", clone / "data" / "collapse" / "removed")
    done = attempt(clone, "deadrelu", "report")
    shutil.rmtree(clone / "data" / "collapse" / "removed")
    assert done.returncode == 0
    assert "not read: data/collapse/removed" in done.stderr
