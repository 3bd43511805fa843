"""From params and training points to the tables of the grid."""

from pathlib import Path

import pandas as pd

from deadrelu import engine, progress
from deadrelu.jobs import shards, workers
from deadrelu.jobs.store import Store, open_store
from deadrelu.settings.params import MAIN, Params
from deadrelu.stages.safe_region.job import DepthWidthGrid
from deadrelu.stages.safe_region.tables import BORN_DEAD, OTHER_INITIALIZERS
from deadrelu.storage import files, parquet, points

FOLDER = Path("data/safe_region")


def main(params: Params) -> None:
    """Write the untrained counts, the trained trials, a row per cell or trial, and functions, a row per point."""
    files.check_place(FOLDER, folder=True)
    engine.processor()  # a wrong DEADRELU_CPU is told before any work
    cells = DepthWidthGrid(params, *points.arrays(params, params.target_of_grid))
    untrained, trained = cells.untrained(), cells.trained()
    with open_store("safe_region", cells.fingerprint) as store, progress.rate_and_time_left() as bar:
        workers.run(cells.measure, untrained, store, bar, "networks, untrained")
        workers.run(cells.measure, trained, store, bar, "trials, in cells")
        with files.new_folder(FOLDER) as new:
            _publish(cells, store, untrained, trained, new)


def _publish(
    cells: DepthWidthGrid, store: Store, untrained: list[shards.Shard], trained: list[shards.Shard], folder: Path
) -> None:
    """Make the tables from the shards."""
    main = [shard for shard in untrained if shard.of.initializer == MAIN]
    others = [shard for shard in untrained if shard.of.initializer != MAIN]
    tables = (("born_dead", main, BORN_DEAD), ("other_initializers", others, OTHER_INITIALIZERS))
    for name, some, schema in tables:
        counts = [parquet.from_bytes(store.get(shard)["counts.parquet"], schema) for shard in some]
        table = _summed(pd.concat(counts)) if counts else pd.DataFrame(columns=schema.names)
        parquet.write(folder / f"{name}.parquet", table, schema, cells.made_by)
    parquet.write_joined(folder / "trained.parquet", (store.get(shard)["trials.parquet"] for shard in trained))
    drawn = [shard for shard in (*untrained, *trained) if "functions.parquet" in store.get(shard)]
    parquet.write_joined(folder / "functions.parquet", (store.get(shard)["functions.parquet"] for shard in drawn))


def _summed(counts: pd.DataFrame) -> pd.DataFrame:
    """Counts of cells, over their shards; the cells in their order."""
    cell = [name for name in ("initializer", "depth", "width") if name in counts]
    return counts.groupby(cell, sort=False, as_index=False).sum()
