"""Test how work is split into shards, and which changes discard them."""

import pickle
from pathlib import Path

import pytest

from deadrelu.jobs import shards
from deadrelu.jobs.shards import StopSignal

CUT = shards.cut(["relu"], 2500, 1000)


def test_shards_cover_each_trial_once() -> None:
    assert [(shard.low, shard.high) for shard in CUT] == [(0, 1000), (1000, 2000), (2000, 2500)]
    assert [shard.index for shard in CUT] == [0, 1, 2]
    assert sum(map(len, CUT)) == 2500
    assert str(CUT[1]) == "trials 1,000 to 1,999 of relu"


def test_fingerprint_is_of_params_versions_and_code(monkeypatch: pytest.MonkeyPatch) -> None:
    made_by: dict[str, object] = {"params": {"seed": 10}, "versions": {"numpy": "2"}}
    fingerprint = shards.fingerprint(made_by)
    assert fingerprint == shards.fingerprint(dict(reversed(made_by.items())))
    others = [
        shards.fingerprint(made_by | {"params": {"seed": 11}}),
        shards.fingerprint(made_by | {"versions": {"numpy": "3"}}),
    ]
    monkeypatch.setattr(shards, "code", lambda: "another")
    others.append(shards.fingerprint(made_by))
    assert len({fingerprint, *others}) == 4


def test_code_is_every_module_that_can_change_a_shard(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    package = tmp_path / "deadrelu"
    package.mkdir()
    for name in ("streams.py", "functions.py"):
        (package / name).write_text("1")
    monkeypatch.setattr(shards, "__file__", str(package / "jobs" / "shards.py"))
    digests = set()
    modules = (
        ("engine/a.py", "1"),
        ("engine/a.py", "2"),
        ("streams.py", "2"),
        ("stages/b.py", "2"),
        ("report/words.py", "2"),
        ("cli.py", "2"),
    )
    for name, text in modules:
        (package / name).parent.mkdir(parents=True, exist_ok=True)
        (package / name).write_text(text)
        shards.code.cache_clear()
        digests.add(shards.code())
    shards.code.cache_clear()
    assert len(digests) == 4


def test_a_stop_signal_sent_elsewhere_is_another() -> None:
    stop = StopSignal()
    stop.set()
    stop.report(CUT[0], 3.7)
    assert stop.done == {CUT[0]: 3}
    sent = pickle.loads(pickle.dumps(stop))
    assert not sent.is_set()
    assert sent.done == {}


def test_a_stop_signal_shows_the_sum_over_all_shards() -> None:
    shown: list[int] = []
    stop = StopSignal(shown.append)
    for shard, trials in ((CUT[0], 10), (CUT[2], 5.5), (CUT[0], 30)):
        stop.report(shard, trials)
    assert shown == [10, 15, 35]
