"""Columns of `data/sensitivity/`: rates of each reading and criterion, and deaths in training."""

import pyarrow as pa

from deadrelu.storage import parquet

RATES = pa.schema(
    [
        *parquet.columns("kind reading function initializer", pa.string()),
        *parquet.columns("hidden_layers", pa.int32()),
        *parquet.columns("criterion", pa.string()),
        *parquet.columns("trials count", pa.int64()),
    ]
)
"""How many trials meet a criterion. kind: reading, variation or plane; initializer: he or rai; criterion: born_dead,
dead, within_1e-06 … within_0.1 (range of the predictions), best_constant (loss no better than the best constant's)."""

DEATHS = pa.schema(
    [
        *parquet.columns("initializer", pa.string()),
        *parquet.columns("trial", pa.int64()),
        *parquet.columns("epoch layer", pa.int32()),
        *parquet.columns("revived", pa.bool_()),
    ]
)
"""When a network collapses for good, 0: before training, -1: not; the first hidden layer that is 0 on all points then,
0: none is; and whether it had collapsed before and come back."""
