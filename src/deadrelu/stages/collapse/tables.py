"""Columns of `data/collapse/<case>/`: trials, fits of the notebook's loop, functions of a few networks."""

import pyarrow as pa

from deadrelu.storage import parquet

TRIALS = pa.schema(  # half-lines and probes are null where there is more than one input
    [
        *parquet.columns("trial", pa.int64()),
        *parquet.columns("born_dead_low born_dead_high", pa.bool_(), nullable=True),
        *parquet.columns("born_dead dead", pa.bool_()),
        *parquet.columns("prediction_min prediction_max", pa.float32()),
        *parquet.columns("range_low range_high", pa.float32(), nullable=True),
        *parquet.columns("range", pa.float32()),
        *parquet.columns("probe_1 probe_2 probe_3 probe_4 probe_5", pa.float32(), nullable=True),
        *parquet.columns("probes_equal", pa.bool_(), nullable=True),
        *parquet.columns("loss_initial loss_final", pa.float32()),
        pa.field("loss", pa.list_(pa.field("element", pa.float32(), nullable=False)), nullable=False),
    ]
)
FITS = pa.schema([*parquet.columns("trial fit", pa.int64()), *parquet.columns("range probe_range", pa.float32())])
"""Of a refitted trial, after each fit: the range over the training inputs, and over the probes."""

WEIGHTS = pa.schema(
    [
        *parquet.columns("trial", pa.int64()),
        *(
            pa.field(name, pa.list_(pa.field("element", pa.float32(), nullable=False)), nullable=False)
            for name in ("initial", "final")
        ),
    ]
)
"""Weights of the first trials of a case of small networks, in the order of Keras's `get_weights`."""

FUNCTIONS = pa.schema([*parquet.columns("trial", pa.int64()), *parquet.columns("x untrained trained", pa.float32())])
"""What the first trials of a case compute, on points over the interval."""
