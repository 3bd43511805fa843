"""Columns of `data/safe_region/`: counts of untrained networks, trained ones, functions of a few."""

import pyarrow as pa

from deadrelu.storage import parquet

_CELL = [*parquet.columns("initializer", pa.string()), *parquet.columns("depth width", pa.int32())]

BORN_DEAD = pa.schema(
    [
        *parquet.columns("depth width", pa.int32()),
        *parquet.columns("networks born_dead_low born_dead_high born_dead", pa.int64()),
    ]
)
OTHER_INITIALIZERS = pa.schema([*_CELL, *parquet.columns("networks born_dead", pa.int64())])
"""Of the other initializers: constant before training."""

TRAINED_GRID = pa.schema(
    [
        *_CELL,
        *parquet.columns("trial", pa.int64()),
        *parquet.columns("born_dead", pa.bool_()),
        *parquet.columns("range", pa.float32()),
    ]
)
REGION_FUNCTIONS = pa.schema(
    [
        *_CELL,
        *parquet.columns("trained", pa.bool_()),
        *parquet.columns("network", pa.int32()),
        *parquet.columns("x value", pa.float32()),
    ]
)
"""What a few networks of each cell compute."""
