"""Write files and folders atomically, and keep two processes from writing them at once."""

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
"""Name of the lock file in a folder that one process at a time may hold; the lock of a dead process is released."""

MOVED_AWAY = "old-"
"""Prefix of a folder that is about to be replaced; a killed process may leave it in its scratch folder."""


@contextmanager
def scratch_folder(parent: Path) -> Iterator[Path]:
    """Yield a hidden folder in `parent` and remove it at the end, even after an error; also `parent`, if new and empty.

    Scratch folders that killed processes left are removed, too.

    Raises:
        InputError: `parent` cannot be written.
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
    """Yield a folder to be filled, which replaces `path` if no error occurs and is removed otherwise."""
    check_place(path, folder=True)
    with with_path_in_errors(path), scratch_folder(path.parent) as scratch:
        new = scratch / "new"
        new.mkdir()
        yield new
        replace(new, path, scratch)


def replace(new: Path, path: Path, scratch: Path) -> None:
    """Move a file or folder to `path`; a folder that was there moves to the scratch folder, to be removed with it.

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
    """Add the path to errors of the operating system without one, such as those of writing to a full disk."""
    try:
        yield
    except OSError as error:
        if error.filename is None and error.errno is not None:
            raise OSError(error.errno, error.strerror, str(path)) from None
        raise


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Make a folder, unless it exists, and lock it against other processes; wait while another one holds the lock.

    At the end the folder is removed if it is empty, and so is its parent. Only the process that holds a folder may
    remove its lock file.
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
        except OSError:  # a file system without locks, where users must avoid two processes
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
    """Make a scratch folder and lock it; a lock marks a folder in use."""
    while True:
        scratch = Path(tempfile.mkdtemp(prefix=".new-", dir=parent))
        lock = FileLock(scratch / LOCK)
        try:
            lock.acquire(blocking=False)
        except (Timeout, FileNotFoundError):  # removed as a dead process's before it was locked
            continue
        except OSError:  # a file system without locks
            pass
        return scratch, lock


def _remove_the_dead(parent: Path) -> None:
    """Remove the scratch folders of killed processes, and restore folders that they moved away but did not replace."""
    for left in parent.glob(".new-*"):
        # A Timeout means in use; other errors mean that it is removed meanwhile, or belongs to another user.
        with suppress(Timeout, OSError), FileLock(left / LOCK, blocking=False):
            for old in left.glob(f"{MOVED_AWAY}*"):
                if not (place := parent / old.name.removeprefix(MOVED_AWAY)).exists():
                    old.rename(place)
            shutil.rmtree(left, ignore_errors=True)
