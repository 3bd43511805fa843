"""Split work into shards that can be computed on any machine and reused.

A shard is a range of trials, or of untrained networks. Its results do not depend on where or when they are computed, so
that a repeated run reuses the finished shards of an interrupted one.
"""

import hashlib
import json
import sys
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from importlib.metadata import version
from pathlib import Path
from typing import Any

from deadrelu.engine import Stop
from deadrelu.storage.versions import ENGINE_PACKAGES

# Parts of the package that can change the results of shards; changes to other parts discard no finished shard.
CODE = ("streams.py", "functions.py", "settings", "storage", "engine", "jobs", "stages")


@dataclass(frozen=True)
class Shard:
    """Trials `low` to `high - 1` of some work, such as an `Experiment`; `index` identifies the shard within a run."""

    index: int
    work: Any  # what the shard is a part of: a hashable object whose `str` describes it
    low: int
    high: int

    def __len__(self) -> int:
        return self.high - self.low

    def __str__(self) -> str:
        return f"trials {self.low:,} to {self.high - 1:,} of {self.work}"


class StopSignal(Stop):
    """Stop signal of shards, and counter that calls show(finished trials); copies in other processes are separate."""

    def __init__(self, show: Callable[[int], None] = lambda _: None) -> None:
        super().__init__()
        self.show, self.done = show, dict[Shard, int]()

    def report(self, shard: Shard, trials: float) -> None:
        """Record how many trials of a shard are finished, and show the sum over all shards."""
        self.done[shard] = int(trials)
        self.show(sum(self.done.values()))

    def __reduce__(self) -> tuple[type["StopSignal"], tuple[()]]:
        return StopSignal, ()


# A function of a shard, a number of threads and a stop signal; it returns the contents of a shard's files by name.
Measure = Callable[[Shard, int, StopSignal], Mapping[str, bytes]]
Computation = tuple[Measure, list[Shard], str]  # with shards to measure, and a description of their progress line


def cut(parts: Iterable[Any], trials: int, size: int, *, begin: int = 0) -> list[Shard]:
    """Split the trials of each part into shards of up to `size` trials; the number of the first shard is `begin`."""
    ranges = [(work, low) for work in parts for low in range(0, trials, size)]
    return [Shard(k, work, low, min(low + size, trials)) for k, (work, low) in enumerate(ranges, start=begin)]


def fingerprint(origin: dict[str, object]) -> str:
    """Return a digest of all that determines the bits of shards: `origin`, their tables' provenance, and the code."""
    return hashlib.sha256(json.dumps([origin, code()], sort_keys=True).encode()).hexdigest()[:32]


@lru_cache(maxsize=1)
def code() -> str:
    """Return a SHA-256 of the modules in `CODE` and of the versions of Python and the engine's packages."""
    digest = hashlib.sha256(" ".join([sys.version, *map(version, ENGINE_PACKAGES)]).encode())
    package = Path(__file__).parents[1]
    paths = [path for part in CODE for path in (package / part).rglob("*.py")]
    paths += [package / part for part in CODE if part.endswith(".py")]
    for path in sorted(paths):
        digest.update(f"{path.relative_to(package)}\0".encode() + hashlib.sha256(path.read_bytes()).digest())
    return digest.hexdigest()
