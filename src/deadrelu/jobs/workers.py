"""Where shards are computed: in this process, or on a Dask cluster, whose address the environment has.

`DASK_SCHEDULER_ADDRESS` (or `scheduler-address` in Dask's configuration) names the scheduler of a cluster. Where
to compute is no param: it changes no result.
"""

import logging
import sys
import time
from collections.abc import Iterator, Mapping, Set
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import Any, Protocol

import dask
import dask.threaded
from dask.system import CPU_COUNT

from deadrelu.errors import InputError

PATIENCE = 60
"""Seconds in which a first worker must have come."""

LOOK = 1
"""Seconds between two looks at which workers there are."""

HERE = "this process"

KEPT = "what is finished is kept: the same command goes on from there"


class Place(Protocol):
    """Where tasks run, and on how many threads of which workers."""

    @property
    def threads(self) -> Mapping[str, int]:
        """Of each worker there is now."""

    def compute(self, tasks: list[Any], refused: Set[str]) -> list[Any]:
        """Results of Dask's delayed tasks, computed on any worker that is not refused.

        In the place of a result stands `Deadly` where workers died of the task, or of one beside it.
        """


@dataclass(frozen=True)
class Deadly:
    """A task that workers died of, perhaps, and what is known of it."""

    told: str


def this_worker() -> str:
    """Address of the worker that this task runs on; HERE, where there is none."""
    distributed = sys.modules.get("distributed")
    try:
        return str(distributed.get_worker().address) if distributed else HERE
    except ValueError:
        return HERE


@contextmanager
def chosen() -> Iterator[Place]:
    """The place that the environment names."""
    address = dask.config.get("scheduler-address", None)
    if address is None:
        yield Here()
        return
    client = _client(address)
    try:
        yield Cluster(client, address)
    finally:
        with suppress(Exception):  # there may be none any more to take leave of
            client.close()


def _client(address: str) -> Any:
    """Connected with a cluster that has a worker."""
    received = f"DASK_SCHEDULER_ADDRESS: received {address}"
    try:
        from distributed import Client
    except ImportError:
        needed = "pip install 'deadrelu[cluster]', which has dask.distributed"
        raise InputError(f"{received}; allowed: after {needed}") from None
    for name in [name for name in logging.root.manager.loggerDict if name.startswith("distributed")]:
        logging.getLogger(name).setLevel(logging.CRITICAL)  # what it has to say comes as an exception, too
    client = None
    try:
        client = Client(address)
        client.wait_for_workers(1, timeout=PATIENCE)
    except Exception as error:  # see `Cluster._lost`
        if client is not None and isinstance(error, TimeoutError):
            told = f", which has no worker after {PATIENCE} s; start some: dask worker {address}"
        else:
            what = " ".join(str(error).split())[:160]
            told = (
                f", where no scheduler answers ({what}); allowed: what `dask scheduler` prints, or nothing: then here"
            )
        if client is not None:
            with suppress(Exception):
                client.close()
        raise InputError(f"{received}{told}") from None
    return client


class Here:
    """Threads of this process, as Dask is configured: all cores by default."""

    @property
    def threads(self) -> Mapping[str, int]:
        """Of this process."""
        return {HERE: dask.config.get("num_workers", None) or CPU_COUNT}

    def compute(self, tasks: list[Any], refused: Set[str]) -> list[Any]:
        """Results of Dask's delayed tasks."""
        # By the function: to find it by its name, Dask would import dask.distributed, which takes a second.
        scheduler = None if dask.config.get("scheduler", None) else dask.threaded.get
        return list(dask.compute(*tasks, scheduler=scheduler))


class Cluster:
    """Workers of a `dask.distributed` cluster."""

    def __init__(self, client: Any, address: str) -> None:
        self.client, self.address = client, address

    @property
    def threads(self) -> Mapping[str, int]:
        """Of each worker there is now."""
        with self._lost():
            found: dict[str, int] = self.client.nthreads()
            return found

    def compute(self, tasks: list[Any], refused: Set[str]) -> list[Any]:
        """Results of Dask's delayed tasks."""
        allowed = set(self.threads) - refused if refused else None
        with self._lost():
            futures = self.client.compute(tasks, workers=allowed and list(allowed))
            self._wait(futures, allowed)
            return [self._result(future) for future in futures]

    def _wait(self, futures: list[Any], allowed: set[str] | None) -> None:
        """Wait until all are done, or no worker is left: Dask would wait for ever."""
        from distributed import wait

        since = time.monotonic()
        while any(not future.done() for future in futures):
            with suppress(TimeoutError):
                wait(futures, timeout=LOOK)
            there = set(self.threads)
            if there & (there if allowed is None else allowed):
                since = time.monotonic()
            elif time.monotonic() > since + PATIENCE:
                raise InputError(f"{self.address}: no worker is left; {KEPT}")

    def _result(self, future: Any) -> Any:
        from distributed import KilledWorker

        error = future.exception()
        if isinstance(error, KilledWorker):
            return Deadly(f"its workers die, the last was {error.last_worker.address}")
        return future.result()

    @contextmanager
    def _lost(self) -> Iterator[None]:
        try:
            yield
        except InputError:
            raise
        except Exception as error:  # Dask's, the network's and those of unpickling share no base class
            told = " ".join(str(error).split())[:160]
            raise InputError(
                f"{self.address}: the cluster was lost ({type(error).__name__}: {told}); {KEPT}, on one that answers"
            ) from None
