"""`reports/metrics.json`: nested dictionaries of finite numbers, for `dvc metrics diff` and for `git diff`."""

import json
from collections.abc import Mapping

import numpy as np
import pandas as pd

from deadrelu.analysis import summaries


def collect(source: str, images: int, numbers: Mapping[str, pd.DataFrame]) -> dict[str, object]:
    """Return the metrics as nested dictionaries, by stage and case.

    Args:
        source: source of the MNIST digits, "official" or "bundled".
        images: number of test images.
        numbers: tables by name: signals, epochs, collapse_rates, loop_numbers, over_training, trained_grid.
    """
    epochs, rates = numbers["epochs"], numbers["collapse_rates"]
    signals: dict[str, dict[str, object]] = {}
    for row in numbers["signals"].to_dict("records"):
        layer = {name: row[name] for name in ("std", "rms", "zero_fraction")}
        signals.setdefault(row["case"], {})[f"layer_{row['layer']}"] = layer
    last = summaries.last_epochs(epochs).set_index("case")
    training = last[["loss", "validation_loss", "validation_accuracy"]].to_dict("index")
    collapse: dict[str, dict[str, object]] = {}
    for case, rows in rates.groupby("case", sort=False):
        event = rows.set_index("event")
        collapsed = event.loc["collapsed"]
        collapse[str(case)] = {
            "trials": collapsed["trials"],
            "rate": collapsed["rate"],
            "rate_low": collapsed["low"],
            "rate_high": collapsed["high"],
            **{f"{name}_rate": event.loc[name, "rate"] for name in event.index if name != "collapsed"},
        }
    loops = numbers["loop_numbers"]
    for case, rows in loops[loops["criterion"] == "probes_equal"].groupby("case", sort=False):
        for end in (0, 1):
            collapse[str(case)][f"loop_prints_{end}_rate"] = (
                rows["loops"][rows["number"] == end].sum() / rows["total"].iloc[0]
            )
    followed = numbers["over_training"]
    for row in followed[followed["epoch"] == followed.groupby("case")["epoch"].transform("max")].to_dict("records"):
        name = "dead_rate" if row["criterion"] == "exact" else "rate"
        collapse[row["case"]][f"{name}_after_{row['epoch']}_epochs"] = row["rate"]
    region: dict[str, dict[str, object]] = {}
    for row in numbers["trained_grid"].to_dict("records"):
        cell = {"born_dead_rate": row["born_dead"], "rate": row["rate"]}
        region.setdefault(f"width_{row['width']}", {})[f"depth_{row['depth']}"] = cell
    return {
        "data": {"mnist": {"source": source, "test_images": images}},
        "activations": signals,
        "training": training,
        "collapse": collapse,
        "safe_region": region,
    }


def to_json(tree: dict[str, object]) -> str:
    """Return a result of `collect` as JSON text; floats have 6 significant digits, since machines differ in others.

    A number that is not finite is left out: JSON cannot represent it, and every `dvc metrics diff` would show it.
    """
    return json.dumps(_rounded(tree), indent=2, allow_nan=False) + "\n"


def _rounded(tree: object) -> object:
    if isinstance(tree, dict):
        return {key: _rounded(value) for key, value in tree.items() if not _is_unspeakable(value)}
    if isinstance(tree, (float, np.floating)):
        return float(f"{tree:.6g}")
    return int(tree) if isinstance(tree, np.integer) else tree


def _is_unspeakable(value: object) -> bool:
    return isinstance(value, (float, np.floating)) and not np.isfinite(value)
