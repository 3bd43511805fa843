"""bench grid: what each cell of the depth-width grid in params.yaml costs."""

import json
import time

import pandas as pd
from deadrelu.bench import machines
from deadrelu.stages.safe_region.job import DepthWidthGrid, Trained
from rich.console import Console
from rich.table import Table

from deadrelu import engine, progress
from deadrelu.jobs.shards import Watch
from deadrelu.settings.params import Params
from deadrelu.storage import points


def main(params: Params, *, as_json: bool) -> None:
    """Measure, and print a table or JSON."""
    table = measure(params)
    machine, grid = machines.description(), params.safe_region.trained
    if as_json:
        rows = [dict(zip(table, map(float, row), strict=True)) for row in table.to_numpy()]
        print(json.dumps({"cells": rows, "seconds": float(table["seconds"].sum()), "machine": machine}, indent=2))
        return
    budget = f"{grid.epochs} epochs, batches of {grid.batch_size}"
    shown = Table(title=f"The trained grid of params.yaml, {budget}; {machine}")
    for column in ("depth", "width", "networks", "seconds", "ms/network"):
        shown.add_column(column, justify="right")
    for depth, width, networks, seconds in table.to_numpy():
        of_network = f"{1000 * seconds / networks:.3g}"
        shown.add_row(f"{depth:.0f}", f"{width:.0f}", f"{networks:,.0f}", f"{seconds:.2f}", of_network)
    console = Console()
    console.print(shown)
    console.print(f"{len(table)} cells, {table['networks'].sum():,} networks: {table['seconds'].sum():.1f} s")


def measure(params: Params) -> pd.DataFrame:
    """Train the grid, cell by cell, on all cores; nothing is kept.

    Returns:
        A row for each cell: depth, width, networks (of all initializers), seconds, compiling included.
    """
    grid = DepthWidthGrid(params, *points.drawn(params.target_of_grid, params.seed))
    rows: dict[Trained, dict[str, float]] = {}
    trained = grid.trained()
    with progress.rate_and_time_left() as bar:
        for shard in bar.track(trained, description="cells"):
            begin = time.perf_counter()
            grid.measure(shard, engine.cores(), Watch())
            seconds = time.perf_counter() - begin
            row = rows.setdefault(
                shard.of, {"depth": shard.of.depth, "width": shard.of.width, "networks": 0, "seconds": 0}
            )
            row["networks"] += len(shard) * len(grid.trained_initializers)
            row["seconds"] += seconds
    return pd.DataFrame(rows.values())
