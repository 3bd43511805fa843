"""Measure a thousand to a million trials, from shards to tables, as `collapse` runs them."""

import json
import statistics
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Event, Thread

import pandas as pd
import psutil
from rich.console import Console
from rich.progress import Progress
from rich.table import Table

from benchmarks import figures, machines
from deadrelu import engine, progress
from deadrelu.jobs import trials, workers
from deadrelu.jobs.experiment import Experiment
from deadrelu.jobs.store import Store
from deadrelu.report.figures import save
from deadrelu.settings.params import Params
from deadrelu.storage import files

BUDGET = {"points": 3000, "epochs": 1, "batch_size": 64}
"""Training set and length of the training: 47 steps, instead of the notebook's 470."""

BUDGET_IN_WORDS = "the notebook's Leaky ReLU network on its 3,000 points for 1 of its 10 epochs"

SIZES = (1_000, 10_000, 100_000, 1_000_000)
REPEATS = {1_000: 9, 10_000: 3}
"""Number of runs of which the median is reported, by size; larger sizes run once."""

Row = dict[str, float]

MEMORY_LIMIT_BYTES = 2 * 2**30
"""Maximum memory in bytes, for any number of trials."""


def main(params: Params, *, up_to: int, as_json: bool, figure: Path | None) -> None:
    """Measure, print a table or JSON, and draw a figure."""
    if figure:
        with files.scratch_folder(figure.parent):  # checked early: a place that cannot be written costs no minute
            pass
    rows: list[Row] = []
    sizes = [n for n in SIZES if n <= up_to] or [up_to]
    with (
        tempfile.TemporaryDirectory(prefix="deadrelu-") as folder,
        progress.rate_and_time_left() as bar,
        _peak_memory() as peak,
    ):
        _seconds(_experiment(params, 1), Path(folder, "first"), bar)  # compiles
        for n in sizes:
            times = [_seconds(_experiment(params, n), Path(folder, f"{n}-{k}"), bar) for k in range(REPEATS.get(n, 1))]
            seconds = statistics.median(times)
            rows.append({"trials": n, "seconds": seconds, "per_second": n / seconds, "peak_bytes": peak[0]})
    machine = machines.description()
    if figure:
        with files.scratch_folder(figure.parent) as new:
            drawn = figures.scale(pd.DataFrame(rows), MEMORY_LIMIT_BYTES, f"{BUDGET_IN_WORDS}; {machine}")
            save.save(drawn, new / "new.png")
            files.replace(new / "new.png", figure, new)
    if as_json:
        print(json.dumps({"budget": BUDGET, "sizes": rows, "machine": machine}, indent=2))
    else:
        _print(rows, machine)


def _experiment(params: Params, n: int) -> Experiment:
    """Return the notebook's Leaky ReLU networks with this budget."""
    return Experiment(
        network=engine.Network(
            widths=(1, *[2] * 9), activation="leaky_relu", negative_slope=0.1, initialize="glorot_uniform"
        ),
        training=engine.Training(epochs=BUDGET["epochs"], batch_size=BUDGET["batch_size"]),
        target=engine.Target(function="x_sin_x", low=-(7**0.5), high=7**0.5, points=BUDGET["points"]),
        trials=n,
        seed=params.seed,
    )


def _seconds(experiment: Experiment, folder: Path, bar: Progress) -> float:
    """Run an experiment from the first weight to the tables in a folder."""
    begin = time.perf_counter()
    todo = trials.shards_of({"scale": experiment})["scale"]
    store = Store(str(folder / "work" / "scale"))
    workers.run(trials.measure, todo, store, bar, f"{experiment.trials:,} trials")
    with files.new_folder(folder / "tables") as new:
        trials.publish(store, todo, new)
    for line in bar.task_ids:
        bar.remove_task(line)
    return time.perf_counter() - begin


@contextmanager
def _peak_memory() -> Iterator[list[int]]:
    """Record the peak memory of this process in bytes until the context ends, sampled every 10 ms."""
    process, ended, peak = psutil.Process(), Event(), [0]

    def watch() -> None:
        while not ended.wait(0.01):
            peak[0] = max(peak[0], process.memory_info().rss)

    watcher = Thread(target=watch, daemon=True)
    watcher.start()
    try:
        yield peak
    finally:
        ended.set()
        watcher.join()


def _print(rows: list[Row], machine: str) -> None:
    shown = Table(title=f"From weights to tables: {BUDGET_IN_WORDS}; {machine}")
    for column in ("trials", "seconds", "trials/s", "peak memory, GiB"):
        shown.add_column(column, justify="right")
    for row in rows:
        n, seconds, rate, peak = row["trials"], row["seconds"], row["per_second"], row["peak_bytes"]
        shown.add_row(f"{n:,}", f"{seconds:.3g}", f"{rate:,.0f}", f"{peak / 2**30:.2f}")
    Console().print(shown)
