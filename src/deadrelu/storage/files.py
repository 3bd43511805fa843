"""Write files and folders atomically, and prevent two processes from writing them simultaneously."""

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
"""Name of the lock file in a folder that one process at a time may use; the lock of a dead process is released."""

MOVED_AWAY = "old-"
"""Prefix of a folder that is being replaced, in a scratch folder, where a killed process may leave it."""


@contextmanager
def scratch_folder(parent: Path) -> Iterator[Path]:
    """Yield a hidden folder in `parent`, and remove it at the end, even after an error.

    Also remove scratch folders of killed processes and, at the end, `parent` and its parents if new and empty.

    Raises:
        InputError: `parent` is not writable.
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
    """Yield an empty folder; at the end, replace `path` by it, or remove it if an error occurs."""
    check_place(path, folder=True)
    with with_path_in_errors(path), scratch_folder(path.parent) as scratch:
        new = scratch / "new"
        new.mkdir()
        yield new
        replace(new, path, scratch)


def replace(new: Path, path: Path, scratch: Path) -> None:
    """Move a file or folder to `path`; an existing folder is moved to the scratch folder, and removed with it.

    Raises:
        InputError: `path` is a file and `new` a folder, or the other way round.
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
    """Raise an InputError if `path` is a file where a folder is to be written, or the other way round."""
    if path.exists() and path.is_dir() != folder:
        kinds = ("a file", "a folder")
        raise InputError(f"{path}: received {kinds[not folder]}; expected: {kinds[folder]}, or nothing yet")


@contextmanager
def with_path_in_errors(path: Path | str) -> Iterator[None]:
    """Add the path to an `OSError` that names no path, such as the error of a write to a full disk."""
    try:
        yield
    except OSError as error:
        if error.filename is None and error.errno is not None:
            raise OSError(error.errno, error.strerror, str(path)) from None
        raise


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Make a folder, unless it exists, and, if the file system has locks, lock it as soon as no other process does.

    At the end, remove the folder and its parent if they are empty. Only the process that has locked a folder may remove
    its lock file.
    """
    lock = FileLock(folder / LOCK)
    while not lock.is_locked:
        try:
            lock.acquire(blocking=False)
        except Timeout:
            print(f"deadrelu: another process is at work in {folder}; waiting until it ends", file=sys.stderr)
            with suppress(FileNotFoundError):  # the other process has removed the folder
                lock.acquire()
        except FileNotFoundError:
            continue
        except OSError:  # the file system has no locks; users must not run two processes
            folder.mkdir(parents=True, exist_ok=True)
            break
    try:
        yield
    finally:
        with suppress(OSError):  # Windows does not remove open files; folders may contain other files
            (folder / LOCK).unlink()
            folder.rmdir()
            folder.parent.rmdir()
        lock.release()


def _new_locked_folder(parent: Path) -> tuple[Path, FileLock]:
    """Make a scratch folder in `parent`, and lock it (if the file system has locks); return folder and lock."""
    while True:
        scratch = Path(tempfile.mkdtemp(prefix=".new-", dir=parent))
        lock = FileLock(scratch / LOCK)
        try:
            lock.acquire(blocking=False)
        except (Timeout, FileNotFoundError):  # another process removed it before it was locked
            continue
        except OSError:  # the file system has no locks
            pass
        return scratch, lock


def _remove_the_dead(parent: Path) -> None:
    """Remove scratch folders of killed processes, after restoring folders that they moved away but did not replace."""
    for left in parent.glob(".new-*"):
        # A Timeout means that the folder is in use; on other errors, it was just removed, or belongs to another user.
        with suppress(Timeout, OSError), FileLock(left / LOCK, blocking=False):
            for old in left.glob(f"{MOVED_AWAY}*"):
                if not (place := parent / old.name.removeprefix(MOVED_AWAY)).exists():
                    old.rename(place)
            shutil.rmtree(left, ignore_errors=True)
