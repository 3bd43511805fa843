"""Test figures of empty tables, one trial, zeros alone, 40 cases and long names: texts fit, or say what is missing."""

import itertools
import os
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from helpers.projects import ROOT
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from deadrelu.analysis import outcomes
from deadrelu.report import labels
from deadrelu.report.figures import (
    collapse_figures,
    constant_figures,
    grid_figures,
    outcome_figures,
    rate_figures,
    registry,
    signal_figures,
    style,
    training_figures,
)
from deadrelu.report.labels import Panel
from deadrelu.settings import params
from deadrelu.settings.stages import TargetParams

LONG = "a case whose name goes on and on, with-a-word-that-is-longer-than-any-line-of-any-figure-can-be, " * 4


def committed() -> dict[str, pd.DataFrame]:
    return {path.stem: pd.read_csv(path) for path in (ROOT / "reports" / "tables").glob("*.csv")}


def words(figure: Figure) -> str:
    texts = [*figure.texts, *(text for ax in figure.axes for text in ax.texts)]
    return " ".join(text.get_text() for text in texts).replace("\n", " ")


def read(figure: Figure) -> None:
    """Check that titles, labels, names and notes lie inside the figure, and that titles and names do not overlap."""
    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    width, height = canvas.get_width_height()
    assert max(width, height) < 2**16, "no PNG is that large"
    shown = [ax for ax in figure.axes if ax.get_visible()]
    titles = [ax._left_title for ax in shown if ax.get_title(loc="left")]
    axis_texts = [text for ax in shown for text in (ax.xaxis.label, ax.yaxis.label, *ax.texts) if text.get_text()]
    in_legends = [text for legend in figure.legends for text in legend.get_texts()]
    rows = [label for ax in shown[:1] for label in ax.get_yticklabels() if "case" in label.get_text()]
    for text in (*titles, *axis_texts, *in_legends, *rows, *figure.texts):
        box = text.get_window_extent()
        inside = (box.x0 > -2, box.y0 > -2, box.x1 < width + 2, box.y1 < height + 2)
        assert all(inside), f"{text.get_text()!r} is outside: {box} of {width} x {height}"
    for group in (titles, rows, in_legends):
        boxes = [text.get_window_extent() for text in group]
        for (text, a), (other, b) in itertools.combinations(zip(group, boxes, strict=True), 2):
            apart = a.x1 <= b.x0 + 1 or b.x1 <= a.x0 + 1 or a.y1 <= b.y0 + 1 or b.y1 <= a.y0 + 1
            assert apart, f"{text.get_text()!r} and {other.get_text()!r} lie over each other"


@pytest.mark.parametrize("name", [name for name in registry.DRAWN_BY if name not in ("activations", "gradients")])
def test_empty_tables_are_told_in_words(name: str, settings: params.Params) -> None:
    empty = {key: table[:0] for key, table in committed().items()}
    figure = registry.figure(name, settings, empty, Path())
    read(figure)
    assert not [ax for ax in figure.axes if ax.get_visible()]
    assert any(f" to {what}" in words(figure) for what in ("draw", "show", "compare"))


@pytest.mark.parametrize("draw", [signal_figures.activation_violins, signal_figures.gradient_violins])
def test_violins_of_no_sample_are_told_in_words(draw: Callable[..., Figure]) -> None:
    sample = pd.DataFrame({"case": [], "layer": [], "activation": [], "gradient": []})
    summary = pd.DataFrame({"case": [], "layer": [], "zero_fraction": [], "gradient_zero_fraction": []})
    panel = {"a": Panel("ReLU", "Zeros")}
    assert "nothing to draw" in words(draw(sample, summary, panel, style.colours(["Zeros"])))
    zeros = pd.DataFrame({"case": ["a"], "layer": 1, "zero_fraction": 0.5, "gradient_zero_fraction": 1.0})
    figure = draw(sample, zeros, panel, style.colours(["Zeros"]))
    assert "no value other than 0" in words(figure)
    read(figure)


def crowd(table: pd.DataFrame, like: str, cases: int) -> pd.DataFrame:
    """Return the rows of one case several times, under other names."""
    return pd.concat([table[table["case"] == like].assign(case=f"case-{k}") for k in range(cases)])


CASES = 40 if "DEADRELU_FUZZ" in os.environ else 12
MANY = {f"case-{k}": f"case {k}: {LONG}" for k in range(CASES)}
PANELS = {key: Panel("ReLU, " + LONG if int(key[5:]) % 2 else "tanh", name) for key, name in MANY.items()}
COLOURS = style.colours(MANY.values())


