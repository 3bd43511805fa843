"""Test shards on threads of this process: failures are reported with their trials, and all other shards are kept."""

import os
import signal
from collections.abc import Mapping
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from contextlib import nullcontext
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from helpers.clusters import run
from helpers.commands import environment
from helpers.projects import wait_until

from deadrelu import progress
from deadrelu.engine import cores
from deadrelu.errors import InputError
from deadrelu.jobs import shards, workers
from deadrelu.jobs.shards import Shard, StopSignal
from deadrelu.jobs.store import Store

CUT = shards.cut(["toy"], 100, 10)


@dataclass
class Toy:
    """Work whose shards contain their names; some shards raise given errors."""

    fails: Mapping[int, Exception] = field(default_factory=dict)
    measured: list[tuple[int, int]] = field(default_factory=list)

    def measure(self, shard: Shard, threads: int, stop: StopSignal) -> dict[str, bytes]:
        self.measured.append((shard.index, threads))
        if shard.index in self.fails:
            raise self.fails[shard.index]
        return {"name": str(shard).encode()}


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(str(tmp_path / "work/toy/abc"))


def indices(finished: set[Shard]) -> set[int]:
    return {shard.index for shard in finished}


def test_what_is_there_is_not_computed_again(store: Store) -> None:
    store.make()
    store.put(CUT[3], {"name": b"from before"})
    toy = Toy()
    run(toy, CUT, store)
    assert sorted(index for index, _ in toy.measured) == [0, 1, 2, 4, 5, 6, 7, 8, 9]
    assert store.whole(CUT) == set(CUT)
    assert store.get(CUT[3]) == {"name": b"from before"}


def test_a_damaged_shard_is_computed_again(store: Store) -> None:
    store.make()
    for shard in CUT:
        store.put(shard, {"name": b"right"})
    store.fs.pipe_file(store._path(CUT[2]), b"wrong")
    toy = Toy()
    run(toy, CUT, store)
    assert [index for index, _ in toy.measured] == [2]


KilledWorker = type("KilledWorker", (Exception,), {})
"""Error with the name of Dask's for a shard that killed its workers; it does not need `distributed`."""

ERRORS: dict[str, tuple[Exception, str]] = {
    "wrong input": (InputError("no such file"), "InputError: no such file"),
    "too little memory": (MemoryError("128 GiB\nasked for"), "MemoryError: 128 GiB asked for"),
    "workers that died": (KilledWorker("toy-4"), "KilledWorker: toy-4"),
}


@pytest.mark.parametrize("threads", [1, 3])
@pytest.mark.parametrize("name", ERRORS)
def test_what_users_can_mend_is_one_line_and_the_rest_is_kept(store: Store, name: str, threads: int) -> None:
    error, line = ERRORS[name]
    with environment(DASK_NUM_WORKERS=threads), pytest.raises(InputError) as caught:
        run(Toy({7: InputError("another"), 4: error}), CUT, store)
    assert str(caught.value) == (
        f"2 of 10 shards failed, first trials 40 to 49 of toy: {line}; "
        "all others are kept: the same command computes the rest"
    )
    assert indices(store.whole(CUT)) == {0, 1, 2, 3, 5, 6, 8, 9}
    run(Toy(), CUT, store)
    assert store.whole(CUT) == set(CUT)


@pytest.mark.parametrize("threads", [1, 3])
@pytest.mark.parametrize("kind", [ValueError, ZeroDivisionError, AssertionError])
def test_a_fault_of_our_own_is_raised_as_it_is_with_its_trials(
    store: Store, kind: type[Exception], threads: int
) -> None:
    """The error keeps its traceback and precedes wrong input in an earlier shard; all other shards are kept."""
    fault = kind("a bug")
    with environment(DASK_NUM_WORKERS=threads), pytest.raises(kind, match="a bug") as caught:
        run(Toy({4: fault, 2: InputError("no such file")}), CUT, store)
    assert caught.value is fault
    assert caught.value.__notes__ == ["in trials 40 to 49 of toy"]
    assert "measure" in [entry.name for entry in caught.traceback]
    assert indices(store.whole(CUT)) == {0, 1, 3, 5, 6, 7, 8, 9}


