"""Work cut into shards, and the fingerprint of all that decides their bits.

A shard is a range of trials. Who measures it, and when, changes no bit: what a run that was killed has finished, stays.
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
from deadrelu.storage.parquet import ENGINE_PACKAGES

ROOMS = ("settings", "storage", "engine", "jobs", "stages")
"""Folders of the package that can change a shard. Words and figures are elsewhere: they discard no long run."""


@dataclass(frozen=True)
class Shard:
    """Trials `low` to `high - 1` of a part of some work; `index` tells the shards of a work apart."""

    index: int
    of: Any
    """What its trials are of; hashable, and its `str` names it."""
    low: int
    high: int

    def __len__(self) -> int:
        return self.high - self.low

    def __str__(self) -> str:
        return f"trials {self.low:,} to {self.high - 1:,} of {self.of}"


class Watch(Stop):
    """Set at the end and on Ctrl-C, it ends shards; they tell it how far they are. Elsewhere, nobody hears it."""

    def __init__(self, show: Callable[[int], None] = lambda _: None) -> None:
        super().__init__()
        self.show, self.done = show, dict[Shard, int]()

    def at(self, shard: Shard, trials: float) -> None:
        """Note that so many trials of a shard are done."""
        self.done[shard] = int(trials)
        self.show(sum(self.done.values()))

    def __reduce__(self) -> tuple[type["Watch"], tuple[()]]:
        return Watch, ()


Measure = Callable[[Shard, int, Watch], Mapping[str, bytes]]
"""From a shard and threads to its files, by their names. It is sent to where that happens."""


def cut(parts: Iterable[Any], trials: int, size: int, *, begin: int = 0) -> list[Shard]:
    """Shards of each part, which has so many trials: of `size`, the last one smaller. Numbers begin at `begin`."""
    ranges = [(of, low) for of in parts for low in range(0, trials, size)]
    return [Shard(k, of, low, min(low + size, trials)) for k, (of, low) in enumerate(ranges, start=begin)]


def fingerprint(made_by: dict[str, object], *inputs: bytes) -> str:
    """Of all that decides the bits of a shard: params and versions, as tables note them, the code, and the inputs."""
    digest = hashlib.sha256(json.dumps([made_by, code()], sort_keys=True).encode())
    for content in inputs:
        digest.update(hashlib.sha256(content).digest())
    return digest.hexdigest()[:32]


@lru_cache(maxsize=1)
def code() -> str:
    """SHA-256 of the modules of `ROOMS`, and of the versions of Python and of what computes."""
    digest = hashlib.sha256(" ".join([sys.version, *map(version, ENGINE_PACKAGES)]).encode())
    package = Path(__file__).parents[1]
    for path in sorted(path for room in ROOMS for path in (package / room).rglob("*.py")):
        digest.update(f"{path.relative_to(package)}\0".encode() + hashlib.sha256(path.read_bytes()).digest())
    return digest.hexdigest()
