"""Test that one process and a cluster give the same bits by one code path, and report failures in one line."""

import hashlib
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from helpers.clusters import Cluster, Toy, run
from helpers.commands import environment
from helpers.projects import ROOT, write_small_params

from deadrelu.errors import InputError
from deadrelu.jobs import shards, trials, workers
from deadrelu.jobs.store import Store
from deadrelu.settings import params
from deadrelu.stages import collapse, safe_region, sensitivity, untrained_grid

pytestmark = pytest.mark.without_digits

CUT = shards.cut(["toy"], 200, 10)


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    running = Cluster(tmp_path_factory.mktemp("cluster"))
    try:
        yield running
    finally:
        running.close()


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(str(tmp_path / "work/toy/abc"))


def larger() -> params.Params:
    """Return the small params, with cases of several shards."""
    tree = params.load().model_dump(exclude_none=True)
    tree["collapse"]["cases"]["leaky_relu"]["trials"] = 300
    tree["collapse"]["cases"]["relu"]["trials"] = 1100
    tree["safe_region"]["trained"]["trials"] = 1100
    tree["safe_region"]["networks"] = 2_500
    tree["sensitivity"]["deep"]["variations"]["deeper"]["trials"] = 1100
    return params.Params.model_validate(tree)


def digests(folder: Path) -> dict[str, str]:
    """Return the SHA-256 of every file in a folder, also of hidden ones."""
    return {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def test_tables_have_the_same_bits_wherever_they_are_made(
    cluster: Cluster, project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Shards are smaller, so that few trials make several; workers get them as they are split here.
    monkeypatch.setattr(trials, "TRIALS_PER_SHARD", 128)
    monkeypatch.setattr(trials, "MIN_ROWS_PER_FILE", 128)
    monkeypatch.setattr(untrained_grid, "NETWORKS_PER_SHARD", 2000)
    settings = larger()
    results = []
    ways: list[dict[str, Any]] = [
        {"DASK_NUM_WORKERS": 1},
        {"DASK_NUM_WORKERS": 5},
        {"DASK_SCHEDULER_ADDRESS": cluster.address},
    ]
    for way in ways:
        with environment(**way):
            for key in ("leaky_relu", "relu", "relu-refit"):
                collapse.main(settings, key)
            safe_region.main(settings)
            sensitivity.main(settings, "deep")
        results.append(digests(project / "data"))
        for name in ("collapse", "safe_region", "sensitivity"):
            shutil.rmtree(project / "data" / name)
    assert results[0] == results[1] == results[2]
    assert {"collapse/leaky_relu/part-000002.parquet", "collapse/relu/part-000001.parquet"} <= set(results[0])
    assert {"collapse/relu/history.parquet", "sensitivity/deep/trials.parquet"} <= set(results[0])


def test_a_shard_that_workers_die_of(cluster: Cluster, store: Store) -> None:
    with (
        environment(DASK_SCHEDULER_ADDRESS=cluster.address),
        pytest.raises(
            InputError, match=r"shards? failed, first trials .* of toy: KilledWorker: .*; all others are kept"
        ),
    ):
        run(Toy(kills=(7,)), CUT, store)
    # Dask cannot tell which of a worker's shards killed it, so that it may also blame another one.
    assert set(CUT) - store.whole(CUT) >= {CUT[7]}
    with environment(DASK_SCHEDULER_ADDRESS=cluster.address):
        run(Toy(), CUT, store)
    assert store.whole(CUT) == set(CUT)


@pytest.mark.parametrize("error", [InputError, MemoryError])
def test_a_shard_that_fails_again_and_again(cluster: Cluster, store: Store, error: type[Exception]) -> None:
    message = rf"1 of 20 shards failed, first trials 30 to 39 of toy: {error.__name__}: no luck; all others are kept"
    with environment(DASK_SCHEDULER_ADDRESS=cluster.address), pytest.raises(InputError, match=message):
        run(Toy(fails=(3,), error=error), CUT, store)
    assert store.whole(CUT) == set(CUT) - {CUT[3]}
    with environment(DASK_SCHEDULER_ADDRESS=cluster.address):
        run(Toy(), CUT, store)
    assert store.whole(CUT) == set(CUT)


@pytest.mark.parametrize("error", [ValueError, ZeroDivisionError])
def test_a_fault_of_our_own_is_raised_as_it_is(cluster: Cluster, store: Store, error: type[Exception]) -> None:
    """The error is not reported as wrong input, and names the shard in a note, as on threads."""
    with environment(DASK_SCHEDULER_ADDRESS=cluster.address), pytest.raises(error, match="no luck") as caught:
        run(Toy(fails=(3,), error=error), CUT, store)
    assert caught.value.__notes__ == ["in trials 30 to 39 of toy"]
    assert store.whole(CUT) == set(CUT) - {CUT[3]}


def test_a_worker_with_other_code_computes_nothing(store: Store, tmp_path: Path) -> None:
    shutil.copytree(ROOT / "src", tmp_path / "src", ignore=shutil.ignore_patterns("__pycache__"))
    network = tmp_path / "src/deadrelu/engine/network.py"
    network.write_text(network.read_text().replace("1e-7", "1e-3"))
    alone = Cluster(tmp_path, workers=0)
    alone.nannies.append(alone.start_worker(tmp_path / "src"))
    try:
        with (
            environment(DASK_SCHEDULER_ADDRESS=alone.address),
            pytest.raises(InputError, match="its Python, deadrelu or packages are not those of the client"),
        ):
            run(Toy(), CUT, store)
    finally:
        alone.close()
    assert store.whole(CUT) == set()


def test_no_scheduler_is_one_line(tmp_path: Path) -> None:
    write_small_params(tmp_path / "params.yaml")
    words = [sys.executable, "-m", "deadrelu"]
    env = os.environ | {
        "DASK_SCHEDULER_ADDRESS": "tcp://127.0.0.1:1",
        "DASK_DISTRIBUTED__COMM__TIMEOUTS__CONNECT": "1s",
    }
    before = digests(tmp_path)
    done = subprocess.run([*words, "collapse", "relu"], cwd=tmp_path, env=env, capture_output=True, text=True)
    assert done.returncode == 2
    assert done.stderr.startswith(
        "deadrelu: DASK_SCHEDULER_ADDRESS: received tcp://127.0.0.1:1; expected: `pip install 'deadrelu[cluster]'`, a"
    )
    assert done.stderr.count("\n") == 1
    assert digests(tmp_path) == before
    assert not (tmp_path / "data/.work").exists()


def test_no_worker_is_told(store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(workers, "WORKER_TIMEOUT_S", 1)
    empty = Cluster(tmp_path, workers=0)
    try:
        with (
            environment(DASK_SCHEDULER_ADDRESS=empty.address),
            pytest.raises(
                InputError,
                match=f"received {empty.address}; expected: .* a `dask worker` of it.*Only 0/1 workers arrived",
            ),
        ):
            run(Toy(), CUT, store)
    finally:
        empty.close()


def test_without_distributed_it_says_what_to_install(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "distributed", None)
    with (
        environment(DASK_SCHEDULER_ADDRESS="tcp://127.0.0.1:1"),
        pytest.raises(InputError, match=r"pip install 'deadrelu\[cluster\]'"),
    ):
        run(Toy(), CUT, store)
