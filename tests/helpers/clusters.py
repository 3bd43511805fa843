"""Start a Dask cluster whose processes on this machine can be killed, and define work that fails."""

import os
import signal
import socket
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil

from deadrelu import progress
from deadrelu.errors import InputError
from deadrelu.jobs import workers
from deadrelu.jobs.shards import Shard, StopSignal
from deadrelu.jobs.store import Store


class Cluster:
    """A Dask scheduler and workers of one thread, each with a nanny that restarts it."""

    def __init__(self, folder: Path, workers: int = 2) -> None:
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
        self.folder, self.address = folder, f"tcp://127.0.0.1:{self.port}"
        self.scheduler = self.start_scheduler()
        self.nannies = [self.start_worker() for _ in range(workers)]

    def start_scheduler(self) -> "subprocess.Popen[bytes]":
        self.scheduler = self._start("scheduler", "--host", "127.0.0.1", "--port", str(self.port))
        return self.scheduler

    def start_worker(self, source: Path | None = None) -> "subprocess.Popen[bytes]":
        """Start a worker with this code, or with the code in another folder."""
        return self._start("worker", self.address, "--nthreads", "1", source=source)

    def workers(self) -> list[psutil.Process]:
        """Return the worker processes, which are children of the nannies."""
        processes = []
        for nanny in self.nannies:
            try:
                children = psutil.Process(nanny.pid).children()
                processes += [child for child in children if "spawn_main" in " ".join(child.cmdline())]
            except psutil.Error:
                continue
        return processes

    def mend(self) -> None:
        """Restart the scheduler and the nannies that have ended."""
        if self.scheduler.poll() is not None:
            self.start_scheduler()
        self.nannies = [nanny if nanny.poll() is None else self.start_worker() for nanny in self.nannies]

    def close(self) -> None:
        for process in (*self.nannies, self.scheduler):
            kill_group(process)

    def _start(self, *words: str, source: Path | None = None) -> "subprocess.Popen[bytes]":
        path = os.pathsep.join([str(source)] * (source is not None) + [str(Path(__file__).parents[1])])
        env = os.environ | {"PYTHONPATH": path, "DASK_TEMPORARY_DIRECTORY": str(self.folder)}
        with (self.folder / "log").open("ab") as log:
            return subprocess.Popen(
                [sys.executable, "-m", "dask", *words, "--no-dashboard"],
                env=env,
                cwd=self.folder,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )


def kill_group(process: "subprocess.Popen[bytes] | subprocess.Popen[str]") -> None:
    """Kill a process and all processes of its group with SIGKILL, and wait until it has ended."""
    with process:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)


def run(work: Any, cut: list[Shard], store: Store) -> None:
    """Compute shards with the method `measure` of some work, as a stage does."""
    with progress.rate_and_time_left() as bar:
        workers.run(work.measure, cut, store, bar, "toy")


@dataclass(frozen=True)
class Toy:
    """Work whose shards take a moment; some shards fail, and some kill their worker.

    Attributes:
        fails: indices of the shards that fail.
        kills: indices of the shards that kill their worker.
        error: class of the error that failing shards raise; the default is reported in one line.
    """

    fails: tuple[int, ...] = ()
    kills: tuple[int, ...] = ()
    error: type[Exception] = InputError

    def measure(self, shard: Shard, threads: int, stop: StopSignal) -> dict[str, bytes]:
        if shard.index in self.kills:
            os.kill(os.getpid(), signal.SIGKILL)
        if shard.index in self.fails:
            raise self.error("no luck")
        time.sleep(0.05)
        return {"name": str(shard).encode()}