def violins(draw: Callable[..., Figure]) -> Figure:
    rng = np.random.default_rng(1)
    rows = [pd.DataFrame({"case": key, "layer": k, "activation": rng.normal(size=9)}) for key in MANY for k in (1, 2)]
    sample = pd.concat(rows).assign(gradient=lambda table: table["activation"])
    summary = sample.groupby(["case", "layer"], as_index=False).size()
    return draw(sample, summary.assign(zero_fraction=0.5, gradient_zero_fraction=0.5), PANELS, COLOURS)


def rates_figure(tables: dict[str, pd.DataFrame]) -> Figure:
    events = labels.events(1e-3)
    return rate_figures.collapse_rates(crowd(tables["collapse_rates"], "relu", CASES), MANY, events)


def paper_rates_figure(tables: dict[str, pd.DataFrame]) -> Figure:
    rates = crowd(tables["collapse_rates"], "x_sin_5x-he", CASES)
    return rate_figures.paper_rates(rates.assign(lu_above=np.nan), MANY, 1e-3)


def tolerances_figure(tables: dict[str, pd.DataFrame]) -> Figure:
    curve = crowd(tables["rate_by_tolerance"], "relu", CASES)
    notebook = dict.fromkeys(MANY, 0.9)
    return rate_figures.rate_by_tolerance(curve, MANY, labels.PLACES, notebook, {}, 1e-3)


def over_training(tables: dict[str, pd.DataFrame]) -> Figure:
    """Draw all cases in one panel, one case in others, and a target of which no case is followed."""
    table = crowd(tables["over_training"], "relu", CASES)
    ends = {"low": -(7**0.5), "high": 7**0.5, "points": 3000}
    titles = [
        labels.target(TargetParams.model_validate({"function": function, **ends})) for function in labels.FUNCTIONS
    ]
    groups = {titles[-1]: MANY, titles[0]: {}, **{title: {"case-0": "a case"} for title in titles[1:-1]}}
    notebook = dict.fromkeys(MANY, (10, 0.9))
    return constant_figures.over_training(table, groups, notebook, labels.criteria(1e-3))


def functions_figure(tables: dict[str, pd.DataFrame]) -> Figure:
    over = dict.fromkeys(MANY, (np.array([-1.0, 1.0]), np.array([0.0, 0.0])))
    drawn, counts = (crowd(tables[name], "relu", CASES) for name in ("functions", "outcomes"))
    return outcome_figures.functions(drawn, counts, over, MANY, outcomes.OUTCOMES)


def deaths_figure(_: dict[str, pd.DataFrame]) -> Figure:
    """Draw deaths at every checkpoint in every layer of a deep network."""
    rows = [(key, epoch, layer, 7, 1000) for key in MANY for epoch in (0, 1, 2, 5, 10, 500) for layer in range(11)]
    table = pd.DataFrame(rows, columns=["case", "epoch", "layer", "count", "networks"])
    return outcome_figures.deaths(table, MANY, dict.fromkeys(MANY, (0, 1, 2, 5, 10, 500)))


CROWDED: dict[str, Callable[[dict[str, pd.DataFrame]], Figure]] = {
    "activations": lambda _: violins(signal_figures.activation_violins),
    "gradients": lambda _: violins(signal_figures.gradient_violins),
    "signals": lambda t: signal_figures.signal_strength(crowd(t["signals"], "relu-he_normal", CASES), PANELS, COLOURS),
    "beside_theory": lambda t: signal_figures.beside_theory(
        crowd(t["signals"], "relu-he_normal", CASES), PANELS, COLOURS
    ),
    "loss_curves": lambda t: training_figures.loss_curves(
        crowd(t["loss_curves"], "mlp-zeros", CASES), crowd(t["epochs"], "mlp-zeros", CASES), PANELS, COLOURS
    ),
    "collapse_rates": rates_figure,
    "paper_rates": paper_rates_figure,
    "rate_by_tolerance": tolerances_figure,
    "functions": functions_figure,
    "losses": lambda t: outcome_figures.losses(
        crowd(t["losses"], "relu", CASES), crowd(t["outcomes"], "relu", CASES), MANY, outcomes.OUTCOMES
    ),
    "over_training": over_training,
    "before_and_after": lambda t: constant_figures.before_and_after(
        crowd(t["before_and_after"], "relu", CASES), MANY, labels.criteria(1e-3)
    ),
    "loop_numbers": lambda t: collapse_figures.loop_numbers(
        crowd(t["loop_numbers"], "relu-refit", CASES), MANY, dict.fromkeys(MANY, 0.5)
    ),
    "deaths": deaths_figure,
    "collapse_values": lambda t: collapse_figures.collapse_values(crowd(t["collapse_values"], "abs_x-he", CASES), MANY),
}
NO_CASES = {"safe_region", "born_dead"}
"""Figures over depth and width, which have no cases."""


