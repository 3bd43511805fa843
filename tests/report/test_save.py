"""Test files of figures: their bytes depend on the figure alone, and the SVG is for light and dark pages."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import matplotlib as mpl
import numpy as np
import pytest
from matplotlib import font_manager
from matplotlib.figure import Figure
from PIL import Image

from deadrelu.report.figures import save, style


def drawn() -> Figure:
    with mpl.rc_context(style.STYLE):
        figure = Figure(figsize=(3, 2), layout="constrained")
        ax = figure.subplots()
        ax.plot([0, 1], [0, 1], color=style.PALETTE[0])
        ax.fill_between([0, 1], [0, 1], color=style.ACCENT, alpha=0.2)
        ax.set_title("a title")
    return figure


def test_same_figure_same_bytes(tmp_path: Path) -> None:
    for name in ("a", "b"):
        save.save(drawn(), tmp_path / f"{name}.png")
    for kind in ("png", "svg"):
        assert (tmp_path / f"a.{kind}").read_bytes() == (tmp_path / f"b.{kind}").read_bytes()


def test_ids_depend_on_no_last_bit(tmp_path: Path) -> None:
    """Axes that differ by less than a printed digit, as on processors that round differently, give the same SVG."""
    for name, shift in (("a", 0.0), ("b", 1e-12)):
        figure = drawn()
        figure.set_layout_engine("none")
        figure.axes[0].set_position((0.2, 0.2, 0.6 + shift, 0.6))
        save.save(figure, tmp_path / f"{name}.png")
    svg = (tmp_path / "a.svg").read_text()
    assert svg == (tmp_path / "b.svg").read_text()
    assert set(re.findall(r"url\(#(\w+)\)", svg)) <= set(re.findall(r'<clipPath id="(\w+)"', svg))


def test_files_tell_no_date_and_no_version(tmp_path: Path) -> None:
    save.save(drawn(), tmp_path / "a.png")
    assert not Image.open(tmp_path / "a.png").text  # type: ignore[attr-defined]
    assert not re.search(r"<dc:date>|[Mm]atplotlib v", (tmp_path / "a.svg").read_text())


def test_colours_of_the_house_follow_the_page(tmp_path: Path) -> None:
    """Every colour becomes a variable with a light and a dark value, and none stays as it was drawn."""
    save.save(drawn(), tmp_path / "a.png")
    svg = (tmp_path / "a.svg").read_text()
    style_sheet, rest = svg.split("</style>", 1)
    for colour, on_dark in style.DARK.items():
        assert colour not in rest
        light, dark = style_sheet.split("@media")
        assert colour in light
        assert on_dark in dark
    for colour in (style.PALETTE[0], style.ACCENT, style.PAPER, style.INK, style.GRID):
        number = list(style.DARK).index(colour)
        assert f"var(--c{number})" in rest


def test_png_has_all_its_resolution(tmp_path: Path) -> None:
    save.save(drawn(), tmp_path / "a.png")
    image = Image.open(tmp_path / "a.png")
    assert image.size == (3 * 144, 2 * 144)
    assert np.asarray(image.convert("L")).std() > 10


def test_fonts_of_the_system_change_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Bundled fonts are used although only another DejaVu is known, as from a font list of another environment."""
    bundled = Path(mpl.get_data_path(), "fonts", "ttf")
    manager = font_manager.FontManager()
    monkeypatch.setattr(font_manager, "fontManager", manager)
    manager.ttflist = []
    for name in ("DejaVuSans.ttf", "DejaVuSans-Bold.ttf"):
        shutil.copy(bundled / name, tmp_path)
        manager.addfont(tmp_path / name)
    font = font_manager.FontProperties(family="DejaVu Sans")
    assert Path(manager.findfont(font)).parent == tmp_path
    before = list(manager.ttflist)
    with style.bundled_fonts_first():
        for weight in ("normal", "bold"):
            font = font_manager.FontProperties(family="DejaVu Sans", weight=weight)
            assert Path(manager.findfont(font)).parent == bundled
        assert {path.name for path in bundled.glob("*.ttf")} <= {Path(font.fname).name for font in manager.ttflist}
    assert manager.ttflist == before  # the user's list is restored


def test_no_font_of_mathematical_text_is_missed(tmp_path: Path) -> None:
    """Matplotlib warns of each font that it does not find, whether or not it needs it."""
    draw = (
        "from deadrelu.report.figures.style import bundled_fonts_first\n"
        "from matplotlib.mathtext import MathTextParser\n"
        "with bundled_fonts_first(): MathTextParser('path').parse('$10^1$')"
    )
    env = os.environ | {"MPLCONFIGDIR": str(tmp_path)}
    done = subprocess.run([sys.executable, "-c", draw], env=env, capture_output=True, text=True, check=True)
    assert "findfont" not in done.stderr


@pytest.mark.parametrize("name", ["A" * 500, "word " * 200])
def test_names_without_end_are_cut(name: str) -> None:
    lines = style.wrapped(name, 20).split("\n")
    assert len(lines) <= style.MAX_NAME_LINES
    assert max(map(len, lines)) <= 20
    assert lines[-1].endswith("…")
