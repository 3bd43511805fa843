"""Test the figures of functions, losses and deaths, and the bar of outcomes, point by point."""

import numpy as np
import pandas as pd
import pytest
from matplotlib.colors import to_hex
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from matplotlib.text import Text

from deadrelu.analysis import outcomes
from deadrelu.report.figures import outcome_figures, style

COUNTS = pd.DataFrame({"case": "a", "outcome": list(outcomes.OUTCOMES), "count": [50, 27, 0, 3, 0, 20], "trials": 100})


def test_functions_lie_over_their_target() -> None:
    drawn = pd.DataFrame({"case": "a", "outcome": ["alive"] * 2, "trial": 3, "x": [-1.0, 1.0], "trained": [2.0, 3.0]})
    other = drawn.assign(outcome="born_dead", trial=4, trained=0.5)
    x, y = np.array([-1.0, 0.0, 1.0]), np.array([1.0, 0.0, 4.0])
    (ax,) = outcome_figures.functions(
        pd.concat([drawn, other]), COUNTS, {"a": (x, y)}, {"a": "A"}, outcomes.OUTCOMES
    ).axes
    target, alive, dead = ax.get_lines()
    assert target.get_xydata().tolist() == [[-1, 1], [0, 0], [1, 4]]
    assert alive.get_xydata().tolist() == [[-1, 2], [1, 3]]
    assert dead.get_ydata().tolist() == [0.5, 0.5]
    assert [line.get_color() for line in (alive, dead)] == [
        style.OUTCOME_COLOURS["alive"],
        style.OUTCOME_COLOURS["born_dead"],
    ]
    low, high = ax.get_ylim()
    assert low < 0
    assert high > 4


def test_losses_are_medians_in_bands() -> None:
    table = pd.DataFrame({"case": "a", "epoch": [0, 1], "low": [1.0, 0.5], "median": [2.0, 1.0], "high": [3.0, 2.0]})
    table = pd.concat([table.assign(outcome="died"), table.assign(outcome="alive", median=1.5)]).assign(
        best_constant=0.7
    )
    figure = outcome_figures.losses(table, COUNTS, {"a": "A"}, outcomes.OUTCOMES)
    (ax,) = figure.axes
    died, alive, best = ax.get_lines()
    assert died.get_xydata().tolist() == [[0, 2], [1, 1]]
    assert alive.get_ydata().tolist() == [1.5, 1.5]
    assert set(best.get_ydata()) == {0.7}
    for band, fate in zip(ax.collections, ("died", "alive"), strict=True):
        vertices = band.get_paths()[0].vertices
        assert {(float(x), float(y)) for x, y in vertices} == {(0, 1), (1, 0.5), (0, 3), (1, 2)}
        assert to_hex(band.get_facecolor()[0]) == style.OUTCOME_COLOURS[fate]
    happened = [text.get_text() for text in figure.legends[0].get_texts()]
    assert happened == [
        *("dead at initialization", "died in training", "became constant within the tolerance", "alive"),
        "best constant",
    ]


@pytest.mark.parametrize(("factor", "scale"), [(10, "linear"), (30, "log")])
def test_losses_over_many_powers_of_ten_are_logarithmic(factor: float, scale: str) -> None:
    table = pd.DataFrame({"case": "a", "outcome": "died", "epoch": [0, 1], "low": 1.0, "median": 2.0, "high": factor})
    (ax,) = outcome_figures.losses(table.assign(best_constant=1.0), COUNTS, {"a": "A"}, outcomes.OUTCOMES).axes
    assert ax.get_yscale() == scale


def test_bar_shows_how_many_had_which_outcome() -> None:
    drawn = pd.DataFrame({"case": ["a"], "outcome": "alive", "trial": 3, "x": 0.0, "trained": 0.0})
    over = {"a": (np.array([0.0, 1.0]), np.array([0.0, 1.0]))}
    (ax,) = outcome_figures.functions(drawn, COUNTS, over, {"a": "A"}, outcomes.OUTCOMES).axes
    bars = [patch for patch in ax.patches if isinstance(patch, Rectangle)]
    assert [bar.get_x() for bar in bars] == pytest.approx([0, 0.5, 0.77, 0.77, 0.8, 0.8])
    assert [bar.get_width() for bar in bars] == pytest.approx([0.5, 0.27, 0, 0.03, 0, 0.2])
    assert [to_hex(bar.get_facecolor()) for bar in bars] == list(style.OUTCOME_COLOURS.values())
    assert [text.get_text() for text in ax.texts] == ["50", "27", "20"]


DEATHS = pd.DataFrame(
    [("a", 0, 2, 30, 50), ("a", 1, 3, 4, 50), ("a", 1, 0, 2, 50), ("a", 10, 3, 5, 50), ("b", 0, 1, 9, 40)],
    columns=["case", "epoch", "layer", "count", "networks"],
)


def test_deaths_are_stacked_by_layer_at_their_checkpoint() -> None:
    """Deaths before training are in the title, and a case without a row has no panel."""
    checkpoints = {"a": (0, 1, 5, 10), "b": (0, 1), "c": (0, 1)}
    figure = outcome_figures.deaths(DEATHS, {"a": "A", "b": "B", "c": "C"}, checkpoints)
    shown = [ax for ax in figure.axes if ax.get_visible()]
    assert [ax.get_title(loc="left") for ax in shown] == ["A: 30 of 50 before training", "B: 9 of 40 before training"]
    ax, only_before = shown
    bars = [
        (bar.get_x() + bar.get_width() / 2, bar.get_y(), bar.get_height(), to_hex(bar.get_facecolor()))
        for container in ax.containers
        for bar in container
        if bar.get_height()
    ]
    assert [(round(x), low, height) for x, low, height, _ in bars] == [(0, 0, 2), (0, 2, 4), (1, 0, 5)]
    assert bars[0][3] == style.MUTED  # no layer of it is dead
    assert bars[1][3] == bars[2][3] != style.MUTED
    assert [tick.get_text() for tick in ax.get_xticklabels()] == ["1", "6–10"]
    assert not only_before.patches
    names = {text.get_text(): patch for text, patch in zip(*_legend(figure), strict=True)}
    assert list(names) == ["no dead layer", "layer 3"]
    assert to_hex(names["layer 3"].get_facecolor()) == bars[1][3]


def _legend(figure: Figure) -> tuple[list[Text], list[Rectangle]]:
    return figure.legends[0].get_texts(), figure.legends[0].get_patches()


def test_every_outcome_has_a_name_a_colour_and_a_line() -> None:
    assert list(outcomes.OUTCOMES) == list(style.OUTCOME_COLOURS) == list(style.OUTCOME_LINES)
    looks = {(style.OUTCOME_COLOURS[key], str(style.OUTCOME_LINES[key])) for key in outcomes.OUTCOMES}
    assert len(looks) == len({colour for colour, _ in looks}) == len(outcomes.OUTCOMES)
