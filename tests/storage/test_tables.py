"""Tables and folders: what goes in comes out, damage is named, nothing is half-written."""

from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest

from deadrelu.errors import InputError
from deadrelu.storage import files, tables

PARAMS: dict[str, object] = {"seed": 10, "case": {"widths": [1, 2]}}
MADE_BY = tables.provenance(PARAMS)


def test_round_trip_keeps_bits_and_provenance(tmp_path: Path) -> None:
    x = np.array([0.1, -0.0, np.nan, np.inf, 1e-45], np.float32)
    tables.write(tmp_path / "t.parquet", {"x": x, "y": x}, tables.TARGET, MADE_BY)
    read = tables.read(tmp_path / "t.parquet", tables.TARGET)
    assert read["x"].to_numpy().tobytes() == x.tobytes()
    assert tables.made_by(tmp_path / "t.parquet") == MADE_BY
    assert MADE_BY["seed"] == 10
    assert {"tensorflow", "numpy"} <= set(MADE_BY["versions"])  # type: ignore[call-overload]


def test_same_table_same_bytes(tmp_path: Path) -> None:
    frame = pd.DataFrame({"x": np.arange(5, dtype=np.float32), "y": np.zeros(5, np.float32)})
    for name in ("a", "b"):
        tables.write(tmp_path / name, frame, tables.TARGET, MADE_BY)
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()


def test_digest_follows_the_params() -> None:
    other = tables.provenance({"seed": 10, "case": {"widths": [1, 3]}})
    assert other["params_sha256"] != MADE_BY["params_sha256"]


def test_table_of_other_params_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "t.parquet"
    tables.write(path, {"x": np.ones(1, np.float32), "y": np.ones(1, np.float32)}, tables.TARGET, MADE_BY)
    tables.check_made_by(path, PARAMS)
    with pytest.raises(InputError, match=r"t\.parquet: made by other params"):
        tables.check_made_by(path, {**PARAMS, "seed": 11})


def test_damaged_missing_and_foreign_tables_are_named(tmp_path: Path) -> None:
    path = tmp_path / "t.parquet"
    with pytest.raises(InputError, match=r"t\.parquet: missing"):
        tables.read(path, tables.TARGET)
    tables.write(path, {"x": np.ones(9, np.float32), "y": np.ones(9, np.float32)}, tables.TARGET, MADE_BY)
    with pytest.raises(InputError, match=r"t\.parquet: columns \['x', 'y'\]; allowed"):
        tables.read(path, tables.COLLAPSE)
    path.write_bytes(path.read_bytes()[:-5])
    with pytest.raises(InputError, match=r"t\.parquet: not a readable Parquet file"):
        tables.read(path, tables.TARGET)
    with pytest.raises(InputError, match="no part-"):
        tables.read_parts(tmp_path, tables.TARGET)


@pytest.mark.parametrize(
    ("lengths", "groups"), [((4, 6, 9), [19]), ((0, 0), [0]), ((50, 60), [100, 10]), ((70, 30), [100])]
)
def test_joined_tables_are_as_if_written_at_once(
    lengths: tuple[int, ...], groups: list[int], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tables, "ROW_GROUP", 100)
    x = np.random.default_rng(0).normal(size=sum(lengths)).astype(np.float32)
    parts = np.split(x, np.cumsum(lengths)[:-1])
    contents = [tables.to_bytes({"x": part, "y": part}, tables.TARGET, MADE_BY) for part in parts]
    tables.write_joined(tmp_path / "joined", iter(contents))
    tables.write(tmp_path / "whole", {"x": x, "y": x}, tables.TARGET, MADE_BY)
    file = pq.ParquetFile(tmp_path / "joined")
    assert [file.metadata.row_group(k).num_rows for k in range(file.num_row_groups)] == groups
    assert tables.read(tmp_path / "joined", tables.TARGET).equals(tables.read(tmp_path / "whole", tables.TARGET))
    assert tables.made_by(tmp_path / "joined") == MADE_BY
    if len(groups) == 1:
        assert (tmp_path / "joined").read_bytes() == (tmp_path / "whole").read_bytes()


def test_parts_are_read_in_order(tmp_path: Path) -> None:
    for part in (1, 0, 10):
        column = np.full(2, part, np.float32)
        tables.write(tmp_path / f"part-{part:06d}.parquet", {"x": column, "y": column}, tables.TARGET, MADE_BY)
    assert tables.read_parts(tmp_path, tables.TARGET)["x"].tolist() == [0, 0, 1, 1, 10, 10]


def test_folder_appears_whole_or_not_at_all(tmp_path: Path) -> None:
    path = tmp_path / "deep" / "folder"
    with files.new_folder(path) as folder:
        (folder / "a").write_text("old")
        assert not path.exists()
    with pytest.raises(FileNotFoundError), files.new_folder(path) as folder:
        (folder / "b").write_text((folder / "nowhere").read_text())
    assert [p.name for p in path.iterdir()] == ["a"]
    with files.new_folder(path) as folder:
        (folder / "c").write_text("new")
    assert [p.name for p in path.iterdir()] == ["c"]
    assert [p.name for p in path.parent.iterdir()] == ["folder"]


def test_file_and_folder_do_not_replace_each_other(tmp_path: Path) -> None:
    (tmp_path / "place").write_text("a user's")
    with (
        pytest.raises(InputError, match="place: received a file; allowed: a folder"),
        files.new_folder(tmp_path / "place"),
    ):
        pass
    assert (tmp_path / "place").read_text() == "a user's"
    (tmp_path / "new").write_text("")
    (tmp_path / "folder").mkdir()
    with pytest.raises(InputError, match="folder: received a folder; allowed: a file"):
        files.put(tmp_path / "new", tmp_path / "folder", tmp_path)


def test_place_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with (
        pytest.raises(InputError, match="file/folder: cannot be written"),
        files.new_folder(tmp_path / "file/folder/x"),
    ):
        pass
