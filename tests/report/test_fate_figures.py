"""Functions over their target, losses by fate, and the bar of fates, point by point."""

import numpy as np
import pandas as pd
import pytest
from matplotlib.colors import to_hex
from matplotlib.patches import Rectangle

from deadrelu.analysis import fates
from deadrelu.report.figures import fate_figures, style

COUNTS = pd.DataFrame({"case": "a", "fate": list(fates.FATES), "count": [50, 30, 0, 20], "trials": 100})


def test_functions_lie_over_their_target() -> None:
    drawn = pd.DataFrame({"case": "a", "fate": ["alive"] * 2, "trial": 3, "x": [-1.0, 1.0], "trained": [2.0, 3.0]})
    other = drawn.assign(fate="born_dead", trial=4, trained=0.5)
    x, y = np.array([-1.0, 0.0, 1.0]), np.array([1.0, 0.0, 4.0])
    (ax,) = fate_figures.functions(pd.concat([drawn, other]), COUNTS, {"a": (x, y)}, {"a": "A"}, fates.FATES).axes
    target, alive, dead = ax.get_lines()
    assert target.get_xydata().tolist() == [[-1, 1], [0, 0], [1, 4]]
    assert alive.get_xydata().tolist() == [[-1, 2], [1, 3]]
    assert dead.get_ydata().tolist() == [0.5, 0.5]
    assert [line.get_color() for line in (alive, dead)] == [
        style.FATE_COLOURS["alive"],
        style.FATE_COLOURS["born_dead"],
    ]
    low, high = ax.get_ylim()
    assert low < 0
    assert high > 4


def test_losses_are_medians_in_bands() -> None:
    table = pd.DataFrame({"case": "a", "epoch": [0, 1], "low": [1.0, 0.5], "median": [2.0, 1.0], "high": [3.0, 2.0]})
    table = pd.concat([table.assign(fate="dies"), table.assign(fate="alive", median=1.5)]).assign(best_constant=0.7)
    figure = fate_figures.losses(table, COUNTS, {"a": "A"}, fates.FATES)
    (ax,) = figure.axes
    dies, alive, best = ax.get_lines()
    assert dies.get_xydata().tolist() == [[0, 2], [1, 1]]
    assert alive.get_ydata().tolist() == [1.5, 1.5]
    assert set(best.get_ydata()) == {0.7}
    for band, fate in zip(ax.collections, ("dies", "alive"), strict=True):
        vertices = band.get_paths()[0].vertices
        assert {(float(x), float(y)) for x, y in vertices} == {(0, 1), (1, 0.5), (0, 3), (1, 2)}
        assert to_hex(band.get_facecolor()[0]) == style.FATE_COLOURS[fate]
    happened = [text.get_text() for text in figure.legends[0].get_texts()]
    assert happened == ["dead at initialization", "collapsed in training", "alive", "best constant"]


@pytest.mark.parametrize(("factor", "scale"), [(10, "linear"), (30, "log")])
def test_losses_over_many_powers_of_ten_are_logarithmic(factor: float, scale: str) -> None:
    table = pd.DataFrame({"case": "a", "fate": "dies", "epoch": [0, 1], "low": 1.0, "median": 2.0, "high": factor})
    (ax,) = fate_figures.losses(table.assign(best_constant=1.0), COUNTS, {"a": "A"}, fates.FATES).axes
    assert ax.get_yscale() == scale


def test_bar_shows_how_many_met_which_fate() -> None:
    drawn = pd.DataFrame({"case": ["a"], "fate": "alive", "trial": 3, "x": 0.0, "trained": 0.0})
    over = {"a": (np.array([0.0, 1.0]), np.array([0.0, 1.0]))}
    (ax,) = fate_figures.functions(drawn, COUNTS, over, {"a": "A"}, fates.FATES).axes
    bars = [patch for patch in ax.patches if isinstance(patch, Rectangle)]
    assert [bar.get_x() for bar in bars] == pytest.approx([0, 0.5, 0.8, 0.8])
    assert [bar.get_width() for bar in bars] == pytest.approx([0.5, 0.3, 0, 0.2])
    assert [to_hex(bar.get_facecolor()) for bar in bars] == list(style.FATE_COLOURS.values())
    assert [text.get_text() for text in ax.texts] == ["50", "30", "20"]
