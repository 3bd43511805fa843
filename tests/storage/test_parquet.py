"""Tables and folders: what goes in comes out, damage is named, nothing is half-written."""

from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest

from deadrelu.errors import InputError
from deadrelu.stages.collapse.tables import TRIALS
from deadrelu.storage import parquet, points

PARAMS: dict[str, object] = {"seed": 10, "case": {"widths": [1, 2]}}
MADE_BY = parquet.provenance(PARAMS)


def test_round_trip_keeps_bits_and_provenance(tmp_path: Path) -> None:
    x = np.array([0.1, -0.0, np.nan, np.inf, 1e-45], np.float32)
    parquet.write(tmp_path / "t.parquet", {"x": x, "y": x}, points.SCHEMA, MADE_BY)
    read = parquet.read(tmp_path / "t.parquet", points.SCHEMA)
    assert read["x"].to_numpy().tobytes() == x.tobytes()
    assert parquet.made_by(tmp_path / "t.parquet") == MADE_BY
    assert MADE_BY["seed"] == 10
    assert {"tensorflow", "numpy"} <= set(MADE_BY["versions"])  # type: ignore[call-overload]


def test_same_table_same_bytes(tmp_path: Path) -> None:
    frame = pd.DataFrame({"x": np.arange(5, dtype=np.float32), "y": np.zeros(5, np.float32)})
    for name in ("a", "b"):
        parquet.write(tmp_path / name, frame, points.SCHEMA, MADE_BY)
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()


def test_digest_follows_the_params() -> None:
    other = parquet.provenance({"seed": 10, "case": {"widths": [1, 3]}})
    assert other["params_sha256"] != MADE_BY["params_sha256"]


def test_table_of_other_params_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "t.parquet"
    parquet.write(path, {"x": np.ones(1, np.float32), "y": np.ones(1, np.float32)}, points.SCHEMA, MADE_BY)
    parquet.check_made_by(path, PARAMS)
    with pytest.raises(InputError, match=r"t\.parquet: made by other params"):
        parquet.check_made_by(path, {**PARAMS, "seed": 11})


def test_damaged_missing_and_foreign_tables_are_named(tmp_path: Path) -> None:
    path = tmp_path / "t.parquet"
    with pytest.raises(InputError, match=r"t\.parquet: missing"):
        parquet.read(path, points.SCHEMA)
    parquet.write(path, {"x": np.ones(9, np.float32), "y": np.ones(9, np.float32)}, points.SCHEMA, MADE_BY)
    with pytest.raises(InputError, match=r"t\.parquet: columns \['x', 'y'\]; expected"):
        parquet.read(path, TRIALS)
    path.write_bytes(path.read_bytes()[:-5])
    with pytest.raises(InputError, match=r"t\.parquet: not a readable Parquet file"):
        parquet.read(path, points.SCHEMA)
    with pytest.raises(InputError, match="no part-"):
        parquet.read_parts(tmp_path, points.SCHEMA)


@pytest.mark.parametrize(
    ("lengths", "groups"), [((4, 6, 9), [19]), ((0, 0), [0]), ((50, 60), [100, 10]), ((70, 30), [100])]
)
def test_joined_tables_are_as_if_written_at_once(
    lengths: tuple[int, ...], groups: list[int], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(parquet, "ROW_GROUP", 100)
    x = np.random.default_rng(0).normal(size=sum(lengths)).astype(np.float32)
    parts = np.split(x, np.cumsum(lengths)[:-1])
    contents = [parquet.to_bytes({"x": part, "y": part}, points.SCHEMA, MADE_BY) for part in parts]
    parquet.write_joined(tmp_path / "joined", iter(contents))
    parquet.write(tmp_path / "whole", {"x": x, "y": x}, points.SCHEMA, MADE_BY)
    file = pq.ParquetFile(tmp_path / "joined")
    assert [file.metadata.row_group(k).num_rows for k in range(file.num_row_groups)] == groups
    assert parquet.read(tmp_path / "joined", points.SCHEMA).equals(parquet.read(tmp_path / "whole", points.SCHEMA))
    assert parquet.made_by(tmp_path / "joined") == MADE_BY
    if len(groups) == 1:
        assert (tmp_path / "joined").read_bytes() == (tmp_path / "whole").read_bytes()


def test_parts_are_read_in_order(tmp_path: Path) -> None:
    for part in (1, 0, 10):
        column = np.full(2, part, np.float32)
        parquet.write(tmp_path / f"part-{part:06d}.parquet", {"x": column, "y": column}, points.SCHEMA, MADE_BY)
    assert parquet.read_parts(tmp_path, points.SCHEMA)["x"].tolist() == [0, 0, 1, 1, 10, 10]
