"""Work cut into shards: what is finished is known to the last bit, and what is stale is never used."""

import json
import pickle
from pathlib import Path

import pytest

from deadrelu.errors import InputError
from deadrelu.jobs import shards
from deadrelu.jobs.shards import Shard, Store, Watch

CUT = shards.cut(("relu",), 2500, 1000)
CONTENTS = {"trials.parquet": b"rows", "fits.parquet": b"more rows"}


@pytest.fixture(params=["disk", "memory"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Store:
    """On disk, and on another file system of fsspec."""
    address = str(tmp_path / "work") if request.param == "disk" else f"memory://{tmp_path.name}"
    found = Store(f"{address}/collapse/abc")
    found.make(CUT)
    return found


def test_shards_cover_each_trial_once() -> None:
    assert [(shard.low, shard.high) for shard in CUT] == [(0, 1000), (1000, 2000), (2000, 2500)]
    assert [shard.index for shard in CUT] == [0, 1, 2]
    assert sum(map(len, CUT)) == 2500
    assert str(CUT[1]) == "trials 1,000 to 1,999 of relu"


def test_finished_shards_are_found(store: Store) -> None:
    assert store.listed(CUT) == store.whole(CUT) == set()
    store.put(CUT[1], CONTENTS)
    assert store.listed(CUT) == store.whole(CUT) == {CUT[1]}
    assert store.names(CUT[1]) == set(CONTENTS)
    assert store.get(CUT[1], "fits.parquet") == b"more rows"


@pytest.mark.parametrize("name", ["trials.parquet", "fits.parquet", "json"])
@pytest.mark.parametrize("damage", [lambda content: content[:-1], lambda content: b"x" + content[1:], lambda _: None])
def test_damaged_shards_are_not_finished(store: Store, name: str, damage: object) -> None:
    store.put(CUT[0], CONTENTS)
    path = store._path(CUT[0], name)
    content = damage(store.fs.cat_file(path))  # type: ignore[operator]
    store.fs.rm_file(path)
    if content is not None:
        store.fs.pipe_file(path, content)
    assert store.whole(CUT) == set()
    store.put(CUT[0], CONTENTS)
    assert store.whole(CUT) == {CUT[0]}


def test_finished_shards_are_not_written_again(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    store.put(CUT[0], CONTENTS)
    monkeypatch.setattr(store, "_write", lambda *_: pytest.fail("it is there"))
    store.put(CUT[0], CONTENTS)


def test_a_shard_without_its_list_is_not_finished(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """The list is written last: what a killed process left does not count."""
    monkeypatch.setattr(json, "dumps", lambda *_: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        store.put(CUT[0], CONTENTS)
    monkeypatch.undo()
    assert store.fs.exists(store._path(CUT[0], "trials.parquet"))
    assert store.listed(CUT) == set()


def test_a_write_that_fails_leaves_no_file(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(store.fs, "mv", full)
    with pytest.raises(OSError, match="No space"):
        store.put(CUT[0], CONTENTS)
    assert store.fs.find(store.root) == []


def test_folders_that_vanish_are_not_made_again(tmp_path: Path) -> None:
    store = Store(str(tmp_path / "work/collapse/abc"))
    with pytest.raises(FileNotFoundError):
        store.put(CUT[0], CONTENTS)


def test_clearing_leaves_what_others_have_beside(store: Store) -> None:
    other = Store(store.address.replace("abc", "other"))
    other.make(CUT)
    other.put(CUT[0], CONTENTS)
    assert store.whole(CUT) == set()  # another fingerprint
    store.clear()
    store.clear()  # nothing is there any more
    assert not store.fs.exists(store.root)
    assert other.whole(CUT) == {CUT[0]}


def test_a_thousand_shards_share_a_folder(store: Store) -> None:
    many = [Shard(index, ("relu",), index, index + 1) for index in (0, 999, 1000)]
    store.make(many)
    assert len({store._folder(shard) for shard in many}) == 2
    for shard in many:
        store.put(shard, {})
    assert store.whole(many) == set(many)


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


def test_code_is_every_module(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    package = tmp_path / "deadrelu"
    (package / "stages").mkdir(parents=True)
    monkeypatch.setattr(shards, "__file__", str(package / "shards.py"))
    digests = set()
    for name, text in (("a.py", "1"), ("a.py", "2"), ("b.py", "2"), ("stages/c.py", "2")):
        (package / name).write_text(text)
        shards.code.cache_clear()
        digests.add(shards.code())
    shards.code.cache_clear()
    assert len(digests) == 4


def test_a_watch_sent_elsewhere_is_another() -> None:
    watch = Watch()
    watch.set()
    watch.at(CUT[0], 3.7)
    assert watch.so_far == {CUT[0]: 3}
    sent = pickle.loads(pickle.dumps(watch))
    assert not sent.is_set()
    assert sent.so_far == {}


def test_work_vanishes_when_all_went_well(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with shards.kept("collapse-relu", "abc") as store:
        store.make(CUT)
        store.put(CUT[0], CONTENTS)
    assert not (tmp_path / "data/.work").exists()


def interrupted_after(done: list[Shard]) -> None:
    with shards.kept("collapse-relu", "abc") as store:
        store.make(CUT)
        for shard in done:
            store.put(shard, CONTENTS)
        raise KeyboardInterrupt


def test_work_is_kept_when_it_fails(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(KeyboardInterrupt):
        interrupted_after([])
    assert not (tmp_path / "data/.work").exists()  # nothing to keep
    assert capsys.readouterr().err == ""
    with pytest.raises(KeyboardInterrupt):
        interrupted_after(CUT[:1])
    assert f"kept in {tmp_path}/data/.work/collapse-relu" in capsys.readouterr().err
    with shards.kept("collapse-relu", "abc") as store:
        assert store.whole(CUT) == {CUT[0]}


def test_stale_shards_vanish_with_the_work(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(KeyboardInterrupt):
        interrupted_after(CUT[:1])
    with shards.kept("collapse-relu", "of other params") as store:
        assert store.whole(CUT) == set()
        assert list((tmp_path / "data/.work/collapse-relu/abc").rglob("*.json"))  # they may be asked for again
    assert not (tmp_path / "data/.work").exists()


def test_work_is_kept_where_the_environment_says(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("DEADRELU_WORK", str(tmp_path / "elsewhere"))
    with pytest.raises(KeyboardInterrupt):
        interrupted_after(CUT[:1])
    assert f"kept in {tmp_path}/elsewhere/collapse-relu" in capsys.readouterr().err
    assert list((tmp_path / "elsewhere/collapse-relu/abc").rglob("*.json"))
    assert not list(tmp_path.glob("data/**/*.json"))
    monkeypatch.setenv("DEADRELU_WORK", "nowhere://x")
    with pytest.raises(InputError, match="DEADRELU_WORK: received 'nowhere://x'"), shards.kept("collapse-relu", "abc"):
        pass
