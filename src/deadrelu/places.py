"""Where shards are computed: in this process, or on a Dask cluster, whose address the environment has.

`DASK_SCHEDULER_ADDRESS` (or `scheduler-address` in Dask's configuration) names the scheduler of a cluster. Where
to compute is no param: it changes no result.
"""

import logging
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Protocol

import dask
from dask.system import CPU_COUNT

from deadrelu.errors import InputError

PATIENCE = 60
"""Seconds in which a first worker must have come."""

HERE = "this process"


class Place(Protocol):
    """Where tasks run, and on how many threads of which workers."""

    @property
    def threads(self) -> Mapping[str, int]:
        """Of each worker there is now."""

    def compute(self, tasks: list[Any], workers: list[str]) -> list[Any]:
        """Results of Dask's delayed tasks, computed on some of the workers.

        Raises:
            LostTaskError: a worker died of one, again and again.
        """


def this_worker() -> str:
    """Address of the worker that this task runs on; HERE, where there is none."""
    distributed = sys.modules.get("distributed")
    try:
        return str(distributed.get_worker().address) if distributed else HERE
    except ValueError:
        return HERE


class LostTaskError(Exception):
    """The key of a task that workers die of, and what Dask says."""

    def __init__(self, key: str, told: str) -> None:
        super().__init__(told)
        self.key = key


@contextmanager
def chosen() -> Iterator[Place]:
    """The place that the environment names."""
    address = dask.config.get("scheduler-address", None)
    if address is None:
        yield Here()
        return
    try:
        from distributed import Client
    except ImportError:
        raise InputError(
            f"DASK_SCHEDULER_ADDRESS: received {address}; allowed: with dask.distributed, of pip install "
            "'deadrelu[cluster]'"
        ) from None
    for name in [name for name in logging.root.manager.loggerDict if name.startswith("distributed")]:
        logging.getLogger(name).setLevel(logging.CRITICAL)  # what it has to say comes as an exception, too
    try:
        client = Client(address)
    except (OSError, ValueError, TypeError) as error:
        told = " ".join(str(error).split())[:160]
        raise InputError(
            f"DASK_SCHEDULER_ADDRESS: received {address}, where no scheduler answers ({told}); allowed: the address "
            "that `dask scheduler` prints, or nothing, to compute here"
        ) from None
    with client:
        try:
            client.wait_for_workers(1, timeout=PATIENCE)
        except TimeoutError:
            raise InputError(
                f"DASK_SCHEDULER_ADDRESS: {address} has no worker after {PATIENCE} s; start some: dask worker {address}"
            ) from None
        yield Cluster(client, address)


class Here:
    """Threads of this process, as Dask is configured: all cores by default."""

    @property
    def threads(self) -> Mapping[str, int]:
        """Of this process."""
        return {HERE: dask.config.get("num_workers", None) or CPU_COUNT}

    def compute(self, tasks: list[Any], workers: list[str]) -> list[Any]:
        """Results of Dask's delayed tasks."""
        return list(dask.compute(*tasks))


class Cluster:
    """Workers of a `dask.distributed` cluster."""

    def __init__(self, client: Any, address: str) -> None:
        self.client, self.address = client, address

    @property
    def threads(self) -> Mapping[str, int]:
        """Of each worker there is now."""
        found: dict[str, int] = self.client.nthreads()
        return found

    def compute(self, tasks: list[Any], workers: list[str]) -> list[Any]:
        """Results of Dask's delayed tasks."""
        from distributed import KilledWorker
        from distributed.client import FutureCancelledError

        try:
            return list(dask.compute(*tasks, workers=workers))
        except KilledWorker as error:
            raise LostTaskError(str(error.task), f"its workers die, the last was {error.last_worker.address}") from None
        except (FutureCancelledError, OSError, TimeoutError, RuntimeError) as error:
            told = " ".join(str(error).split())[:200]
            raise InputError(
                f"{self.address}: the cluster was lost ({type(error).__name__}: {told}); what is finished is kept: the "
                "same command goes on from there, on a cluster that answers"
            ) from None
