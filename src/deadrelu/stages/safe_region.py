"""Stage safe_region: count dead untrained networks over a grid of depths and widths, and train some of its cells."""

from functools import partial

import pandas as pd

from deadrelu.jobs import shards, trials, workers
from deadrelu.jobs.store import Store
from deadrelu.settings.params import Params
from deadrelu.settings.stages import MAIN
from deadrelu.stages import experiments, untrained_grid
from deadrelu.storage import parquet, tables
from deadrelu.storage.tables import BORN_DEAD, FUNCTIONS, OTHER_INITIALIZERS, REGION_FUNCTIONS, TRAINED_GRID


def settings(params: Params) -> dict[str, object]:
    """Return the settings that the tables in `data/safe_region/` depend on; each table records them."""
    region = params.safe_region.model_dump(exclude={"trained"})
    grid = experiments.of_grid(params).items()
    cells = {f"{depth}x{width}-{name}": one.settings for (name, depth, width), one in grid}
    interval = {"low": params.target_of_grid.low, "high": params.target_of_grid.high}
    return {"seed": params.seed, "untrained": {**region, **interval}, "trained": cells}


def main(params: Params) -> None:
    """Write counts of untrained networks, results of trained networks, and functions of both to `data/safe_region/`."""
    origin, untrained = parquet.provenance(settings(params)), untrained_grid.shards_of(params)
    trained = trials.shards_of(experiments.of_grid(params), begin=len(untrained))
    computations: list[shards.Computation] = [
        (partial(untrained_grid.measure, params, origin), untrained, "networks, untrained"),
        trials.computation(trained, "trials, in cells"),
    ]
    with workers.finished("safe_region", TRAINED_GRID.path().parent, origin, computations) as (store, new):
        for table, is_main in ((BORN_DEAD, True), (OTHER_INITIALIZERS, False)):
            table_shards = [shard for shard in untrained if (shard.work.initializer == MAIN) == is_main]
            parquet.write(new / table.name, _counts(store, table_shards, table), table.schema, origin)
        trials.publish_together(store, trained, {cell: cell._asdict() for cell in trained}, new, TRAINED_GRID, origin)
        drawn = [store.get(shard).get("functions.parquet") for shard in untrained]
        parquet.write_joined(new / REGION_FUNCTIONS.name, [*filter(None, drawn), _functions(store, trained, origin)])


def _counts(store: Store, table_shards: list[shards.Shard], table: tables.Table) -> pd.DataFrame:
    """Return counts of untrained networks with the columns of `table`, summed over shards, one row per cell."""
    counts = [parquet.from_bytes(store.get(shard)["counts.parquet"], table.schema) for shard in table_shards]
    if not counts:
        return pd.DataFrame(columns=table.schema.names)
    cell = [name for name in ("initializer", "depth", "width") if name in table.schema.names]
    return pd.concat(counts).groupby(cell, sort=False, as_index=False).sum()


def _functions(store: Store, trained: dict[experiments.Cell, list[shards.Shard]], origin: dict[str, object]) -> bytes:
    """Return the bytes of a table of functions of each cell's first trained networks: one row per network and x."""
    parts = []
    for cell, cell_shards in trained.items():
        rows = parquet.from_bytes(store.get(cell_shards[0])["functions.parquet"], FUNCTIONS.schema)
        rows = rows.rename(columns={"trial": "network", "trained": "value"}).drop(columns="untrained")
        parts.append(rows.assign(**cell._asdict(), trained=True))
    return parquet.to_bytes(pd.concat(parts), REGION_FUNCTIONS.schema, origin)
