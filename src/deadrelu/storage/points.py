"""The training points of the narrow networks: columns x, y, float32."""

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa

from deadrelu.settings import targets
from deadrelu.settings.params import Params, TargetParams
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


def arrays(params: Params, target: TargetParams) -> tuple[np.ndarray, np.ndarray]:
    """Points of a target, x and y two-dimensional: from `data/target` if it is that one, else drawn here."""
    return read_arrays(params) if target == params.data.target else drawn(target, params.seed)


def drawn(target: TargetParams, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Points of any target, x and y two-dimensional, without a file."""
    x, y = targets.sample(target.function, target.low, target.high, target.points, seed=seed)
    return x.reshape(len(x), -1), y.reshape(len(y), -1)


def read_arrays(params: Params) -> tuple[np.ndarray, np.ndarray]:
    """The same as x and y, each of shape (n, 1), without pandas, which takes a second to import."""
    found = parquet.read_arrays(PATH, SCHEMA)
    parquet.check_made_by(PATH, params.of_target())
    return found["x"][:, None], found["y"][:, None]
