"""Shards, computed wherever there is room: some of them fail, and the others go on."""

from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import CancelledError
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from threading import Event, Thread
from uuid import uuid4

import dask
from rich.progress import Progress

from deadrelu.errors import InputError
from deadrelu.jobs import workers
from deadrelu.jobs.shards import TOGETHER, Shard, Store, Watch, Work, code

GLANCE = 0.25
"""Seconds between two looks at which shards are there, for the progress bar."""


@dataclass(frozen=True)
class Failure:
    """A shard that failed, where, and of what."""

    shard: Shard
    worker: str
    told: str


def run(work: Work, shards: Sequence[Shard], store: Store, bar: Progress, description: str) -> None:
    """Compute the shards that the store does not have, and let the bar show how far it is.

    Raises:
        InputError: some failed on every worker. The others are in the store.
        OSError: they cannot be stored.
    """
    failures: list[Failure] = []
    unfit: set[str] = set()
    line = bar.add_task(description, total=sum(map(len, shards)))
    with workers.chosen() as place:
        for at in range(0, len(shards), TOGETHER):
            block = shards[at : at + TOGETHER]
            store.make(block)
            done = store.whole(block)
            todo = [shard for shard in block if shard not in done]
            before = sum(map(len, shards[:at])) + sum(map(len, done))

            def show(n: int, before: int = before) -> None:
                bar.update(line, completed=before + n)

            with _watched(show, todo, store) as watch:
                failed = _block(work, todo, store, place, watch, unfit)
            if lost := set(todo) - {failure.shard for failure in failed} - store.listed(todo):
                raise InputError(
                    f"{store.address}: {len(lost)} shards are done and not there; allowed: a place that all workers see"
                )
            failures += failed
    if failures:
        first, more = failures[0], f", and {len(failures) - 1} more shards," if failures[1:] else ""
        raise InputError(
            f"{first.shard}{more} failed on every worker, last on {first.worker}: {first.told}; all others are kept: "
            "the same command computes what is missing"
        )


def _block(
    work: Work, todo: list[Shard], store: Store, place: workers.Place, watch: Watch, unfit: set[str]
) -> list[Failure]:
    """Compute some shards, those that fail on other workers, too; `unfit` gets the workers that were to blame."""
    blamed: dict[Shard, set[str]] = defaultdict(set)
    last: dict[Shard, Failure] = {}
    while todo:
        refused = unfit.union(*blamed.values())
        fit = {worker: threads for worker, threads in place.threads.items() if worker not in refused}
        if not fit:
            break
        failed = {failure.shard: failure for failure in _attempt(work, todo, store, place, watch, fit, refused)}
        for shard in set(todo) - set(failed):
            unfit |= blamed.pop(shard, set())  # it was not the shard
            last.pop(shard, None)
        last |= failed
        for shard, failure in failed.items():
            blamed[shard] |= {failure.worker} & set(fit)
        todo = [shard for shard, failure in failed.items() if failure.worker in fit]
    return list(last.values())


def _attempt(
    work: Work,
    todo: list[Shard],
    store: Store,
    place: workers.Place,
    watch: Watch,
    fit: dict[str, int],
    refused: set[str],
) -> list[Failure]:
    """Compute each of some shards once; the deadly ones again, each alone."""
    shared = dask.delayed(work, traverse=False)
    each = max(1, sum(fit.values()) // len(todo))  # where there are fewer shards than threads, they share them

    def compute(some: list[Shard]) -> list[Failure | workers.Deadly | None]:
        run = uuid4().hex
        keys = [f"{shard.index:09d}: {shard}, {run}" for shard in some]  # Dask goes by their order
        tasks = [
            dask.delayed(_measure)(shared, shard, store.address, each, code(), watch, dask_key_name=key)
            for shard, key in zip(some, keys, strict=True)
        ]
        return place.compute(tasks, refused)

    failures: list[Failure] = []
    for shard, result in zip(todo, compute(todo), strict=True):
        if isinstance(result, workers.Deadly):  # or one beside it was
            (result,) = compute([shard])
        if isinstance(result, workers.Deadly):
            result = Failure(shard, "those that it ran on", result.told)
        if result:
            failures.append(result)
    return failures


def _measure(work: Work, shard: Shard, address: str, threads: int, expected: str, watch: Watch) -> Failure | None:
    """Compute and keep a shard, in whatever process."""
    worker = workers.this_worker()
    try:
        if code() != expected:
            raise RuntimeError(
                "its Python, deadrelu or packages are not those of the client; make it equal, restart it"
            )
        Store(address).put(shard, work.measure(shard, threads, watch))
    except CancelledError:
        raise
    except Exception as error:
        if worker == workers.HERE and isinstance(error, OSError):  # no shard will be stored
            raise
        return Failure(shard, worker, f"{type(error).__name__}: {' '.join(str(error).split())[:200]}")
    return None


@contextmanager
def _watched(show: Callable[[int], None], todo: list[Shard], store: Store) -> Iterator[Watch]:
    """Show how many trials are there, or under way in this process."""
    watch, ended = Watch(), Event()

    def look() -> None:
        there = store.listed(todo)
        under_way = sum(trials for shard, trials in list(watch.so_far.items()) if shard not in there)
        show(sum(map(len, there)) + under_way)

    def keep_looking() -> None:
        while not ended.wait(GLANCE):
            with suppress(OSError):
                look()

    watcher = Thread(target=keep_looking, daemon=True)
    watcher.start()
    try:
        yield watch
    finally:
        watch.set()  # on Ctrl-C, no thread works on
        ended.set()
        watcher.join()
    look()
