"""Test that the benchmarks run and report; no test judges their speed."""

import importlib.util
import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from helpers.projects import ROOT

from benchmarks import engine_speed, figures, grid, scale, shuffles, sizes
from deadrelu import engine
from deadrelu.settings import params
from deadrelu.stages import experiments

pytestmark = pytest.mark.without_digits


def test_bench_reports_every_contender(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    small = {"engine_leaky_relu": 8, "engine_relu": 8, "keras_loop": 1, "jax_vmap": 2}
    monkeypatch.setattr(engine_speed, "TRIALS", small)
    monkeypatch.setattr(sizes, "WIDTHS", (1, 5))
    monkeypatch.setattr(sizes, "DEPTHS", (3,))
    monkeypatch.setattr(sizes, "SECONDS", 0.01)
    engine_speed.main(repeats=1, as_json=True, figure=tmp_path / "sizes.png")
    assert (tmp_path / "sizes.png").stat().st_size > 10_000
    report = json.loads(capsys.readouterr().out)
    contenders = set(small) if importlib.util.find_spec("jax") else set(small) - {"jax_vmap"}
    assert set(report) == {"ms_per_trial", "ratio", "first_call_s", "machine", "sizes"}
    assert [(row["depth"], row["width"]) for row in report["sizes"]] == [(3, 1), (3, 5)]
    assert all(value > 0 for row in report["sizes"] for value in row.values())
    assert set(report["ms_per_trial"]) == set(report["first_call_s"]) == contenders
    assert all(value > 0 for part in ("ms_per_trial", "ratio", "first_call_s") for value in report[part].values())


def test_bench_grid_trains_every_cell(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run = params.load()
    grid.main(run, as_json=True)
    report = json.loads(capsys.readouterr().out)
    cells = [list(cell) for cell in experiments.of_grid(run)]
    assert [[row["initializer"], row["depth"], row["width"]] for row in report["cells"]] == cells
    assert {row["networks"] for row in report["cells"]} == {run.safe_region.trained.trials}
    assert report["seconds"] == pytest.approx(sum(row["seconds"] for row in report["cells"]))
    grid.main(run, as_json=False)
    assert f"{len(cells)} cells, {run.safe_region.trained.trials * len(cells)} networks" in capsys.readouterr().out


def test_shuffles_of_a_block_and_independent_ones_start_from_the_same_networks(
    capsys: pytest.CaptureFixture[str],
) -> None:
    """The first trial of a block has the same orders in both ways, so it ends with the same weights."""
    x, y = shuffles.TARGET.sample(10)
    (trained,) = engine.run(shuffles.NETWORK, shuffles.TRAINING, x, y, trials=range(3), seed=10)
    alone = shuffles.independent(3, x, y)
    np.testing.assert_array_equal(alone[0], trained.final[0])
    assert (alone[1:] != trained.final[1:]).any(axis=1).all()
    shuffles.main(trials=20, as_json=True)
    report = json.loads(capsys.readouterr().out)
    assert report["difference"]["low"] <= 0 <= report["difference"]["high"]


@pytest.mark.parametrize(
    ("few", "many", "bytes_each"),
    [(5_000, 20_000, 3_000), pytest.param(10_000, 100_000, 1_000, marks=pytest.mark.soak)],
)
def test_memory_does_not_grow_with_trials(few: int, many: int, bytes_each: int) -> None:
    """In a new process, many trials need about the memory of few, and less than the limit."""
    code = (
        f"from benchmarks import scale; from deadrelu.settings import params; scale.SIZES = ({few}, {many}); "
        f"scale.main(params.load(), up_to={many}, as_json=True, figure=None)"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    rows = json.loads(done.stdout)["sizes"]
    assert [row["trials"] for row in rows] == [few, many]
    assert rows[-1]["peak_bytes"] < scale.MEMORY_LIMIT_BYTES
    # A trial kept in memory would be 12 kB of weights and predictions; processes differ by some 20 MB by chance.
    assert rows[-1]["peak_bytes"] - rows[-2]["peak_bytes"] < (many - few) * bytes_each


def test_scale_runs_the_notebooks_network_as_collapse_does(
    project: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(scale, "SIZES", (5, 20))
    monkeypatch.setattr(scale, "BUDGET", {"points": 50, "epochs": 2, "batch_size": 16})
    before = sorted(project.rglob("*"))
    scale.main(params.load(), up_to=30, as_json=False, figure=Path("new/scale.png"))
    shown = capsys.readouterr().out
    assert "trials/s" in shown
    assert [line.split("│")[1].strip() for line in shown.splitlines() if line.startswith("│")] == ["5", "20"]
    assert sorted(set(project.rglob("*")) - set(before)) == [project / "new", project / "new/scale.png"]
    case = scale._experiment(params.load(), 20)
    assert case.network.activation == "leaky_relu"
    assert case.network.widths == (1, 2, 2, 2, 2, 2, 2, 2, 2, 2)
    assert (case.training.epochs, case.training.batch_size, case.target.points) == (2, 16, 50)


def test_figure_shows_the_table() -> None:
    table = pd.DataFrame({"trials": [10, 100], "per_second": [3.0, 4.0], "peak_bytes": [2.0**30, 2.0**29]})
    rate, memory = figures.scale(table, 2**31, "some networks").axes
    np.testing.assert_array_equal(rate.lines[0].get_xydata(), [[10, 3], [100, 4]])
    np.testing.assert_array_equal(memory.lines[0].get_xydata(), [[10, 1], [100, 0.5]])
    assert memory.lines[1].get_ydata()[0] == 2  # the limit
    assert rate.get_ylim()[0] == memory.get_ylim()[0] == 0
