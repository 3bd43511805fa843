"""bench scale: a thousand trials to a million, through shards to tables, as `collapse` does."""

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
from deadrelu.bench import figures, machines
from deadrelu.stages.collapse.job import CollapseJob
from deadrelu.stages.collapse.stage import publish
from rich.console import Console
from rich.progress import Progress
from rich.table import Table

from deadrelu import progress
from deadrelu.analysis.published import NOTEBOOK
from deadrelu.engine import targets
from deadrelu.jobs import shards, workers
from deadrelu.jobs.store import Store
from deadrelu.report.figures import save
from deadrelu.settings.params import Params
from deadrelu.storage import files

BUDGET = {"points": 3000, "epochs": 1, "batch_size": 64}
"""What a network is trained on and how long: 47 steps, in place of the notebook's 470."""

BUDGET_IN_WORDS = "the notebook's Leaky ReLU network on its 3,000 points for 1 of its 10 epochs"

SIZES = (1_000, 10_000, 100_000, 1_000_000)
REPEATS = {1_000: 9, 10_000: 3}
"""Runs of which the median counts; of larger sizes, one."""

Row = dict[str, float]

MEMORY_LIMIT_BYTES = 2 * 2**30
"""Bytes of memory that no number of trials may need."""


def main(params: Params, *, up_to: int, as_json: bool, figure: Path | None) -> None:
    """Measure, print a table or JSON, and draw a figure."""
    if figure:
        with files.scratch_folder(figure.parent):  # early: a place that cannot be written costs no minute
            pass
    rows: list[Row] = []
    sizes = [n for n in SIZES if n <= up_to] or [up_to]
    with (
        tempfile.TemporaryDirectory(prefix="deadrelu-") as folder,
        progress.rate_and_time_left() as bar,
        _peak_memory() as peak,
    ):
        _seconds(_case(params, 1), Path(folder, "first"), bar)  # starts TensorFlow, and compiles
        for n in sizes:
            times = [_seconds(_case(params, n), Path(folder, f"{n}-{k}"), bar) for k in range(REPEATS.get(n, 1))]
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


def _case(params: Params, n: int) -> CollapseJob:
    """Leaky ReLU networks with this budget."""
    leaky = next(case for case, _ in NOTEBOOK if case.activation == "leaky_relu")
    case = leaky.model_copy(update={"trials": n, "epochs": BUDGET["epochs"]})
    collapse = params.collapse.model_copy(update={"batch_size": BUDGET["batch_size"], "cases": {"scale": case}})
    x, y = targets.sample("x_sin_x", -(7**0.5), 7**0.5, BUDGET["points"], seed=params.seed)
    return CollapseJob(params.model_copy(update={"collapse": collapse}), "scale", x[:, None], y[:, None])


def _seconds(case: CollapseJob, folder: Path, bar: Progress) -> float:
    """Run a case from the first weight to the tables in a folder."""
    begin = time.perf_counter()
    n = case.params.collapse.trials_of("scale")
    cut = shards.cut(["scale"], n, case.together)
    store = Store(str(folder / "work" / "scale"))
    workers.run(case.measure, cut, store, bar, f"{n:,} trials")
    with files.new_folder(folder / "tables") as new:
        publish(store, cut, new)
    for line in bar.task_ids:
        bar.remove_task(line)
    return time.perf_counter() - begin


@contextmanager
def _peak_memory() -> Iterator[list[int]]:
    """While open, note the most bytes of memory that this process has had: looked at every 10 ms."""
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
