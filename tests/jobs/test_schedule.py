"""Shards wherever there is room: what fails is told with its trials, and all else is kept."""

import os
import random
import signal
import time
from collections.abc import Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import dask
import pytest
from helpers.clusters import run
from helpers.projects import wait_until

from deadrelu import progress
from deadrelu.errors import InputError
from deadrelu.jobs import schedule, shards, workers
from deadrelu.jobs.shards import Shard, Store, Watch

CUT = shards.cut(("toy",), 100, 10)


@dataclass
class Toy:
    """Each shard's file is its name; some fail, on some workers or on all."""

    poison: dict[int, set[str]] = field(default_factory=dict)
    measured: list[tuple[int, str, int]] = field(default_factory=list)

    def measure(self, shard: Shard, threads: int, watch: Watch) -> dict[str, bytes]:
        worker = workers.this_worker()
        self.measured.append((shard.index, worker, threads))
        if worker in self.poison.get(shard.index, ()):
            raise ValueError(f"no such\nluck {shard.index}")
        return {"name": str(shard).encode()}


class Workers:
    """A place with some workers, which takes tasks in any order."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, threads: Mapping[str, int], deadly: int | None = None) -> None:
        self.threads, self.deadly, self.rng, self.now = threads, deadly, random.Random(0), ""
        monkeypatch.setattr(workers, "this_worker", lambda: self.now)

        @contextmanager
        def chosen() -> Any:
            yield self

        monkeypatch.setattr(workers, "chosen", chosen)

    def compute(self, tasks: list[Any], refused: set[str]) -> list[Any]:
        results: dict[str, Any] = {}
        for task in self.rng.sample(tasks, len(tasks)):
            self.now = self.rng.choice(sorted(set(self.threads) - refused))
            deadly = self.deadly is not None and str(CUT[self.deadly]) in task.key
            results[task.key] = workers.Deadly("its workers die") if deadly else task.compute(scheduler="synchronous")
        return [results[task.key] for task in tasks]


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(str(tmp_path / "work/toy/abc"))


def indices(found: set[Shard]) -> set[int]:
    return {shard.index for shard in found}


def test_what_is_there_is_not_computed_again(store: Store) -> None:
    store.make(CUT)
    store.put(CUT[3], {"name": b"from before"})
    toy = Toy()
    run(toy, CUT, store)
    assert sorted(index for index, *_ in toy.measured) == [0, 1, 2, 4, 5, 6, 7, 8, 9]
    assert store.whole(CUT) == set(CUT)
    assert store.get(CUT[3], "name") == b"from before"


def test_a_damaged_shard_is_computed_again(store: Store) -> None:
    store.make(CUT)
    for shard in CUT:
        store.put(shard, {"name": b"right"})
    store.fs.pipe_file(store._path(CUT[2], "name"), b"wrong")
    toy = Toy()
    run(toy, CUT, store)
    assert [index for index, *_ in toy.measured] == [2]


@pytest.mark.parametrize("scheduler", ["synchronous", "threads"])
def test_here_a_failure_names_its_trials_and_the_rest_is_kept(store: Store, scheduler: str) -> None:
    toy = Toy({4: {workers.HERE}, 7: {workers.HERE}})
    with dask.config.set(scheduler=scheduler), pytest.raises(InputError) as caught:
        run(toy, CUT, store)
    told = str(caught.value)
    assert told.startswith("trials 40 to 49 of toy, and 1 more shards, failed on every worker, last on this process: ")
    assert "ValueError: no such luck 4; all others are kept" in told
    assert indices(store.whole(CUT)) == {0, 1, 2, 3, 5, 6, 8, 9}
    run(Toy(), CUT, store)
    assert store.whole(CUT) == set(CUT)


def test_what_fails_on_one_worker_succeeds_on_another(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    Workers(monkeypatch, {"a": 1, "b": 1, "c": 1})
    toy = Toy({index: {"a"} for index in range(10)})
    run(toy, CUT, store)
    assert store.whole(CUT) == set(CUT)
    assert {worker for _, worker, _ in toy.measured} == {"a", "b", "c"}


def test_a_worker_to_blame_gets_no_more(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(schedule, "TOGETHER", 5)
    Workers(monkeypatch, {"a": 1, "b": 1})
    toy = Toy({index: {"a"} for index in range(10)})
    run(toy, CUT, store)
    assert store.whole(CUT) == set(CUT)
    assert {index for index, worker, _ in toy.measured if worker == "a"} <= {0, 1, 2, 3, 4}


def test_a_shard_to_blame_fails_on_each_worker_once(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    Workers(monkeypatch, {"a": 1, "b": 1, "c": 1})
    toy = Toy({6: {"a", "b", "c"}})
    with pytest.raises(InputError, match="trials 60 to 69 of toy failed on every worker"):
        run(toy, CUT, store)
    assert sorted(worker for index, worker, _ in toy.measured if index == 6) == ["a", "b", "c"]
    assert indices(store.whole(CUT)) == set(range(10)) - {6}


def test_a_shard_that_workers_die_of_is_told_and_the_rest_is_kept(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    Workers(monkeypatch, {"a": 1, "b": 1}, deadly=6)
    with pytest.raises(InputError, match=r"trials 60 to 69 of toy failed .*: its workers die; all others are kept"):
        run(Toy(), CUT, store)
    assert indices(store.whole(CUT)) == set(range(10)) - {6}


def test_a_shard_beside_a_deadly_one_is_tried_alone(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """Workers died while it was there: which of their shards is to blame, Dask cannot know."""
    place = Workers(monkeypatch, {"a": 1, "b": 1}, deadly=6)
    alone = place.compute

    def compute(tasks: list[Any], refused: set[str]) -> list[Any]:
        if len(tasks) == 1:
            place.deadly = None
        return alone(tasks, refused)

    monkeypatch.setattr(place, "compute", compute)
    run(Toy(), CUT, store)
    assert store.whole(CUT) == set(CUT)


def test_a_worker_with_other_code_is_refused(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    Workers(monkeypatch, {"a": 1})
    digests = iter(["ours", *["theirs"] * 100])
    monkeypatch.setattr(schedule, "code", lambda: next(digests))
    with pytest.raises(InputError, match="its Python, deadrelu or packages are not those of the client"):
        run(Toy(), CUT[:1], store)
    assert store.whole(CUT) == set()


@pytest.mark.parametrize(("n", "threads"), [(1, 8), (3, 2), (8, 1), (10, 1)])
def test_few_shards_share_the_threads(store: Store, n: int, threads: int, monkeypatch: pytest.MonkeyPatch) -> None:
    Workers(monkeypatch, {"a": 4, "b": 4})
    toy = Toy()
    run(toy, CUT[:n], store)
    assert {given for *_, given in toy.measured} == {threads}


def test_a_store_that_fails_ends_all_at_once(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """A full disk: no other shard is computed in vain."""
    toy = Toy()

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Store, "put", full)
    with dask.config.set(num_workers=1), pytest.raises(OSError, match="No space left"):
        run(toy, CUT, store)
    assert len(toy.measured) < len(CUT)


def test_workers_that_see_another_place_are_noticed(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Store, "put", lambda *_: None)
    with pytest.raises(InputError, match="10 shards are done and not there; allowed: a place that all workers see"):
        run(Toy(), CUT, store)


def test_threads_end_with_the_run(store: Store) -> None:
    """On Ctrl-C, or an error: shards under way are told."""
    seen: list[Watch] = []
    ended: list[Watch] = []

    class Endless(Toy):
        def measure(self, shard: Shard, threads: int, watch: Watch) -> dict[str, bytes]:
            seen.append(watch)
            if len(seen) == 2:
                os.kill(os.getpid(), signal.SIGINT)
            watch.wait()
            ended.append(watch)
            return {}

    with dask.config.set(num_workers=2), pytest.raises(KeyboardInterrupt):
        run(Endless(), CUT, store)
    wait_until(lambda: len(ended) == len(seen), seconds=10)


def test_the_bar_shows_shards_and_what_is_under_way(
    store: Store, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    shown: list[float] = []

    class Slow(Toy):
        def measure(self, shard: Shard, threads: int, watch: Watch) -> dict[str, bytes]:
            watch.at(shard, 5)
            time.sleep(0.5)  # the bar looks each hundredth of a second
            shown.extend(task.completed for task in bar.tasks)
            return super().measure(shard, threads, watch)

    monkeypatch.setattr(schedule, "GLANCE", 0.01)
    store.make(CUT)
    store.put(CUT[3], {"name": b"from before"})
    with dask.config.set(scheduler="synchronous"), progress.rate_and_time_left() as bar:
        schedule.run(Slow(), CUT[:4], store, bar, "toy")
    assert shown == [15, 25, 35]
    assert "40/40" in capsys.readouterr().err
