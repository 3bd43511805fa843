"""From params and training points to the tables of a case."""

from pathlib import Path

from deadrelu import engine, progress
from deadrelu.errors import InputError
from deadrelu.jobs import shards, workers
from deadrelu.jobs.store import Store, open_store
from deadrelu.settings.params import Params
from deadrelu.stages.collapse.job import CollapseJob
from deadrelu.storage import files, parquet, points

MIN_ROWS_PER_FILE = 1024
"""Rows of one file, if there are as many: those of one shard or more."""


def main(params: Params, key: str) -> None:
    """Write `data/collapse/<key>/part-*.parquet`, one row per trial.

    Beside them `fits.parquet` of refitted trials, `functions.parquet` of networks with one input and one output, and
    `weights.parquet` of the first trials.
    """
    settings = params.collapse
    if key not in settings.cases:
        raise InputError(f"params.yaml:collapse.cases: received {key!r}; expected: {', '.join(settings.cases)}")
    folder = Path("data/collapse") / key
    files.check_place(folder, folder=True)
    engine.processor()  # a wrong DEADRELU_CPU is told before any work
    case = CollapseJob(params, key, *points.arrays(params, params.target_of(key)))
    cut = shards.cut([key], settings.trials_of(key), case.together)
    with open_store(f"collapse-{key}", case.fingerprint) as store, progress.rate_and_time_left() as bar:
        workers.run(case.measure, cut, store, bar, f"collapse {key}")
        with files.new_folder(folder) as new:
            publish(store, cut, new)


def publish(store: Store, cut: list[shards.Shard], folder: Path) -> None:
    """Make the tables of a case from its shards."""
    first = store.get(cut[0])
    together = -(-MIN_ROWS_PER_FILE // len(cut[0]))
    for number, at in enumerate(range(0, len(cut), together)):
        rows = (store.get(shard)["trials.parquet"] for shard in cut[at : at + together])
        parquet.write_joined(folder / f"part-{number:06d}.parquet", rows)
    if "fits.parquet" in first:
        parquet.write_joined(folder / "fits.parquet", (store.get(shard)["fits.parquet"] for shard in cut))
    for name in ("functions.parquet", "weights.parquet"):
        if name in first:
            (folder / name).write_bytes(first[name])
