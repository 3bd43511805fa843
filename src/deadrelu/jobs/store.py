"""Where finished shards wait for the rest: any place that fsspec knows, by default below `data/.work`."""

import io
import os
import shutil
import sys
import zipfile
import zlib
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path

from deadrelu.errors import InputError
from deadrelu.jobs.shards import Shard
from deadrelu.storage import files

WORK = Path("data/.work")
"""Finished shards of unfinished work, unless DEADRELU_WORK names another place."""


class Store:
    """One ZIP archive for each finished shard. Half of one, left by a worker that was killed, is none."""

    def __init__(self, address: str) -> None:
        import fsspec  # which takes a tenth of a second

        self.address = address
        self.fs, self.root = fsspec.url_to_fs(address)

    def make(self) -> None:
        """Make its folder. One that vanishes later is not made again: its shards fail."""
        self.fs.makedirs(self.root, exist_ok=True)

    def put(self, shard: Shard, contents: Mapping[str, bytes]) -> None:
        """Keep the files of a shard, by name, unless it is there: one whose client was killed may end twice."""
        if self._is_whole(shard):
            return
        archive = io.BytesIO()
        with zipfile.ZipFile(archive, "w") as file:
            for name, content in contents.items():
                file.writestr(zipfile.ZipInfo(name), content)  # without the time
        with files.with_path_in_errors(path := self._path(shard)):
            self.fs.pipe_file(path, archive.getvalue())

    def whole(self, shards: Iterable[Shard]) -> set[Shard]:
        """Which of them are there, to the last bit."""
        self.fs.invalidate_cache()
        there = set(self.fs.find(self.root))  # one question for all: S3 takes a while to say no
        return {shard for shard in shards if self._path(shard) in there and self._is_whole(shard)}

    def _is_whole(self, shard: Shard) -> bool:
        with suppress(InputError, FileNotFoundError):
            self.get(shard)
            return True
        return False

    def get(self, shard: Shard) -> dict[str, bytes]:
        """Files of a finished shard, by name; InputError, if it is damaged."""
        try:
            with zipfile.ZipFile(io.BytesIO(self.fs.cat_file(path := self._path(shard)))) as file:
                return {name: file.read(name) for name in file.namelist()}  # which compares the checksum of each
        except (zipfile.BadZipFile, zlib.error, EOFError):
            raise InputError(f"{path}: damaged meanwhile; the same command computes it again") from None

    def _path(self, shard: Shard) -> str:
        return f"{self.root}/{shard.index:09d}.shard"


@contextmanager
def open_store(name: str, fingerprint: str) -> Iterator[Store]:
    """The store of some work, such as collapse-relu; one process at a time has it. It vanishes when all went well."""
    place, here = (os.environ.get("DEADRELU_WORK") or WORK.absolute().as_posix()).rstrip("/"), WORK / name
    with files.locked(here):
        try:
            store = Store(f"{place}/{name}/{fingerprint}")
        except (ImportError, ValueError) as error:
            raise InputError(f"DEADRELU_WORK: received {place!r}; expected: an address for fsspec ({error})") from None
        try:
            yield store
            with suppress(FileNotFoundError):
                store.fs.rm(store.root, recursive=True)  # beside it may be those of others
            for left in here.iterdir():  # by other params, code or inputs
                shutil.rmtree(left, ignore_errors=True)  # not the lock, which is a file
        except KeyboardInterrupt:
            if store.fs.find(store.root):
                print(f"deadrelu: finished work is kept in {place}/{name}; the same command continues", file=sys.stderr)
            raise
        finally:
            with suppress(OSError):  # it is gone, or has shards
                (here / fingerprint).rmdir()
