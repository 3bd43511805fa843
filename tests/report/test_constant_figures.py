"""Test the figures of shares over training, and of flows from before training to after it, point by point."""

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.colors import to_hex

from deadrelu.report import labels
from deadrelu.report.figures import constant_figures, style

CRITERIA = labels.criteria(1e-3)


def over_training() -> pd.DataFrame:
    """Return, in random order, shares of case a, which dies, and of case b, which leaves the tolerance."""
    rows = [
        (case, criterion, epoch, rate, rate - 0.05, rate + 0.05)
        for case, criterion, rates in (
            ("a", "exact", (0.5, 0.6, 0.7)),
            ("a", "within", (0.55, 0.65, 0.75)),
            ("b", "exact", (0.1, 0.1, 0.1)),
            ("b", "within", (0.8, 0.4, 0.2)),
        )
        for epoch, rate in zip((0, 1, 20), rates, strict=True)
    ]
    table = pd.DataFrame(rows, columns=["case", "criterion", "epoch", "rate", "low", "high"])
    return table.sample(frac=1, random_state=1)


def test_share_of_each_case_and_criterion_is_a_line_with_its_band() -> None:
    groups = {"x sin x": {"a": "A"}, "nothing": {}, "|x|": {"b": "B"}}
    figure = constant_figures.over_training(over_training(), groups, {"a": (10, 0.956)}, CRITERIA)
    assert [ax.get_title(loc="left") for ax in figure.axes] == ["x sin x", "|x|"]
    first, second = figure.axes
    within, dots, exact, notebook = first.get_lines()
    assert within.get_xydata().tolist() == dots.get_xydata().tolist() == [[0, 0.55], [1, 0.65], [20, 0.75]]
    assert exact.get_xydata().tolist() == [[0, 0.5], [1, 0.6], [20, 0.7]]
    assert (within.get_linestyle(), exact.get_linestyle()) == ("-", "--")
    assert notebook.get_xydata().tolist() == [[10, 0.956]]
    assert second.get_lines()[0].get_xydata().tolist() == [[0, 0.8], [1, 0.4], [20, 0.2]]
    assert len(second.get_lines()) == 3  # the notebook has no number for this case
    band = first.collections[0].get_paths()[0].vertices
    ends = {(x, round(y, 9)) for x, y in band.tolist()}
    assert ends == {(0, 0.5), (0, 0.6), (1, 0.6), (1, 0.7), (20, 0.7), (20, 0.8)}
    assert [tick.get_text() for tick in first.get_xticklabels()] == ["0", "1", "2", "5", "10", "20"]
    names = [text.get_text() for text in figure.legends[0].get_texts()]
    assert names == ["A", "B", *CRITERIA.values(), "2019 notebook"]


def test_cases_of_one_panel_have_their_own_colours() -> None:
    figure = constant_figures.over_training(over_training(), {"both": {"a": "A", "b": "B"}}, {}, CRITERIA)
    (ax,) = figure.axes
    colours = [line.get_color() for line in ax.get_lines()]
    assert len(set(colours)) == 2
    assert colours[:3] == [colours[0]] * 3  # both criteria of a case have its colour
    handles = figure.legends[0].get_lines()
    assert [handle.get_color() for handle in handles[:2]] == [colours[0], colours[3]]
    assert "2019 notebook" not in [text.get_text() for text in figure.legends[0].get_texts()]


def test_nothing_followed_is_told_in_words() -> None:
    figure = constant_figures.over_training(over_training(), {"x": {}}, {}, CRITERIA)
    assert "No case is followed" in figure.texts[0].get_text()


FLOW = {"trials": 1000, "before": 690, "after": 217, "stay": 200, "enter": 17, "leave": 490}


def ribbons(ax: Axes) -> dict[tuple[float, float, float, float], str]:
    """Return the colour of each ribbon by its lower and upper ends at the left and at the right."""
    colours = {}
    for ribbon in ax.collections:
        vertices = ribbon.get_paths()[0].vertices
        left, right = (vertices[np.isclose(vertices[:, 0], x)][:, 1] for x in (0.12, 0.88))
        ends = (left.min(), left.max(), right.min(), right.max())
        colours[tuple(round(float(end), 6) for end in ends)] = to_hex(ribbon.get_facecolor()[0])
    return colours


def test_flow_has_the_counts_of_both_ends_and_of_what_is_between() -> None:
    """Constant networks are at the bottom of both bars; ribbons fill both bars and do not cross in them."""
    table = pd.DataFrame([{"case": "a", "criterion": name, **FLOW} for name in ("within", "exact")])
    figure = constant_figures.before_and_after(table, {"a": "A"}, CRITERIA)
    assert [ax.get_title(loc="left") for ax in figure.axes] == ["A: range ≤ 0.001", "A: range exactly 0"]
    ax = figure.axes[0]
    constant, different = constant_figures.CONSTANT, constant_figures.DIFFERENT
    bars = [(bar.get_y(), bar.get_height(), to_hex(bar.get_facecolor())) for bar in ax.patches]
    assert bars == [(0, 690, constant), (690, 310, different), (0, 217, constant), (217, 783, different)]
    assert ribbons(ax) == {
        (0, 200, 0, 200): constant,  # they stay
        (200, 690, 217, 707): different,  # they leave
        (690, 707, 200, 217): constant,  # they become constant
        (707, 1000, 707, 1000): different,
    }
    texts = [text.get_text() for text in ax.texts]
    assert texts == ["690", "217", "200 stay, 17 become constant, 490 leave"]
    assert [text.get_text() for text in figure.legends[0].get_texts()] == ["constant", "not constant"]


def test_flow_of_each_case_and_criterion_stands_in_its_panel() -> None:
    flows = {("a", "within"): 5, ("a", "exact"): 4, ("b", "within"): 3, ("b", "exact"): 2}
    rows = [
        {"case": case, "criterion": criterion, **FLOW, "before": n, "after": n, "stay": n, "enter": 0, "leave": 0}
        for (case, criterion), n in flows.items()
    ]
    figure = constant_figures.before_and_after(pd.DataFrame(rows[::-1]), {"a": "A", "b": "B"}, CRITERIA)
    assert [ax.texts[-1].get_text().split()[0] for ax in figure.axes] == ["5", "4", "3", "2"]
    assert all(len(ax.collections) == 2 for ax in figure.axes)  # a count of 0 has no ribbon


def test_colours_are_those_of_the_outcomes_and_told_apart_on_a_dark_page() -> None:
    assert style.OUTCOME_COLOURS["born_dead"] == constant_figures.CONSTANT
    assert style.OUTCOME_COLOURS["alive"] == constant_figures.DIFFERENT
    assert set(constant_figures.COLOURS) <= set(style.DARK)
