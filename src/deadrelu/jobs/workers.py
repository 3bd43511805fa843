"""Shards computed on workers: threads of this process, or a Dask cluster, whose address the environment has.

`DASK_SCHEDULER_ADDRESS` (or `scheduler-address` in Dask's configuration) names the scheduler of a cluster. Where to
compute is no param: it changes no result. Who retries what, and what becomes of a worker that dies, is Dask's business.
"""

import logging
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import CancelledError
from contextlib import contextmanager, suppress
from typing import Any
from uuid import uuid4

import dask
import dask.threaded
from dask.system import CPU_COUNT
from rich.progress import Progress

from deadrelu.errors import InputError
from deadrelu.jobs.shards import Shard, Watch, Work, code
from deadrelu.jobs.store import SHARDS_PER_FOLDER, Store

RETRIES = 3
"""How often a cluster tries a shard again that failed."""

WORKER_TIMEOUT_S = 60
"""Seconds without a worker after which a cluster is given up."""

OTHER_CODE = "its Python, deadrelu or packages are not those of the client"
KEPT = "what is finished is kept: the same command goes on from there"

Failures = dict[Shard, str]
"""Shards that failed, and of what."""


def run(work: Work, shards: Sequence[Shard], store: Store, bar: Progress, description: str) -> None:
    """Compute the shards that the store does not have, and let the bar show how far it is.

    Raises:
        InputError: some failed, or the cluster is none or was lost. What is finished is in the store.
        OSError: they cannot be stored.
    """
    failures: Failures = {}
    line = bar.add_task(description, total=sum(map(len, shards)))
    with _cluster() as client:
        for at in range(0, len(shards), SHARDS_PER_FOLDER):
            block = shards[at : at + SHARDS_PER_FOLDER]
            store.make(block)
            done = store.whole(block)
            before = sum(map(len, (*shards[:at], *done)))
            bar.update(line, completed=before)
            watch = Watch(lambda trials, before=before: bar.update(line, completed=before + trials))  # type: ignore[misc]
            todo = [shard for shard in block if shard not in done]
            try:
                failed = _compute_on(client, work, todo, store, watch) if client else _compute(work, todo, store, watch)
            finally:
                watch.set()  # on Ctrl-C, no thread works on
            if lost := set(todo) - set(failed) - store.listed(todo):
                told = f"{len(lost)} shards are done and not there; expected: a place that all workers see"
                raise InputError(f"{store.address}: {told}")
            failures |= failed
    if failures:
        (first, reason), more = next(iter(failures.items())), len(failures) - 1
        others = f", and {more} more shard{'s' * (more > 1)}," if more else ""
        raise InputError(f"{first}{others} failed: {reason}; all others are kept: the same command computes the rest")


def _compute(work: Work, todo: list[Shard], store: Store, watch: Watch) -> Failures:
    """On threads of this process, as Dask is configured: all cores by default."""
    threads = dask.config.get("num_workers", None) or CPU_COUNT
    # By the function: to find it by its name, Dask would import dask.distributed, which takes a second.
    scheduler = None if dask.config.get("scheduler", None) else dask.threaded.get
    failures: Failures = {}

    def measured(work: Work, shard: Shard, *given: Any) -> None:
        try:
            _measure(work, shard, *given)
            watch.at(shard, len(shard))
        except (CancelledError, OSError):  # the run ends: no other shard could be stored
            raise
        except Exception as error:
            failures[shard] = _reason(error)

    dask.compute(*_tasks(measured, work, todo, store, watch, [threads]), scheduler=scheduler)
    return {shard: failures[shard] for shard in todo if shard in failures}


