"""safe_region: how often networks of each depth and width are dead, untrained and trained, and what they compute."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from threading import Event

import numpy as np
import pandas as pd
from rich.progress import Progress

from deadrelu import collapse, files, initializers, progress, safe_region, start, tables, trials
from deadrelu.params import Params, Rai, SafeRegionParams, Settings

FOLDER = Path("data/safe_region")
TARGET = Path("data/target/points.parquet")

NETWORKS = 8
"""Of each cell, so many are drawn as functions."""

DRAWN_CELLS = 1000
"""Of a grid with more cells, none is drawn: tables of their functions would dwarf all others."""

POINTS = 25
"""Where networks with biases are looked at. Without, two half-lines say everything: three points draw them."""


def main(params: Params) -> None:
    """Write the untrained counts, the trained trials, a row per cell or trial, and functions, a row per point."""
    points = tables.read(TARGET, tables.TARGET)
    made_by = tables.provenance(params.of_safe_region(), xla_flags=start.QUICK_XLA_FLAGS)
    with files.new_folder(FOLDER) as folder, progress.rate_and_time_left() as bar:
        born_dead, beside, untrained = _untrained(params, bar)
        tables.write(folder / "born_dead.parquet", born_dead, tables.BORN_DEAD, made_by)
        tables.write(folder / "beside.parquet", beside, tables.BESIDE, made_by)
        start.tensorflow(keras=False, xla_flags=start.QUICK_XLA_FLAGS)
        grid, trained = _trained(params, points, bar)
        tables.write(folder / "trained.parquet", grid, tables.TRAINED_GRID, made_by)
        functions = pd.concat([*untrained, trained])
        tables.write(folder / "functions.parquet", functions, tables.REGION_FUNCTIONS, made_by)


def _named(settings: SafeRegionParams) -> dict[str, Settings | Rai]:
    """The diagram's initializer and those beside it, by the names that readers see."""
    chosen = [settings.initializer, *(other.initializer for other in settings.beside.values())]
    return {initializers.label(initializer): initializer for initializer in chosen}


def _untrained(params: Params, bar: Progress) -> tuple[pd.DataFrame, pd.DataFrame, list[pd.DataFrame]]:
    """Counts of the diagram, those of the initializers beside it, and functions of all."""
    settings, depths = params.safe_region, np.array(params.safe_region.depth.values)
    named = _named(settings)
    own = initializers.label(settings.initializer)
    max_depth, networks, seed = settings.depth.high, settings.networks, params.seed

    def cells(of: tuple[str, int]) -> tuple[pd.DataFrame, list[pd.DataFrame]]:
        name, width = of
        initialize = initializers.sampler(named[name])
        x = _where(params, biases=isinstance(named[name], Rai))
        drawn = []
        if len(depths) * len(settings.width.values) <= DRAWN_CELLS:
            values = safe_region.functions(initialize, x, width, max_depth, NETWORKS, seed=seed)[depths - 1]
            drawn = [_long(values, x, depth=depths).assign(initializer=name, width=width, trained=False)]
        counts = {"initializer": name, "depth": depths, "width": width, "networks": networks}
        if isinstance(named[name], Rai):
            constant = safe_region.born_constant(initialize, x, width, max_depth, networks, seed=seed)
            return pd.DataFrame(counts | {"born_dead": constant[depths - 1]}), drawn
        low, high, both = (
            of_depth[depths - 1]
            for of_depth in safe_region.born_dead(initialize, width, max_depth, networks, seed=seed)
        )
        return pd.DataFrame(counts | {"born_dead_low": low, "born_dead_high": high, "born_dead": both}), drawn

    todo = [(name, width) for name in named for width in settings.width.values]
    with _threads() as (pool, _):
        found = list(bar.track(pool.map(cells, todo), total=len(todo), description="widths, untrained"))
    counted = pd.concat([counts for counts, _ in found], ignore_index=True)
    is_own = counted["initializer"] == own
    return counted[is_own], counted[~is_own], [functions for _, of_cells in found for functions in of_cells]


def _where(params: Params, *, biases: bool) -> np.ndarray:
    low, high = params.data.target.low, params.data.target.high
    if biases:
        return np.linspace(low, high, POINTS)
    return np.unique([low, min(max(0.0, low), high), high])


def _long(values: np.ndarray, x: np.ndarray, *, depth: np.ndarray) -> pd.DataFrame:
    """Values of shape (depths, networks, points) as rows."""
    of_depth, network, point = (index.ravel() for index in np.indices(values.shape))
    return pd.DataFrame({"depth": depth[of_depth], "network": network, "x": x[point], "value": values.ravel()})


def _trained(params: Params, points: pd.DataFrame, bar: Progress) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Trials and functions of each cell, for initializers without biases.

    Each cell is a program of its own, and most of its time is to compile it: two cells, or more, at a time.
    """
    grid = params.safe_region.trained
    cells = [(depth, width) for width in grid.widths for depth in grid.depths]
    without_biases = {name: of for name, of in _named(params.safe_region).items() if not isinstance(of, Rai)}
    x, y = (points[[name]].to_numpy() for name in ("x", "y"))
    shown = _where(params, biases=False)
    inputs, n = np.concatenate([x, shown[:, None].astype(np.float32)]), len(x)
    training = trials.Training(epochs=grid.epochs, batch_size=grid.batch_size)

    def cell(of: tuple[int, int]) -> tuple[pd.DataFrame, pd.DataFrame]:
        depth, width = of
        found, functions = [], []
        for name, initializer in without_biases.items():
            network = trials.Network(
                widths=(width,) * depth, activation="relu", initialize=initializers.sampler(initializer)
            )
            numbers = range(grid.trials)
            chunks = trials.run(network, training, x, y, trials=numbers, seed=params.seed, threads=1, stop=stop)
            for chunk in chunks:
                before, after = (trials.predict(network, weights, inputs) for weights in (chunk.initial, chunk.final))
                ranges = [collapse.spread(outputs[:, :n], x).range for outputs in (before, after)]
                found.append(
                    pd.DataFrame(
                        {"initializer": name, "trial": chunk.trial, "born_dead": ranges[0] == 0, "range": ranges[1]}
                    )
                )
                first = after[chunk.trial < NETWORKS, n:, 0]
                functions.append(_long(first[None], shown, depth=np.array([depth])).assign(initializer=name))
        return (
            pd.concat(found).assign(depth=depth, width=width),
            pd.concat(functions).assign(width=width, trained=True),
        )

    with _threads() as (pool, stop):
        done = list(bar.track(pool.map(cell, cells), total=len(cells), description="cells, trained"))
    return pd.concat([found for found, _ in done]), pd.concat([functions for _, functions in done])


@contextmanager
def _threads() -> Iterator[tuple[ThreadPoolExecutor, Event]]:
    """A thread for each core, and what tells them to stop on Ctrl-C."""
    stop = Event()
    with ThreadPoolExecutor(trials.cores()) as pool:
        try:
            yield pool, stop
        finally:
            stop.set()
            pool.shutdown(wait=True, cancel_futures=True)
