"""Sentences on the depth-width grid: tables in, sentences out."""

import numpy as np
import pandas as pd

from deadrelu.report import labels
from deadrelu.report.findings import interval, percent
from deadrelu.report.rate_findings import ALPHA
from deadrelu.settings.params import MAIN, Params


def grid(cells: pd.DataFrame) -> str:
    """Untrained networks of the whole grid against theory; `grid.born_dead_grid`."""
    p = cells[["positive_p", "p"]].to_numpy().ravel()
    if np.isnan(p).any():
        return "Theory needs weights that are independent, continuous and symmetric about 0; these are not."
    surprise = ALPHA / len(p)
    verdict = "agree with" if p.min() >= surprise else "contradict"
    return (
        f"In {labels.count_of(len(cells), 'cell')} of {cells['networks'].iloc[0]:,} networks, the counts {verdict} "
        f"theory: the smallest of {len(p)} p values is {p.min():.2g}, and Bonferroni's limit is {surprise:.1g}."
    )


def wide_enough(cells: pd.DataFrame, share: float, event: str = "dead at initialization") -> str:
    """Return, for some depths, the least of the measured widths from which on fewer than `share` are dead."""
    parts, depths = [], set(cells["depth"])
    for depth in sorted(depths if len(depths) < 6 else depths & {min(depths), 10, max(depths)}):
        rows = cells[cells["depth"] == depth].sort_values("width")
        too_many = rows["width"][rows["rate"] >= share]
        wide = rows["width"] if too_many.empty else rows["width"][rows["width"] > too_many.max()]
        width = "none" if wide.empty else labels.count_of(int(wide.min()), "unit")
        parts.append(f"{labels.count_of(int(depth), 'layer')}: {width}")
    found = "; ".join(parts)
    widths = sorted(set(cells["width"]))
    steps = set(np.diff(widths))
    which = f"{widths[0]} to {widths[-1]}" if steps <= {1} else ", ".join(map(str, widths))
    return (
        f"Smallest of the widths {which} from which on fewer than {percent(share)} of the networks measured are "
        f"{event}, whatever the intervals: {found}."
    )


def trained_initializers(cells: pd.DataFrame, params: Params) -> list[str]:
    """The trained grid from each other initializer beside the main one; `grid.cells`."""
    names = labels.grid_initializers(params)
    trained = cells[cells["trained"].notna()]
    main = trained[trained["initializer"] == MAIN]
    found = []
    for key in [key for key in names if key != MAIN]:
        both = main.merge(trained[trained["initializer"] == key], on=["depth", "width"], suffixes=("", "_other"))
        if both.empty:
            continue
        less = (both["trained_rate"] - both["trained_rate_other"]).to_numpy()
        most = both.iloc[int(np.abs(less).argmax())]
        layers, units = labels.count_of(int(most["depth"]), "layer"), labels.count_of(int(most["width"]), "unit")
        ours, theirs = (
            f"{percent(most[f'trained_rate{of}'])} (interval "
            f"{interval(most[f'trained_low{of}'], most[f'trained_high{of}'])})"
            for of in ("", "_other")
        )
        epochs = labels.count_of(params.grid_epochs, "epoch")
        found.append(
            f"After {epochs}, fewer networks from {names[key]} than from {names[MAIN]} are within "
            f"{params.collapse.tolerance:g} of a constant in {np.sum(less > 0)} of "
            f"{labels.count_of(len(less), 'cell')}, more in {np.sum(less < 0)}. The difference is largest for {layers} "
            f"of {units}: {theirs} and {ours}."
        )
    return found


def training_kills(trained: pd.DataFrame) -> str:
    """Return how much training adds, by one criterion: exactly constant before and after; `grid.trained_grid`."""
    more = (trained["dead"] - trained["born_dead"]).to_numpy()
    cells = labels.count_of(len(trained), "cell")
    if more.max() <= 0:
        return f"In none of {cells}, more networks are exactly constant after training than before it."
    most = trained.iloc[int(np.argmax(more))]
    return (
        f"In {(more > 0).sum()} of {cells}, more networks are exactly constant after training than before it, most in "
        f"that of width {most['width']:.0f} and depth {most['depth']:.0f}: {percent(most['born_dead'])} before, "
        f"{percent(most['dead'])} after ({labels.count_of(int(most['trials']), 'training')})."
    )
