"""Files and folders that appear whole or not at all."""

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from deadrelu.errors import InputError


@contextmanager
def scratch_folder(parent: Path) -> Iterator[Path]:
    """Make a hidden folder in `parent` that vanishes at the end, whatever happens.

    Raises:
        InputError: nothing can be written there.
    """
    try:
        parent.mkdir(parents=True, exist_ok=True)
        scratch = Path(tempfile.mkdtemp(prefix=".new-", dir=parent))
    except OSError as error:
        raise InputError(f"{parent}: cannot be written: {error}; allowed: a folder you can write to") from None
    try:
        yield scratch
    finally:
        shutil.rmtree(scratch, ignore_errors=True)


@contextmanager
def new_folder(path: Path) -> Iterator[Path]:
    """Fill a folder that takes the place of `path` when all went well, and vanishes otherwise."""
    with scratch_folder(path.parent) as scratch:
        new = scratch / "new"
        new.mkdir()
        yield new
        put(new, path, scratch)


def put(new: Path, path: Path, scratch: Path) -> None:
    """Move a file or folder to `path`; what was there goes to the scratch folder, and with it."""
    if path.is_dir():
        path.rename(scratch / f"old-{path.name}")  # a folder cannot be renamed over another
    os.replace(new, path)
