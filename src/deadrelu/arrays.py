"""Arrays from files that nobody vouches for: .npy, .npz, Parquet. No pickle; sizes checked before anything is read."""

import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq

from deadrelu.errors import InputError

LARGEST = 4 * 2**30
"""Bytes that a file may unpack to. A .npy file is not unpacked but mapped, and may be of any size."""

ALLOWED = "allowed: a .npy file, a .npz file or a Parquet table of numbers"


def read(path: Path) -> dict[str, npt.NDArray[Any]]:
    """Read the arrays of a file.

    Returns:
        By name: the names in a .npz file, the columns of a table; "" for the one array of a .npy file. A column of
        lists, all of one length, is an array of shape (n, length).

    Raises:
        InputError: missing, too large, damaged, or no numbers.
    """
    readers = {".npy": _npy, ".npz": _npz, ".parquet": _parquet}
    reader = readers.get(path.suffix)
    if reader is None:
        raise InputError(f"{path}: received a name that ends with {path.suffix!r}; {ALLOWED}")
    try:
        arrays = reader(path)
    except (OSError, ValueError, EOFError, zipfile.BadZipFile, pa.ArrowException, MemoryError) as error:
        raise InputError(f"{path}: cannot be read: {' '.join(str(error).split())[:160]}; {ALLOWED}") from None
    for name, array in arrays.items():
        if array.dtype.kind not in "biuf" or array.ndim == 0:
            kind = f"{array.dtype} of shape {array.shape}"
            raise InputError(f"{path}: received {kind}{f' in {name}' if name else ''}; {ALLOWED}, one row an input")
    if not arrays:
        raise InputError(f"{path}: received no array; {ALLOWED}")
    return arrays


def side_by_side(arrays: dict[str, npt.NDArray[Any]]) -> dict[str, npt.NDArray[Any]]:
    """Columns of numbers, two or more, as one array of shape (n, columns); anything else as it is."""
    if len(arrays) < 2 or any(array.ndim != 1 for array in arrays.values()):
        return arrays
    return {"": np.stack(list(arrays.values()), axis=1)}


def _npy(path: Path) -> dict[str, npt.NDArray[Any]]:
    # Mapped: only the batch at hand is in memory, and a shape larger than the file is refused.
    return {"": np.load(path, mmap_mode="r", allow_pickle=False)}


def _npz(path: Path) -> dict[str, npt.NDArray[Any]]:
    with zipfile.ZipFile(path) as archive:  # which reads no more of a member than it declares
        _check_size(path, sum(member.file_size for member in archive.infolist()))
    with np.load(path, allow_pickle=False) as archive:
        return dict(archive)


def _parquet(path: Path) -> dict[str, npt.NDArray[Any]]:
    with pq.ParquetFile(path) as file:
        groups = [file.metadata.row_group(k) for k in range(file.metadata.num_row_groups)]
        # No number takes more than 8 bytes; the size on disk says nothing, a constant column takes none.
        _check_size(path, sum(8 * group.column(c).num_values for group in groups for c in range(group.num_columns)))
        table = file.read()
    return {name: _column(name, table.column(name)) for name in table.column_names}


def _column(name: str, column: pa.ChunkedArray) -> npt.NDArray[Any]:
    if column.null_count:
        raise ValueError(f"column {name} has missing values")
    whole = column.combine_chunks()
    if pa.types.is_list(whole.type) or pa.types.is_large_list(whole.type) or pa.types.is_fixed_size_list(whole.type):
        flat = whole.flatten().to_numpy(zero_copy_only=False)
        lengths = set(whole.value_lengths().to_pylist())
        if len(lengths) != 1:
            raise ValueError(f"column {name} has lists of {len(lengths)} lengths")
        return np.asarray(flat.reshape(len(whole), -1))
    return np.asarray(whole.to_numpy(zero_copy_only=False))


def _check_size(path: Path, size: int) -> None:
    if size > LARGEST:
        raise InputError(f"{path}: unpacks to {size:,} bytes; allowed: {LARGEST:,}; a .npy file may be larger")
