"""Test that the steps in docs/extend.md work when they are applied to a copy of the package."""

import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from helpers import clones
from helpers.projects import ROOT
from ruamel.yaml import YAML

from deadrelu.storage import parquet, tables

pytestmark = pytest.mark.without_digits

PAGE = ROOT / "docs" / "extend.md"
PLACE = re.compile(r"# ([\w./]+)(?:, (above|below|instead of) (.+))?")


def section(title: str) -> list[str]:
    """Return the blocks under a heading."""
    (text,) = re.findall(rf"^## {title}\n(.*?)(?=^## |\Z)", PAGE.read_text(), re.DOTALL | re.MULTILINE)
    assert len(re.sub(r"^```.*?^```$", "", text, flags=re.DOTALL | re.MULTILINE).strip().splitlines()) < 10
    return re.findall(r"^```(?:python|yaml)\n(.*?)^```$", text, re.DOTALL | re.MULTILINE)


def follow(title: str, folder: Path) -> set[str]:
    """Apply the blocks of a section; return the files that they change or create."""
    touched = set()
    for block in section(title):
        head, _, rest = block.partition("\n")
        match = PLACE.fullmatch(head)
        assert match, head
        name, where, line = match.groups()
        touched.add(name)
        path = folder / name
        if where is None:
            assert not path.exists()
            path.write_text(rest)
            continue
        lines = path.read_text().splitlines(keepends=True)
        (index,) = (k for k in range(len(lines)) if begins(lines[k:], line))
        if where == "above":
            lines[index:index] = rest
        else:
            lines[index + (where == "below") : index + 1] = rest
        path.write_text("".join(lines))
    return touched


def begins(lines: list[str], text: str) -> bool:
    """Return whether lines begin with a text, which may be spread over three of them."""
    first = lines[0].strip()
    spread = bool(first) and text.startswith(first) and " ".join("".join(lines[:3]).split()).startswith(text)
    return first.startswith(text) or spread


@pytest.fixture
def extended(repository: Path) -> Path:
    """Return a project with results, whose package is a copy."""
    return repository


def run(folder: Path, *command: str) -> str:
    return clones.run(folder, *command)


def test_a_target_an_initializer_and_an_activation(extended: Path) -> None:
    assert follow("A target", extended) == {"src/deadrelu/functions.py"}
    assert len(follow("An initializer", extended)) == 2
    assert len(follow("An activation", extended)) == 4
    yaml = YAML()
    tree = yaml.load(extended / "params.yaml")
    tree["data"]["targets"]["sine"] = {"function": "sine", "low": -3.0, "high": 3.0, "points": 100}
    tree["collapse"]["cases"]["mine"] = {
        "activation": "square",
        "target": "sine",
        "widths": [2, 3],
        "initializer": {"name": "rademacher", "scale": 0.5},
        "trials": 10,
        "epochs": 2,
    }
    yaml.dump(tree, extended / "params.yaml")
    run(extended, "deadrelu", "data", "target")
    points = parquet.read(Path("data/targets/sine.parquet"), tables.points(1, 1).schema)
    np.testing.assert_allclose(points["y"], np.sin(points["x"].astype(float)), rtol=1e-6)
    run(extended, "deadrelu", "collapse", "mine")
    weights = parquet.read(tables.WEIGHTS.path("mine"), tables.WEIGHTS.schema)
    initial = np.stack(list(weights["initial"]))
    assert set(np.abs(initial).ravel()) == {0.5}
    final = np.stack(list(weights["final"])).astype(float)
    curves = parquet.read(tables.FUNCTIONS.path("mine"), tables.FUNCTIONS.schema)
    curve = curves[curves["trial"] == 0]
    first, second, last = (final[0, a:b].reshape(n, -1) for a, b, n in ((0, 2, 1), (2, 8, 2), (8, 11, 3)))
    expected = ((curve["x"].to_numpy(float)[:, None] @ first) ** 2 @ second) ** 2 @ last
    np.testing.assert_allclose(curve["trained"], expected[:, 0], rtol=1e-4, atol=1e-6)
    assert (np.abs(final - initial) > 0).any()
    code = "from deadrelu.report import labels; from deadrelu.settings import params; p = params.load()\n"
    code += "print(labels.initializer(p.collapse.cases['mine'].initializer), labels.target(p.target_of('mine')))"
    assert run(extended, "python", "-c", code).startswith("Rademacher (scale 0.5) sin x on")


def test_a_figure(extended: Path) -> None:
    assert len(follow("A figure", extended)) == 3
    run(extended, "deadrelu", "report")
    assert (extended / "reports/figures/final_losses.png").stat().st_size > 5_000


def test_a_stage(extended: Path) -> None:
    assert follow("A stage", extended) == {"src/deadrelu/stages/moments.py", "src/deadrelu/cli.py", "dvc.yaml"}
    assert "Running stage 'moments'" in run(extended, "dvc", "repro", "moments")
    moments = pd.read_parquet("data/moments/moments.parquet").set_index("target")
    points = pd.read_parquet("data/targets/x_sin_x.parquet")
    assert moments["mean"]["x_sin_x"] == pytest.approx(points["y"].mean(), rel=1e-6)
    assert "didn't change" in run(extended, "dvc", "repro", "moments")
