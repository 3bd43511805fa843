"""Test that folders appear whole or not at all, even if a process is killed, and belong to one process at a time."""

import multiprocessing
import os
import signal
import time
from pathlib import Path

import pytest
from filelock import FileLock
from helpers.projects import wait_until

from deadrelu.errors import InputError
from deadrelu.storage import files


def fill(path: Path, text: str) -> None:
    with files.new_folder(path) as new:
        (new / "a").write_text(text)


def test_a_kill_between_the_two_renames_loses_nothing(tmp_path: Path) -> None:
    """The old folder was moved away and the new one is not yet there: the next process that writes here restores it."""
    fill(tmp_path / "x", "old")
    # This is what a process that is killed there leaves, made by hand: a signal would have to come within microseconds.
    scratch = tmp_path / ".new-killed"
    (scratch / "new").mkdir(parents=True)
    (tmp_path / "x").rename(scratch / f"{files.MOVED_AWAY}x")
    with files.scratch_folder(tmp_path):
        assert (tmp_path / "x/a").read_text() == "old"
    assert [path.name for path in tmp_path.iterdir()] == ["x"]


def test_what_was_replaced_before_the_kill_stays_replaced(tmp_path: Path) -> None:
    fill(tmp_path / "x", "old")
    scratch = tmp_path / ".new-killed"
    scratch.mkdir()
    (tmp_path / "x").rename(scratch / f"{files.MOVED_AWAY}x")
    (tmp_path / "x").mkdir()
    (tmp_path / "x/a").write_text("new")
    with files.scratch_folder(tmp_path):
        pass
    assert (tmp_path / "x/a").read_text() == "new"
    assert [path.name for path in tmp_path.iterdir()] == ["x"]


def test_folder_appears_whole_or_not_at_all(tmp_path: Path) -> None:
    path = tmp_path / "deep" / "folder"
    with files.new_folder(path) as folder:
        (folder / "a").write_text("old")
        assert not path.exists()
    with pytest.raises(FileNotFoundError), files.new_folder(path) as folder:
        (folder / "b").write_text((folder / "nowhere").read_text())
    assert [p.name for p in path.iterdir()] == ["a"]
    with files.new_folder(path) as folder:
        (folder / "c").write_text("new")
    assert [p.name for p in path.iterdir()] == ["c"]
    assert [p.name for p in path.parent.iterdir()] == ["folder"]


def test_file_and_folder_do_not_replace_each_other(tmp_path: Path) -> None:
    (tmp_path / "place").write_text("a user's")
    with (
        pytest.raises(InputError, match="place: received a file; expected: a folder"),
        files.new_folder(tmp_path / "place"),
    ):
        pass
    assert (tmp_path / "place").read_text() == "a user's"
    (tmp_path / "new").write_text("")
    (tmp_path / "folder").mkdir()
    with pytest.raises(InputError, match="folder: received a folder; expected: a file"):
        files.replace(tmp_path / "new", tmp_path / "folder", tmp_path)


def test_place_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with (
        pytest.raises(InputError, match="file/folder: cannot be written"),
        files.new_folder(tmp_path / "file/folder/x"),
    ):
        pass


def _hold(folder: Path, log: Path) -> None:
    with files.locked(folder):
        with log.open("a") as file:
            file.write("in ")
        time.sleep(0.3)
        with log.open("a") as file:
            file.write("out ")


def test_one_process_at_a_time(tmp_path: Path) -> None:
    spawn = multiprocessing.get_context("spawn")
    holders = [spawn.Process(target=_hold, args=(tmp_path / "held", tmp_path / "log")) for _ in range(4)]
    for holder in holders:
        holder.start()
    for holder in holders:
        holder.join()
    assert (tmp_path / "log").read_text() == "in out " * 4


def _enter(folder: Path, log: Path) -> None:
    with files.locked(folder):
        log.write_text("in")


def test_who_waited_for_a_folder_that_is_gone_waits_for_the_new_one(tmp_path: Path) -> None:
    folder, log = tmp_path / "held", tmp_path / "log"
    waiting = multiprocessing.get_context("spawn").Process(target=_enter, args=(folder, log))
    first = FileLock(folder / files.LOCK)
    first.acquire()
    waiting.start()
    time.sleep(2)  # the process now waits for this lock, or will see only the next one
    (folder / files.LOCK).unlink()  # as the holder does when it ends
    folder.rmdir()
    with files.locked(folder):
        first.release()
        time.sleep(0.5)
        assert not log.exists()
    waiting.join()
    assert log.read_text() == "in"
    assert not folder.exists()


def _linger(parent: Path) -> None:
    with files.scratch_folder(parent) as scratch:
        (scratch / "part").write_text("half")
        time.sleep(60)


def test_what_a_killed_process_left_vanishes(tmp_path: Path) -> None:
    spawn = multiprocessing.get_context("spawn")
    victim = spawn.Process(target=_linger, args=(tmp_path,))
    victim.start()
    wait_until(lambda: bool(list(tmp_path.glob(".new-*/part"))))
    with files.scratch_folder(tmp_path) as mine:
        assert len(list(tmp_path.glob(".new-*"))) == 2  # that of a running process stays
    assert victim.pid
    os.kill(victim.pid, signal.SIGKILL)
    victim.join()
    with files.scratch_folder(tmp_path) as mine:
        assert list(tmp_path.glob(".new-*")) == [mine]
