"""Test that tables are read as they were written, and that damaged or foreign ones are refused."""

from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from deadrelu.errors import InputError
from deadrelu.storage import parquet, tables
from deadrelu.storage.tables import TRIALS

PARAMS: dict[str, object] = {"seed": 10, "case": {"widths": [1, 2]}}
MADE_BY = parquet.provenance(PARAMS)
POINTS = tables.points(1, 1).schema


def test_round_trip_keeps_bits_and_provenance(tmp_path: Path) -> None:
    x = np.array([0.1, -0.0, np.nan, np.inf, 1e-45], np.float32)
    parquet.write(tmp_path / "t.parquet", {"x": x, "y": x}, POINTS, MADE_BY)
    read = parquet.read(tmp_path / "t.parquet", POINTS)
    assert read["x"].to_numpy().tobytes() == x.tobytes()
    assert parquet.made_by(tmp_path / "t.parquet") == MADE_BY
    assert MADE_BY["seed"] == 10
    assert "versions" not in MADE_BY


@pytest.mark.parametrize(
    ("inputs", "outputs", "names"),
    [(1, 1, ["x", "y"]), (2, 1, ["x_1", "x_2", "y"]), (1, 3, ["x", "y_1", "y_2", "y_3"])],
)
def test_a_training_set_has_a_column_for_each_input_and_output(inputs: int, outputs: int, names: list[str]) -> None:
    table = tables.points(inputs, outputs)
    assert table.schema.names == names
    assert table.path("plane") == Path("data/targets/plane.parquet")


