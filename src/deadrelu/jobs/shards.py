"""Work cut into shards, and the fingerprint of all that decides their bits.

A shard is a range of trials. Whoever measures one, and when, changes no bit of it; so what a run that was killed has
finished is finished.
"""

import hashlib
import json
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from importlib.metadata import version
from pathlib import Path
from typing import Protocol

from deadrelu.engine import Stop
from deadrelu.storage.parquet import ENGINE_PACKAGES

ROOMS = ("settings", "storage", "engine", "jobs", "stages")
"""Folders of the package that can change a shard. Words and figures are elsewhere: they discard no long run."""


@dataclass(frozen=True)
class Shard:
    """Trials `low` to `high - 1` of what `of` names; `index` tells the shards of a work apart."""

    index: int
    of: tuple[str | int, ...]
    low: int
    high: int

    def __len__(self) -> int:
        return self.high - self.low

    def __str__(self) -> str:
        return f"trials {self.low:,} to {self.high - 1:,} of {' '.join(map(str, self.of))}"


class Watch(Stop):
    """Set on Ctrl-C, it ends shards; they tell it how far they are. Sent to another process, it is one of its own."""

    def __init__(self) -> None:
        super().__init__()
        self.so_far: dict[Shard, int] = {}

    def at(self, shard: Shard, trials: float) -> None:
        """Note that so many trials of a shard are done."""
        self.so_far[shard] = int(trials)

    def __reduce__(self) -> tuple[type["Watch"], tuple[()]]:
        return Watch, ()


class Work(Protocol):
    """What can measure a shard: it is sent to where that happens."""

    def measure(self, shard: Shard, threads: int, watch: Watch) -> Mapping[str, bytes]:
        """Files of a shard, by their names; they depend on the work and the shard alone."""


def cut(of: tuple[str | int, ...], trials: int, size: int) -> list[Shard]:
    """Shards of `size` trials, the last one smaller."""
    return [Shard(k, of, low, min(low + size, trials)) for k, low in enumerate(range(0, trials, size))]


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
