"""Derive the report's sentences on the depth-width grid from its tables."""

import numpy as np
import pandas as pd

from deadrelu.analysis.intervals import wilson
from deadrelu.report import labels
from deadrelu.report.findings import interval, percent
from deadrelu.report.rate_findings import ALPHA
from deadrelu.settings.params import Params
from deadrelu.settings.stages import MAIN


def grid(cells: pd.DataFrame) -> str:
    """Return a sentence that compares dead untrained networks with theory; `cells` is from `grid.born_dead_grid`."""
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
    """Return a sentence with the width, for some depths, from which on fewer than `share` of the networks are dead.

    Args:
        cells: one row per cell: depth, width, networks, rate (share of networks with the event).
        share: limit; widths whose 95 % Wilson interval contains it are undecided.
        event: name of the event in words.
    """
    parts, depths = [], set(cells["depth"])
    for depth in sorted(depths if len(depths) < 6 else depths & {min(depths), 10, max(depths)}):
        rows = cells[cells["depth"] == depth].sort_values("width")
        parts.append(f"{labels.count_of(int(depth), 'layer')}: {_least_width(rows, share)}")
    widths = sorted(set(cells["width"]))
    steps = set(np.diff(widths))
    which = f"{widths[0]} to {widths[-1]}" if steps <= {1} else ", ".join(map(str, widths))
    return (
        f"Smallest of the widths {which} from which on fewer than {percent(share)} of the networks are {event}, as far "
        f"as 95 % intervals decide it: {'; '.join(parts)}."
    )


def _least_width(rows: pd.DataFrame, share: float) -> str:
    """Return the width from which on rates are below `share`, such as '8 or 9 units'; `rows` are of one depth."""
    widths = rows["width"].to_numpy()
    counts = np.round(rows["rate"] * rows["networks"]).astype(int)
    bounds = [wilson(count, n) for count, n in zip(counts, rows["networks"], strict=True)]
    above = max((width for width, bound in zip(widths, bounds, strict=True) if bound.low >= share), default=0)
    not_below = max((width for width, bound in zip(widths, bounds, strict=True) if bound.high >= share), default=0)
    possible, certain = (widths[widths > limit] for limit in (above, not_below))
    if not len(possible):
        return f"more than {labels.count_of(int(widths[-1]), 'unit')}"
    if not len(certain):
        return f"{labels.count_of(int(possible[0]), 'unit')} or more"
    undecided = [str(width) for width in widths if possible[0] <= width < certain[0]]
    return " or ".join([*undecided, labels.count_of(int(certain[0]), "unit")])


def trained_initializers(cells: pd.DataFrame, params: Params) -> list[str]:
    """Return sentences that compare other initializers with the main one after training, from table `grid.cells`."""
    names = labels.grid_initializers(params)
    trained = cells[cells["trained"].notna()]
    main = trained[trained["initializer"] == MAIN]
    sentences = []
    for key in [key for key in names if key != MAIN]:
        both = main.merge(trained[trained["initializer"] == key], on=["depth", "width"], suffixes=("", "_other"))
        if both.empty:
            continue
        less = (both["trained_rate"] - both["trained_rate_other"]).to_numpy()
        most = both.iloc[int(np.abs(less).argmax())]
        layers, units = labels.count_of(int(most["depth"]), "layer"), labels.count_of(int(most["width"]), "unit")
        ours, theirs = (
            f"{percent(most[f'trained_rate{suffix}'])} (interval "
            f"{interval(most[f'trained_low{suffix}'], most[f'trained_high{suffix}'])})"
            for suffix in ("", "_other")
        )
        epochs = labels.count_of(params.grid_epochs, "epoch")
        sentences.append(
            f"After {epochs}, fewer networks from {names[key]} than from {names[MAIN]} are within "
            f"{params.collapse.tolerance:g} of a constant in {np.sum(less > 0)} of "
            f"{labels.count_of(len(less), 'cell')}, more in {np.sum(less < 0)}. The difference is largest for {layers} "
            f"of {units}: {theirs} and {ours}."
        )
    return sentences


def training_kills(trained: pd.DataFrame) -> str:
    """Return a sentence on cells with more dead networks after training; `trained` is from `grid.trained_grid`."""
    more = (trained["dead"] - trained["born_dead"]).to_numpy()
    cells = labels.count_of(len(trained), "cell")
    if more.max() <= 0:
        return f"In none of {cells}, more networks are exactly constant after training than before it."
    most = trained.iloc[int(np.argmax(more))]
    return (
        f"In {(more > 0).sum()} of {cells}, more networks are exactly constant after training than before it, most in "
        f"that of width {most['width']:.0f} and depth {most['depth']:.0f}: {percent(most['born_dead'])} before, "
        f"{percent(most['dead'])} after ({labels.count_of(int(most['trials']), 'training')}; whether it is more than "
        "in the other cells is not tested)."
    )
