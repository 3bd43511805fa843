"""The safe region as work in shards: of each width, counts of untrained networks; of each cell, trained ones."""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from deadrelu import engine
from deadrelu.engine import criteria, untrained
from deadrelu.jobs import shards
from deadrelu.settings import initializers
from deadrelu.settings.params import MAIN, Params, Rai, Settings
from deadrelu.stages.safe_region.tables import BORN_DEAD, OTHER_INITIALIZERS, REGION_FUNCTIONS, TRAINED_GRID
from deadrelu.storage import parquet

SAVED_FUNCTIONS = 8
"""Of each cell, so many are drawn as functions."""

MAX_CELLS_WITH_FUNCTIONS = 1000
"""Of a grid with more cells, none is drawn: tables of their functions would dwarf all others."""

CURVE_POINTS = 25
"""Where networks with biases are looked at, drawn or trained. Without, two half-lines say everything: three points."""

UNTRAINED_PER_SHARD = 100 * untrained.BLOCK
"""Untrained networks of a shard."""

MAX_NETWORKS_IN_MEMORY = 1024
"""Networks whose predictions are held in memory by a shard, at most."""

TRIALS_PER_SHARD = 8 * MAX_NETWORKS_IN_MEMORY
"""Trials of a shard."""


@dataclass(frozen=True)
class Untrained:
    """Networks of every depth, from one initializer and of one width, that are only drawn."""

    initializer: str
    """Its key, see `SafeRegionParams.initializers`."""
    width: int

    def __str__(self) -> str:
        return f"untrained networks of width {self.width}, initializer {self.initializer}"


@dataclass(frozen=True)
class Trained:
    """Networks of one depth and width that are trained, from each initializer."""

    depth: int
    width: int

    def __str__(self) -> str:
        return f"trained networks of depth {self.depth} and width {self.width}"


