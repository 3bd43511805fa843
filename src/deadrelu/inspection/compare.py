"""Two checkpoints of a model on the same inputs: what has changed from one to the other."""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from deadrelu.inspection.inspect import Inspection
from deadrelu.inspection.sentences import names
from deadrelu.report.labels import count_of

LARGE = 2.0
"""A layer has changed when its signal or gradient is this many times what it was, or less than one by it."""


@dataclass(frozen=True)
class Changes:
    """From `before` to `after`."""

    table: pd.DataFrame
    """One row for each layer of both: layer, and of rms, gradient_rms, kernel_rms, dead_units and verdict two columns,
    with the suffixes _before and _after; changed, whether it is told."""
    sentences: list[str]


def changes(before: Inspection, after: Inspection) -> Changes:
    """Join two inspections by the names of the layers."""
    columns = ["layer", "units", "rms", "gradient_rms", "kernel_rms", "dead_units", "verdict"]
    one, other = before.table[columns], after.table[columns]
    both = one.merge(other, on=["layer", "units"], suffixes=("_before", "_after"))
    moved = pd.Series(data=False, index=both.index)
    with np.errstate(divide="ignore", invalid="ignore"):
        for name in ("rms", "gradient_rms"):
            moved |= np.abs(np.log(both[f"{name}_after"] / both[f"{name}_before"])) >= np.log(LARGE)
    dead = both["dead_units_after"] - both["dead_units_before"]
    changed = moved | (dead != 0) | (both["verdict_before"] != both["verdict_after"])
    found = []
    if only := sorted(set(one["layer"]) ^ set(other["layer"])):
        found.append(f"Only in one of them: {names(only)}.")
    died = both[(both["dead_units_after"] == both["units"]) & (both["dead_units_before"] < both["units"])]
    back = both[(both["dead_units_before"] == both["units"]) & (both["dead_units_after"] < both["units"])]
    if len(died):
        found.append(f"Died: {names(died['layer'])}.")
    if len(back):
        found.append(f"Came back: {names(back['layer'])}.")
    found.append(
        f"Dead units: {both['dead_units_before'].sum():,.0f} before, {both['dead_units_after'].sum():,.0f} after; "
        f"{dead.clip(lower=0).sum():,.0f} more in some layers, {-dead.clip(upper=0).sum():,.0f} fewer in others."
    )
    for problem in sorted(after.problems - before.problems):
        found.append(f"New: {problem}.")
    for problem in sorted(before.problems - after.problems):
        found.append(f"No longer: {problem}.")
    if not changed.any():
        found.append(
            f"In all {count_of(len(both), 'layer')} signal and gradient changed by less than a factor of {LARGE:g}."
        )
    return Changes(both.assign(changed=changed), found)
