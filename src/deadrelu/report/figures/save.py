"""Figures as files, whose bytes depend on the figure alone: PNG, and SVG for light and dark pages."""

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from matplotlib.figure import Figure  # a quarter of a second


def save(drawn: "Figure", path: Path) -> None:
    """Write a figure to `path`, a PNG, and beside it as SVG, which follows the colour scheme of the page it is in."""
    import matplotlib as mpl
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.backends.backend_svg import FigureCanvasSVG

    from deadrelu.report.figures.style import STYLE, bundled_fonts_first

    vector = path.with_suffix(".svg")
    undated = {"Date": None, "Creator": None}
    # No dates, and no version of matplotlib in the files. Not `savefig`, which would draw everything once more to lay
    # it out, and layout is most of the time.
    with mpl.rc_context(STYLE), bundled_fonts_first():
        FigureCanvasAgg(drawn).print_png(path, metadata={"Software": None})  # type: ignore[no-untyped-call]
        drawn.set_layout_engine("none")  # as laid out for the PNG
        FigureCanvasSVG(drawn).print_svg(vector, metadata=undated)  # type: ignore[no-untyped-call]
    vector.write_text(_both_schemes(vector.read_text(encoding="utf-8")), encoding="utf-8")


def _both_schemes(svg: str) -> str:
    """Replace each colour of the palette by a variable, whose value is another on a dark page."""
    from deadrelu.report.figures.style import DARK

    light, dark = [], []
    for number, (colour, on_dark) in enumerate(DARK.items()):
        svg = svg.replace(colour, f"var(--c{number})")
        light.append(f"--c{number}:{colour}")
        dark.append(f"--c{number}:{on_dark}")
    style = f":root{{{';'.join(light)}}}@media(prefers-color-scheme:dark){{:root{{{';'.join(dark)}}}}}"
    head, _, body = svg.partition("<defs>")
    return f"{head}<style>{style}</style><defs>{body}"