def test_a_table_is_read_where_its_key_says_and_only_of_its_params(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    history = tables.HISTORY
    assert history.path("relu") == Path("data/collapse/relu/history.parquet")
    assert tables.SAMPLE.path("tanh") == Path("data/activations/tanh.parquet")
    history.path("relu").parent.mkdir(parents=True)
    rows = {"trial": [0, 1], "epoch": [5, 5], "range": [0.5, 0], "probe_range": [0.25, 0], "dead_layer": [0, 3]}
    parquet.write(history.path("relu"), rows, history.schema, MADE_BY)
    assert history.read(PARAMS, "relu").to_dict("list") == rows
    with pytest.raises(InputError, match=r"data/collapse/relu/history\.parquet: made by other params"):
        history.read({**PARAMS, "seed": 11}, "relu")
    with pytest.raises(InputError, match=r"data/collapse/leaky/history\.parquet: missing"):
        history.read(PARAMS, "leaky")


def test_trials_of_all_files_are_read_and_counted(tmp_path: Path) -> None:
    """Three files of two trials are read; other params, or another number of trials, are refused."""
    folder = tmp_path / "collapse/relu"
    folder.mkdir(parents=True)
    fields = {field.name: np.zeros(2) for field in TRIALS.schema if field.name != "loss"}
    for part in range(3):
        rows = {**fields, "trial": np.arange(2) + 2 * part, "loss": np.zeros((2, 4))}
        parquet.write(folder / f"part-{part:06d}.parquet", rows, TRIALS.schema, MADE_BY)
    assert tables.read_trials(PARAMS, "relu", 6, tmp_path)["trial"].tolist() == [*range(6)]
    with pytest.raises(InputError, match=r"collapse/relu: 6 trials; params\.yaml asks for 7: run `dvc repro`"):
        tables.read_trials(PARAMS, "relu", 7, tmp_path)
    with pytest.raises(InputError, match=r"part-000000\.parquet: made by other params"):
        tables.read_trials({"seed": 11}, "relu", 6, tmp_path)


def test_columns_are_put_in_front_and_the_rest_keeps_its_bits(tmp_path: Path) -> None:
    """Nulls, NaN and lists are kept; the bytes are those of a table written with these columns."""
    fields = parquet.columns("n", pa.int64()) + parquet.columns("x", pa.float32(), nullable=True)
    own = pa.schema([*fields, pa.field("list", pa.list_(pa.field("element", pa.float32(), nullable=False)))])
    longer = pa.schema([*parquet.columns("name", pa.string()), *parquet.columns("depth", pa.int32()), *own])
    columns = {"n": np.arange(3), "x": None, "list": np.array([[0.1, np.nan], [np.inf, -0.0], [1, 2]], np.float32)}
    content = parquet.with_columns(
        parquet.to_bytes(columns, own, MADE_BY), {"name": "a", "depth": 7}, longer, {"params": 2}
    )
    expected = {"name": np.repeat("a", 3), "depth": np.repeat(7, 3), **columns}
    assert content == parquet.to_bytes(expected, longer, {"params": 2})
    (tmp_path / "table").write_bytes(content)
    table = pq.read_table(tmp_path / "table")
    assert table.column_names == ["name", "depth", "n", "x", "list"]
    assert table["x"].null_count == 3
    assert parquet.made_by(tmp_path / "table") == {"params": 2}


def test_same_table_same_bytes(tmp_path: Path) -> None:
    frame = pd.DataFrame({"x": np.arange(5, dtype=np.float32), "y": np.zeros(5, np.float32)})
    for name in ("a", "b"):
        parquet.write(tmp_path / name, frame, POINTS, MADE_BY)
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()


def test_digest_follows_the_params() -> None:
    other = parquet.provenance({"seed": 10, "case": {"widths": [1, 3]}})
    assert other["params_sha256"] != MADE_BY["params_sha256"]


def test_table_of_other_params_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "t.parquet"
    parquet.write(path, {"x": np.ones(1, np.float32), "y": np.ones(1, np.float32)}, POINTS, MADE_BY)
    parquet.check_made_by(path, PARAMS)
    with pytest.raises(InputError, match=r"t\.parquet: made by other params"):
        parquet.check_made_by(path, {**PARAMS, "seed": 11})


def test_damaged_missing_and_foreign_tables_are_named(tmp_path: Path) -> None:
    path = tmp_path / "t.parquet"
    with pytest.raises(InputError, match=r"t\.parquet: missing"):
        parquet.read(path, POINTS)
    parquet.write(path, {"x": np.ones(9, np.float32), "y": np.ones(9, np.float32)}, POINTS, MADE_BY)
    with pytest.raises(InputError, match=r"t\.parquet: columns \['x', 'y'\]; expected"):
        parquet.read(path, TRIALS.schema)
    path.write_bytes(path.read_bytes()[:-5])
    with pytest.raises(InputError, match=r"t\.parquet: not a readable Parquet file"):
        parquet.read(path, POINTS)
    with pytest.raises(InputError, match="no part-"):
        parquet.read_parts(tmp_path, POINTS)


@pytest.mark.parametrize(
    ("lengths", "groups"), [((4, 6, 9), [19]), ((0, 0), [0]), ((50, 60), [100, 10]), ((70, 30), [100])]
)
def test_joined_tables_are_as_if_written_at_once(
    lengths: tuple[int, ...], groups: list[int], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(parquet, "ROW_GROUP", 100)
    x = np.random.default_rng(0).normal(size=sum(lengths)).astype(np.float32)
    parts = np.split(x, np.cumsum(lengths)[:-1])
    contents = [parquet.to_bytes({"x": part, "y": part}, POINTS, MADE_BY) for part in parts]
    parquet.write_joined(tmp_path / "joined", iter(contents))
    parquet.write(tmp_path / "whole", {"x": x, "y": x}, POINTS, MADE_BY)
    file = pq.ParquetFile(tmp_path / "joined")
    assert [file.metadata.row_group(k).num_rows for k in range(file.num_row_groups)] == groups
    assert parquet.read(tmp_path / "joined", POINTS).equals(parquet.read(tmp_path / "whole", POINTS))
    assert parquet.made_by(tmp_path / "joined") == MADE_BY
    if len(groups) == 1:
        assert (tmp_path / "joined").read_bytes() == (tmp_path / "whole").read_bytes()


def test_parts_are_read_in_order(tmp_path: Path) -> None:
    for part in (1, 0, 10):
        column = np.full(2, part, np.float32)
        parquet.write(tmp_path / f"part-{part:06d}.parquet", {"x": column, "y": column}, POINTS, MADE_BY)
    assert parquet.read_parts(tmp_path, POINTS)["x"].tolist() == [0, 0, 1, 1, 10, 10]
