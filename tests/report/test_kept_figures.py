"""Test that a figure is taken from the last run only if that changes nothing."""

import ast
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from deadrelu.report.figures import kept

PACKAGE = Path(kept.__file__).parents[2]


def draws(table: pd.DataFrame, names: dict[str, str], number: float = 1.0) -> None:
    """Stand in for a function that draws."""


@pytest.fixture
def last_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """Make the files of a last run that left a figure called a, and return its key."""
    monkeypatch.chdir(tmp_path)
    figures = Path("reports/figures")
    figures.mkdir(parents=True)
    (figures / "a.png").write_bytes(b"png")
    (figures / "a.svg").write_bytes(b"svg")
    key = kept.key(partial(draws, pd.DataFrame({"x": [1.0, 2.0]}), {"a": "A"}))
    kept.put({"a": key}, figures, Path("reports/vectors"))
    Path("new").mkdir()
    return key


def test_the_same_figure_is_taken(last_run: str) -> None:
    again = kept.key(partial(draws, pd.DataFrame({"x": [1.0, 2.0]}), {"a": "A"}))
    assert kept.take("a", again, Path("new"))
    assert {path.name: path.read_bytes() for path in Path("new").iterdir()} == {"a.png": b"png", "a.svg": b"svg"}
    assert not list(Path("reports/figures").glob("*.svg"))
    assert not kept.take("b", last_run, Path("new"))


@pytest.mark.parametrize(
    "other",
    [
        partial(draws, pd.DataFrame({"x": [1.0, 2.0000001]}), {"a": "A"}),
        partial(draws, pd.DataFrame({"y": [1.0, 2.0]}), {"a": "A"}),
        partial(draws, pd.DataFrame({"x": [1, 2]}), {"a": "A"}),
        partial(draws, pd.DataFrame({"x": [1.0, 2.0]}), {"a": "B"}),
        partial(draws, pd.DataFrame({"x": [1.0, 2.0]}), {"a": "A"}, 2.0),
        partial(test_the_same_figure_is_taken, pd.DataFrame({"x": [1.0, 2.0]}), {"a": "A"}),
    ],
    ids=["value", "column", "type", "name", "number", "function"],
)
def test_another_figure_is_not(last_run: str, other: "partial[None]") -> None:
    assert kept.key(other) != last_run


def test_last_bits_are_those_of_a_processor_and_make_no_other_figure(last_run: str) -> None:
    nearly = [np.nextafter(1.0, 2), np.nextafter(2.0, 1)]
    assert kept.key(partial(draws, pd.DataFrame({"x": nearly}), {"a": "A"})) == last_run


def test_other_code_is_another_figure(last_run: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kept, "code", lambda: "edited")
    assert kept.key(partial(draws, pd.DataFrame({"x": [1.0, 2.0]}), {"a": "A"})) != last_run


@pytest.mark.parametrize("damaged", ["figures/a.png", "vectors/a.svg", "vectors/keys.json"])
@pytest.mark.parametrize("fault", ["cut", "gone"])
def test_a_damaged_figure_is_not_taken(last_run: str, damaged: str, fault: str) -> None:
    path = Path("reports", damaged)
    path.unlink() if fault == "gone" else path.write_bytes(path.read_bytes()[:-2])
    assert not kept.take("a", last_run, Path("new"))


def test_what_cannot_be_compared_is_refused() -> None:
    with pytest.raises(TypeError, match="not object"):
        kept.key(partial(draws, object()))


def test_all_that_draws_is_among_the_modules() -> None:
    """The figures' modules import only modules whose code is in the key, and types of what they are given."""
    code = {path for pattern in kept.MODULES for path in PACKAGE.glob(pattern)}
    types_alone = {PACKAGE / "errors.py", PACKAGE / "streams.py"}
    # What these modules import determines only the arguments of a figure, which are in its key.
    hand_over = {"registry.py", "drawing.py", "kept.py"}
    assert len(code) > 10
    assert all(path.exists() for path in types_alone)
    for path in {path for path in code if path.name not in hand_over}:
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("deadrelu"):
                place = PACKAGE.parent.joinpath(*node.module.split("."))
                modules = {place.with_suffix(".py")} & set(PACKAGE.rglob("*.py")) or {
                    place / f"{name.name}.py" for name in node.names
                }
                if not node.module.startswith("deadrelu.settings"):  # settings are passed as arguments
                    assert modules <= code | types_alone, path.name
