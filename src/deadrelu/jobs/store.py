"""Store finished shards until all are finished, at any location that fsspec supports, by default in `data/.work`."""

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

WORK = Path("data/.work")  # finished shards of unfinished work, unless DEADRELU_WORK names another location


class Store:
    """A local or remote folder (`address`: path or URL) with a ZIP archive per finished shard, see also `whole`."""

    def __init__(self, address: str) -> None:
        import fsspec  # this import takes a tenth of a second

        self.address = address
        self.fs, self.root = fsspec.url_to_fs(address)

    def make(self) -> None:
        """Make the folder of the store; `put` does not make it, so that shards fail if the folder is removed."""
        self.fs.makedirs(self.root, exist_ok=True)

    def put(self, shard: Shard, contents: Mapping[str, bytes]) -> None:
        """Store a shard's files, by name, unless they are stored: a shard may finish twice if a client is killed."""
        if self._is_whole(shard):
            return
        archive = io.BytesIO()
        with zipfile.ZipFile(archive, "w") as file:
            for name, content in contents.items():
                file.writestr(zipfile.ZipInfo(name), content)  # ZipInfo omits the time of writing
        with files.with_path_in_errors(path := self._path(shard)):
            self.fs.pipe_file(path, archive.getvalue())

    def whole(self, shards: Iterable[Shard]) -> set[Shard]:
        """Return the shards that are stored and undamaged."""
        self.fs.invalidate_cache()
        stored = set(self.fs.find(self.root))  # one request for all shards, because S3 is slow to report a missing file
        return {shard for shard in shards if self._path(shard) in stored and self._is_whole(shard)}

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
    """Yield the store of a work `name` and the fingerprint of its shards, to one process; remove it after success."""
    place, here = (os.environ.get("DEADRELU_WORK") or WORK.absolute().as_posix()).rstrip("/"), WORK / name
    with files.locked(here):
        try:
            store = Store(f"{place}/{name}/{fingerprint}")
        except (ImportError, ValueError) as error:
            raise InputError(f"DEADRELU_WORK: received {place!r}; expected: an address for fsspec ({error})") from None
        try:
            yield store
            with suppress(FileNotFoundError):
                store.fs.rm(store.root, recursive=True)  # not its parent, which may contain other stores
            for left in here.iterdir():  # stores of other params or code
                shutil.rmtree(left, ignore_errors=True)  # the lock is a file, which rmtree keeps
        except KeyboardInterrupt:
            if store.fs.find(store.root):
                print(f"deadrelu: finished work is kept in {place}/{name}; the same command continues", file=sys.stderr)
            raise
        finally:
            with suppress(OSError):  # the folder is missing or contains shards
                (here / fingerprint).rmdir()
