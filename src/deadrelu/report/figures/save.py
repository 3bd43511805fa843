"""Write figures as files whose bytes depend on the figure alone: PNG, and SVG for light and dark pages."""

import re
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from matplotlib.figure import Figure  # an import of a quarter of a second


def save(drawn: "Figure", path: Path) -> None:
    """Write a figure as PNG to `path`, and as SVG to the same folder; the SVG follows its page's colour scheme."""
    import matplotlib as mpl
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.backends.backend_svg import FigureCanvasSVG

    from deadrelu.report.figures.style import STYLE, bundled_fonts_first

    vector = path.with_suffix(".svg")
    undated = {"Date": None, "Creator": None}
    # The files contain no dates and no version of matplotlib. `savefig` would draw everything once more for the
    # layout, which takes most of the time.
    with mpl.rc_context(STYLE), bundled_fonts_first():
        FigureCanvasAgg(drawn).print_png(path, metadata={"Software": None})  # type: ignore[no-untyped-call]
        drawn.set_layout_engine("none")  # keeps the layout of the PNG
        FigureCanvasSVG(drawn).print_svg(vector, metadata=undated)  # type: ignore[no-untyped-call]
    vector.write_text(_both_schemes(_numbered(vector.read_text(encoding="utf-8"))), encoding="utf-8")


def _numbered(svg: str) -> str:
    """Replace the ids that hash coordinates by numbers, because the last bits of coordinates differ by processor."""
    numbers: dict[str, int] = {}
    return re.sub(r"\b([mp])[0-9a-f]{10}\b", lambda m: f"{m[1]}{numbers.setdefault(m[0], len(numbers))}", svg)


def _both_schemes(svg: str) -> str:
    """Return an SVG in which each colour of `DARK` is a variable with another value on a dark page."""
    from deadrelu.report.figures.style import DARK

    light, dark = [], []
    for number, (colour, on_dark) in enumerate(DARK.items()):
        svg = svg.replace(colour, f"var(--c{number})")
        light.append(f"--c{number}:{colour}")
        dark.append(f"--c{number}:{on_dark}")
    style = f":root{{{';'.join(light)}}}@media(prefers-color-scheme:dark){{:root{{{';'.join(dark)}}}}}"
    head, _, body = svg.partition("<defs>")
    return f"{head}<style>{style}</style><defs>{body}"
