"""Test that a full disk, a read-only folder and a vanishing one give one line and exit 2, and damage no table."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from helpers.projects import wait_until, write_small_params

pytestmark = pytest.mark.without_digits

STAGE = f"{sys.executable} -m deadrelu"
MOUNTS = ["unshare", "--map-root-user", "--mount", "bash", "-euc"]
"""Command of a shell that may mount file systems, which only it sees."""

may_mount = pytest.mark.skipif(
    shutil.which("unshare") is None
    or subprocess.run([*MOUNTS, "mount -t tmpfs none /mnt"], capture_output=True, check=False).returncode != 0,
    reason="needs the right to mount a file system",
)


@pytest.fixture(scope="module")
def original(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Make a project with the tables of one case."""
    folder = tmp_path_factory.mktemp("storage")
    write_small_params(folder / "params.yaml")
    for words in (["data", "target"], ["collapse", "leaky_relu"]):
        subprocess.run([*STAGE.split(), *words], cwd=folder, check=True, capture_output=True)
    return folder


@pytest.fixture
def project(original: Path, tmp_path: Path) -> Path:
    """Copy that project, with params that ask for many shards."""
    shutil.copytree(original, tmp_path / "project")
    params = tmp_path / "project/params.yaml"
    params.write_text(params.read_text().replace("\n  trials: 8\n", "\n  trials: 20000\n"))
    return tmp_path / "project"


def error_line(text: str) -> str:
    """Check that an error is one line, and return it."""
    assert text.count("\n") == 1, text
    assert text.startswith("deadrelu: ")
    return text


def in_its_own_mounts(folder: Path, script: str) -> tuple[subprocess.CompletedProcess[str], list[str]]:
    """Run a script in a shell with mounts of its own; return the result, and digests of the files in `data` then."""
    look = "find data -type f -exec sha256sum {} + | sort -k 2 > ../after"
    done = subprocess.run([*MOUNTS, f"{script}; {look}"], cwd=folder, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done, (folder.parent / "after").read_text().splitlines()


def digests(folder: Path) -> list[str]:
    done = subprocess.run(
        "find data -type f -exec sha256sum {} + | sort -k 2", shell=True, cwd=folder, capture_output=True, text=True
    )
    return done.stdout.splitlines()


def without_work(lines: list[str]) -> list[str]:
    return [line for line in lines if "data/.work/" not in line]


@may_mount
@pytest.mark.parametrize("size", ["100k", "600k", "2m"])
def test_full_disk(project: Path, size: str) -> None:
    """The disk is full while shards are stored, or when they are joined."""
    before = digests(project)
    copy = f"cp -r data ../saved && mount -t tmpfs -o size={size} none data && cp -r ../saved/. data"
    done, after = in_its_own_mounts(
        project, f"{copy}; rc=0; {STAGE} collapse leaky_relu || rc=$?; echo $rc; find data -name '.new-*'"
    )
    assert done.stdout == "2\n"
    assert "No space left on device" in error_line(done.stderr)
    assert without_work(after) == before
    assert "data/" in done.stderr  # the message names the folder
    assert size == "100k" or any(line.endswith(".shard") for line in after)  # finished shards are kept


@may_mount
@pytest.mark.parametrize("stage", ["data target", "collapse leaky_relu", "safe-region", "sensitivity rai"])
def test_read_only_folder(project: Path, stage: str) -> None:
    before = digests(project)
    read_only = "mount --bind data data && mount -o remount,bind,ro data"
    done, after = in_its_own_mounts(project, f"{read_only}; rc=0; {STAGE} {stage} || rc=$?; echo $rc")
    assert done.stdout == "2\n"
    assert "Read-only file system" in error_line(done.stderr)
    assert "data" in done.stderr
    assert after == before


def test_folder_that_vanishes(project: Path) -> None:
    params = project / "params.yaml"
    params.write_text(params.read_text().replace("\n  trials: 20000\n", "\n  trials: 2000000\n"))
    stage = subprocess.Popen([*STAGE.split(), "collapse", "leaky_relu"], cwd=project, stderr=subprocess.PIPE, text=True)
    wait_until(lambda: bool(list((project / "data/.work").rglob("*.shard"))))
    shutil.rmtree(project / "data", ignore_errors=True)
    shutil.rmtree(project / "data", ignore_errors=True)  # a shard may have come in between
    _, error = stage.communicate(timeout=60)
    assert stage.returncode == 2
    assert "No such file or directory" in error_line(error)