def _compute_on(client: Any, work: Work, todo: list[Shard], store: Store, watch: Watch) -> Failures:
    """On a cluster."""
    from distributed import wait

    with _lost():
        if others := [worker for worker, digest in sorted(client.run(code).items()) if digest != code()]:
            raise InputError(f"{', '.join(others)}: {OTHER_CODE}; expected: the same on all workers")
        tasks = _tasks(_measure, work, todo, store, watch, list(client.nthreads().values()))
        futures = dict(zip(todo, client.compute(tasks, retries=RETRIES), strict=True))
        since = time.monotonic()
        while waiting := [shard for shard in futures if shard not in watch.done]:
            with suppress(TimeoutError):
                wait([futures[shard] for shard in waiting], timeout=1, return_when="FIRST_COMPLETED")
            for shard in waiting:
                if futures[shard].done():
                    watch.at(shard, len(shard))
            if client.nthreads():
                since = time.monotonic()
            elif time.monotonic() > since + WORKER_TIMEOUT_S:  # Dask would wait for ever
                raise InputError(f"{_address()}: no worker is left; {KEPT}")
        errors = {shard: future.exception() for shard, future in futures.items()}
    return {shard: _reason(error) for shard, error in errors.items() if error is not None}


def _tasks(
    function: Callable[..., None], work: Work, todo: list[Shard], store: Store, watch: Watch, threads: list[int]
) -> list[Any]:
    """Delayed tasks, one a shard; `threads` of each worker. Where shards are fewer, they share a worker's threads."""
    on_a_worker = -(-len(todo) // max(1, len(threads)))
    each = max(1, max(threads, default=1) // max(1, on_a_worker))
    run, shared = uuid4().hex, dask.delayed(work, traverse=False)
    return [  # Dask goes by the order of keys
        dask.delayed(function)(
            shared, shard, store.address, each, code(), watch, dask_key_name=f"{shard.index:09d}: {shard}, {run}"
        )
        for shard in todo
    ]


def _measure(work: Work, shard: Shard, address: str, threads: int, expected: str, watch: Watch) -> None:
    """Compute and keep a shard, in whatever process."""
    if code() != expected:  # of a worker that came later
        raise RuntimeError(OTHER_CODE)
    Store(address).put(shard, work.measure(shard, threads, watch))


def _reason(error: BaseException) -> str:
    return f"{type(error).__name__}: {' '.join(str(error).split())[:200]}"


def _address() -> str | None:
    """Of the scheduler that the environment names."""
    address: str | None = dask.config.get("scheduler-address", None)
    return address


@contextmanager
def _cluster() -> Iterator[Any]:
    """A client of the cluster that the environment names, which has a worker; None, if it names none."""
    address = _address()
    if address is None:
        yield None
        return
    received = f"DASK_SCHEDULER_ADDRESS: received {address}"
    try:
        from distributed import Client
    except ImportError:
        needed = "dask.distributed, which `pip install 'deadrelu[cluster]'` installs"
        raise InputError(f"{received}; expected: {needed}") from None
    for name in [name for name in logging.root.manager.loggerDict if name.startswith("distributed")]:
        logging.getLogger(name).setLevel(logging.CRITICAL)  # what it has to say comes as an exception, too
    try:
        client = Client(address)
    except Exception as error:  # Dask's, the network's and those of unpickling share no base class
        needed = "the address that `dask scheduler` prints, or no address, to compute on this machine"
        raise InputError(f"{received}, where no scheduler answers ({_reason(error)}); expected: {needed}") from None
    try:
        try:
            client.wait_for_workers(1, timeout=WORKER_TIMEOUT_S)
        except TimeoutError:
            told = (
                f"no worker after {WORKER_TIMEOUT_S} s; expected: one or more, as `dask worker {address}` starts them"
            )
            raise InputError(f"{received}, which has {told}") from None
        yield client
    finally:
        with suppress(Exception):  # there may be none any more to take leave of
            client.close()


@contextmanager
def _lost() -> Iterator[None]:
    """Say in one line that a cluster was lost."""
    try:
        yield
    except InputError:
        raise
    except Exception as error:
        raise InputError(
            f"{_address()}: the cluster was lost ({_reason(error)}); {KEPT}, on one that answers"
        ) from None
