"""Test that only undamaged shards count as finished, and that stale ones are never used."""

from collections.abc import Callable, Iterator
from pathlib import Path

import fsspec
import pytest

from deadrelu.errors import InputError
from deadrelu.jobs import shards
from deadrelu.jobs.shards import Shard
from deadrelu.jobs.store import Store, open_store

CUT = shards.cut(["relu"], 2500, 1000)
CONTENTS = {"trials.parquet": b"rows", "history.parquet": b"more rows"}


@pytest.fixture(scope="module")
def s3() -> Iterator[str]:
    """Start an S3 server on this machine, and yield the address of a bucket."""
    from moto.server import ThreadedMotoServer

    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    with pytest.MonkeyPatch.context() as environment:
        environment.setenv("AWS_ENDPOINT_URL", f"http://{host}:{port}")
        for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
            environment.setenv(name, "anything")
        environment.setenv("AWS_DEFAULT_REGION", "us-east-1")
        fsspec.filesystem("s3").mkdir("bucket")
        yield "s3://bucket"
    server.stop()


@pytest.fixture(params=["disk", "memory", "s3"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Store:
    """Make an empty store on disk, in memory or on S3, through fsspec."""
    places = {"disk": lambda: str(tmp_path / "work"), "memory": lambda: f"memory://{tmp_path.name}"}
    place = places.get(request.param, lambda: f"{request.getfixturevalue('s3')}/{tmp_path.name}")
    address = place()
    new_store = Store(f"{address}/collapse/abc")
    new_store.make()
    return new_store


def test_finished_shards_are_found(store: Store) -> None:
    assert store.whole(CUT) == set()
    store.put(CUT[1], CONTENTS)
    assert store.whole(CUT) == {CUT[1]}
    assert store.get(CUT[1]) == CONTENTS


@pytest.mark.parametrize(
    "damage",
    [
        lambda c: c[:-1],
        lambda c: bytes([c[0] ^ 1]) + c[1:],
        lambda c: c.replace(next(iter(CONTENTS.values())), next(iter(CONTENTS.values()))[:-1] + b"?"),
        lambda _: b"",
        lambda _: None,
    ],
    ids=["cut", "header", "content", "empty", "gone"],
)
def test_damaged_shards_are_not_finished(store: Store, damage: Callable[[bytes], bytes | None]) -> None:
    store.put(CUT[0], CONTENTS)
    path = store._path(CUT[0])
    content = damage(store.fs.cat_file(path))
    store.fs.rm_file(path)
    if content is not None:
        store.fs.pipe_file(path, content)
    assert store.whole(CUT) == set()
    store.put(CUT[0], CONTENTS)
    assert store.whole(CUT) == {CUT[0]}


def test_shards_may_end_twice(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """A shard whose client was killed is computed again, and may then be stored already."""
    store.put(CUT[0], CONTENTS)
    monkeypatch.setattr(store.fs, "pipe_file", lambda *_: pytest.fail("it is there"))
    store.put(CUT[0], CONTENTS)
    assert store.get(CUT[0]) == CONTENTS


def test_folders_that_vanish_are_not_made_again(tmp_path: Path) -> None:
    store = Store(str(tmp_path / "work/collapse/abc"))
    with pytest.raises(FileNotFoundError):
        store.put(CUT[0], CONTENTS)


def test_what_others_have_beside_is_left(store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("DEADRELU_WORK", store.address.removesuffix("/collapse/abc"))
    other = Store(store.address.replace("abc", "other"))
    other.make()
    other.put(CUT[0], CONTENTS)
    with open_store("collapse", "abc") as same:
        same.make()
        assert same.whole(CUT) == set()  # another fingerprint
        same.put(CUT[0], CONTENTS)
    assert store.fs.find(store.root) == []
    assert other.whole(CUT) == {CUT[0]}


def test_work_vanishes_when_all_went_well(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with open_store("collapse-relu", "abc") as store:
        store.make()
        store.put(CUT[0], CONTENTS)
    assert not (tmp_path / "data/.work").exists()


def interrupted_after(done: list[Shard]) -> None:
    with open_store("collapse-relu", "abc") as store:
        store.make()
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
    with open_store("collapse-relu", "abc") as store:
        assert store.whole(CUT) == {CUT[0]}


def test_stale_shards_vanish_with_the_work(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(KeyboardInterrupt):
        interrupted_after(CUT[:1])
    with open_store("collapse-relu", "of other params") as store:
        assert store.whole(CUT) == set()
        assert list((tmp_path / "data/.work/collapse-relu/abc").rglob("*.shard"))  # another run may still need them
    assert not (tmp_path / "data/.work").exists()


def test_work_is_kept_where_the_environment_says(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("DEADRELU_WORK", str(tmp_path / "elsewhere"))
    with pytest.raises(KeyboardInterrupt):
        interrupted_after(CUT[:1])
    assert f"kept in {tmp_path}/elsewhere/collapse-relu" in capsys.readouterr().err
    assert list((tmp_path / "elsewhere/collapse-relu/abc").rglob("*.shard"))
    assert not list(tmp_path.glob("data/**/*.shard"))
    monkeypatch.setenv("DEADRELU_WORK", "nowhere://x")
    with pytest.raises(InputError, match="DEADRELU_WORK: received 'nowhere://x'"), open_store("collapse-relu", "abc"):
        pass
