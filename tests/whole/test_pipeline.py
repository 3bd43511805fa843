"""Test that dvc.yaml, params.yaml, dvc.lock and the code agree, and that disagreements are found."""

import ast
import copy
import functools
import json
import operator
from collections.abc import Callable
from functools import reduce
from operator import getitem
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from dvc.dependency.param import ParamsDependency
from dvc.repo import Repo
from helpers import clones
from helpers.clones import edit
from helpers.projects import ROOT
from pydantic import ValidationError
from ruamel.yaml import YAML

from deadrelu import cli
from deadrelu.check import quantities
from deadrelu.settings import params
from deadrelu.stages import activations, data_target, experiments, safe_region, sensitivity, training

EDGES = {"cli", "errors", "progress"}
"""Modules that change no result: the command line, the error type, the progress bar."""


OF_THE_REPORT = {"collapse.tolerance"}
"""Params that only the report reads, which depends on the whole file."""


class Stage(NamedTuple):
    """A stage of dvc.yaml, as DVC resolves it."""

    name: str
    command: str
    params: list[str]
    deps: list[str]
    outs: list[str]

    def reads(self, key: str, stages: "list[Stage]") -> bool:
        """Return whether a change of this param reruns the stage, directly or through a stage on which it depends."""
        return "params.yaml" in self.deps or self.lists(key, stages)

    def lists(self, key: str, stages: "list[Stage]") -> bool:
        """Return whether this stage has the param, or depends on a stage that has it."""
        if any(key == own or key.startswith(f"{own}.") for own in self.params):
            return True
        return any(stage.lists(key, stages) for stage in stages if {*stage.outs} & {*self.deps})


def stages_of(folder: Path) -> list[Stage]:
    """Return all stages, with the cases of `foreach` expanded."""
    with Repo(str(folder)) as repo:
        return [
            Stage(
                stage.name,
                stage.cmd,
                [key for dep in stage.deps if isinstance(dep, ParamsDependency) for key in dep.params],
                [dep.def_path for dep in stage.deps if not isinstance(dep, ParamsDependency)],
                [out.def_path for out in stage.outs],
            )
            for stage in repo.index.stages
        ]


def imports(path: Path, root: Path) -> set[Path]:
    """Return the modules of this package that a module imports, directly or indirectly, and the module itself."""
    reached, queue = set(), [path]
    while queue:
        module = queue.pop()
        if module in reached:
            continue
        reached.add(module)
        code = module.read_text() if module.suffix == ".py" else notebook_code(module)
        for imported, names in imported_by(code):
            base = root.joinpath("src", *imported.split("."))
            modules = [base / f"{name}.py" for name in names] + [base.with_suffix(".py")]
            rooms = [base / name / "__init__.py" for name in names] + [base / "__init__.py"]
            package = root / "src" / "deadrelu" / "__init__.py"
            queue += [p for p in modules + rooms if p.is_file() and p != package and has_code(p.read_text())]
    return reached


@functools.cache
def imported_by(code: str) -> list[tuple[str, list[str]]]:
    """Return the modules of this package from which code imports, and the imported names."""
    nodes = [node for node in ast.walk(ast.parse(code)) if isinstance(node, ast.ImportFrom) and node.module]
    ours = [node for node in nodes if str(node.module).split(".")[0] == "deadrelu"]
    return [(str(node.module), [alias.name for alias in node.names]) for node in ours]


@functools.cache
def has_code(code: str) -> bool:
    """Return whether a module contains more than docstrings."""
    body = ast.parse(code).body
    return not all(isinstance(line, ast.Expr) and isinstance(line.value, ast.Constant) for line in body)


def notebook_code(path: Path) -> str:
    cells = json.loads(path.read_text())["cells"]
    return "\n".join("".join(cell["source"]) for cell in cells if cell["cell_type"] == "code")


COMMANDS = {(command.name or command.callback.__name__).replace("_", "-") for command in cli.app.registered_commands}


def disagreements(folder: Path) -> list[str]:
    """Return a line for each disagreement between dvc.yaml, params.yaml and the code."""
    stages, complaints = stages_of(folder), []
    for stage in stages:
        if not stage.params and "params.yaml" not in stage.deps:
            complaints.append(f"{stage.name}: no params")
        words = stage.command.split()
        if words[0] != "deadrelu" or words[1] not in COMMANDS:
            complaints.append(f"{stage.name}: no command of deadrelu: {stage.command}")
        name = stage.name.replace("data@", "data_").split("@")[0]
        package = folder / "src" / "deadrelu"
        used = imports(package / ("report/build.py" if name == "report" else f"stages/{name}.py"), folder)
        if name == "report":
            used |= imports(folder / "reports" / "report.ipynb", folder)
        deps = {folder / dep for dep in stage.deps}
        missing = {path for path in used if path.stem not in EDGES and not deps & {path, *path.parents}}
        complaints += [f"{stage.name}: {path.name} is used, and no dep" for path in sorted(missing)]
    values = YAML(typ="safe").load(folder / "params.yaml")
    leaves = quantities.flat(values)
    complaints += [
        f"{key}: no stage reads it"
        for key in leaves
        if key not in OF_THE_REPORT and not any(stage.lists(key, stages) for stage in stages)
    ]
    before = settings_of(values)
    if before is None:
        return complaints
    made_before = {stage.name: made_by(before, stage.name) for stage in stages}
    for key, value in leaves.items():
        if isinstance(value, int | float) and not isinstance(value, bool):
            if (after := settings_of(with_more(values, key))) is None:
                continue
            complaints += [
                f"{stage.name}: depends on {key}, and does not list it"
                for stage in stages
                if not stage.reads(key, stages) and made_by(after, stage.name) != made_before[stage.name]
            ]
    return complaints


