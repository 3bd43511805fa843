"""Test the explorer: counts of each cell, theory where there is one, and which functions are constant."""

import numpy as np
import pandas as pd
import pytest

from deadrelu.analysis import grid as grid_tables
from deadrelu.analysis import intervals, theory
from deadrelu.report import explorer
from deadrelu.settings import params
from deadrelu.settings.initializer import Orthogonal


@pytest.fixture
def one_cell(settings: params.Params) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return the explorer's table and the functions of three networks, at depth 3 and width 2."""
    counts = pd.DataFrame({"depth": [3], "width": 2, "networks": 1000, "born_dead_low": 6, "born_dead_high": 5})
    grid = grid_tables.born_dead_grid(counts.assign(born_dead=300), settings.safe_region.initializer)
    others = pd.DataFrame(
        {"initializer": ["glorot_uniform", "rai"], "depth": 3, "width": 2, "networks": 1000, "born_dead": [310, 20]}
    )
    trained = pd.DataFrame({"initializer": "main", "depth": 3, "width": 2, "range": [0.0, 9e-4, 1e-2, np.nan]})
    cells = grid_tables.cells(grid, others, trained, settings)
    rows = [
        (name, is_trained, network, x, value)
        for name in ("main", "glorot_uniform", "rai")
        for is_trained in (False, True)[: 1 + (name == "main")]
        for network, values in enumerate(([0.0, 0.0, 0.0], [1.0, 1.0005, 1.0], [np.nan, 0.0, 1.0]))
        for x, value in zip((-1.0, 0.0, 1.0), values, strict=True)
    ]
    functions = pd.DataFrame(rows, columns=["initializer", "trained", "network", "x", "value"])
    return cells, functions.assign(depth=3, width=2).sample(frac=1, random_state=0)


def test_cells_have_counts_theory_and_training(one_cell: tuple[pd.DataFrame, pd.DataFrame]) -> None:
    cells = one_cell[0].set_index("initializer")
    assert cells["count"].to_dict() == {"main": 300, "glorot_uniform": 310, "rai": 20}
    bounds = theory.born_dead_on_interval([2, 2, 2])
    for name in ("main", "glorot_uniform"):
        assert cells.loc[name, ["theory_low", "theory_high"]].tolist() == list(bounds)
    assert np.isnan(cells.loc["rai", "theory_low"])
    assert cells.loc["rai", ["rate", "low", "high"]].tolist() == list(intervals.wilson(20, 1000))
    assert cells.loc["main", ["trained", "trained_count", "trained_rate"]].tolist() == [4, 2, 0.5]
    assert np.isnan(cells.loc["rai", "trained"])


def test_data_hold_what_is_drawn(one_cell: tuple[pd.DataFrame, pd.DataFrame], settings: params.Params) -> None:
    """Untrained functions are constant exactly, trained ones within the tolerance; those not finite are not drawn."""
    data = explorer._data(*one_cell, settings)
    he, glorot, rai = data["initializers"]
    cell = he["cells"]["3,2"]
    assert cell["untrained"][:2] == [1000, 300]
    assert cell["functions"] == {"constant": [True, False], "values": [[0, 0, 0], [1, 1, 1]]}
    assert cell["learned"]["constant"] == [True, True]
    assert cell["trained"][:2] == [4, 2]
    assert (he["trained"], rai["trained"]) == (True, False)
    assert "theory" not in rai["cells"]["3,2"]
    assert "trained" not in glorot["cells"]["3,2"]
    assert he["x"] == [-1, 0, 1]


def test_a_grid_too_large_for_a_page_is_told(
    one_cell: tuple[pd.DataFrame, pd.DataFrame], settings: params.Params, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(explorer, "MAX_CELLS", 2)
    text = explorer.html_of(*one_cell, settings)
    assert "3 cells, more than the 2" in text
    assert "<section" not in text


def test_initializer_without_theory_or_company(settings: params.Params) -> None:
    alone = settings.safe_region.model_copy(
        update={"other_initializers": {}, "initializer": Orthogonal(name="orthogonal")}
    )
    changed = settings.model_copy(update={"safe_region": alone})
    counts = pd.DataFrame({"depth": [3], "width": 2, "networks": 10, "born_dead_low": 6, "born_dead_high": 5})
    grid = grid_tables.born_dead_grid(counts.assign(born_dead=3), alone.initializer)
    others = pd.DataFrame(columns=["initializer", "depth", "width", "networks", "born_dead"])
    trained = pd.DataFrame({"initializer": [], "depth": [], "width": [], "range": []})
    cells = grid_tables.cells(grid, others, trained, changed)
    assert cells[["initializer", "count"]].to_numpy().tolist() == [["main", 3]]
    assert cells["theory_low"].isna().all()
    functions = pd.DataFrame(columns=["initializer", "depth", "width", "trained", "network", "x", "value"])
    assert 'value="3"' in explorer.html_of(cells, functions.astype({"trained": bool}), changed)
