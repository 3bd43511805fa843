"""Store of finished shards until all are finished: any location that fsspec supports, by default `data/.work`."""

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
"""Folder of finished shards of unfinished work, unless DEADRELU_WORK names another location."""


class Store:
    """A folder with one ZIP archive for each finished shard; incomplete archives of killed workers are ignored."""

    def __init__(self, address: str) -> None:
        import fsspec  # this import takes a tenth of a second

        self.address = address
        self.fs, self.root = fsspec.url_to_fs(address)

    def make(self) -> None:
        """Make the folder of the store; if it is removed later, it is not made again and its shards fail."""
        self.fs.makedirs(self.root, exist_ok=True)

    def put(self, shard: Shard, contents: Mapping[str, bytes]) -> None:
        """Store the files of a shard, by name, unless it is stored: a shard of a killed client may finish twice."""
        if self._is_whole(shard):
            return
        archive = io.BytesIO()
        with zipfile.ZipFile(archive, "w") as file:
            for name, content in contents.items():
                file.writestr(zipfile.ZipInfo(name), content)  # without the time of writing
        with files.with_path_in_errors(path := self._path(shard)):
            self.fs.pipe_file(path, archive.getvalue())

    def whole(self, shards: Iterable[Shard]) -> set[Shard]:
        """Return the shards that are stored and undamaged."""
        self.fs.invalidate_cache()
        there = set(self.fs.find(self.root))  # one request for all: S3 takes long to report missing files
        return {shard for shard in shards if self._path(shard) in there and self._is_whole(shard)}

    def _is_whole(self, shard: Shard) -> bool:
        with suppress(InputError, FileNotFoundError):
            self.get(shard)
            return True
        return False

    def get(self, shard: Shard) -> dict[str, bytes]:
        """Return the files of a finished shard, by name; raise InputError if it is damaged."""
        try:
            with zipfile.ZipFile(io.BytesIO(self.fs.cat_file(path := self._path(shard)))) as file:
                return {name: file.read(name) for name in file.namelist()}  # reading compares checksums
        except (zipfile.BadZipFile, zlib.error, EOFError):
            raise InputError(f"{path}: damaged meanwhile; the same command computes it again") from None

    def _path(self, shard: Shard) -> str:
        return f"{self.root}/{shard.index:09d}.shard"


@contextmanager
def open_store(name: str, fingerprint: str) -> Iterator[Store]:
    """Yield the store of some work, such as collapse-relu, to one process at a time; remove it if no error occurs."""
    place, here = (os.environ.get("DEADRELU_WORK") or WORK.absolute().as_posix()).rstrip("/"), WORK / name
    with files.locked(here):
        try:
            store = Store(f"{place}/{name}/{fingerprint}")
        except (ImportError, ValueError) as error:
            raise InputError(f"DEADRELU_WORK: received {place!r}; expected: an address for fsspec ({error})") from None
        try:
            yield store
            with suppress(FileNotFoundError):
                store.fs.rm(store.root, recursive=True)  # other stores may lie next to it
            for left in here.iterdir():  # stores of other params, code or inputs
                shutil.rmtree(left, ignore_errors=True)  # this keeps the lock, which is a file
        except KeyboardInterrupt:
            if store.fs.find(store.root):
                print(f"deadrelu: finished work is kept in {place}/{name}; the same command continues", file=sys.stderr)
            raise
        finally:
            with suppress(OSError):  # the folder does not exist, or contains shards
                (here / fingerprint).rmdir()
