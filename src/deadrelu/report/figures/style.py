"""Define the style of figures: colours for light and dark pages, and fonts that are the same on every machine."""

import itertools
import textwrap
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import matplotlib as mpl
from matplotlib import font_manager
from matplotlib.axes import Axes
from matplotlib.figure import Figure

if TYPE_CHECKING:
    from deadrelu.report.labels import Panel  # imports the settings, which the figure of a model does not need

PAPER = "#ffffff"
INK = "#1f2933"
MUTED = "#7b8794"
GRID = "#e4e7eb"
ACCENT = "#b3123f"
"""Colour of numbers to which measured values are compared: published ones, or those of a second network."""

PALETTE = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#56b4e9", "#e69f00", "#6b4c9a", "#8c6d31", "#5c6670")
"""Colours of initializers, of which colour-blind readers can distinguish the first six (Okabe and Ito)."""

MARKERS = "osD^vPX*p"

OUTCOME_COLOURS = {
    "born_dead": "#3b4754",
    "died": "#b0304f",
    "stayed_within": "#7a5195",
    "became_within": "#c8643c",
    "one_sided": "#b7791f",
    "alive": "#0f7f78",
}
OUTCOME_LINES = {
    "born_dead": "-",
    "died": "--",
    "stayed_within": (0, (5, 1)),
    "became_within": ":",
    "one_sided": "-.",
    "alive": "-",
}

DARK = {
    PAPER: "#14191f",
    INK: "#e6eaf0",
    MUTED: "#93a0ad",
    GRID: "#2c343d",
    ACCENT: "#ff7a99",
    **dict(
        zip(
            PALETTE,
            ("#3ea1e0", "#f0833a", "#2cc49b", "#dc9cc0", "#7cc7f2", "#f2b632", "#a487d6", "#c19f5c", "#a3adb8"),
            strict=True,
        )
    ),
    **dict(
        zip(
            OUTCOME_COLOURS.values(),
            ("#b9c3cd", "#f0708f", "#b08fd6", "#f0936b", "#e0aa52", "#3fbfb4"),
            strict=True,
        )
    ),
}
"""Colour on a dark page for each colour of a light one."""

STYLE: dict[Any, Any] = {
    "axes.axisbelow": True,
    "axes.edgecolor": MUTED,
    "axes.facecolor": PAPER,
    "axes.grid": True,
    "axes.labelcolor": INK,
    "axes.labelsize": 11,
    "axes.linewidth": 0.8,
    "axes.titlecolor": INK,
    "axes.titlesize": 11.5,
    "axes.titleweight": "bold",
    "axes.titlelocation": "left",
    "figure.dpi": 144,
    "figure.facecolor": PAPER,
    "font.size": 11,
    "font.family": "DejaVu Sans",  # see `bundled_fonts_first`
    "grid.color": GRID,
    "grid.linewidth": 0.8,
    "legend.fontsize": 10,
    "legend.frameon": False,
    "savefig.facecolor": PAPER,
    "svg.hashsalt": "deadrelu",  # fixes the names of clip paths, which are random otherwise
    "text.color": INK,
    "lines.solid_capstyle": "round",
    "patch.edgecolor": PAPER,
    "patch.force_edgecolor": True,
    **{f"{axis}tick.{kind}.size": 0 for axis in "xy" for kind in ("major", "minor")},
    "xtick.color": INK,
    "xtick.major.pad": 6,
    "ytick.color": INK,
    "ytick.major.pad": 6,
    "xtick.labelsize": 10,
    "ytick.labelsize": 10,
}

MAX_NAME_LINES = 3
"""Largest number of lines of a name; a longer name is cut."""


@contextmanager
def bundled_fonts_first() -> Iterator[None]:
    """Prefer, within the context, the fonts of matplotlib to those of the system, whose versions may differ.

    This way, figures have the same bytes on every machine.
    """
    manager, bundled = font_manager.fontManager, str(mpl.get_data_path())
    before = manager.ttflist
    others = [font for font in manager.ttflist if not font.fname.startswith(bundled)]
    # Of equal fonts, the first is used. They are added anew: the cached list may be that of another environment.
    manager.ttflist = []
    for path in sorted(Path(bundled, "fonts", "ttf").glob("*.ttf")):
        manager.addfont(path)
    manager.ttflist += others
    try:
        yield
    finally:
        manager.ttflist = before


def by_activation(panels: "Mapping[str, Panel]") -> dict[str, list[str]]:
    """Return the keys of the cases of each activation function, in the order of `panels`."""
    groups: dict[str, list[str]] = {}
    for case, panel in panels.items():
        groups.setdefault(panel.activation, []).append(case)
    return groups


def colours(names: Iterable[str]) -> dict[str, str]:
    """Return a colour for each name; the same names, in the same order, have the same colours in every figure."""
    return dict(zip(dict.fromkeys(names), itertools.cycle(PALETTE), strict=False))


def markers(colours: Mapping[str, str]) -> dict[str, str]:
    """Return a mark, in the notation of matplotlib, for each name in `colours`."""
    return dict(zip(colours, itertools.cycle(MARKERS), strict=False))


def wrapped(name: str, width: int) -> str:
    """Return a name, broken into at most `MAX_NAME_LINES` lines of at most `width` characters."""
    return "\n".join(textwrap.wrap(name, width, max_lines=MAX_NAME_LINES, placeholder=" …"))


def most_lines(names: Iterable[str]) -> int:
    """Return the largest number of lines of any of some wrapped names, by which the heights of figures are chosen."""
    return max((name.count("\n") + 1 for name in names), default=1)


def legend_below(figure: Figure, handles: list[Any], columns: int) -> None:
    """Add one legend below all panels, and increase the height of the figure by that of the legend.

    Args:
        figure: figure without a legend.
        handles: labelled artists that the legend explains.
        columns: largest number of columns; the legend has fewer if names are long.
    """
    for handle in handles:
        handle.set_label(wrapped(handle.get_label(), 60))
    names = [handle.get_label() for handle in handles]
    width, height = figure.get_size_inches()
    letters = max((len(line) for name in names for line in name.split("\n")), default=0)
    columns = max(1, min(columns, int(width / (0.7 + 0.088 * letters))))
    rows = -(-len(handles) // columns)
    figure.set_size_inches(width, height + rows * (0.06 + 0.18 * most_lines(names)))
    figure.legend(handles=handles, loc="outside lower center", ncols=columns)


def message(text: str) -> Figure:
    """Return a figure with only a text, which says why there is nothing to draw."""
    with mpl.rc_context(STYLE):
        figure = Figure(figsize=(9, 1.4))
        figure.text(0.5, 0.5, wrapped(text, 90), ha="center", va="center", fontsize=11)
    return figure


def empty(ax: Axes, text: str) -> None:
    """Write a text into an empty panel, which says why there is nothing to draw."""
    ax.set(xticks=[], yticks=[])
    ax.text(0.5, 0.5, wrapped(text, 24), transform=ax.transAxes, ha="center", va="center", fontsize=10)