@pytest.mark.fuzz
@pytest.mark.parametrize("name", CROWDED)
def test_many_cases_with_names_without_end(name: str) -> None:
    read(CROWDED[name](committed()))


def test_no_figure_is_left_out() -> None:
    assert set(CROWDED) | NO_CASES == set(registry.DRAWN_BY)


@pytest.mark.parametrize(("depths", "widths"), [(1, 1), (1, 60), (30, 1), (30, 60)])
def test_region_of_few_and_of_many(depths: int, widths: int) -> None:
    cells = committed()["born_dead"]
    cells = pd.concat(
        [cells[cells["width"] == 2][:1].assign(depth=d + 1, width=w + 1) for d in range(depths) for w in range(widths)]
    )
    trained = committed()["trained_grid"]
    for figure in (grid_figures.born_dead(cells), grid_figures.safe_region(cells, trained[:0])):
        read(figure)


def counts_of(*counts: int) -> pd.DataFrame:
    """Return a table of so many trials of each outcome, in order."""
    table = pd.DataFrame({"case": "a", "outcome": list(outcomes.OUTCOMES), "count": counts})
    return table.assign(trials=sum(counts))


def test_one_trial_and_zeros_alone() -> None:
    """The only trial of the case is dead, so that every range is 0 and every loss the same."""
    tables, counts = committed(), counts_of(1, 0, 0, 0, 0, 0)
    losses = pd.DataFrame(
        {"case": "a", "outcome": "born_dead", "epoch": [0, 1], "low": 0.0, "median": 0.0, "high": 0.0}
    )
    drawn = tables["functions"].query("case == 'relu' and outcome == 'born_dead'").assign(case="a")
    assert len(drawn)
    zero = (np.array([-1.0, 1.0]), np.zeros(2))
    names = {"a": "A"}
    for figure in (
        outcome_figures.losses(losses.assign(best_constant=0.0), counts, names, outcomes.OUTCOMES),
        outcome_figures.functions(drawn, counts, {"a": zero}, names, outcomes.OUTCOMES),
    ):
        read(figure)
        assert [text.get_text() for text in figure.axes[0].texts] == ["1"]
    row = pd.DataFrame({"case": "a", "event": ["collapsed"], "rate": 1.0, "low": 0.2, "high": 1.0, "notebook": np.nan})
    rates = row.assign(theory_low=np.nan, theory_high=np.nan)
    read(rate_figures.collapse_rates(rates, names, {"collapsed": "collapsed"}))
    one_trial = pd.DataFrame({"case": "a", "criterion": ["exact", "within"], "trials": 1, "before": 1, "after": 1})
    flow = constant_figures.before_and_after(
        one_trial.assign(stay=1, enter=0, leave=0), names, {"exact": "exactly", "within": "nearly"}
    )
    read(flow)
    assert "1 stay, 0 become constant, 0 leave" in words(flow)
    at_once = pd.DataFrame({"case": "a", "criterion": ["exact", "within"], "epoch": 0, "rate": 1.0, "low": 0.2})
    read(constant_figures.over_training(at_once.assign(high=1.0), {"x": names}, {}, labels.criteria(0)))
    death = pd.DataFrame({"case": ["a"], "epoch": 0, "layer": 2, "count": 1, "networks": 1})
    read(outcome_figures.deaths(death, names, {"a": (0,)}))


def test_diverged_trainings_are_told_in_words() -> None:
    losses = pd.DataFrame(
        {"case": "a", "outcome": "alive", "epoch": [0, 1], "low": np.inf, "median": np.inf, "high": np.inf}
    )
    counts = counts_of(0, 0, 0, 0, 0, 2)
    figure = outcome_figures.losses(losses.assign(best_constant=0.4), counts, {"a": "A"}, outcomes.OUTCOMES)
    assert "every training diverged" in words(figure)
    read(figure)
