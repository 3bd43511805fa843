"""Test that a command killed at any moment and run again gives the same bits, repeats no shard, and leaves no files."""

import os
import random
import signal
import subprocess
import sys
import time
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil
import pytest
from helpers import clones
from helpers.clusters import Cluster, kill_group
from helpers.projects import wait_until, write_small_params

pytestmark = pytest.mark.without_digits

KILLS = 24
VICTIMS = "stage", "worker", "nanny", "scheduler"
WORDS = [sys.executable, "-m", "deadrelu", "collapse", "leaky_relu"]


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Make a project with the tables of an undisturbed run in the folder `expected`."""
    folder = tmp_path_factory.mktemp("crashes")
    write_small_params(folder / "params.yaml")
    text = (folder / "params.yaml").read_text()
    head, leaky, rest = text.partition("    leaky_relu:")
    assert leaky
    (folder / "params.yaml").write_text(head + leaky + rest.replace("{", "{trials: 30000, ", 1))
    run(folder, *WORDS[3:])
    (folder / "data/collapse").rename(folder / "expected")
    return folder


@pytest.fixture
def cluster(tmp_path: Path) -> Iterator[Cluster]:
    running = Cluster(tmp_path)
    try:
        yield running
    finally:
        running.close()


def run(folder: Path, *words: str) -> None:
    subprocess.run([*WORDS[:3], *words], cwd=folder, check=True, capture_output=True)


def bits(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def lists(folder: Path) -> dict[str, int]:
    """Return the files of finished shards and when they were written, without incomplete files."""
    times = {}
    for path in (folder / "data/.work").rglob("*.shard"):
        try:
            if zipfile.is_zipfile(path):
                times[path.name] = path.stat().st_mtime_ns
        except FileNotFoundError:  # when the run ends
            continue
    return times


def begin(folder: Path, **more: str) -> "subprocess.Popen[str]":
    env = os.environ | {"DASK_DISTRIBUTED__COMM__TIMEOUTS__CONNECT": "10s"} | more
    return subprocess.Popen(WORDS, cwd=folder, env=env, stderr=subprocess.PIPE, text=True, start_new_session=True)


def finished_properly(folder: Path) -> None:
    """Check that the tables have the bits of an undisturbed run, and that no other files are left."""
    assert bits(folder / "data/collapse/leaky_relu") == bits(folder / "expected/leaky_relu")
    assert [path.name for path in (folder / "data").iterdir()] == ["collapse", "versions"]
    assert [path.name for path in (folder / "data/collapse").iterdir()] == ["leaky_relu"]


def kill_all(kills: list[tuple[str, bool]], undisturbed: Path, cluster: Cluster, rng: random.Random) -> int:
    """Run a stage on a cluster, and restart it whenever it ends, until all kills have happened and it is done.

    Args:
        kills: victims, and whether to wait until this run of the stage has finished a shard.
        undisturbed: folder of the project.
        cluster: cluster on which the stage runs; what was killed is restarted all the time.
        rng: generator of the moments of kills that do not wait, and of the victim among several.

    Returns:
        Number of runs that ended early and left finished shards.
    """
    before: dict[str, int] = {}
    resumed = 0
    stage = begin(undisturbed, DASK_SCHEDULER_ADDRESS=cluster.address)
    deadline = time.monotonic() + 400
    while True:
        assert time.monotonic() < deadline
        time.sleep(0.05 if all(late for _, late in kills) else rng.uniform(0.1, 3))
        cluster.mend()  # workers whose scheduler died end, too, after a while
        if stage.poll() is not None:
            _, error = stage.communicate()
            assert stage.returncode in (0, 2, -signal.SIGKILL), error
            if stage.returncode == 2:
                assert error.count("\n") == 1, error
                assert "finished is kept" in error or "scheduler` that answers" in error
            now = lists(undisturbed)
            if stage.returncode == 0:
                finished_properly(undisturbed)
            else:
                assert {name: now.get(name) for name in before} == before  # finished is finished
                resumed += bool(now)
            if not kills and stage.returncode == 0:
                return resumed
            before, stage = now, begin(undisturbed, DASK_SCHEDULER_ADDRESS=cluster.address)
        elif kills:
            victim, late = kills[0]
            if (not late or set(lists(undisturbed)) - set(before)) and strike(victim, stage, cluster, rng):
                del kills[0]


def test_whoever_is_killed_on_a_cluster_no_bit_changes(undisturbed: Path, cluster: Cluster) -> None:
    """Each kind of process is killed once; it takes half a minute until processes of Dask start and notice losses."""
    assert kill_all([(victim, True) for victim in VICTIMS], undisturbed, cluster, random.Random(7)) > 0


@pytest.mark.soak
def test_kills_on_a_cluster_change_no_bit(undisturbed: Path, cluster: Cluster) -> None:
    rng = random.Random(8)
    # Most strike at any moment; the late ones once this run of the stage has finished a shard.
    kills = [(victim, late) for victim in VICTIMS for late in (False, False, True)] * (KILLS // 12)
    rng.shuffle(kills)
    assert kill_all(kills, undisturbed, cluster, rng) > 0


def strike(victim: str, stage: "subprocess.Popen[str]", cluster: Cluster, rng: random.Random) -> bool:
    """Kill a process of this kind; return False if there is none."""
    if victim == "stage":
        kill(stage)
    elif victim == "worker":
        if not (workers := cluster.workers()):
            return False
        rng.choice(workers).kill()
    elif victim == "nanny":
        kill_group(rng.choice(cluster.nannies))
    else:
        kill_group(cluster.scheduler)
    return True


def test_a_killed_run_goes_on_where_it_was(undisturbed: Path) -> None:
    """The run is killed once it has finished a shard, and the next run once it has finished another."""
    before: dict[str, int] = {}
    for _ in range(2):
        stage = begin(undisturbed)
        wait_until(lambda known=set(before): bool(set(lists(undisturbed)) - known))
        kill_group(stage)
        now = lists(undisturbed)
        assert {name: now.get(name) for name in before} == before  # finished is finished
        before = now
    run(undisturbed, *WORDS[3:])
    finished_properly(undisturbed)


@pytest.mark.soak
def test_kills_here_change_no_bit(undisturbed: Path) -> None:
    """The process itself is killed at random moments, from the first import to the last rename."""
    rng = random.Random(9)
    for _ in range(24):
        stage = begin(undisturbed)
        time.sleep(rng.uniform(0.5, 8))
        kill_group(stage)
        if stage.returncode == 0:
            finished_properly(undisturbed)
    run(undisturbed, *WORDS[3:])
    finished_properly(undisturbed)


def test_dvc_killed_and_started_again_meets_its_orphan(undisturbed: Path, tmp_path: Path) -> None:
    """If dvc is killed, its stage continues; the next run waits for it, so that both do not write at once."""
    folder = tmp_path / "clone"
    clones.make(folder)
    (folder / "params.yaml").write_bytes((undisturbed / "params.yaml").read_bytes())
    first = begin_dvc(folder, tmp_path / "first")
    wait_until(lambda: bool(lists(folder)))
    orphan = stage_of(first)
    waits = "another process is at work in data/.work/collapse-leaky_relu; waiting until it ends"
    with suspended(orphan):  # so that it does not end before the others have begun
        kill(first)
        second = begin_dvc(folder, tmp_path / "second")
        wait_until(lambda: waits in (tmp_path / "second").read_text())
        waiting = stage_of(second)
        kill(second)
        third = begin_dvc(folder, tmp_path / "third")
        wait_until(lambda: waits in (tmp_path / "third").read_text())
    assert third.wait(timeout=120) == 0
    psutil.wait_procs([orphan, waiting], timeout=60)
    (folder / "expected").symlink_to(undisturbed / "expected")
    finished_properly(folder)


def begin_dvc(folder: Path, log: Path) -> "subprocess.Popen[bytes]":
    command = ["dvc", "repro", "--single-item", "collapse@leaky_relu"]
    with log.open("wb") as file:
        return subprocess.Popen(command, cwd=folder, env=clones.environment(folder), stdout=file, stderr=file)


def stage_of(dvc: "subprocess.Popen[bytes]") -> psutil.Process:
    (stage,) = [child for child in psutil.Process(dvc.pid).children(recursive=True) if "collapse" in child.cmdline()]
    return stage


@contextmanager
def suspended(process: psutil.Process) -> Iterator[None]:
    process.suspend()
    try:
        yield
    finally:
        process.resume()


def kill(process: "subprocess.Popen[bytes] | subprocess.Popen[str]") -> None:
    """Kill a process with SIGKILL, but not those that it started."""
    process.kill()
    process.wait()
