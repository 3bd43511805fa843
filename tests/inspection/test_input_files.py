"""Test that untrusted input files are read as written, or refused."""

import os
import zipfile
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from deadrelu.errors import InputError
from deadrelu.inspection import input_files

X = np.random.default_rng(0).normal(size=(5, 3)).astype(np.float32)


def test_npy_is_mapped_not_read(tmp_path: Path) -> None:
    np.save(tmp_path / "x.npy", X)
    array = input_files.read(tmp_path / "x.npy")[""]
    assert isinstance(array, np.memmap)
    assert (array == X).all()


def test_npz_keeps_names(tmp_path: Path) -> None:
    np.savez_compressed(tmp_path / "x.npz", a=X, b=X[:, 0])
    arrays = input_files.read(tmp_path / "x.npz")
    assert list(arrays) == ["a", "b"]
    assert (arrays["a"] == X).all()


def test_parquet_columns_stand_side_by_side(tmp_path: Path) -> None:
    pd.DataFrame(X, columns=["a", "b", "c"]).to_parquet(tmp_path / "x.parquet")
    columns = input_files.read(tmp_path / "x.parquet")
    assert list(columns) == ["a", "b", "c"]
    assert (input_files.side_by_side(columns)[""] == X).all()


@pytest.mark.parametrize("kind", [pa.list_(pa.float32()), pa.list_(pa.float32(), 3), pa.large_list(pa.float32())])
def test_parquet_lists_are_rows(tmp_path: Path, kind: pa.DataType) -> None:
    pq.write_table(pa.table({"x": pa.array(X.tolist(), kind)}), tmp_path / "x.parquet", row_group_size=2)
    inputs = input_files.side_by_side(input_files.read(tmp_path / "x.parquet"))
    assert (inputs[""] == X).all()  # the only one, whatever it is called


class Evil:
    """An object that creates a file when it is unpickled."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[object, tuple[Path]]:
        return Path.touch, (self.path,)


@pytest.mark.parametrize("name", ["x.npy", "x.npz"])
def test_pickle_is_refused_and_not_run(tmp_path: Path, name: str) -> None:
    evil = np.array([Evil(tmp_path / "ran")], dtype=object)
    (np.save if name == "x.npy" else np.savez)(tmp_path / name, evil)
    with pytest.raises(InputError, match=f"{name}: cannot be read: .*[Oo]bject"):
        input_files.read(tmp_path / name)
    assert not (tmp_path / "ran").exists()


def test_what_unpacks_to_too_much_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(input_files, "MAX_UNPACKED_BYTES", 100_000)
    np.savez_compressed(tmp_path / "bomb.npz", np.zeros(100_000, np.uint8))  # a few hundred bytes
    with pytest.raises(InputError, match=r"bomb\.npz: unpacks to 100,[0-9]+ bytes; expected: 100,000"):
        input_files.read(tmp_path / "bomb.npz")
    pd.DataFrame({"x": np.zeros(100_000)}).to_parquet(tmp_path / "bomb.parquet")
    with pytest.raises(InputError, match=r"bomb\.parquet: unpacks to 800,000 bytes"):
        input_files.read(tmp_path / "bomb.parquet")


def test_npy_that_promises_more_than_it_holds_is_refused(tmp_path: Path) -> None:
    with (tmp_path / "x.npy").open("wb") as file:
        np.lib.format.write_array_header_2_0(file, {"descr": "<f4", "fortran_order": False, "shape": (10**12,)})
    with pytest.raises(InputError, match=r"x\.npy: cannot be read"):
        input_files.read(tmp_path / "x.npy")


def test_damaged_missing_and_foreign_files_are_named(tmp_path: Path) -> None:
    for name in ("x.npy", "x.npz", "x.parquet"):
        with pytest.raises(InputError, match=f"{name}: missing, or no file"):
            input_files.read(tmp_path / name)
        (tmp_path / name).write_bytes(b"nothing of the kind")
        with pytest.raises(InputError, match=f"{name}: cannot be read"):
            input_files.read(tmp_path / name)
    with pytest.raises(InputError, match=r"x\.csv: received a name that ends with '\.csv'; expected: a \.npy file"):
        input_files.read(tmp_path / "x.csv")


def test_whatever_a_parser_raises_is_one_error(tmp_path: Path) -> None:
    with (tmp_path / "huge.npy").open("wb") as file:
        np.lib.format.write_array_header_2_0(file, {"descr": "<f4", "fortran_order": False, "shape": (10**25, 20)})
    with zipfile.ZipFile(tmp_path / "text.npz", "w") as archive:
        archive.writestr("x.txt", "hallo")
    pq.write_table(pa.table([pa.array([1.0]), pa.array([1.0])], names=["x", "x"]), tmp_path / "twice.parquet")
    os.mkfifo(tmp_path / "pipe.npy")
    for name in ("huge.npy", "text.npz", "twice.parquet", "pipe.npy"):
        with pytest.raises(InputError, match=f"{name}: "):
            input_files.read(tmp_path / name)


def test_only_numbers_without_gaps(tmp_path: Path) -> None:
    np.save(tmp_path / "words.npy", np.array(["a", "b"]))
    with pytest.raises(InputError, match=r"words\.npy: received <U1"):
        input_files.read(tmp_path / "words.npy")
    np.save(tmp_path / "scalar.npy", np.float32(1))
    with pytest.raises(InputError, match=r"scalar\.npy: received float32 of shape \(\)"):
        input_files.read(tmp_path / "scalar.npy")
    pq.write_table(pa.table({"x": [1.0, None]}), tmp_path / "gap.parquet")
    with pytest.raises(InputError, match=r"gap\.parquet: .*column x has missing values"):
        input_files.read(tmp_path / "gap.parquet")
    pq.write_table(pa.table({"x": [[1.0], [1.0, 2.0]]}), tmp_path / "ragged.parquet")
    with pytest.raises(InputError, match=r"ragged\.parquet: .*column x has lists of 2 lengths"):
        input_files.read(tmp_path / "ragged.parquet")
    with zipfile.ZipFile(tmp_path / "empty.npz", "w"):
        pass
    with pytest.raises(InputError, match=r"empty\.npz: received no array"):
        input_files.read(tmp_path / "empty.npz")
