"""Folding of long tables: if blocks of layers repeat, only the first, the last and those with a finding are shown."""

from collections.abc import Sequence

import pandas as pd

from deadrelu.inspection.findings import Finding

SHORT = 40
"""Number of rows up to which a table is shown whole."""

REPEATS = 3
"""Minimum number of successive equal blocks of rows that are folded."""

ALIKE = ["layer_class", "kind", "activation", "units"]


def folded(table: pd.DataFrame, findings: Sequence[Finding]) -> list[int | str]:
    """Return the positions of the rows to show, with a text in place of each group of hidden blocks of rows.

    Args:
        table: the table of an `inspect.Inspection`.
        findings: findings on the model; layers in errors, warnings and notes on dead or saturated units are not hidden.
    """
    if len(table) <= SHORT:
        return list(range(len(table)))
    kinds = list(map(tuple, table[ALIKE].to_numpy()))
    named = {layer for f in findings if f.severity != "note" or f.code.endswith("-units") for layer in f.layers}
    quiet = ~table["layer"].isin(named).to_numpy()
    shown: list[int | str] = []
    at = 0
    while at < len(kinds):
        size, repeats = _repeated(kinds, at)
        if repeats < REPEATS:
            shown.append(at)
            at += 1
            continue
        blocks = [range(at + k * size, at + (k + 1) * size) for k in range(repeats)]
        hidden = 0
        for k, block in enumerate(blocks):
            if 0 < k < repeats - 1 and quiet[block.start : block.stop].all():
                hidden += 1
                continue
            if hidden:
                shown.append(_hidden_blocks(hidden, size))
                hidden = 0
            shown += block
        at = blocks[-1].stop
    return shown


def _repeated(kinds: Sequence[object], at: int) -> tuple[int, int]:
    """Return size and number of the equal blocks of `kinds` from `at` on that cover most; (1, 1) if below `REPEATS`."""
    best = (1, 1)
    for size in range(1, (len(kinds) - at) // REPEATS + 1):
        repeats = 1
        block = kinds[at : at + size]
        while kinds[at + repeats * size : at + (repeats + 1) * size] == block:
            repeats += 1
        if repeats >= REPEATS and size * repeats > best[0] * best[1]:
            best = (size, repeats)
    return best


def _hidden_blocks(blocks: int, size: int) -> str:
    if size == 1:
        return f"… {blocks} more of these" if blocks > 1 else "… 1 more of these"
    return f"… {blocks} more blocks of {size} layers" if blocks > 1 else f"… 1 more block of {size} layers"
