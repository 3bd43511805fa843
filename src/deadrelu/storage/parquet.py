"""Write Parquet tables with their provenance, and read and check such tables; `tables` defines their columns."""

import hashlib
import io
import json
from collections.abc import Iterable, Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from deadrelu.errors import InputError

if TYPE_CHECKING:
    import pandas as pd  # importing takes a quarter of a second, and stages that only write do not need it

ROW_GROUP = 2**20
"""Maximum number of rows in a row group of a Parquet file; this is pyarrow's default."""


def columns(names: str, kind: pa.DataType, *, nullable: bool = False) -> list[pa.Field]:
    """Return the fields of a schema for columns of one type; their names are separated by spaces in `names`."""
    return [pa.field(name, kind, nullable=nullable) for name in names.split()]


def provenance(params: dict[str, object]) -> dict[str, object]:
    """Return the provenance of a table: the params it depends on, which include the seed, and their digest.

    Versions of packages are not part of it (see `versions`), so that tables with equal numbers have equal bytes.
    """
    return {"params": params, "params_sha256": _digest(params), "seed": params["seed"]}


def _digest(params: dict[str, object]) -> str:
    return hashlib.sha256(json.dumps(params, sort_keys=True).encode()).hexdigest()


def check_made_by(path: Path, params: dict[str, object]) -> None:
    """Check that the file of a table was made with these params.

    Raises:
        InputError: the table was made with other params.
    """
    if made_by(path).get("params_sha256") != _digest(params):
        raise InputError(f"{path}: made by other params than those in params.yaml; run `dvc repro`")


def write(
    path: Path, columns: "pd.DataFrame | Mapping[str, object]", schema: pa.Schema, made_by: dict[str, object]
) -> None:
    """Write a table, with its provenance `made_by`, to a new file; this is not atomic (see `files.new_folder`).

    A nullable column of the schema that is absent from `columns`, or None, is null in every row.
    """
    path.write_bytes(to_bytes(columns, schema, made_by))


def to_bytes(columns: "pd.DataFrame | Mapping[str, object]", schema: pa.Schema, made_by: dict[str, object]) -> bytes:
    """Return the bytes of the file that `write` writes for the same arguments."""
    schema = schema.with_metadata({"deadrelu": json.dumps(made_by, sort_keys=True)})
    # Table.from_pandas is not used, because it would convert NaN to null.
    rows = len(columns[schema.names[0]])  # type: ignore[arg-type]
    arrays = [_array(columns.get(field.name), field, rows) for field in schema]
    sink = io.BytesIO()
    pq.write_table(pa.Table.from_arrays(arrays, schema=schema), sink, compression="zstd")
    return sink.getvalue()


def from_bytes(content: bytes, schema: pa.Schema) -> "pd.DataFrame":
    """Read a table made by `to_bytes` with the same schema, without a check of its columns."""
    frame: pd.DataFrame = pq.read_table(io.BytesIO(content), schema=schema).to_pandas()
    return frame


def with_columns(content: bytes, more: Mapping[str, object], schema: pa.Schema, made_by: dict[str, object]) -> bytes:
    """Return a table made by `to_bytes` with constant columns, `more`, in front; `schema` is that of the result."""
    table = pq.ParquetFile(io.BytesIO(content)).read()
    columns = [pa.repeat(pa.scalar(more[name], schema.field(name).type), len(table)) for name in more]
    columns += [table[name] for name in table.column_names]
    schema = schema.with_metadata({"deadrelu": json.dumps(made_by, sort_keys=True)})
    sink = io.BytesIO()
    pq.write_table(pa.Table.from_arrays(columns, schema=schema), sink, compression="zstd")
    return sink.getvalue()


def write_joined(path: Path, contents: Iterable[bytes]) -> None:
    """Write tables made by `to_bytes` as one table, with the bytes of `write`; only a few are in memory at a time."""
    with path.open("wb") as file, ExitStack() as stack:
        writer: pq.ParquetWriter | None = None
        waiting: list[pa.Table] = []
        for content in contents:
            table = pq.ParquetFile(io.BytesIO(content)).read()  # read_table would import pandas
            if writer is None:
                writer = stack.enter_context(pq.ParquetWriter(file, table.schema, compression="zstd"))
            waiting.append(table)
            while sum(map(len, waiting)) > ROW_GROUP:  # not >=, so that the last row group is not empty
                whole = pa.concat_tables(waiting)
                writer.write_table(whole[:ROW_GROUP].combine_chunks())
                waiting = [whole[ROW_GROUP:]]
        if writer is None:
            raise ValueError("there must be a table")
        writer.write_table(pa.concat_tables(waiting).combine_chunks())


def _array(column: Any, field: pa.Field, rows: int) -> pa.Array:
    if column is None:
        if not field.nullable:
            raise ValueError(f"column {field.name} must be given")
        return pa.nulls(rows, field.type)
    if pa.types.is_string(field.type):
        return pa.array(np.asarray(column), field.type)
    values = np.asarray(column)
    if pa.types.is_list(field.type):
        offsets = _of_numbers(np.arange(0, values.size + 1, values.shape[1]), pa.int32())
        return pa.ListArray.from_arrays(offsets, _of_numbers(values.ravel(), field.type.value_type), field.type)
    return _of_numbers(values, field.type)


def _of_numbers(values: np.ndarray, kind: pa.DataType) -> pa.Array:
    """Return numbers or booleans as an Arrow array; `pa.array` is not used, because it imports pandas."""
    if pa.types.is_boolean(kind):
        bits = np.packbits(values.astype(bool), bitorder="little")
        return pa.Array.from_buffers(kind, len(values), [None, pa.py_buffer(bits)])
    numbers = np.ascontiguousarray(values, kind.to_pandas_dtype())
    return pa.Array.from_buffers(kind, len(numbers), [None, pa.py_buffer(numbers)])


def read(path: Path, schema: pa.Schema) -> "pd.DataFrame":
    """Read a table from a file, and check that its columns are those of the schema.

    Raises:
        InputError: the file is missing, is not a Parquet file, or has other columns.
    """
    frame: pd.DataFrame = _read(path, schema).to_pandas()
    return frame


def _read(path: Path, schema: pa.Schema) -> pa.Table:
    try:
        table = pq.ParquetFile(path).read()
    except FileNotFoundError:
        raise InputError(f"{path}: missing; `dvc repro` makes it") from None
    except (OSError, pa.ArrowException) as error:
        raise InputError(
            f"{path}: not a readable Parquet file: {' '.join(str(error).split())[:160]}; `dvc repro --force` remakes it"
        ) from None
    if not table.schema.equals(schema):
        raise InputError(f"{path}: columns {table.schema.names}; expected: {schema.names} with this version's types")
    return table


def made_by(path: Path) -> dict[str, Any]:
    """Read the provenance of the table in a file, as `provenance` returns it; it is empty if none is recorded."""
    metadata: dict[str, Any] = json.loads((pq.read_schema(path).metadata or {}).get(b"deadrelu", b"{}"))
    return metadata


def read_parts(folder: Path, schema: pa.Schema) -> "pd.DataFrame":
    """Read the files `part-*.parquet` of a folder as one table, in the order of the names of the files."""
    parts = sorted(folder.glob("part-*.parquet"))
    if not parts:
        raise InputError(f"{folder}: no part-*.parquet; `dvc repro` makes them")
    frame: pd.DataFrame = pa.concat_tables([_read(part, schema) for part in parts]).to_pandas()
    return frame
