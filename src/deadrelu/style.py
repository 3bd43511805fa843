"""How the figures look: the same colours, letters and bytes everywhere."""

from typing import Any

import seaborn as sns

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