@pytest.mark.parametrize("setting", ["abc", "0", "-1", "1.5", "٣", " 2"])
def test_a_number_of_threads_that_is_none_is_refused_before_any_work(store: Store, setting: str) -> None:
    toy = Toy()
    with environment(DASK_NUM_WORKERS=setting), pytest.raises(InputError) as caught:
        run(toy, CUT, store)
    assert str(caught.value) == f"DASK_NUM_WORKERS: received {setting!r}; expected: a number of threads, 1 or more"
    assert toy.measured == []


@pytest.mark.parametrize(("setting", "threads"), [("1", 1), ("3", 3), ("", None)])
def test_a_lone_shard_gets_all_threads(store: Store, setting: str, threads: int | None) -> None:
    toy = Toy()
    with environment(DASK_NUM_WORKERS=setting):
        run(toy, CUT[:1], store)
    assert toy.measured == [(0, threads or cores())]


def test_other_code_measures_nothing(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """A worker that joins during a run checks its own code; those present at the start are asked before."""
    toy = Toy()
    with pytest.raises(InputError, match="its Python, deadrelu or packages are not those of the client"):
        workers._compute(toy.measure, CUT[0], store.address, 1, "the client's", StopSignal())
    assert toy.measured == []


@pytest.mark.parametrize(
    ("shards", "threads", "each"),
    [
        (1, [8], 8),
        (3, [8], 2),
        (8, [8], 1),
        (10, [8], 1),
        (1, [4, 4], 4),
        (2, [4, 4], 4),
        (3, [4, 4], 2),
        (9, [4, 4], 1),
    ],
)
def test_few_shards_share_the_threads_of_their_worker(
    store: Store, shards: int, threads: list[int], each: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(workers, "_workers", lambda: nullcontext((ThreadPoolExecutor(2), threads)))
    toy = Toy()
    run(toy, CUT[:shards], store)
    assert {threads for _, threads in toy.measured} == {each}


def test_a_lost_cluster_is_told(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """Dask cancels the futures whose results it can no longer fetch, as `Lost` does here."""

    class Lost(Executor):
        def submit(self, *_: Any, **__: Any) -> Future[Any]:
            future = Future[Any]()
            future.cancel()
            future.set_running_or_notify_cancel()
            return future

    monkeypatch.setattr(workers, "_workers", lambda: nullcontext((Lost(), [1])))
    with pytest.raises(InputError, match="the cluster was lost; what is finished is kept: the same command continues"):
        run(Toy(), CUT, store)


def test_a_store_that_fails_ends_all_at_once(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """On a full disk, the run ends before the remaining shards are computed in vain."""
    toy = Toy()

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Store, "put", full)
    with environment(DASK_NUM_WORKERS=1), pytest.raises(OSError, match="No space left"):
        run(toy, CUT, store)
    assert len(toy.measured) < len(CUT)


def test_workers_that_see_another_place_are_noticed(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Store, "put", lambda *_: None)
    with pytest.raises(InputError, match="10 shards are done and not there; expected: a place all workers see"):
        run(Toy(), CUT, store)


def test_threads_end_with_the_run(store: Store) -> None:
    """On Ctrl-C, the shards that are still running receive the stop signal and end."""
    seen: list[StopSignal] = []
    ended: list[StopSignal] = []

    class Endless(Toy):
        def measure(self, shard: Shard, threads: int, stop: StopSignal) -> dict[str, bytes]:
            seen.append(stop)
            if len(seen) == 2:
                os.kill(os.getpid(), signal.SIGINT)
            stop.wait()
            ended.append(stop)
            return {}

    with environment(DASK_NUM_WORKERS=2), pytest.raises(KeyboardInterrupt):
        run(Endless(), CUT, store)
    wait_until(lambda: len(ended) == len(seen), seconds=10)


def test_the_bar_shows_shards_and_what_is_under_way(store: Store, capsys: pytest.CaptureFixture[str]) -> None:
    shown: list[float] = []

    class Slow(Toy):
        def measure(self, shard: Shard, threads: int, stop: StopSignal) -> dict[str, bytes]:
            stop.report(shard, 5)
            shown.extend(task.completed for task in bar.tasks)
            return super().measure(shard, threads, stop)

    store.make()
    store.put(CUT[3], {"name": b"from before"})
    with environment(DASK_NUM_WORKERS=1), progress.rate_and_time_left() as bar:
        workers.run(Slow().measure, CUT[:4], store, bar, "toy")
    assert shown == [15, 25, 35]
    assert "40/40" in capsys.readouterr().err
