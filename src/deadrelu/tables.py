"""Parquet tables: schemas, provenance, writes, checked reads."""

import hashlib
import json
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
from pydantic import BaseModel

from deadrelu.errors import InputError

QUANTILES = (0.01, 0.25, 0.5, 0.75, 0.99)
PACKAGES = ("deadrelu", "tensorflow", "keras", "numpy", "pandas", "pyarrow")


def _columns(names: str, kind: pa.DataType) -> list[pa.Field]:
    return [pa.field(name, kind, nullable=False) for name in names.split()]


_STATISTICS = "mean std rms zero_fraction dead_units saturated_fraction " + " ".join(
    f"q{round(100 * q):02d}" for q in QUANTILES
)

TARGET = pa.schema(_columns("x y", pa.float32()))
ACTIVATIONS = pa.schema(
    [
        *_columns("case", pa.string()),
        *_columns("layer unit sample", pa.int32()),
        *_columns("activation", pa.float32()),
    ]
)
SUMMARY = pa.schema(
    [
        *_columns("case", pa.string()),
        *_columns("layer", pa.int32()),
        *_columns(_STATISTICS, pa.float64()),
        *_columns(" ".join(f"gradient_{name}" for name in _STATISTICS.split()), pa.float64()),
    ]
)
COLLAPSE = pa.schema(
    [
        *_columns("trial", pa.int64()),
        *_columns("born_dead_low born_dead_high born_dead dead", pa.bool_()),
        *_columns("prediction_min prediction_max range_low range_high range", pa.float32()),
        *_columns("probe_1 probe_2 probe_3 probe_4 probe_5", pa.float32()),
        *_columns("probes_equal", pa.bool_()),
        *_columns("loss_initial loss_final", pa.float32()),
        pa.field("loss", pa.list_(pa.field("element", pa.float32(), nullable=False)), nullable=False),
    ]
)


def provenance(params: dict[str, BaseModel | object], seed: int) -> dict[str, object]:
    """What made a table: digest of the params it depends on, seed, versions of the packages."""
    plain = {key: value.model_dump() if isinstance(value, BaseModel) else value for key, value in params.items()}
    digest = hashlib.sha256(json.dumps(plain, sort_keys=True).encode()).hexdigest()
    return {"params": plain, "params_sha256": digest, "seed": seed, "versions": {p: version(p) for p in PACKAGES}}


def write(path: Path, columns: pd.DataFrame | dict[str, object], schema: pa.Schema, made_by: dict[str, object]) -> None:
    """Write a table into a folder that is being filled (`files.new_folder` makes it appear whole or not at all)."""
    schema = schema.with_metadata({"deadrelu": json.dumps(made_by, sort_keys=True)})
    if isinstance(columns, pd.DataFrame):
        table = pa.Table.from_pandas(columns, schema=schema, preserve_index=False).replace_schema_metadata(
            schema.metadata
        )
    else:
        table = pa.table(columns, schema=schema)
    pq.write_table(table, path, compression="zstd")


def read(path: Path, schema: pa.Schema) -> pd.DataFrame:
    """Read one table and check its columns.

    Raises:
        InputError: the file is missing, is no Parquet file, or has other columns.
    """
    try:
        table = pq.ParquetFile(path).read()
    except FileNotFoundError:
        raise InputError(f"{path}: missing; `dvc repro` makes it") from None
    except (OSError, pa.ArrowException) as error:
        raise InputError(f"{path}: not a readable Parquet file: {' '.join(str(error).split())[:200]}") from None
    if not table.schema.equals(schema):
        raise InputError(f"{path}: columns {table.schema.names}; allowed: {schema.names} with this version's types")
    frame: pd.DataFrame = table.to_pandas()
    return frame


def made_by(path: Path) -> dict[str, Any]:
    """What made a table, as written by `provenance`."""
    found: dict[str, Any] = json.loads(pq.read_schema(path).metadata[b"deadrelu"])
    return found


def read_parts(folder: Path, schema: pa.Schema) -> pd.DataFrame:
    """Read `part-*.parquet` of a folder, in the order of their names."""
    parts = sorted(folder.glob("part-*.parquet"))
    if not parts:
        raise InputError(f"{folder}: no part-*.parquet; `dvc repro` makes them")
    return pd.concat([read(part, schema) for part in parts], ignore_index=True)
