"""safe_region: how often networks of each depth and width are dead, untrained and trained."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Event

import numpy as np
import pandas as pd
from rich.progress import Progress

from deadrelu import collapse, files, initializers, progress, safe_region, start, tables, trials
from deadrelu.params import Params

FOLDER = Path("data/safe_region")
TARGET = Path("data/target/points.parquet")


def main(params: Params) -> None:
    """Write `data/safe_region/born_dead.parquet`, a row per cell, and `trained.parquet`, a row per trial."""
    points = tables.read(TARGET, tables.TARGET)
    made_by = tables.provenance(params.of_safe_region(), xla_flags=start.QUICK_XLA_FLAGS)
    with files.new_folder(FOLDER) as folder, progress.rate_and_time_left() as bar:
        tables.write(folder / "born_dead.parquet", _born_dead(params, bar), tables.BORN_DEAD, made_by)
        start.tensorflow(keras=False, xla_flags=start.QUICK_XLA_FLAGS)
        tables.write(folder / "trained.parquet", _trained(params, points, bar), tables.TRAINED_GRID, made_by)


def _born_dead(params: Params, bar: Progress) -> pd.DataFrame:
    settings = params.safe_region
    initialize = initializers.sampler(settings.initializer)
    depths = np.array(settings.depth.values)
    rows = []
    for width in bar.track(settings.width.values, description="widths, untrained"):
        dead = safe_region.born_dead(initialize, width, settings.depth.high, settings.networks, seed=params.seed)
        low, high, both = (counts[depths - 1] for counts in dead)
        counts = {"born_dead_low": low, "born_dead_high": high, "born_dead": both}
        rows.append(pd.DataFrame({"depth": depths, "width": width, "networks": settings.networks, **counts}))
    return pd.concat(rows)


def _trained(params: Params, points: pd.DataFrame, bar: Progress) -> pd.DataFrame:
    """Each cell is a program of its own, and most of its time is to compile it: two cells, or more, at a time."""
    grid = params.safe_region.trained
    cells = [(depth, width) for width in grid.widths for depth in grid.depths]
    x, y = (points[[name]].to_numpy() for name in ("x", "y"))
    training = trials.Training(epochs=grid.epochs, batch_size=grid.batch_size)

    def cell(of: tuple[int, int]) -> pd.DataFrame:
        depth, width = of
        network = trials.Network(
            widths=(width,) * depth,
            activation="relu",
            initialize=initializers.sampler(params.safe_region.initializer),
        )
        numbers = range(grid.trials)
        chunks = trials.run(network, training, x, y, trials=numbers, seed=params.seed, threads=1, stop=stop)
        rows = []
        for chunk in chunks:
            before, after = (
                collapse.spread(trials.predict(network, weights, x), x).range
                for weights in (chunk.initial, chunk.final)
            )
            rows.append(pd.DataFrame({"trial": chunk.trial, "born_dead": before == 0, "range": after}))
        return pd.concat(rows).assign(depth=depth, width=width)

    stop = Event()
    with ThreadPoolExecutor(trials.cores()) as pool:
        try:
            return pd.concat(bar.track(pool.map(cell, cells), total=len(cells), description="cells, trained"))
        finally:  # Ctrl-C
            stop.set()
            pool.shutdown(wait=True, cancel_futures=True)
