"""Compute shards on workers: threads of this process, or the workers of a Dask cluster.

Two environment variables, which change no result, choose the workers: `DASK_SCHEDULER_ADDRESS`, the address of the
scheduler of a cluster, and `DASK_NUM_WORKERS`, the number of threads of this process. Dask replaces lost workers.
"""

import os
from collections.abc import Iterator, Sequence
from concurrent.futures import Executor, Future, ThreadPoolExecutor, as_completed
from contextlib import contextmanager, suppress
from pathlib import Path
from textwrap import shorten

from rich.progress import Progress

from deadrelu import progress
from deadrelu.engine import cores, processor
from deadrelu.errors import InputError
from deadrelu.jobs.shards import Computation, Measure, Shard, StopSignal, code, fingerprint
from deadrelu.jobs.store import Store, open_store
from deadrelu.storage import files, versions

RETRIES = 3  # further attempts if a shard fails on a cluster
WORKER_TIMEOUT_S = 60  # time to wait for the first worker of a cluster
OTHER_CODE = "its Python, deadrelu or packages are not those of the client"


@contextmanager
def finished(
    stage: str, folder: Path, origin: dict[str, object], computations: list[Computation]
) -> Iterator[tuple[Store, Path]]:
    """Compute the shards of a stage; yield their store, and a new folder that replaces `folder`; record versions.

    Args:
        stage: name of the stage in dvc.yaml.
        folder: folder of the stage's tables.
        origin: provenance of the tables, which determines with the code whether stored shards are reused.
        computations: parts of the stage, one after the other.

    Raises:
        InputError: `folder` is a file, DEADRELU_CPU or DEADRELU_WORK is wrong, or as in `run`.
    """
    files.check_place(folder, folder=True)
    processor()  # a wrong DEADRELU_CPU is reported before any work
    with open_store(stage.replace("@", "-"), fingerprint(origin)) as store, progress.rate_and_time_left() as bar:
        for measure, shards, description in computations:
            run(measure, shards, store, bar, description)
        with files.new_folder(folder) as new:
            yield store, new
    versions.record(stage, folder, versions.ENGINE_PACKAGES)


def run(measure: Measure, shards: Sequence[Shard], store: Store, bar: Progress, description: str) -> None:
    """Compute by `measure` the shards that the store does not contain, with a progress line `description` in the bar.

    Raises:
        InputError: the cluster, a worker or a result was lost, or a shard lacked memory or raised an InputError.
        OSError: a result cannot be stored.
        Exception: the first other error of `measure`, with a note that names the shard.
    """
    store.make()
    done = store.whole(shards)
    todo, trials = [shard for shard in shards if shard not in done], sum(map(len, done))
    line = bar.add_task(description, total=sum(map(len, shards)), completed=trials)
    stop = StopSignal(lambda more: bar.update(line, completed=trials + more))
    futures: dict[Future[None], Shard] = {}
    failures: dict[Shard, BaseException] = {}
    with _workers() as (pool, threads):
        try:
            each = max(1, min(max(threads), sum(threads) // max(1, len(todo))))  # number of threads per shard
            for shard in todo:
                futures[pool.submit(_compute, measure, shard, store.address, each, code(), stop)] = shard
            for future in as_completed(futures):
                if future.cancelled():
                    raise InputError("the cluster was lost; what is finished is kept: the same command continues")
                stop.report(futures[future], len(futures[future]))
                if isinstance(error := future.exception(), OSError):  # other shards could not be stored either
                    raise error
                if error is not None:
                    failures[futures[future]] = error
        finally:
            stop.set()  # so that no thread continues after Ctrl-C
            for future in futures:
                future.cancel()
    if lost := len(set(todo) - set(failures) - store.whole(todo)):
        raise InputError(f"{store.address}: {lost} shards are done and not there; expected: a place all workers see")
    if failures:
        _raise(failures, len(todo))


def _raise(failures: dict[Shard, BaseException], todo: int) -> None:
    """Raise the first error that is not InputError, MemoryError or a lost worker; else, an InputError with counts."""
    first = min(failures, key=lambda shard: shard.index)
    for shard, error in failures.items():
        if not isinstance(error, InputError | MemoryError) and type(error).__name__ != "KilledWorker":
            error.add_note(f"in {shard}")
            raise error
    summary = f"{len(failures)} of {todo} shards failed, first {first}: {_line(failures[first])}"
    raise InputError(f"{summary}; all others are kept: the same command computes the rest")


def _compute(measure: Measure, shard: Shard, address: str, threads: int, expected: str, stop: StopSignal) -> None:
    """On a worker, put a computed shard into the store at `address`; refuse a code digest other than `expected`."""
    if code() != expected:  # possible for a worker that joined the cluster later
        raise InputError(OTHER_CODE)
    Store(address).put(shard, measure(shard, threads, stop))
    stop.report(shard, len(shard))


def _threads() -> int:
    """Return the number of threads of this process: DASK_NUM_WORKERS, or by default the number of cores.

    Raises:
        InputError: DASK_NUM_WORKERS is not a positive integer.
    """
    given = os.environ.get("DASK_NUM_WORKERS")
    if given and not (given.isascii() and given.isdigit() and int(given) > 0):
        raise InputError(f"DASK_NUM_WORKERS: received {given!r}; expected: a number of threads, 1 or more")
    return int(given) if given else cores()


@contextmanager
def _workers() -> Iterator[tuple[Executor, list[int]]]:
    """Yield an executor and the number of threads of each of its workers, on the cluster or in this process."""
    address = os.environ.get("DASK_SCHEDULER_ADDRESS")
    if not address:
        threads = _threads()
        with ThreadPoolExecutor(threads) as pool:
            yield pool, [threads]
        return
    try:
        import dask  # this import takes a tenth of a second

        # Dask also raises what it logs; it reads the configuration of its log when `distributed` is imported.
        dask.config.set(logging=dict.fromkeys(("distributed", "distributed.client", "tornado.application"), "critical"))
        from distributed import Client

        client = Client(address)
        client.wait_for_workers(1, timeout=WORKER_TIMEOUT_S)
        codes, nthreads = client.run(code), client.nthreads()
    except Exception as error:  # errors of Dask, the network and unpickling have no common base class
        needed = "`pip install 'deadrelu[cluster]'`, a `dask scheduler` that answers and a `dask worker` of it"
        problem = f"{address}; expected: {needed}, or no address, to compute here ({_line(error)})"
        raise InputError(f"DASK_SCHEDULER_ADDRESS: received {problem}") from None
    try:
        if others := [worker for worker, digest in sorted(codes.items()) if digest != code()]:
            raise InputError(f"{', '.join(others)}: {OTHER_CODE}; expected: the same on all workers")
        yield client.get_executor(retries=RETRIES, pure=False), list(nthreads.values())
    finally:
        with suppress(Exception):  # the cluster may be gone
            client.close()


def _line(error: BaseException) -> str:
    return shorten(f"{type(error).__name__}: {error}", 200)
