"""Files and folders that appear whole or not at all, and that two processes do not write at once."""

import os
import shutil
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from filelock import FileLock, Timeout

from deadrelu.errors import InputError

LOCK = ".lock"
"""Name of the lock file in a folder that one process at a time may hold; a process that dies lets go of it."""

MOVED_AWAY = "old-"
"""Before the name of a folder that is about to be replaced; a killed process may leave it in its scratch folder."""


@contextmanager
def scratch_folder(parent: Path) -> Iterator[Path]:
    """Make a hidden folder in `parent` that vanishes at the end, whatever happens; so does `parent`, if left empty.

    What a killed process left of the kind vanishes, too.

    Raises:
        InputError: nothing can be written there.
    """
    new = [folder for folder in (parent, *parent.parents) if not folder.exists()]
    try:
        parent.mkdir(parents=True, exist_ok=True)
        _remove_the_dead(parent)
        scratch, lock = _new_locked_folder(parent)
    except OSError as error:
        raise InputError(f"{parent}: cannot be written: {error}; expected: a folder you can write to") from None
    try:
        yield scratch
    finally:
        shutil.rmtree(scratch, ignore_errors=True)
        lock.release()
        with suppress(OSError):  # not empty
            for folder in new:
                folder.rmdir()


@contextmanager
def new_folder(path: Path) -> Iterator[Path]:
    """Fill a folder that takes the place of `path` when all went well, and vanishes otherwise."""
    check_place(path, folder=True)
    with with_path_in_errors(path), scratch_folder(path.parent) as scratch:
        new = scratch / "new"
        new.mkdir()
        yield new
        replace(new, path, scratch)


def replace(new: Path, path: Path, scratch: Path) -> None:
    """Move a file or folder to `path`; what was there goes to the scratch folder, and with it.

    Raises:
        InputError: a file stands where a folder should, or the other way round.
    """
    check_place(path, folder=new.is_dir())
    if not path.is_dir():
        os.replace(new, path)
        return
    old = scratch / f"{MOVED_AWAY}{path.name}"
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
        raise InputError(f"{path}: received {kinds[not folder]}; expected: {kinds[folder]}, or nothing yet")


@contextmanager
def with_path_in_errors(path: Path | str) -> Iterator[None]:
    """Let errors of the operating system say where, which those of writing to a full disk do not."""
    try:
        yield
    except OSError as error:
        if error.filename is None and error.errno is not None:
            raise OSError(error.errno, error.strerror, str(path)) from None
        raise


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Make a folder, unless it is there, and keep other processes from holding it; wait, if one does.

    At the end the folder vanishes, if nothing is left in it, and so does the one around it. Only who holds a folder
    may remove its lock file.
    """
    lock = FileLock(folder / LOCK)
    while not lock.is_locked:
        try:
            lock.acquire(blocking=False)
        except Timeout:
            print(f"deadrelu: another process is at work in {folder}; waiting until it ends", file=sys.stderr)
            with suppress(FileNotFoundError):  # it has removed the folder
                lock.acquire()
        except FileNotFoundError:
            continue
        except OSError:  # of a file system without locks, where two processes are the user's to avoid
            folder.mkdir(parents=True, exist_ok=True)
            break
    try:
        yield
    finally:
        with suppress(OSError):  # Windows keeps an open file; a folder may hold others
            (folder / LOCK).unlink()
            folder.rmdir()
            folder.parent.rmdir()
        lock.release()


def _new_locked_folder(parent: Path) -> tuple[Path, FileLock]:
    """A new folder, locked: what is locked is in use."""
    while True:
        scratch = Path(tempfile.mkdtemp(prefix=".new-", dir=parent))
        lock = FileLock(scratch / LOCK)
        try:
            lock.acquire(blocking=False)
        except (Timeout, FileNotFoundError):  # taken for a dead process's, before it was locked
            continue
        except OSError:  # of a file system without locks
            pass
        return scratch, lock


def _remove_the_dead(parent: Path) -> None:
    """Remove what killed processes left; what they had moved away, and not yet replaced, comes back."""
    for left in parent.glob(".new-*"):
        # Timeout: in use. Other errors: gone meanwhile, or not ours.
        with suppress(Timeout, OSError), FileLock(left / LOCK, blocking=False):
            for old in left.glob(f"{MOVED_AWAY}*"):
                if not (place := parent / old.name.removeprefix(MOVED_AWAY)).exists():
                    old.rename(place)
            shutil.rmtree(left, ignore_errors=True)
