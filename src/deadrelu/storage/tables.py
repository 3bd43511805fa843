"""Locations and columns of the tables of the pipeline."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from deadrelu.errors import InputError
from deadrelu.storage import parquet
from deadrelu.storage.parquet import columns

if TYPE_CHECKING:
    import pandas as pd  # importing takes a quarter of a second, and stages that only write do not need it

DATA = Path("data")
"""Folder that contains the tables of all stages."""

MNIST = "mnist"
TARGETS = "targets"
COLLAPSE = "collapse"
SENSITIVITY = "sensitivity"
SAFE_REGION = "safe_region"


@dataclass(frozen=True)
class Table:
    """A kind of table: its folder in `data/`, file name and columns; a key replaces `{}` in the folder or name."""

    folder: str
    name: str
    schema: pa.Schema

    def path(self, key: str = "", data: Path = DATA) -> Path:
        """Return the path of the table for a key, such as a case; `data` is the folder of all tables."""
        return data / self.folder.format(key) / self.name.format(key)

    def read(self, made_by: dict[str, Any], key: str = "", data: Path = DATA) -> "pd.DataFrame":
        """Read the table for a key, such as a case; `data` is the folder of all tables.

        Raises:
            InputError: the table is missing or damaged, or was made with other settings than `made_by`.
        """
        path = self.path(key, data)
        frame = parquet.read(path, self.schema)
        parquet.check_made_by(path, made_by)
        return frame


def _numbers(name: str) -> pa.Field:
    """Return the field of a column whose entries are lists of float32."""
    return pa.field(name, pa.list_(pa.field("element", pa.float32(), nullable=False)), nullable=False)


STATISTICS = "mean std rms input_std zero_fraction dead_units saturated_fraction q01 q25 q50 q75 q99"
"""Names of the statistics of a layer's signal; see `signals.statistics.Running`."""

GRADIENT_STATISTICS = " ".join(f"gradient_{name}" for name in STATISTICS.split())

SAMPLE = Table(
    "activations",
    "{}.parquet",
    pa.schema(
        [
            *columns("case", pa.string()),
            *columns("layer unit sample", pa.int32()),
            *columns("activation gradient", pa.float32()),
        ]
    ),
)
"""Sampled activations and their gradients, with one row per case, layer, unit and image (the column `sample`)."""

SUMMARY = Table(
    "activations",
    "summary.parquet",
    pa.schema(
        [
            *columns("case", pa.string()),
            *columns("layer", pa.int32()),
            *columns(STATISTICS, pa.float64()),
            *columns(GRADIENT_STATISTICS, pa.float64()),
        ]
    ),
)
"""Statistics of activations and of their gradients, with one row per case and layer."""

NETWORKS = Table(
    "activations",
    "networks.parquet",
    pa.schema(
        [
            *columns("case", pa.string()),
            *columns("network layer", pa.int32()),
            *columns("input_std gradient_rms", pa.float64()),
        ]
    ),
)
"""Strength of signals and of gradients in many networks, with one row per case, network and layer."""

_EPOCH = [*columns("case", pa.string()), *columns("trial epoch", pa.int32())]
BATCHES = Table(
    "training",
    "batches.parquet",
    pa.schema([*_EPOCH, *columns("batch", pa.int32()), *columns("loss", pa.float32())]),
)
"""Losses of batches before their optimizer steps, with one row per case, trial, epoch and batch."""

EPOCHS = Table(
    "training",
    "epochs.parquet",
    pa.schema([*_EPOCH, *columns("loss validation_loss validation_accuracy", pa.float32())]),
)
"""Losses and validation accuracy, with one row per case, trial and epoch; epoch 0 is before training."""

_TRIALS = [
    *columns("trial", pa.int64()),
    *columns("born_dead_low born_dead_high", pa.bool_(), nullable=True),
    *columns("born_dead dead", pa.bool_()),
    *columns("prediction_min prediction_max", pa.float32()),
    *columns("range_low range_high", pa.float32(), nullable=True),
    *columns("range_initial range", pa.float32()),
    *columns("probe_1 probe_2 probe_3 probe_4 probe_5", pa.float32(), nullable=True),
    *columns("probes_equal", pa.bool_(), nullable=True),
    *columns("loss_initial loss_final", pa.float32()),
    _numbers("loss"),
]
_CELL = [*columns("initializer", pa.string()), *columns("depth width", pa.int32())]

