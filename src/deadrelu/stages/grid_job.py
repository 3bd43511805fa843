"""The safe region as work in shards: of each width, counts of untrained networks; of each cell, trained ones."""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import count

import numpy as np
import pandas as pd
import pyarrow as pa

from deadrelu import engine
from deadrelu.engine import criteria, untrained
from deadrelu.jobs import shards
from deadrelu.settings import initializers
from deadrelu.settings.params import Params, Rai, Settings
from deadrelu.storage import parquet

_CELL = [*parquet.columns("initializer", pa.string()), *parquet.columns("depth width", pa.int32())]

BORN_DEAD = pa.schema(
    [
        *parquet.columns("depth width", pa.int32()),
        *parquet.columns("networks born_dead_low born_dead_high born_dead", pa.int64()),
    ]
)
BESIDE = pa.schema([*_CELL, *parquet.columns("networks born_dead", pa.int64())])
"""Of the initializers beside the diagram's: constant before training."""

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

SAVED_FUNCTIONS = 8
"""Of each cell, so many are drawn as functions."""

MAX_CELLS_WITH_FUNCTIONS = 1000
"""Of a grid with more cells, none is drawn: tables of their functions would dwarf all others."""

CURVE_POINTS = 25
"""Where networks with biases are looked at. Without, two half-lines say everything: three points draw them."""

UNTRAINED_PER_SHARD = 100 * untrained.BLOCK
"""Untrained networks of a shard."""

MAX_NETWORKS_IN_MEMORY = 1024
"""Networks whose predictions are held in memory by a shard, at most."""

TRIALS_PER_SHARD = 8 * MAX_NETWORKS_IN_MEMORY
"""Trials of a shard."""


@dataclass(frozen=True)
class DepthWidthGrid:
    """The grid that the params describe, and the training points, two-dimensional."""

    params: Params
    x: engine.Float
    y: engine.Float

    @property
    def named(self) -> dict[str, Settings | Rai]:
        """The diagram's initializer and those beside it, by the names that readers see."""
        settings = self.params.safe_region
        chosen = [settings.initializer, *(other.initializer for other in settings.beside.values())]
        return {initializers.label(initializer): initializer for initializer in chosen}

    @property
    def own(self) -> str:
        """Name of the diagram's initializer."""
        return initializers.label(self.params.safe_region.initializer)

    @property
    def made_by(self) -> dict[str, object]:
        """What the tables say of themselves."""
        return parquet.provenance(self.params.of_safe_region(), parquet.ENGINE_PACKAGES)

    @property
    def fingerprint(self) -> str:
        """Of all that decides the bits."""
        return shards.fingerprint(self.made_by, self.x.tobytes(), self.y.tobytes())

    def cut(self) -> Iterator[shards.Shard]:
        """First the untrained, an initializer and a width at a time, then the trained, cell by cell."""
        settings = self.params.safe_region
        ranges: list[tuple[tuple[str | int, ...], int, int]] = []
        for name in self.named:
            for width in settings.width.values:
                ranges.append((("untrained", name, "width", width), settings.networks, UNTRAINED_PER_SHARD))
        for width in settings.trained.widths:
            for depth in settings.trained.depths:
                ranges.append((("trained", "depth", depth, "width", width), settings.trained.trials, TRIALS_PER_SHARD))
        index = count()
        for of, n, size in ranges:
            for low in range(0, n, size):
                yield shards.Shard(next(index), of, low, min(low + size, n))

    def measure(self, shard: shards.Shard, threads: int, watch: shards.Watch) -> dict[str, bytes]:
        """Make the tables of a shard: counts or trials, and for the first of its kind, functions."""
        match shard.of:
            case ("untrained", str(name), _, int(width)):
                return self._untrained(shard, name, width)
            case ("trained", _, int(depth), _, int(width)):
                return self._trained(shard, depth, width, threads, watch)
        raise ValueError(f"{shard} is none of the safe region")

    def _untrained(self, shard: shards.Shard, name: str, width: int) -> dict[str, bytes]:
        """Counts of constant networks, for every depth in one pass."""
        settings, seed = self.params.safe_region, self.params.seed
        depths, deepest = np.array(settings.depth.values), settings.depth.high
        initializer = self.named[name]
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
        schema = BORN_DEAD if name == self.own else BESIDE
        made = {"counts.parquet": parquet.to_bytes(counts, schema, self.made_by)}
        if shard.low == 0 and len(depths) * len(settings.width.values) <= MAX_CELLS_WITH_FUNCTIONS:
            values = untrained.functions(draw, x, width, deepest, SAVED_FUNCTIONS, seed=seed)[depths - 1]
            drawn = _long(values, x, depth=depths).assign(initializer=name, width=width, trained=False)
            made["functions.parquet"] = parquet.to_bytes(drawn, REGION_FUNCTIONS, self.made_by)
        return made

    def _trained(
        self, shard: shards.Shard, depth: int, width: int, threads: int, watch: shards.Watch
    ) -> dict[str, bytes]:
        """Trials of a cell, for the initializers without biases, which share a program."""
        grid, n = self.params.safe_region.trained, len(self.x)
        training = engine.Training(epochs=grid.epochs, batch_size=grid.batch_size)
        shown = self._where(biases=False)
        inputs = np.concatenate([self.x, shown[:, None].astype(np.float32)])
        without_biases = {name: of for name, of in self.named.items() if not isinstance(of, Rai)}
        found, functions = [], []
        for nth, (name, initializer) in enumerate(without_biases.items(), start=1):
            draw = initializers.sampler(initializer)
            network = engine.Network(widths=(width,) * depth, activation="relu", initialize=draw)
            span = range(shard.low, shard.high)
            run = engine.run(
                network, training, self.x, self.y, trials=span, seed=self.params.seed, threads=threads, stop=watch
            )
            for part in (piece for chunk in run for piece in chunk.pieces(MAX_NETWORKS_IN_MEMORY)):
                before, after = (
                    engine.predict(network, weights, inputs, watch) for weights in (part.initial, part.final)
                )
                ranges = [criteria.spread(outputs[:, :n], self.x).range for outputs in (before, after)]
                columns = {"trial": part.trial, "born_dead": ranges[0] == 0, "range": ranges[1]}
                found.append(pd.DataFrame(columns).assign(initializer=name))
                first = after[part.trial < SAVED_FUNCTIONS, n:, 0]
                functions.append(_long(first[None], shown, depth=np.array([depth])).assign(initializer=name))
            watch.at(shard, len(shard) * nth / len(without_biases))
        rows = pd.concat(found).assign(depth=depth, width=width)
        made = {"trials.parquet": parquet.to_bytes(rows, TRAINED_GRID, self.made_by)}
        if shard.low == 0:
            drawn = pd.concat(functions).assign(width=width, trained=True)
            made["functions.parquet"] = parquet.to_bytes(drawn, REGION_FUNCTIONS, self.made_by)
        return made

    def _where(self, *, biases: bool) -> np.ndarray:
        target = self.params.data.target
        if biases:
            return np.linspace(target.low, target.high, CURVE_POINTS)
        return np.unique([target.low, min(max(0.0, target.low), target.high), target.high])


def _long(values: np.ndarray, x: np.ndarray, *, depth: np.ndarray) -> pd.DataFrame:
    """Values of shape (depths, networks, points) as rows."""
    of_depth, network, point = (index.ravel() for index in np.indices(values.shape))
    return pd.DataFrame({"depth": depth[of_depth], "network": network, "x": x[point], "value": values.ravel()})