@dataclass(frozen=True)
class DepthWidthGrid:
    """The grid that the params describe, and the training points, two-dimensional."""

    params: Params
    x: engine.Float
    y: engine.Float

    @property
    def made_by(self) -> dict[str, object]:
        """What the tables say of themselves."""
        return parquet.provenance(self.params.of_safe_region(), parquet.ENGINE_PACKAGES)

    @property
    def fingerprint(self) -> str:
        """Of all that decides the bits."""
        return shards.fingerprint(self.made_by, self.x.tobytes(), self.y.tobytes())

    @property
    def trained_initializers(self) -> dict[str, Settings | Rai]:
        """Those whose networks are trained, by their keys."""
        region = self.params.safe_region
        return {key: region.initializers[key] for key in region.trained.initializers}

    def untrained(self) -> list[shards.Shard]:
        """An initializer and a width at a time."""
        settings = self.params.safe_region
        parts = [Untrained(key, width) for key in settings.initializers for width in settings.width.values]
        return shards.cut(parts, settings.networks, UNTRAINED_PER_SHARD)

    def trained(self) -> list[shards.Shard]:
        """A cell at a time."""
        grid = self.params.safe_region.trained
        parts = [Trained(depth, width) for width in grid.widths for depth in grid.depths]
        return shards.cut(parts, grid.trials, TRIALS_PER_SHARD, begin=len(self.untrained()))

    def measure(self, shard: shards.Shard, threads: int, watch: shards.Watch) -> dict[str, bytes]:
        """Make the tables of a shard: counts or trials, and for the first of its kind, functions."""
        if isinstance(shard.of, Untrained):
            return self._untrained(shard, shard.of)
        return self._trained(shard, shard.of, threads, watch)

    def _untrained(self, shard: shards.Shard, of: Untrained) -> dict[str, bytes]:
        """Counts of constant networks, for every depth in one pass."""
        settings, seed = self.params.safe_region, self.params.seed
        depths, deepest = np.array(settings.depth.values), settings.depth.high
        name, width = of.initializer, of.width
        initializer = settings.initializers[name]
        draw = initializers.sampler(initializer)
        biases = isinstance(initializer, Rai)
        x, span = self._where(biases=biases), range(shard.low, shard.high)
        counts = {"initializer": np.repeat(name, len(depths)), "depth": depths, "width": np.repeat(width, len(depths))}
        counts["networks"] = np.repeat(len(shard), len(depths))
        if biases:
            counts["born_dead"] = untrained.born_constant(draw, x, width, deepest, span, seed=seed)[depths - 1]
        else:
            found = untrained.born_dead(draw, width, deepest, span, seed=seed)._asdict()
            by_name = {"low": "born_dead_low", "high": "born_dead_high", "both": "born_dead"}
            counts |= {by_name[side]: of_depth[depths - 1] for side, of_depth in found.items()}
        schema = BORN_DEAD if name == MAIN else OTHER_INITIALIZERS
        made = {"counts.parquet": parquet.to_bytes(counts, schema, self.made_by)}
        if shard.low == 0 and len(depths) * len(settings.width.values) <= MAX_CELLS_WITH_FUNCTIONS:
            values = untrained.functions(draw, x, width, deepest, SAVED_FUNCTIONS, seed=seed)[depths - 1]
            drawn = _long(values, x, depth=depths).assign(initializer=name, width=width, trained=False)
            made["functions.parquet"] = parquet.to_bytes(drawn, REGION_FUNCTIONS, self.made_by)
        return made

    def _trained(self, shard: shards.Shard, cell: Trained, threads: int, watch: shards.Watch) -> dict[str, bytes]:
        """Trials of a cell, from each initializer, which share a program."""
        grid, n = self.params.safe_region.trained, len(self.x)
        training = engine.Training(epochs=grid.epochs, batch_size=grid.batch_size)
        shown = self._where(biases=grid.biases)
        inputs = np.concatenate([self.x, shown[:, None].astype(np.float32)])
        depth, width = cell.depth, cell.width
        found, functions = [], []
        for nth, (name, initializer) in enumerate(self.trained_initializers.items(), start=1):
            draw = initializers.sampler(initializer)
            network = engine.Network(widths=(width,) * depth, activation="relu", biases=grid.biases, initialize=draw)
            span = range(shard.low, shard.high)
            run = engine.run(
                network, training, self.x, self.y, trials=span, seed=self.params.seed, threads=threads, stop=watch
            )
            for part in (piece for chunk in run for piece in chunk.pieces(MAX_NETWORKS_IN_MEMORY)):
                born_dead = engine.are_constant(network, part.initial, self.x, watch)
                after = engine.predict(network, part.final, inputs, watch)
                spread = criteria.spread(after[:, :n], self.x).range
                columns = {"trial": part.trial, "born_dead": born_dead, "range": spread}
                found.append(pd.DataFrame(columns).assign(initializer=name))
                first = after[part.trial < SAVED_FUNCTIONS, n:, 0]
                functions.append(_long(first[None], shown, depth=np.array([depth])).assign(initializer=name))
            watch.at(shard, len(shard) * nth / len(self.trained_initializers))
        rows = pd.concat(found).assign(depth=depth, width=width)
        made = {"trials.parquet": parquet.to_bytes(rows, TRAINED_GRID, self.made_by)}
        if shard.low == 0:
            drawn = pd.concat(functions).assign(width=width, trained=True)
            made["functions.parquet"] = parquet.to_bytes(drawn, REGION_FUNCTIONS, self.made_by)
        return made

    def _where(self, *, biases: bool) -> np.ndarray:
        target = self.params.target_of_grid
        if biases:
            return np.linspace(target.low, target.high, CURVE_POINTS)
        return np.unique([target.low, min(max(0.0, target.low), target.high), target.high])


def _long(values: np.ndarray, x: np.ndarray, *, depth: np.ndarray) -> pd.DataFrame:
    """Values of shape (depths, networks, points) as rows."""
    of_depth, network, point = (index.ravel() for index in np.indices(values.shape))
    return pd.DataFrame({"depth": depth[of_depth], "network": network, "x": x[point], "value": values.ravel()})
