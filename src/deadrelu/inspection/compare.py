"""Two checkpoints of a model on the same inputs: what has changed from one to the other."""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from deadrelu.analysis.counting import count_of
from deadrelu.errors import InputError
from deadrelu.inspection.inspect import Inspection
from deadrelu.inspection.words import names

LARGE = 2.0
"""A layer has changed when its signal or gradient is this many times what it was, or less than one by it."""

COMPARED = ["rms", "gradient_rms", "kernel_rms", "dead_units", "dead_in_all_calls", "units", "state", "verdict"]


@dataclass(frozen=True)
class Changes:
    """From `before` to `after`."""

    table: pd.DataFrame
    """One row for each layer of both: layer, units, and of `COMPARED` two columns each, with the suffixes _before and
    _after; changed, whether it is shown."""
    sentences: list[str]


def changes(before: Inspection, after: Inspection) -> Changes:
    """Compare two inspections layer by layer: by name, or in order where the same architecture has other names.

    Raises:
        InputError: they have no layer in common.
    """
    one, other = before.table, after.table
    kinds = ["kind", "activation", "layer_class"]
    if set(one["layer"]) != set(other["layer"]) and one[kinds].equals(other[kinds]):
        one = one.assign(layer=other["layer"])
    columns = ["layer", *COMPARED]
    both = one[columns].merge(other[columns], on="layer", suffixes=("_before", "_after"))
    if both.empty:
        raise InputError("compare: received models without a layer in common; expected: two checkpoints of one model")
    both = both.assign(units=both["units_after"])
    moved = pd.Series(data=False, index=both.index)
    with np.errstate(divide="ignore", invalid="ignore"):
        for name in ("rms", "gradient_rms"):
            moved |= np.abs(np.log(both[f"{name}_after"] / both[f"{name}_before"])) >= np.log(LARGE)
    wider = both["units_before"] != both["units_after"]
    dead = both["dead_in_all_calls_after"] - both["dead_in_all_calls_before"]
    changed = moved | wider | (both["dead_units_before"] != both["dead_units_after"])
    changed |= both["verdict_before"] != both["verdict_after"]
    found = []
    if only := sorted(set(one["layer"]) ^ set(other["layer"])):
        found.append(f"Only in one of them: {names(only)}.")
    if wider.any():
        found.append(f"Of another width: {names(list(both['layer'][wider]))}.")
    is_dead, was_dead = both["state_after"] == "dead", both["state_before"] == "dead"
    for text, which in (("Died", is_dead & ~was_dead), ("No longer dead", was_dead & ~is_dead)):
        if which.any():
            found.append(f"{text}: {names(list(both['layer'][which]))}.")
    more, fewer = int(dead.clip(lower=0).sum()), int(-dead.clip(upper=0).sum())
    totals = (int(both[f"dead_in_all_calls_{when}"].sum()) for when in ("before", "after"))
    found.append("Dead units: {:,} before, {:,} after; {:,} more, {:,} fewer.".format(*totals, more, fewer))
    for text, codes in (("New", after.codes - before.codes), ("No longer", before.codes - after.codes)):
        if codes:
            found.append(f"{text}: {', '.join(sorted(codes))}.")
    if not changed.any():
        layers = count_of(len(both), "layer")
        found.append(f"In {layers}, signal and gradient changed by less than a factor of {LARGE:g}.")
    return Changes(both.assign(changed=changed), found)
