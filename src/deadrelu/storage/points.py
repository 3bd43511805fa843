"""The training points of the narrow networks: columns x, y, float32."""

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa

from deadrelu.settings.params import Params
from deadrelu.storage import parquet

if TYPE_CHECKING:
    import pandas as pd

PATH = Path("data/target/points.parquet")
SCHEMA = pa.schema(parquet.columns("x y", pa.float32()))


def read(params: Params) -> "pd.DataFrame":
    """All of them.

    Raises:
        InputError: missing, damaged, or of another target than that of the params.
    """
    found = parquet.read(PATH, SCHEMA)
    parquet.check_made_by(PATH, params.of_target())
    return found


def read_arrays(params: Params) -> tuple[np.ndarray, np.ndarray]:
    """The same as x and y, each of shape (n, 1), without pandas, which takes a second to import."""
    found = parquet.read_arrays(PATH, SCHEMA)
    parquet.check_made_by(PATH, params.of_target())
    return found["x"][:, None], found["y"][:, None]
