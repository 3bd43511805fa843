"""Work cut into shards, what may be reused of it, and the places where finished ones wait for the rest.

A shard is a range of trials. Whoever measures one, and when, changes no bit of it; so what a run that was killed has
finished is finished.
"""

import hashlib
import json
import os
import shutil
import sys
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import lru_cache
from importlib.metadata import version
from pathlib import Path
from typing import Protocol
from uuid import uuid4

import fsspec

from deadrelu.engine import Stop
from deadrelu.errors import InputError
from deadrelu.storage import files
from deadrelu.storage.parquet import ENGINE_PACKAGES

WORK = Path("data/.work")
"""Finished shards of unfinished work, unless DEADRELU_WORK names another place."""

TOGETHER = 1000
"""Shards in one folder: to look which are there takes no longer, however many there are."""


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


def cut(of: tuple[str | int, ...], trials: int, size: int, first: int = 0) -> list[Shard]:
    """Shards of `size` trials, the last one smaller; indices from `first` on."""
    starts = range(0, trials, size)
    return [Shard(first + k, of, low, min(low + size, trials)) for k, low in enumerate(starts)]


def fingerprint(made_by: dict[str, object], *inputs: bytes) -> str:
    """Of all that decides the bits of a shard: params and versions, as tables note them, the code, and the inputs."""
    digest = hashlib.sha256(json.dumps([made_by, code()], sort_keys=True).encode())
    for content in inputs:
        digest.update(hashlib.sha256(content).digest())
    return digest.hexdigest()[:32]


@lru_cache(maxsize=1)
def code() -> str:
    """SHA-256 of the package's modules, and of the versions of Python and of what computes."""
    digest = hashlib.sha256(" ".join([sys.version, *map(version, ENGINE_PACKAGES)]).encode())
    package = Path(__file__).parents[1]
    for path in sorted(package.rglob("*.py")):
        digest.update(f"{path.relative_to(package)}\0".encode() + hashlib.sha256(path.read_bytes()).digest())
    return digest.hexdigest()


class Store:
    """Files of finished shards, at any address that fsspec knows.

    A shard counts once its list of files is there, which is written last and holds their SHA-256. Each file appears
    whole or not at all.
    """

    def __init__(self, address: str) -> None:
        self.address = address
        self.fs, self.root = fsspec.url_to_fs(address)

    def make(self, shards: Iterable[Shard]) -> None:
        """Make the folders of some shards. A folder that vanishes later is not made again: its shards fail."""
        for folder in {self._folder(shard) for shard in shards}:
            self.fs.makedirs(folder, exist_ok=True)

    def put(self, shard: Shard, contents: Mapping[str, bytes]) -> None:
        """Keep a shard, unless it is there: one whose client was killed is computed once more, and may end twice."""
        if self._is_whole(shard):
            return
        for name, content in contents.items():
            self._write(self._path(shard, name), content)
        digests = {name: hashlib.sha256(content).hexdigest() for name, content in contents.items()}
        self._write(self._path(shard, "json"), json.dumps(digests).encode())

    def listed(self, shards: Iterable[Shard]) -> set[Shard]:
        """Which of them have a list of files."""
        shards = list(shards)
        self.fs.invalidate_cache()
        found: set[str] = set()
        for folder in {self._folder(shard) for shard in shards}:
            with suppress(FileNotFoundError):
                found.update(name.rpartition("/")[2] for name in self.fs.ls(folder, detail=False))
        return {shard for shard in shards if self._path(shard, "json").rpartition("/")[2] in found}

    def whole(self, shards: Iterable[Shard]) -> set[Shard]:
        """Which of them are finished, to the last bit."""
        return {shard for shard in self.listed(shards) if self._is_whole(shard)}

    def names(self, shard: Shard) -> set[str]:
        """Names of a finished shard's files."""
        return set(json.loads(self.fs.cat_file(self._path(shard, "json"))))

    def get(self, shard: Shard, name: str) -> bytes:
        """One file of a finished shard.

        Raises:
            InputError: it is damaged.
        """
        path = self._path(shard, name)
        digests = json.loads(self.fs.cat_file(self._path(shard, "json")))
        content: bytes = self.fs.cat_file(path)
        if hashlib.sha256(content).hexdigest() != digests.get(name):
            raise InputError(f"{path}: damaged while others were computed; the same command computes it again")
        return content

    def clear(self) -> None:
        """Remove all shards; beside them may be those of others."""
        with suppress(FileNotFoundError):
            self.fs.rm(self.root, recursive=True)

    def _is_whole(self, shard: Shard) -> bool:
        try:
            for name in json.loads(self.fs.cat_file(self._path(shard, "json"))):
                self.get(shard, name)
        except (InputError, FileNotFoundError, ValueError, AttributeError):
            return False
        return True

    def _folder(self, shard: Shard) -> str:
        return f"{self.root}/{shard.index // TOGETHER:06d}"

    def _path(self, shard: Shard, name: str) -> str:
        return f"{self._folder(shard)}/{shard.index:09d}.{name}"

    def _write(self, path: str, content: bytes) -> None:
        temporary = f"{path}.{uuid4().hex}"
        try:
            with files.named(path):
                self.fs.pipe_file(temporary, content)
                self.fs.mv(temporary, path)
        except BaseException:
            with suppress(Exception):
                self.fs.rm_file(temporary)
            raise


@contextmanager
def kept(name: str, of: str) -> Iterator[Store]:
    """The store of some work; one process at a time has it. It vanishes when all went well.

    Args:
        name: of the work, such as collapse-relu.
        of: its fingerprint.
    """
    place = (os.environ.get("DEADRELU_WORK") or WORK.absolute().as_posix()).rstrip("/")
    here = WORK / name
    with files.held(here):
        try:
            store = Store(f"{place}/{name}/{of}")
        except (ImportError, ValueError) as error:
            raise InputError(f"DEADRELU_WORK: received {place!r}; allowed: an address for fsspec ({error})") from None
        try:
            yield store
            store.clear()
            shutil.rmtree(here, ignore_errors=True)  # with what other params, code or inputs have left
        except KeyboardInterrupt:
            if store.fs.glob(f"{store.root}/*/*.json"):
                print(
                    f"deadrelu: what is finished is kept in {place}/{name}: the same command goes on", file=sys.stderr
                )
            raise
        finally:
            for folder, _, _ in os.walk(here, topdown=False):
                with suppress(OSError):  # not empty
                    os.rmdir(folder)
            with suppress(OSError):
                WORK.rmdir()
