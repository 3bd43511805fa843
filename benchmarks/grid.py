"""Measure the seconds that each trained cell of the depth-width grid in params.yaml takes."""

import json
import time

import pandas as pd
from rich.console import Console
from rich.table import Table

from benchmarks import machines
from deadrelu import engine, progress
from deadrelu.jobs import trials
from deadrelu.jobs.shards import StopSignal
from deadrelu.settings.params import Params
from deadrelu.stages import experiments


def main(params: Params, *, as_json: bool) -> None:
    """Measure, and print a table or JSON."""
    table = measure(params)
    if as_json:
        result = {"cells": table.to_dict("records"), "seconds": table["seconds"].sum()}
        print(json.dumps(result | {"machine": machines.description()}, indent=2))
        return
    shown = Table(title=f"The trained grid of params.yaml; {machines.description()}")
    for column in table:
        shown.add_column(str(column), justify="right")
    for row in table.to_dict("records"):
        shown.add_row(*map(str, list(row.values())[:-1]), f"{row['seconds']:.2f}")
    console = Console()
    console.print(shown)
    console.print(f"{len(table)} cells, {table['networks'].sum():,} networks: {table['seconds'].sum():.1f} s")


def measure(params: Params) -> pd.DataFrame:
    """Train the grid, cell by cell, on all cores; nothing is kept.

    Returns:
        A row for each cell: initializer, depth, width, networks, seconds, compiling included.
    """
    rows = []
    with progress.rate_and_time_left() as bar:
        cells = trials.shards_of(experiments.of_grid(params))
        for cell, shards in bar.track(cells.items(), description="cells"):
            begin = time.perf_counter()
            for shard in shards:
                trials.measure(shard, engine.cores(), StopSignal())
            seconds = time.perf_counter() - begin
            rows.append({**cell._asdict(), "networks": sum(map(len, shards)), "seconds": seconds})
    return pd.DataFrame(rows)