TRIALS = Table(f"{COLLAPSE}/{{}}", "part-000000.parquet", pa.schema(_TRIALS))
"""Results of the trials of a case, with one row per trial, in one or several files part-*.parquet.

Columns of a half-line (`_low`: x < 0, `_high`: x > 0) are null if no training input lies on it, or if networks have
several inputs. In the latter case, columns of probes are null, too.
"""

VARIATIONS = Table(f"{SENSITIVITY}/{{}}", "trials.parquet", pa.schema([*columns("variation", pa.string()), *_TRIALS]))
"""Results of the trials of all variations of a case, with one row per variation and trial."""

TRAINED_GRID = Table(SAFE_REGION, "trained.parquet", pa.schema([*_CELL, *_TRIALS]))
"""Results of the trials of all trained cells of the grid, with one row per cell and trial."""

HISTORY = Table(
    f"{COLLAPSE}/{{}}",
    "history.parquet",
    pa.schema(
        [
            *columns("trial epoch", pa.int64()),
            *columns("range", pa.float32()),
            *columns("probe_range", pa.float32(), nullable=True),
            *columns("dead_layer", pa.int32()),
        ]
    ),
)
"""Ranges of predictions at the training inputs and at the probes, and the number of the first hidden layer that is 0 at
a sample of the inputs (0 if none, or if the range is not 0), with one row per trial and checkpoint of a case."""

FUNCTIONS = Table(
    f"{COLLAPSE}/{{}}",
    "functions.parquet",
    pa.schema([*columns("trial", pa.int64()), *columns("x untrained trained", pa.float32())]),
)
"""Outputs of networks with one input and output before and after training, with one row per saved trial and x."""

WEIGHTS = Table(
    f"{COLLAPSE}/{{}}",
    "weights.parquet",
    pa.schema([*columns("trial", pa.int64()), _numbers("initial"), _numbers("final")]),
)
"""Weights of small networks in the order of Keras's `get_weights`, with one row per saved trial of a case."""

BORN_DEAD = Table(
    SAFE_REGION,
    "born_dead.parquet",
    pa.schema(
        [
            *columns("depth width", pa.int32()),
            *columns("networks born_dead_low born_dead_high born_dead", pa.int64()),
        ]
    ),
)
"""Counts of dead untrained networks of the main initializer, with one row per depth and width."""

OTHER_INITIALIZERS = Table(
    SAFE_REGION, "other_initializers.parquet", pa.schema([*_CELL, *columns("networks born_dead", pa.int64())])
)
"""Counts of dead (with biases: constant) untrained networks of the other initializers, with one row per cell."""

REGION_FUNCTIONS = Table(
    SAFE_REGION,
    "functions.parquet",
    pa.schema(
        [
            *_CELL,
            *columns("trained", pa.bool_()),
            *columns("network", pa.int32()),
            *columns("x value", pa.float32()),
        ]
    ),
)
"""Outputs of a few untrained and trained networks of each cell, with one row per network and x."""


def points(inputs: int, outputs: int) -> Table:
    """Return the table of a training set, with columns x and y, or x_1, x_2 and so on for several inputs or outputs."""
    names: list[str] = []
    for name, n in (("x", inputs), ("y", outputs)):
        names += [name] if n == 1 else [f"{name}_{k}" for k in range(1, n + 1)]
    return Table(TARGETS, "{}.parquet", pa.schema(columns(" ".join(names), pa.float32())))


def read_trials(made_by: dict[str, Any], key: str, trials: int, data: Path = DATA) -> "pd.DataFrame":
    """Read the table of trials of the case `key` of `collapse` from all its files in the folder `data`.

    Raises:
        InputError: files are missing or damaged, hold another number of `trials`, or `made_by` differs in the first.
    """
    folder = TRIALS.path(key, data).parent
    table = parquet.read_parts(folder, TRIALS.schema)
    parquet.check_made_by(min(folder.glob("part-*.parquet")), made_by)
    if len(table) != trials:
        raise InputError(f"{folder}: {len(table)} trials; params.yaml asks for {trials}: run `dvc repro`")
    return table
