"""Count dead untrained networks over the grid of depths and widths; a pass over a width gives all its depths."""

from dataclasses import dataclass

import numpy as np

from deadrelu.engine import initializers, untrained
from deadrelu.jobs import shards
from deadrelu.settings.initializer import Rai
from deadrelu.settings.params import Params
from deadrelu.settings.stages import MAIN
from deadrelu.storage import parquet, tables

SAVED_FUNCTIONS = 8  # networks of each cell whose functions are saved
MAX_CELLS_WITH_FUNCTIONS = 1000  # with more cells, the table of functions would be the largest, and is left out
CURVE_POINTS = 25  # inputs at which networks with biases are evaluated; without biases, three inputs suffice
NETWORKS_PER_SHARD = 100 * untrained.BLOCK


@dataclass(frozen=True)
class UntrainedWidth:
    """Untrained networks of one width and all depths; `initializer` is a key of `safe_region.initializers`."""

    initializer: str
    width: int

    def __str__(self) -> str:
        return f"untrained networks of width {self.width}, initializer {self.initializer}"


def shards_of(params: Params) -> list[shards.Shard]:
    """Split the untrained networks of each initializer and width into shards."""
    region = params.safe_region
    parts = [UntrainedWidth(key, width) for key in region.initializers for width in region.width.values]
    return shards.cut(parts, region.networks, NETWORKS_PER_SHARD)


def measure(
    params: Params, origin: dict[str, object], shard: shards.Shard, threads: int, stop: shards.StopSignal
) -> dict[str, bytes]:
    """Count dead (with biases: constant) networks of a shard, and return the contents of files by name.

    These are `counts.parquet` and, for a width's first shard in a small grid, `functions.parquet`, made by `origin`.
    """
    region, target, seed = params.safe_region, params.target_of_grid, params.seed
    name, width, numbers = shard.work.initializer, shard.work.width, range(shard.low, shard.high)
    depths, deepest = np.array(region.depth.values), region.depth.high
    draw = initializers.sampler(region.initializers[name])
    if isinstance(region.initializers[name], Rai):
        x = np.linspace(target.low, target.high, CURVE_POINTS)
        dead = {"born_dead": untrained.born_constant(draw, x, width, deepest, numbers, seed=seed, stop=stop)}
    else:
        x = np.unique([target.low, np.clip(0.0, target.low, target.high), target.high])
        low, high, both = untrained.born_dead(draw, width, deepest, numbers, seed=seed, stop=stop)
        dead = {"born_dead_low": low, "born_dead_high": high, "born_dead": both}
    shared = {"initializer": name, "width": width, "networks": len(shard), "trained": False}
    counts = {column: np.repeat(np.array(value), len(depths)) for column, value in shared.items()}
    counts |= {"depth": depths, **{column: by_depth[depths - 1] for column, by_depth in dead.items()}}
    schema = (tables.BORN_DEAD if name == MAIN else tables.OTHER_INITIALIZERS).schema
    contents = {"counts.parquet": parquet.to_bytes(counts, schema, origin)}
    if shard.low == 0 and len(depths) * len(region.width.values) <= MAX_CELLS_WITH_FUNCTIONS:
        values = untrained.functions(draw, x, width, deepest, SAVED_FUNCTIONS, seed=seed)[depths - 1]
        at_depth, network, point = (index.ravel() for index in np.indices(values.shape))
        rows = {column: np.repeat(np.array(value), values.size) for column, value in shared.items()}
        rows |= {"depth": depths[at_depth], "network": network, "x": x[point], "value": values.ravel()}
        contents["functions.parquet"] = parquet.to_bytes(rows, tables.REGION_FUNCTIONS.schema, origin)
    return contents
