"""Find and kill the descendants of the test process, also those whose parent has ended."""

import ctypes
import sys
from collections.abc import Iterable

import psutil

PR_SET_CHILD_SUBREAPER = 36


def become_subreaper() -> None:
    """Make this process the parent of every orphan among its descendants, so that `children` lists it. Linux only."""
    if sys.platform == "linux":
        ctypes.CDLL(None, use_errno=True).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)


def children() -> list[psutil.Process]:
    """List all descendants of this process, except Python's resource tracker for shared memory."""
    return [
        process for process in psutil.Process().children(recursive=True) if "resource_tracker" not in _command(process)
    ]


def _command(process: psutil.Process) -> str:
    try:
        return " ".join(process.cmdline())
    except psutil.Error:  # it has ended meanwhile
        return ""


def kill_all(processes: Iterable[psutil.Process]) -> None:
    """Kill processes and wait until they have ended."""
    killed = []
    for process in processes:
        try:
            process.kill()
            killed.append(process)
        except psutil.NoSuchProcess:
            continue
    psutil.wait_procs(killed, timeout=10)
