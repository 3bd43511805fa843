"""Test that folding a long table hides no layer with a finding, and shows or counts every row."""

import re

import numpy as np
import pandas as pd
import pytest

from deadrelu.inspection import folding
from deadrelu.inspection.findings import Finding

NORMALIZATION = ("BatchNormalization", "normalization", "", 8)
BLOCK = [("Conv2D", "weights", "", 8), NORMALIZATION, ("ReLU", "activation", "relu", 8)]


def table(*layers: tuple[str, str, str, int]) -> pd.DataFrame:
    rows = pd.DataFrame(layers, columns=["layer_class", "kind", "activation", "units"])
    return rows.assign(layer=[f"layer_{k}" for k in range(len(rows))], state="")


def folded(table: pd.DataFrame) -> list[int | str]:
    dead = table["layer"][table["state"] == "dead"].tolist()
    return folding.folded(
        table, [Finding("dead-layer", "error", dead), Finding("frozen", "note", list(table["layer"]))]
    )


def test_blocks_that_repeat_show_the_first_and_the_last() -> None:
    stem, head = ("Conv2D", "weights", "", 3), ("Dense", "output", "softmax", 10)
    long = table(stem, *BLOCK * 20, head)
    assert folded(long) == [0, 1, 2, 3, "… 18 more blocks of 3 layers", 58, 59, 60, 61]


def test_a_block_with_a_finding_is_shown() -> None:
    long = table(*BLOCK * 20)
    long.loc[31, "state"] = "dead"  # in the eleventh block
    shown = folded(long)
    assert shown[3:8] == ["… 9 more blocks of 3 layers", 30, 31, 32, "… 8 more blocks of 3 layers"]


def test_short_and_irregular_tables_are_whole() -> None:
    assert folded(table(*BLOCK * 13)) == list(range(39))
    irregular = table(*[("Dense", "weights", "", k) for k in range(60)])
    assert folded(irregular) == list(range(60))


@pytest.mark.parametrize("seed", range(20))
def test_every_row_is_shown_or_counted(seed: int) -> None:
    rng = np.random.default_rng(seed)
    blocks = [[BLOCK[k] for k in rng.integers(3, size=rng.integers(1, 5))] * int(rng.integers(1, 12)) for _ in range(8)]
    long = table(*[layer for block in blocks for layer in block], *BLOCK * 12)
    long["state"] = rng.choice(["", "dead"], len(long), p=[0.95, 0.05])
    shown = folded(long)
    rows = [x for x in shown if isinstance(x, int)]
    assert rows == sorted(set(rows))
    assert set(np.flatnonzero(long["state"] == "dead")) <= set(rows)
    hidden = [re.fullmatch(r"… (\d+) more (?:of these|blocks? of (\d+) layers)", x) for x in shown if x not in rows]
    assert sum(int(m[1]) * int(m[2] or 1) for m in hidden if m) + len(rows) == len(long)
    assert all(hidden)