def settings_of(values: dict[str, Any]) -> params.Params | None:
    """Return the settings, or None if they are not allowed."""
    try:
        return params.Params.model_validate(values)
    except ValidationError:
        return None


def made_by(settings: params.Params, stage: str) -> object:
    """Return the settings on which a stage depends according to the code."""
    kind, _, key = stage.partition("@")
    of: dict[str, Callable[[], object]] = {
        "data": lambda: (
            settings.data.mnist
            if key == "mnist"
            else [data_target.settings(settings, name) for name in settings.data.targets]
        ),
        "activations": lambda: activations.settings(settings),
        "training": lambda: training.settings(settings),
        "collapse": lambda: experiments.of_case(settings, key).settings,
        "safe_region": lambda: safe_region.settings(settings),
        "sensitivity": lambda: sensitivity.settings(settings, key),
        "report": settings.model_dump,
    }
    return of[kind]()


def with_more(values: dict[str, Any], key: str) -> dict[str, Any]:
    """Return the settings with one number larger by 1, or by 1 % if it is not an integer."""
    changed = copy.deepcopy(values)
    *groups, last = key.split(".")
    group = functools.reduce(operator.getitem, groups, changed)
    group[last] = group[last] + 1 if isinstance(group[last], int) else group[last] * 1.01
    return changed


def test_files_and_code_agree(tmp_path: Path) -> None:
    assert disagreements(ROOT) == []
    clones.make(tmp_path)
    assert disagreements(tmp_path) == []  # so that what is found below was planted


@pytest.mark.parametrize(
    ("file", "old", "new", "complaint"),
    [
        ("dvc.yaml", "    params: [seed, training]\n", "", "training: no params"),
        ("dvc.yaml", "    cmd: deadrelu training\n", "    cmd: deadrelu train\n", "training: no command of deadrelu"),
        (
            "dvc.yaml",
            "src/deadrelu/engine\n        - src/deadrelu/jobs\n        - src/deadrelu/stages/experiments.py\n"
            "        - src/deadrelu/stages/collapse.py\n",
            "src/deadrelu/jobs\n        - src/deadrelu/stages/experiments.py\n"
            "        - src/deadrelu/stages/collapse.py\n",
            "collapse@relu: forward_backward.py is used, and no dep",
        ),
        (
            "dvc.yaml",
            "        - src/deadrelu/stages/sensitivity.py\n",
            "",
            "sensitivity@rai: sensitivity.py is used, and no dep",
        ),
        (
            "dvc.yaml",
            "      - src/deadrelu/stages/untrained_grid.py\n",
            "",
            "safe_region: untrained_grid.py is used, and no dep",
        ),
        ("dvc.yaml", "uses: engine,", "uses: jobs,", "data@target: targets.py is used, and no dep"),
        ("dvc.yaml", "      - src/deadrelu/analysis\n", "", "report: rates.py is used, and no dep"),
        ("params.yaml", "seed: 10", "seed: 10\nmore: {a: 1}", "more.a: no stage reads it"),
        (
            "src/deadrelu/streams.py",
            "import numpy as np\n",
            "import numpy as np\nfrom deadrelu.analysis import theory\n",
            "activations: theory.py is used, and no dep",
        ),
        (
            "dvc.yaml",
            "        - collapse.batch_size\n",
            "",
            "collapse@relu: depends on collapse.batch_size, and does not list it",
        ),
        (
            "dvc.yaml",
            '        - "data.targets.${item.target}"\n',
            "",
            "collapse@relu: depends on data.targets.x_sin_x.points, and does not list it",
        ),
        (
            "dvc.yaml",
            '      - "data/collapse/${safe_region.trained.of}"\n',
            "",
            "safe_region: depends on data.targets.x_sin_x.points, and does not list it",
        ),
        (
            "dvc.yaml",
            '        - "data/collapse/${item.of}"\n',
            "",
            "sensitivity@rai: depends on collapse.trials, and does not list it",
        ),
        ("dvc.yaml", "params: [seed, activations]", "params: [activations]", "activations: depends on seed"),
    ],
)
def test_each_disagreement_is_noticed(file: str, old: str, new: str, complaint: str, tmp_path: Path) -> None:
    clones.make(tmp_path)
    edit(tmp_path / file, old, new)
    assert any(line.startswith(complaint) for line in disagreements(tmp_path))


def committed(name: str) -> str:
    """Return a file of the last commit: a run without the official digits changes those of the workspace."""
    return clones.run(ROOT, "git", "show", f"HEAD:{name}")


def test_lock_is_of_the_committed_params_and_official_digits() -> None:
    stages = YAML(typ="safe").load(committed("dvc.lock"))["stages"]
    values = YAML(typ="safe").load(committed("params.yaml"))
    for stage in stages.values():
        for dotted, locked in stage.get("params", {}).get("params.yaml", {}).items():
            assert locked == reduce(getitem, dotted.split("."), values), dotted
    assert {f"collapse@{key}" for key in values["collapse"]["cases"]} <= set(stages)
    assert {f"sensitivity@{key}" for key in values["sensitivity"]} <= set(stages)
    metrics = json.loads(committed("reports/metrics.json"))
    assert metrics["data"]["mnist"] == {"source": "official", "test_images": 10_000}
    assert set(metrics["activations"]) == set(values["activations"]["cases"])
    assert set(metrics["training"]) == set(values["training"]["cases"])
    assert set(metrics["collapse"]) == set(values["collapse"]["cases"])
    widths = values["safe_region"]["trained"]["widths"]
    assert set(metrics["safe_region"]) == {f"width_{width}" for width in widths}
