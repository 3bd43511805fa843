"""Test that the user's case in docs/experiments.md, with grid and sensitivity table, runs from params.yaml alone."""

import re
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from helpers.projects import ROOT, run_all
from ruamel.yaml import YAML

from deadrelu.settings import params
from deadrelu.storage import tables

pytestmark = pytest.mark.without_digits


def merged(tree: Any, more: Any) -> Any:
    """Return groups of settings with others merged in; other values, and groups with `of`, replace the old ones."""
    if not (isinstance(tree, dict) and isinstance(more, dict)) or "of" in more:
        return more
    return {**tree, **{key: merged(tree.get(key), value) for key, value in more.items()}}


def test_the_documents_own_case_runs(project: Path) -> None:
    (block,) = re.findall(
        r"^```yaml\n(.*?)^```$", (ROOT / "docs" / "experiments.md").read_text(), re.DOTALL | re.MULTILINE
    )
    yaml = YAML(typ="safe")
    tree = merged(yaml.load(project / "params.yaml"), yaml.load(block))
    YAML().dump(tree, project / "params.yaml")
    settings = params.load()
    run_all(settings)
    case, table = settings.collapse.cases["mine"], settings.sensitivity["mine"]
    history = pd.read_parquet(tables.HISTORY.path("mine"))
    assert sorted(set(history["epoch"])) == case.follow
    grid = pd.read_parquet(tables.TRAINED_GRID.path())
    assert {(row.depth, row.width) for row in grid.itertuples()} == {(2, 2), (2, 3), (4, 2), (4, 3)}
    compared = pd.read_csv("reports/tables/variations.csv")
    paired = compared[compared["table"] == "mine"].set_index("variation")["pairs_differ"].notna()
    assert set(paired.index[paired]) == {"sgd", "no_biases", "more_points"}
    assert set(paired.index.dropna()) == set(table.variations)
