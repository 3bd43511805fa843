"""How the figures look: the same colours, letters and bytes everywhere."""

import itertools
from collections.abc import Mapping
from typing import Any

import seaborn as sns

from deadrelu.labels import Panel

INK = "#1f2933"
MUTED = "#7b8794"
PALETTE = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#56b4e9", "#e69f00", "#6b4c9a", "#8c6d31")
"""The first six are Okabe and Ito's, which colour-blind readers can tell apart."""

MARKERS = "osD^vPX*"
STYLE: dict[Any, Any] = {
    **sns.axes_style("whitegrid"),
    **sns.plotting_context("notebook"),
    "axes.edgecolor": MUTED,
    "axes.labelcolor": INK,
    "axes.titlesize": 11,
    "axes.titleweight": "bold",
    "axes.titlelocation": "left",
    "figure.dpi": 144,
    "font.family": "DejaVu Sans",  # comes with matplotlib: the same bytes on every machine
    "grid.color": "#e4e7eb",
    "text.color": INK,
    "xtick.color": INK,
    "ytick.color": INK,
}


def by_activation(panels: Mapping[str, Panel]) -> dict[str, list[str]]:
    """Cases of each activation function, both in the order given."""
    groups: dict[str, list[str]] = {}
    for case, panel in panels.items():
        groups.setdefault(panel.activation, []).append(case)
    return groups


def colours_of(panels: Mapping[str, Panel]) -> dict[str, str]:
    """One colour per initializer, the same in every figure."""
    initializers = dict.fromkeys(panel.initializer for panel in panels.values())
    return dict(zip(initializers, itertools.cycle(PALETTE), strict=False))
