"""Comparison of the inspections of two checkpoints of a model on the same inputs."""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from deadrelu.analysis.counting import count_of
from deadrelu.errors import InputError
from deadrelu.inspection.inspect import Inspection
from deadrelu.inspection.words import names

LARGE = 2.0
"""Factor by which the rms of a layer's signal or gradient must grow or shrink for the layer to count as changed."""

COMPARED = ["rms", "gradient_rms", "kernel_rms", "dead_units", "dead_in_all_calls", "units", "state", "verdict"]


@dataclass(frozen=True)
class Changes:
    """The changes of a model from one inspection, `before`, to another, `after`."""

    table: pd.DataFrame
    """A table with one row for each layer that both inspections have. Columns: layer; units (after); for each name in
    `COMPARED`, two columns with the suffixes _before and _after; changed (whether the layer counts as changed)."""
    sentences: list[str]


def changes(before: Inspection, after: Inspection) -> Changes:
    """Compare two inspections layer by layer: by name, or by position if equal architectures have different names.

    Raises:
        InputError: the inspections have no layer in common.
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
    sentences = []
    if only := sorted(set(one["layer"]) ^ set(other["layer"])):
        sentences.append(f"Only in one of them: {names(only)}.")
    if wider.any():
        sentences.append(f"Of another width: {names(list(both['layer'][wider]))}.")
    is_dead, was_dead = both["state_after"] == "dead", both["state_before"] == "dead"
    for text, selected in (("Died", is_dead & ~was_dead), ("No longer dead", was_dead & ~is_dead)):
        if selected.any():
            sentences.append(f"{text}: {names(list(both['layer'][selected]))}.")
    more, fewer = int(dead.clip(lower=0).sum()), int(-dead.clip(upper=0).sum())
    totals = (int(both[f"dead_in_all_calls_{when}"].sum()) for when in ("before", "after"))
    sentences.append("Dead units: {:,} before, {:,} after; {:,} more, {:,} fewer.".format(*totals, more, fewer))
    for text, codes in (("New", after.codes - before.codes), ("No longer", before.codes - after.codes)):
        if codes:
            sentences.append(f"{text}: {', '.join(sorted(codes))}.")
    if not changed.any():
        layers = count_of(len(both), "layer")
        sentences.append(f"In {layers}, signal and gradient changed by less than a factor of {LARGE:g}.")
    return Changes(both.assign(changed=changed), sentences)
