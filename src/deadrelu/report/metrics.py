"""`reports/metrics.json`: nested dictionaries of finite numbers, for `dvc metrics diff` and for `git diff`."""

import json
from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd

from deadrelu.analysis import summaries

Tree = dict[str, Any]


def collect(numbers: Mapping[str, pd.DataFrame]) -> Tree:
    """Return the metrics as nested dictionaries, by stage and case.

    `numbers` has tables by name: data, signals, epochs, collapse_rates, loop_numbers, over_training, trained_grid.
    """
    (digits,) = numbers["data"].to_dict("records")
    last = summaries.last_epochs(numbers["epochs"]).set_index("case")
    cells = numbers["trained_grid"].assign(born_dead_rate=numbers["trained_grid"]["born_dead"])
    region = _by_two_keys(cells, "width", "depth", ["born_dead_rate", "rate"])
    return {
        "data": {"mnist": {"source": digits["mnist_source"], "test_images": digits["test_images"]}},
        "activations": _by_two_keys(numbers["signals"], "case", "layer", ["std", "rms", "zero_fraction"]),
        "training": last[["loss", "validation_loss", "validation_accuracy"]].to_dict("index"),
        "collapse": _collapse(numbers),
        "safe_region": {f"width_{width}": by_depth for width, by_depth in region.items()},
    }


def _by_two_keys(table: pd.DataFrame, outer: str, inner: str, names: list[str]) -> Tree:
    """Return the columns `names` of each row by its value in the column `outer`, then by such a key as 'layer_3'."""
    keyed = table.set_index(f"{inner}_" + table[inner].astype(str))
    return {str(key): rows[names].to_dict("index") for key, rows in keyed.groupby(outer, sort=False)}


def _collapse(numbers: Mapping[str, pd.DataFrame]) -> Tree:
    cases: Tree = {}
    for case, rows in numbers["collapse_rates"].groupby("case", sort=False):
        by_event = rows.set_index("event").to_dict("index")
        collapsed = by_event.pop("collapsed")
        cases[str(case)] = {
            "trials": collapsed["trials"],
            **{f"rate{end}": collapsed[name] for end, name in (("", "rate"), ("_low", "low"), ("_high", "high"))},
            **{f"{event}_rate": row["rate"] for event, row in by_event.items()},
        }
    loops = numbers["loop_numbers"]
    for case, rows in loops[loops["criterion"] == "probes_equal"].groupby("case", sort=False):
        for end in (0, 1):
            prints = rows["loops"][rows["number"] == end].sum() / rows["total"].iloc[0]
            cases[str(case)][f"loop_prints_{end}_rate"] = prints
    for row in summaries.last_epochs(numbers["over_training"]).to_dict("records"):
        name = "dead_rate" if row["criterion"] == "exact" else "rate"
        cases[row["case"]][f"{name}_after_{row['epoch']}_epochs"] = row["rate"]
    return cases


def to_json(tree: Tree) -> str:
    """Return a result of `collect` as JSON text; floats have 6 significant digits, since machines differ in others.

    A number that is not finite is left out: JSON cannot represent it, and every `dvc metrics diff` would show it.
    """
    return json.dumps(_rounded(tree), indent=2, allow_nan=False) + "\n"


def _rounded(tree: object) -> object:
    if isinstance(tree, dict):
        branches = {key: _rounded(value) for key, value in tree.items()}
        return {key: value for key, value in branches.items() if value is not None}
    if isinstance(tree, (float, np.floating)):
        return float(f"{tree:.6g}") if np.isfinite(tree) else None
    return int(tree) if isinstance(tree, np.integer) else tree
