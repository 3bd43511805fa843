"""Reading of arrays from untrusted .npy, .npz and Parquet files: no pickle is loaded, and sizes are checked first."""

import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq

from deadrelu.errors import InputError

MAX_UNPACKED_BYTES = 4 * 2**30
"""Maximum number of bytes that a file may unpack to; a .npy file may have any size, because it is mapped instead."""

ALLOWED = "expected: a .npy file, a .npz file or a Parquet table of numbers"


def read(path: Path) -> dict[str, npt.NDArray[Any]]:
    """Read the arrays of a file.

    Returns:
        Arrays by their names, which are those in a .npz file or of the columns of a table; the name is "" if a file has
        only one array. A column of lists, all of the same length, becomes an array of shape (n, length).

    Raises:
        InputError: the file is missing, too large or damaged, or contains something other than numbers.
    """
    readers = {".npy": _npy, ".npz": _npz, ".parquet": _parquet}
    reader = readers.get(path.suffix.lower())
    if reader is None:
        raise InputError(f"{path}: received a name that ends with {path.suffix!r}; {ALLOWED}")
    if not path.is_file():  # also refuses a pipe, which would wait for data
        raise InputError(f"{path}: missing, or no file; {ALLOWED}")
    try:
        arrays = reader(path)
    except InputError:
        raise
    except Exception as error:  # the errors of parsers share no base class
        raise InputError(f"{path}: cannot be read: {' '.join(str(error).split())[:160]}; {ALLOWED}") from None
    for name, array in arrays.items():
        if not isinstance(array, np.ndarray) or array.dtype.kind not in "biuf" or array.ndim == 0:
            kind = f"{array.dtype} of shape {array.shape}" if isinstance(array, np.ndarray) else "no array"
            raise InputError(f"{path}: received {kind}{f' in {name}' if name else ''}; {ALLOWED}, one row an input")
    if not arrays:
        raise InputError(f"{path}: received no array; {ALLOWED}")
    return arrays if len(arrays) > 1 else {"": next(iter(arrays.values()))}


def side_by_side(arrays: dict[str, npt.NDArray[Any]]) -> dict[str, npt.NDArray[Any]]:
    """Join two or more arrays of shape (n,) into one, named "", of shape (n, columns); return others unchanged."""
    if len(arrays) < 2 or {array.ndim for array in arrays.values()} != {1}:
        return arrays
    if len({len(array) for array in arrays.values()}) > 1:
        return arrays
    return {"": np.stack(list(arrays.values()), axis=1)}


def _npy(path: Path) -> dict[str, npt.NDArray[Any]]:
    # The file is mapped: only the current batch is in memory, and a shape larger than the file is refused.
    return {"": np.load(path, mmap_mode="r", allow_pickle=False)}


def _npz(path: Path) -> dict[str, npt.NDArray[Any]]:
    with zipfile.ZipFile(path) as archive:  # it reads no more of a member than the declared size
        _check_size(path, sum(member.file_size for member in archive.infolist()))
    with np.load(path, allow_pickle=False) as archive:
        return dict(archive)


def _parquet(path: Path) -> dict[str, npt.NDArray[Any]]:
    with pq.ParquetFile(path) as file:
        groups = [file.metadata.row_group(k) for k in range(file.metadata.num_row_groups)]
        # No number takes more than 8 bytes. The size on disk says nothing, because a constant column takes no space.
        _check_size(path, sum(8 * group.column(c).num_values for group in groups for c in range(group.num_columns)))
        _check_types(file.schema_arrow)
        table = file.read()
    return {name: _column(name, table.column(name)) for name in table.column_names}


def _check_types(schema: pa.Schema) -> None:
    """Refuse columns other than numbers before they are read: a small file can store a million equal strings."""
    for field in schema:
        kind = field.type
        if pa.types.is_list(kind) or pa.types.is_large_list(kind) or pa.types.is_fixed_size_list(kind):
            kind = kind.value_type
        if not (pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_boolean(kind)):
            raise ValueError(f"column {field.name} is of {field.type}")


def _column(name: str, column: pa.ChunkedArray) -> npt.NDArray[Any]:
    whole = column.combine_chunks()
    if pa.types.is_list(whole.type) or pa.types.is_large_list(whole.type) or pa.types.is_fixed_size_list(whole.type):
        flat = whole.flatten()
        lengths = set(whole.value_lengths().to_pylist())
        if len(lengths) != 1:
            raise ValueError(f"column {name} has lists of {len(lengths)} lengths")
        return _numbers(name, flat).reshape(len(whole), -1)
    return _numbers(name, whole)


def _numbers(name: str, column: pa.Array) -> npt.NDArray[Any]:
    if column.null_count:
        raise ValueError(f"column {name} has missing values")
    return np.asarray(column.to_numpy(zero_copy_only=False))


def _check_size(path: Path, size: int) -> None:
    if size > MAX_UNPACKED_BYTES:
        raise InputError(
            f"{path}: unpacks to {size:,} bytes; expected: {MAX_UNPACKED_BYTES:,}; a .npy file may be larger"
        )
