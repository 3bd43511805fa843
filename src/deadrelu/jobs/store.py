"""Where finished shards wait for the rest: any place that fsspec knows, by default below `data/.work`."""

import hashlib
import io
import os
import shutil
import sys
import zipfile
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from uuid import uuid4

from deadrelu.errors import InputError
from deadrelu.jobs.shards import Shard
from deadrelu.storage import files

WORK = Path("data/.work")
"""Finished shards of unfinished work, unless DEADRELU_WORK names another place."""

SHARDS_PER_FOLDER = 1000
"""To look which shards are there takes no longer, however many there are."""


class Store:
    """One file for each finished shard, which appears whole: a SHA-256, and the ZIP archive that it is of."""

    def __init__(self, address: str) -> None:
        import fsspec  # which takes a tenth of a second

        self.address = address
        self.fs, self.root = fsspec.url_to_fs(address)

    def make(self, shards: Iterable[Shard]) -> None:
        """Make the folders of some shards. A folder that vanishes later is not made again: its shards fail."""
        for folder in {self._folder(shard) for shard in shards}:
            self.fs.makedirs(folder, exist_ok=True)

    def put(self, shard: Shard, contents: Mapping[str, bytes]) -> None:
        """Keep a shard, unless it is there: one whose client was killed is computed once more, and may end twice."""
        if self.whole([shard]):
            return
        archive, path = io.BytesIO(), self._path(shard)
        with zipfile.ZipFile(archive, "w") as file:
            for name, content in contents.items():
                file.writestr(zipfile.ZipInfo(name), content)  # without the time
        temporary = f"{path}.{uuid4().hex}"
        try:
            with files.with_path_in_errors(path):
                self.fs.pipe_file(temporary, hashlib.sha256(archive.getvalue()).digest() + archive.getvalue())
                self.fs.mv(temporary, path)
        except BaseException:
            with suppress(Exception):
                self.fs.rm_file(temporary)
            raise

    def listed(self, shards: Iterable[Shard]) -> set[Shard]:
        """Which of them are there."""
        shards = list(shards)
        self.fs.invalidate_cache()
        found: set[str] = set()
        for folder in {self._folder(shard) for shard in shards}:
            with suppress(FileNotFoundError):
                found.update(name.rpartition("/")[2] for name in self.fs.ls(folder, detail=False))
        return {shard for shard in shards if self._path(shard).rpartition("/")[2] in found}

    def whole(self, shards: Iterable[Shard]) -> set[Shard]:
        """Which of them are there, to the last bit."""
        found = set()
        for shard in self.listed(shards):
            with suppress(InputError, FileNotFoundError):
                self.get(shard)
                found.add(shard)
        return found

    def get(self, shard: Shard) -> dict[str, bytes]:
        """Files of a finished shard, by name.

        Raises:
            InputError: it is damaged.
        """
        path = self._path(shard)
        content = self.fs.cat_file(path)
        if hashlib.sha256(content[32:]).digest() != content[:32]:
            raise InputError(f"{path}: damaged while others were computed; the same command computes it again")
        with zipfile.ZipFile(io.BytesIO(content[32:])) as file:
            return {name: file.read(name) for name in file.namelist()}

    def clear(self) -> None:
        """Remove all shards; beside them may be those of others."""
        with suppress(FileNotFoundError):
            self.fs.rm(self.root, recursive=True)

    def _folder(self, shard: Shard) -> str:
        return f"{self.root}/{shard.index // SHARDS_PER_FOLDER:06d}"

    def _path(self, shard: Shard) -> str:
        return f"{self._folder(shard)}/{shard.index:09d}.shard"


@contextmanager
def open_store(name: str, fingerprint: str) -> Iterator[Store]:
    """The store of some work, such as collapse-relu; one process at a time has it. It vanishes when all went well."""
    place = (os.environ.get("DEADRELU_WORK") or WORK.absolute().as_posix()).rstrip("/")
    here = WORK / name
    with files.locked(here):
        try:
            store = Store(f"{place}/{name}/{fingerprint}")
        except (ImportError, ValueError) as error:
            raise InputError(f"DEADRELU_WORK: received {place!r}; expected: an address for fsspec ({error})") from None
        try:
            yield store
            store.clear()
            for left in here.iterdir():  # by other params, code or inputs
                shutil.rmtree(left, ignore_errors=True)  # not the lock, which is a file
        except KeyboardInterrupt:
            if store.fs.glob(f"{store.root}/*/*.shard"):
                print(
                    f"deadrelu: what is finished is kept in {place}/{name}: the same command goes on", file=sys.stderr
                )
            raise
        finally:
            for folder in sorted(here.rglob("*"), reverse=True):
                with suppress(OSError):  # a file, or not empty
                    folder.rmdir()
