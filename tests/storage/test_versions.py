"""Test that recorded versions of packages are used only for the tables for which they were recorded."""

from pathlib import Path

import pytest

from deadrelu.storage import versions


def test_versions_are_those_of_the_tables_that_lie_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    folder = Path("data/collapse/relu")
    folder.mkdir(parents=True)
    (folder / "part-000000.parquet").write_bytes(b"numbers")
    assert versions.of_tables("collapse@relu", folder) == {}
    versions.record("collapse@relu", folder, ["numpy", "no-such-package"])
    recorded = versions.of_tables("collapse@relu", folder)
    assert recorded == versions.installed(["numpy", "no-such-package"])
    assert set(recorded) == {"numpy", "no-such-package", "python"}
    assert recorded["no-such-package"] == "none"
    assert versions.of_tables("collapse@leaky_relu", folder) == {}
    (folder / "part-000000.parquet").write_bytes(b"other numbers, from DVC's cache")
    assert versions.of_tables("collapse@relu", folder) == {}


def test_a_damaged_record_is_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    versions.record("training", tmp_path, ["numpy"])
    for text in ("", "[]", "{}", "3"):
        Path("data/versions/training.json").write_text(text)
        assert versions.of_tables("training", tmp_path) == {}
