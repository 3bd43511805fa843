"""Test that a reference is read as it was written, and that anything else is refused in one line."""

import hashlib
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from deadrelu.check import reference
from deadrelu.check.quantities import Count, Observed
from deadrelu.check.reference import Origin, Reference, Spread
from deadrelu.errors import InputError

ORIGIN = Origin(seed=10, mnist="official", machine="Linux", versions={"numpy": "2"})


@pytest.fixture
def written(tmp_path: Path) -> Path:
    path = tmp_path / "reports" / "reference.json"
    reference.write(Reference(origin=ORIGIN, stages={"collapse@relu": stage()}), path)
    return path


def stage() -> reference.StageRecord:
    outcomes = np.arange(13) % 3 == 0
    observed = Observed(
        {"case.widths": [1, 2], "tolerance": 1e-3},
        counts={"collapsed": Count(5, 13, outcomes), "dead": Count(2, 10_000)},
        values={"std": 1 / 3},
        drawn={"x_mean": -0.1},
        exact={"theory_low": 0.9249},
    )
    return reference.record(observed, {"data/a.parquet": "0" * 64}, 20, {"std": Spread(mean=-1.1, sd=0.2, log=True)})


def test_what_is_written_is_read_again(written: Path) -> None:
    read = reference.read(written)
    assert read == Reference(origin=ORIGIN, stages={"collapse@relu": stage()})
    count = read.stages["collapse@relu"].counts["collapsed"].as_count()
    assert count.outcomes is not None
    assert np.flatnonzero(count.outcomes).tolist() == [0, 3, 6, 9, 12]
    assert read.stages["collapse@relu"].counts["dead"].as_count() == Count(2, 10_000)
    assert [path.name for path in written.parent.iterdir()] == ["reference.json"]


def test_missing_says_how_to_make_one(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"reference\.json: missing; `deadrelu check --update` accepts"):
        reference.read(tmp_path / "reference.json")


def test_cut_anywhere_is_refused(written: Path) -> None:
    whole = written.read_bytes()
    for length in range(0, len(whole) - 1, 7):
        written.write_bytes(whole[:length])
        with pytest.raises(InputError, match=r"reference\.json: (not readable JSON|received schema)"):
            reference.read(written)
    written.write_bytes(b"\xff\xfe" + whole)
    with pytest.raises(InputError, match="not readable JSON"):
        reference.read(written)
    written.write_text("[" * 100_000)
    with pytest.raises(InputError, match="not readable JSON"):
        reference.read(written)


@pytest.mark.parametrize("text", ["[]", "3", "null", "{}", '{"schema": 2}', '{"schema": "1"}', '{"schema": [1]}'])
def test_another_schema_is_refused(written: Path, text: str) -> None:
    written.write_text(text)
    with pytest.raises(InputError, match=r"json: received schema .*; expected: 1; `deadrelu check --update`"):
        reference.read(written)


def test_each_edit_by_hand_is_refused(written: Path) -> None:
    text = written.read_text()
    for old, new in (('"count": 5', '"count": 6'), ("0.9249", "0.925"), ('"official"', '"bundled"')):
        assert text.count(old) == 1
        written.write_text(text.replace(old, new))
        with pytest.raises(InputError, match="edited by hand or cut"):
            reference.read(written)


@pytest.mark.parametrize(
    ("keys", "value", "error"),
    [
        (["origin", "seed"], "10", "origin.seed"),
        (["origin", "mnist"], "mine", "origin.mnist"),
        (["stages", "collapse@relu", "counts", "collapsed", "outcomes"], "AA==", "outcomes must have a bit"),
        (["stages", "collapse@relu", "counts", "collapsed", "outcomes"], "?", "collapsed"),
        (["stages", "collapse@relu", "values", "std"], None, "values.std"),
        (["stages", "collapse@relu", "values", "std"], float("inf"), "values.std"),
        (["stages", "collapse@relu", "more"], 1, "more"),
        (["stages", "collapse@relu", "tables", "data/a.parquet"], "0", "data/a.parquet"),
    ],
)
def test_wrong_content_with_its_right_digest_is_refused(written: Path, keys: list[str], value: Any, error: str) -> None:
    tree = json.loads(written.read_text())
    del tree["schema"], tree["sha256"]
    branch = tree
    for key in keys[:-1]:
        branch = branch[key]
    branch[keys[-1]] = value
    digest = hashlib.sha256(json.dumps(tree, sort_keys=True).encode()).hexdigest()
    written.write_text(json.dumps({"schema": 1, "sha256": digest, **tree}))
    with pytest.raises(InputError) as refused:
        reference.read(written)
    assert error in str(refused.value)
    assert "\n" not in str(refused.value)


def test_outcomes_must_agree_with_their_count() -> None:
    assert reference.Counted(count=4, trials=8, outcomes="8A==").as_count().count == 4
    with pytest.raises(ValueError, match="as many ones as the count says"):
        reference.Counted(count=4, trials=8, outcomes="AA==")


def test_the_machine_is_its_system_and_architecture(monkeypatch: pytest.MonkeyPatch) -> None:
    """The processor is not part of the machine's name, because it is no reason for other bytes."""
    monkeypatch.setattr("platform.system", lambda: "Linux")
    monkeypatch.setattr("platform.machine", lambda: "x86_64")
    assert reference.machine() == "Linux x86_64"
