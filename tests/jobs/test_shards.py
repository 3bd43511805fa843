"""Work cut into shards, and what discards them."""

import pickle
from pathlib import Path

import pytest

from deadrelu.jobs import shards
from deadrelu.jobs.shards import Watch

CUT = shards.cut(["relu"], 2500, 1000)


def test_shards_cover_each_trial_once() -> None:
    assert [(shard.low, shard.high) for shard in CUT] == [(0, 1000), (1000, 2000), (2000, 2500)]
    assert [shard.index for shard in CUT] == [0, 1, 2]
    assert sum(map(len, CUT)) == 2500
    assert str(CUT[1]) == "trials 1,000 to 1,999 of relu"


def test_fingerprint_is_of_params_code_and_inputs(monkeypatch: pytest.MonkeyPatch) -> None:
    made_by: dict[str, object] = {"params": {"seed": 10}, "versions": {"numpy": "2"}}
    found = shards.fingerprint(made_by, b"x", b"y")
    assert found == shards.fingerprint(dict(made_by), b"x", b"y")
    others = [
        shards.fingerprint(made_by | {"params": {"seed": 11}}, b"x", b"y"),
        shards.fingerprint(made_by | {"versions": {"numpy": "3"}}, b"x", b"y"),
        shards.fingerprint(made_by, b"x", b"z"),
        shards.fingerprint(made_by, b"xy", b""),
    ]
    monkeypatch.setattr(shards, "code", lambda: "another")
    others.append(shards.fingerprint(made_by, b"x", b"y"))
    assert len({found, *others}) == 6


def test_code_is_every_module_of_the_rooms_that_can_change_a_shard(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    package = tmp_path / "deadrelu"
    monkeypatch.setattr(shards, "__file__", str(package / "jobs" / "shards.py"))
    digests = set()
    modules = (
        ("engine/a.py", "1"),
        ("engine/a.py", "2"),
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
    assert len(digests) == 3


def test_a_watch_sent_elsewhere_is_another() -> None:
    watch = Watch()
    watch.set()
    watch.at(CUT[0], 3.7)
    assert watch.done == {CUT[0]: 3}
    sent = pickle.loads(pickle.dumps(watch))
    assert not sent.is_set()
    assert sent.done == {}
