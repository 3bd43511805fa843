"""Files and folders that appear whole or not at all."""

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from deadrelu.errors import InputError


@contextmanager
def scratch_folder(parent: Path) -> Iterator[Path]:
    """Make a hidden folder in `parent` that vanishes at the end, whatever happens; so does `parent`, if left empty.

    Raises:
        InputError: nothing can be written there.
    """
    new = [folder for folder in (parent, *parent.parents) if not folder.exists()]
    try:
        parent.mkdir(parents=True, exist_ok=True)
        scratch = Path(tempfile.mkdtemp(prefix=".new-", dir=parent))
    except OSError as error:
        raise InputError(f"{parent}: cannot be written: {error}; allowed: a folder you can write to") from None
    try:
        yield scratch
    finally:
        shutil.rmtree(scratch, ignore_errors=True)
        with suppress(OSError):  # not empty
            for folder in new:
                folder.rmdir()


@contextmanager
def new_folder(path: Path) -> Iterator[Path]:
    """Fill a folder that takes the place of `path` when all went well, and vanishes otherwise."""
    check_place(path, folder=True)
    with scratch_folder(path.parent) as scratch:
        new = scratch / "new"
        new.mkdir()
        yield new
        put(new, path, scratch)


def put(new: Path, path: Path, scratch: Path) -> None:
    """Move a file or folder to `path`; what was there goes to the scratch folder, and with it.

    Raises:
        InputError: a file stands where a folder should, or the other way round.
    """
    check_place(path, folder=new.is_dir())
    if not path.is_dir():
        os.replace(new, path)
        return
    old = scratch / f"old-{path.name}"
    path.rename(old)  # a folder cannot be renamed over another
    try:
        new.rename(path)
    except BaseException:
        old.rename(path)
        raise


def check_place(path: Path, *, folder: bool) -> None:
    """Refuse a place that is taken by the other kind of thing."""
    if path.exists() and path.is_dir() != folder:
        kinds = ("a file", "a folder")
        raise InputError(f"{path}: received {kinds[not folder]}; allowed: {kinds[folder]}, or nothing yet")
