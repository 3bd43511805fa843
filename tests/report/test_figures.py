"""Test what figures show: one panel per case, zeros apart from densities, and the numbers of their tables."""

import re
import signal
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from helpers.projects import ROOT
from matplotlib.figure import Figure

from deadrelu.analysis import grid as grid_tables
from deadrelu.analysis import theory
from deadrelu.inspection import layer_figure
from deadrelu.report import labels
from deadrelu.report.figures import (
    collapse_figures,
    drawing,
    grid_figures,
    rate_figures,
    registry,
    signal_figures,
    style,
    training_figures,
)
from deadrelu.report.labels import Panel
from deadrelu.settings import params

PANELS = {
    "a": Panel("tanh", "Glorot normal"),
    "b": Panel("ReLU", "Glorot normal"),
    "c": Panel("ReLU", "He normal"),
}

COLOURS = style.colours(["Zeros", "Glorot normal", "He normal"])


def sample(cases: list[str]) -> tuple[pd.DataFrame, pd.DataFrame]:
    rng = np.random.default_rng(5)
    drawn = [
        pd.DataFrame(
            {
                "case": case,
                "layer": layer,
                "activation": rng.normal(size=50).clip(min=0),
                "gradient": rng.normal(size=50).clip(min=0) * 10.0**-layer,
            }
        )
        for case in cases
        for layer in (1, 2)
    ]
    rows = [
        {
            "case": c,
            "layer": k,
            "zero_fraction": 0.5,
            "gradient_zero_fraction": 0.5,
            "input_std": 1.0 / k,
            "gradient_rms": k,
        }
        for c in cases
        for k in (1, 2)
    ]
    return pd.concat(drawn), pd.DataFrame(rows)


def drawn_axes(figure: Figure) -> list[str]:
    return [ax.get_title(loc="left") for ax in figure.axes if ax.get_visible()]


def test_violins_one_row_per_activation() -> None:
    figure = signal_figures.activation_violins(*sample(list(PANELS)), PANELS, COLOURS)
    assert [t for t in drawn_axes(figure) if t] == ["tanh\nGlorot normal", "ReLU\nGlorot normal", "ReLU\nHe normal"]


def test_zeros_stand_apart_from_the_density() -> None:
    """A bar shows the share of exact zeros in the whole layer, and the violins contain no zero."""
    drawn, summary = sample(["a"])
    summary["zero_fraction"] = [0.5, 0.25]
    density, zeros = signal_figures.activation_violins(drawn, summary, {"a": PANELS["a"]}, COLOURS).axes
    assert [bar.get_height() for bar in zeros.containers[1]] == [0.5, 0.25]
    assert [text.get_text() for text in zeros.texts] == ["50 %", "25 %"]
    least = min(body.get_paths()[0].vertices[:, 1].min() for body in density.collections)
    assert least == drawn["activation"][drawn["activation"] > 0].min()
    without = signal_figures.activation_violins(drawn, summary.assign(zero_fraction=0.001), {"a": PANELS["a"]}, COLOURS)
    assert len(without.axes) == 1


def test_panel_of_zeros_alone_says_so() -> None:
    drawn, summary = sample(["a"])
    figure = signal_figures.activation_violins(drawn.assign(activation=0.0), summary, {"a": PANELS["a"]}, COLOURS)
    assert "no value other" in figure.axes[0].texts[0].get_text()


def test_gradient_violins_show_the_exponent_and_not_the_tail() -> None:
    drawn, summary = sample(["a"])
    drawn.loc[drawn["gradient"] > 0, "gradient"] = np.repeat([1e-3, 1e-5], (drawn["gradient"] > 0).sum())[::2]
    drawn.iloc[0, drawn.columns.get_loc("gradient")] = 1e-30
    ax = signal_figures.gradient_violins(drawn, summary, {"a": PANELS["a"]}, COLOURS).axes[0]
    low, high = ax.get_ylim()
    assert -6 < low < -4.9
    assert -3.1 < high < -2


def test_loss_curves_one_panel_per_network() -> None:
    cases = {"a": Panel("MLP, tanh", "Zeros"), "b": Panel("CNN, ReLU", "Zeros"), "c": Panel("CNN, ReLU", "He normal")}
    curves = pd.DataFrame({"case": list("aabbcc"), "step": [1, 2] * 3, "loss": 1.0, "loss_low": 0.5, "loss_high": 2.0})
    epochs = pd.DataFrame({"case": list("abc"), "epoch": 1, "validation_loss": [3.0, 4.0, 5.0]})
    figure = training_figures.loss_curves(curves, epochs, cases, COLOURS)
    assert drawn_axes(figure) == ["MLP, tanh", "CNN, ReLU"]
    band = figure.axes[0].collections[0].get_paths()[0].vertices[:, 1]
    assert (band.min(), band.max()) == (0.5, 2)
    marks = [line for line in figure.axes[1].get_lines() if line.get_marker() not in (None, "None")]
    assert [(float(d.get_xdata()[0]), float(d.get_ydata()[0])) for d in marks] == [(2.0, 4.0), (2.0, 5.0)]
    assert [mark.get_color() for mark in marks] == [COLOURS["Zeros"], COLOURS["He normal"]]
    assert [text.get_text() for text in figure.legends[0].get_texts()] == ["Zeros", "He normal", "marks: validation"]


def test_marks_stand_where_the_epochs_of_their_case_end() -> None:
    """The CNN trains for one epoch of 4 steps, the MLP for three of 2: each has its own `epochs`."""
    cases = {"a": Panel("MLP, ReLU", "Zeros"), "b": Panel("CNN, ReLU", "Zeros")}
    curves = pd.DataFrame({"case": list("aaaaaabbbb"), "step": [*range(1, 7), *range(1, 5)]})
    curves = curves.assign(loss=1.0, loss_low=0.5, loss_high=2.0)
    epochs = pd.DataFrame({"case": list("aaaabb"), "epoch": [0, 1, 2, 3, 0, 1], "validation_loss": 2.0})
    figure = training_figures.loss_curves(curves, epochs, cases, COLOURS)
    steps = [ax.get_lines()[1].get_xdata().tolist() for ax in figure.axes[:2]]
    assert steps == [[0, 2, 4, 6], [0, 4]]


def layers_table() -> pd.DataFrame:
    return pd.DataFrame(
        {
            "layer": ["a", "b $x$", "c", "out"],
            "kind": ["weights", "activation", "activation", "output"],
            "on_trunk": [True, True, False, True],
            "units": 4,
            **{f"q{q}": np.arange(4) + k for k, q in enumerate(("01", "25", "50", "75", "99"))},
            "input_std": [1.0, 2.0, 3.0, 4.0],
            "gradient_rms": [10.0, 20.0, 30.0, 40.0],
            "zero_fraction": [0.0, 0.5, 0.25, 0.0],
            "saturated_fraction": 0.0,
            "dead_units": [0.0, 1.0, 2.0, 0.0],
        }
    )


def test_layer_by_layer_draws_each_where_it_belongs() -> None:
    figure = layer_figure.layer_by_layer(layers_table())
    _, forward, backward, shares = figure.axes
    for ax, scale in ((forward, 1), (backward, 10)):
        drawn = {
            (float(x), float(y)): line.get_markerfacecolor()
            for line in ax.get_lines()
            for x, y in zip(line.get_xdata(), line.get_ydata(), strict=True)
        }
        assert set(drawn) == {(0, scale), (1, 2 * scale), (2, 3 * scale)}  # not the output
        assert drawn[2, 3 * scale] == style.PAPER  # in a branch
        assert style.PAPER not in (drawn[0, scale], drawn[1, 2 * scale])
    lines = {line.get_label(): line.get_ydata().tolist() for line in shares.get_lines()}
    assert lines == {"exactly 0": [0.5, 0.25, 0], "saturated": [0, 0, 0], "dead units": [0.25, 0.5, 0]}
    figure.savefig("/dev/null", format="png")


def test_layer_by_layer_of_infinities() -> None:
    broken = layers_table().assign(q99=np.inf, input_std=np.nan, gradient_rms=np.inf)
    layer_figure.layer_by_layer(broken).savefig("/dev/null", format="png")


def test_strength_is_forward_above_and_backward_below() -> None:
    above, below = signal_figures.signal_strength(sample(["a"])[1], PANELS, COLOURS).axes[::2][:2]
    assert above.get_lines()[0].get_ydata().tolist() == [1, 0.5]
    assert below.get_lines()[0].get_ydata().tolist() == [1, 2]


def test_one_initializer_one_colour(settings: params.Params) -> None:
    figure = signal_figures.signal_strength(sample(list(PANELS))[1], PANELS, COLOURS)
    tanh, relu = (ax.get_lines() for ax in figure.axes[:2])
    assert tanh[0].get_color() == relu[0].get_color() == COLOURS["Glorot normal"] != relu[1].get_color()
    assert [text.get_text() for text in figure.legends[0].get_texts()] == ["Glorot normal", "He normal"]
    colours = registry._colours(settings)
    assert len(set(colours.values())) == len(colours)
    tables_ = committed()
    training_lines = registry.figure("loss_curves", settings, tables_, Path()).legends[0].get_lines()
    signal_lines = registry.figure("signals", settings, tables_, Path()).legends[0].get_lines()
    in_both = [{line.get_label(): line.get_color() for line in lines} for lines in (training_lines, signal_lines)]
    assert in_both[0]["He normal"] == in_both[1]["He normal"] == colours["He normal"]


def test_every_colour_is_told_apart_on_both_pages() -> None:
    """Colours have WCAG's contrast of 3 to 1 to the page, except the grid and, on light pages, the lightest colours."""
    lightest = {style.GRID, style.PALETTE[3], style.PALETTE[4], style.PALETTE[5]}
    for colour, on_dark in style.DARK.items():
        if colour not in (style.PAPER, *lightest):
            assert contrast(colour, style.PAPER) >= 3, colour
        if colour not in (style.PAPER, style.GRID):
            assert contrast(on_dark, style.DARK[style.PAPER]) >= 3, on_dark
    assert len(set(style.DARK.values())) == len(style.DARK)


def contrast(a: str, b: str) -> float:
    """Return the contrast of two colours by WCAG 2."""
    from matplotlib.colors import to_rgb

    def luminance(colour: str) -> float:
        linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in to_rgb(colour)]
        return float(np.dot(linear, (0.2126, 0.7152, 0.0722)))

    light, dark = sorted((luminance(a), luminance(b)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


def test_theory_is_a_line_and_the_measured_are_marks() -> None:
    summary = sample(["b"])[1].assign(rms=[2.0, 1.0], rms_theory=[2.1, 1.1], zero_theory=0.5)
    rms, zeros = signal_figures.beside_theory(summary, {"b": PANELS["b"]}, COLOURS).axes
    for ax, measured, theory_ in ((rms, [2, 1], [2.1, 1.1]), (zeros, [0.5, 0.5], [0.5, 0.5])):
        marks, line = ax.get_lines()
        assert (marks.get_linestyle(), marks.get_ydata().tolist()) == ("None", measured)
        assert (line.get_marker(), line.get_ydata().tolist()) == ("None", theory_)


def rate_rows() -> pd.DataFrame:
    rows = [
        ("a", "collapsed", 0.9, 0.8, 0.95, 0.956, np.nan, np.nan),
        ("a", "born_dead", 0.8, 0.7, 0.85, np.nan, 0.925, 0.925),
        ("b", "collapsed", 0.7, 0.6, 0.8, np.nan, np.nan, np.nan),
        ("b", "born_dead", 0.5, 0.4, 0.6, np.nan, 0.6, 0.75),
    ]
    names = ["case", "event", "rate", "low", "high", "in_print", "theory_low", "theory_high"]
    return pd.DataFrame(rows, columns=names)


def test_rates_show_numbers_in_print_and_theory() -> None:
    """An exact value of theory is a tick, its bounds are a bar, and without theory there is neither."""
    rows = rate_rows().rename(columns={"in_print": "notebook"})
    events = {"collapsed": "collapsed", "born_dead": "untrained"}
    figure = rate_figures.collapse_rates(rows, {"a": "A", "b": "B"}, events)
    assert drawn_axes(figure) == ["A", "B"]
    assert [label.get_text() for label in figure.axes[0].get_yticklabels()] == ["collapsed", "untrained"]
    ticks, measured, in_print = figure.axes[0].get_lines()
    assert (ticks.get_xdata().tolist(), ticks.get_ydata().tolist()) == ([0.925], [1])
    assert measured.get_xdata().tolist() == [0.9, 0.8]
    assert in_print.get_xdata()[0] == 0.956
    assert in_print.get_ydata()[0] < 0  # above its row, which it would hide
    bounds = figure.axes[1].collections[0].get_paths()
    assert [path.vertices.tolist() for path in bounds] == [[[0.6, 1], [0.75, 1]]]
    assert [text.get_text() for text in figure.axes[0].texts] == ["0.900", "0.800"]
    names = [text.get_text() for text in figure.legends[0].get_texts()]
    assert names == ["measured, 95 % interval", "2019 notebook", "theory, exact", "theory, bounds"]
    alone = rate_figures.collapse_rates(rows[rows["case"] == "a"], {"a": "A"}, events)
    assert "theory, bounds" not in [text.get_text() for text in alone.legends[0].get_texts()]


def test_papers_row_has_before_after_and_the_number_in_print() -> None:
    """Each panel has one criterion; theory is in the panel of its criterion, and the paper's numbers are in both."""
    more = [
        ("a", "collapsed_before", 0.85, 0.75, 0.9, np.nan, np.nan, np.nan),
        ("a", "dead", 0.88, 0.8, 0.9, np.nan, np.nan, np.nan),
        ("b", "collapsed_before", 0.55, 0.45, 0.65, np.nan, np.nan, np.nan),
        ("b", "dead", 0.6, 0.5, 0.7, np.nan, np.nan, np.nan),
    ]
    rows = pd.concat([rate_rows(), pd.DataFrame(more, columns=rate_rows().columns)], ignore_index=True)
    rows = rows.rename(columns={"in_print": "lu"}).assign(lu_above=np.where(rows["case"] == "b", 0.9, np.nan))
    figure = rate_figures.paper_rates(rows, {"a": "A", "b": "B"}, 1e-3)
    assert drawn_axes(figure) == ["range ≤ 0.001", "range exactly 0"]
    within, exact = figure.axes
    ticks, before, after, in_print, bound = within.get_lines()
    assert not len(ticks.get_xdata())
    assert (before.get_xdata().tolist(), before.get_markerfacecolor()) == ([0.85, 0.55], style.PAPER)
    assert (after.get_xdata().tolist(), after.get_markerfacecolor()) == ([0.9, 0.7], style.INK)
    assert (in_print.get_xdata()[0], in_print.get_ydata()[0]) == (0.956, -rate_figures.UP)
    assert np.isnan(in_print.get_xdata()[1])
    assert (bound.get_xdata()[0], bound.get_ydata()[0]) == (0.9, 1 - rate_figures.UP)
    (arrow,) = [text for text in within.texts if not text.get_text()]
    assert (arrow.xy, arrow.get_position()) == ((1, 1 - rate_figures.UP), (0.9, 1 - rate_figures.UP))
    ticks, before, after, in_print, _ = exact.get_lines()
    assert (ticks.get_xdata().tolist(), ticks.get_ydata().tolist()) == ([0.925], [0])
    assert (before.get_xdata().tolist(), after.get_xdata().tolist()) == ([0.8, 0.5], [0.88, 0.6])
    assert in_print.get_xdata()[0] == 0.956  # the paper's criterion is not known, so its number is in both panels
    assert len([text for text in exact.texts if not text.get_text()]) == 1
    assert "before training" in [text.get_text() for text in figure.legends[0].get_texts()]


@pytest.mark.parametrize("tolerance", [0.0, 1e-3])
def test_rate_by_tolerance_has_a_panel_for_each_criterion(tolerance: float) -> None:
    curve = pd.DataFrame({"case": "relu", "tolerance": [1e-3, 1e-2], "rate": [0.1, 0.2], "low": 0.0, "high": 0.3})
    curve = pd.concat([curve.assign(criterion="interval"), curve.assign(criterion="probes", rate=0.5)])
    names = {"interval": "the interval", "probes": "the 5 probes"}
    agreeing = {"interval": [1e-3, 1e-2], "probes": []}
    figure = rate_figures.rate_by_tolerance(curve, {"relu": "ReLU"}, names, {"relu": 0.956}, agreeing, tolerance)
    assert drawn_axes(figure) == ["on the interval", "on the 5 probes"]
    for ax, rate in zip(figure.axes, ([0.1, 0.2], [0.5, 0.5]), strict=True):
        line, notebook = ax.get_lines()[:2]
        assert line.get_ydata().tolist() == rate
        assert set(notebook.get_ydata()) == {0.956}
        assert len(ax.get_lines()) == 2 + (tolerance > 0)
    shaded = [[patch.get_x(), patch.get_x() + patch.get_width()] for patch in figure.axes[0].patches]
    assert shaded == [pytest.approx([1e-3, 1e-2])]
    assert not figure.axes[1].patches


def test_loops_are_counted_at_their_ends_and_between() -> None:
    table = pd.DataFrame(
        {"case": "a", "criterion": "probes_equal", "number": [0.0, 0.25, 0.5, 1.0], "loops": [1, 1, 2, 7]}
    )
    table = pd.concat([table, table.assign(criterion="collapsed", loops=[5, 0, 5, 0])])
    figure = collapse_figures.loop_numbers(table, {"a": "ReLU"}, {"a": 0.956})
    (ax,) = figure.axes
    as_printed, constant = ax.containers
    assert [bar.get_height() for bar in as_printed] == [1, 3, 7]
    assert [bar.get_height() for bar in constant] == [5, 5, 0]
    assert [tick.get_text() for tick in ax.get_xticklabels()] == [
        "exactly 0",
        "between\n(notebook: 0.956)",
        "exactly 1",
    ]
    assert [text.get_text() for text in ax.texts] == ["1", "3", "7", "5", "5", "0"]
    keys = dict(
        zip([t.get_text() for t in figure.legends[0].get_texts()], figure.legends[0].get_patches(), strict=True)
    )
    assert keys["equal at the notebook's 5 probes"].get_facecolor() == as_printed[0].get_facecolor()


def test_loops_of_a_case_without_a_number_in_print() -> None:
    table = pd.DataFrame({"case": "a", "criterion": "probes_equal", "number": [0.0], "loops": [3]})
    figure = collapse_figures.loop_numbers(table, {"a": "ReLU"}, {"b": 0.956})
    (ax,) = figure.axes
    assert [tick.get_text() for tick in ax.get_xticklabels()] == ["exactly 0", "between", "exactly 1"]


def test_collapse_values_stand_between_mean_and_median() -> None:
    row = {"case": "a", "mean": 0.5, "median": 0.2, "q05": 0.56, "q25": 0.53, "q50": 0.5, "q75": 0.35, "q95": 0.2}
    ax = collapse_figures.collapse_values(pd.DataFrame([row]), {"a": "A"}).axes[0]
    thin, thick = (c.get_paths()[0].vertices[:, 0] for c in ax.collections)
    np.testing.assert_allclose(thin, [-0.2, 1])  # on a scale on which the mean is 0 and the median is 1
    np.testing.assert_allclose(thick, [-0.1, 0.5])
    assert ax.get_lines()[-1].get_xdata().tolist() == [0]
    no_scale = collapse_figures.collapse_values(pd.DataFrame([{**row, "median": 0.5}]), {"a": "A"}).axes[0]
    assert [text.get_text() for text in no_scale.texts] == ["no collapsed network, or mean and median are equal"]


def committed() -> dict[str, pd.DataFrame]:
    """Return the small tables of the committed report."""
    return {path.stem: pd.read_csv(path) for path in (ROOT / "reports" / "tables").glob("*.csv")}


def test_ctrl_c_waits_for_a_shutdown_and_is_not_lost() -> None:
    done = []

    def shut_down(*, interrupted: bool) -> None:
        with drawing._ctrl_c_afterwards():
            if interrupted:
                signal.raise_signal(signal.SIGINT)
            done.append(interrupted)

    with pytest.raises(KeyboardInterrupt):
        shut_down(interrupted=True)
    shut_down(interrupted=False)
    assert done == [True, False]
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_each_figure_shows_its_cases_events_and_numbers(settings: params.Params) -> None:
    tables = committed()
    rates_ = tables["collapse_rates"].set_index(["case", "event"])

    def drawn(name: str) -> Figure:
        return registry.figure(name, settings, tables, Path())

    within, exact = drawn("paper_rates").axes
    rows = [label.get_text().replace("\n", " ") for label in within.get_yticklabels()]
    assert len(rows) == len(settings.other_cases)
    row = rows.index("x sin 5x, RAI")
    for ax, events in ((within, ("collapsed_before", "collapsed")), (exact, ("born_dead", "dead"))):
        for line, event in zip(ax.get_lines()[1:3], events, strict=True):
            assert line.get_xdata()[row] == rates_["rate"]["x_sin_5x-rai", event]
    assert within.get_lines()[3].get_xdata()[row] == 0.292
    bound = within.get_lines()[4]
    assert (rows[round(bound.get_ydata()[0] + rate_figures.UP)], bound.get_xdata()[0]) == ("|x|, He normal", 0.9)
    main = drawn("collapse_rates")
    assert len(main.axes) == len(settings.main_cases)
    events = labels.events(settings.collapse.tolerance)
    named = [label.get_text().replace("\n", " ") for label in main.axes[0].get_yticklabels()]
    assert named == list(events.values())
    assert main.axes[0].get_lines()[1].get_xdata().tolist() == [rates_["rate"]["relu", event] for event in events]
    assert main.axes[0].get_lines()[-1].get_xdata()[list(events).index("collapsed")] == 0.956
    followed = drawn("over_training")
    assert drawn_axes(followed) == ["x sin x on [−2.646, 2.646]", "x sin 5x on [−1.732, 1.732]"]
    shares = tables["over_training"].query("case == 'relu' and criterion == 'within'")
    assert followed.axes[0].get_lines()[0].get_xydata().tolist() == shares[["epoch", "rate"]].to_numpy().tolist()
    marks = [line.get_xydata().tolist() for line in followed.axes[0].get_lines() if line.get_marker() == "D"]
    assert marks == [[[10, 0.956]], [[10, 0.192]]]
    flows = drawn("before_and_after")
    assert len(flows.axes) == 2 * len(settings.main_cases)
    stay = tables["before_and_after"].set_index(["case", "criterion"])["stay"]
    first = [int(ax.texts[-1].get_text().split()[0].replace(",", "")) for ax in flows.axes]
    assert first == [stay[key, criterion] for key in settings.main_cases for criterion in ("within", "exact")]
    deaths = drawn("deaths")
    assert len([ax for ax in deaths.axes if ax.get_visible()]) == tables["deaths"]["case"].nunique()
    assert len([ax for ax in drawn("losses").axes if ax.get_visible()]) == len(settings.collapse.independent)
    over = drawn("functions")
    assert len([ax for ax in over.axes if ax.get_visible()]) == tables["functions"]["case"].nunique()
    between = [ax.get_xticklabels()[1].get_text() for ax in drawn("loop_numbers").axes]
    assert between == ["between\n(notebook: 0.956)", "between\n(notebook: 0.192)"]
    assert len(drawn("rate_by_tolerance").axes) == len(labels.PLACES)


@pytest.fixture
def grid(settings: params.Params) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return grids of 1,000 untrained networks a cell, fewer of them dead with more width, and of one trained cell."""
    cells = pd.DataFrame([(d, w) for d in (2, 3, 4) for w in (1, 2)], columns=["depth", "width"])
    counts = cells.assign(networks=1000, born_dead_low=600, born_dead_high=500 // cells["width"], born_dead=300)
    trained = pd.DataFrame({"depth": [5], "width": [4], "trial": 0, "born_dead": True, "dead": False})
    trained = trained.assign(range_initial=0.0, range=1e-4)  # within the tolerance, and not dead
    return grid_tables.born_dead_grid(counts, settings.safe_region.initializer), grid_tables.trained_grid(trained, 1e-3)


def test_line_after_training_is_where_a_tenth_collapses(grid: tuple[pd.DataFrame, pd.DataFrame]) -> None:
    """With shares of 40 % at width 2 and 2.5 % at width 4, 10 % is halfway between by logarithms."""
    cells = pd.DataFrame([(d, w) for d in (2, 4) for w in (2, 4)], columns=["depth", "width"])
    trained = cells.assign(dead=np.where(cells["width"] == 2, 0.4, 0.025), rate=1.0, trials=1000)
    ax = grid_figures.safe_region(grid[0], trained).axes[0]
    vertices = np.concatenate([path.vertices for path in ax.collections[-1].get_paths()])
    np.testing.assert_allclose(vertices[:, 1], 3)
    assert {2, 4} <= set(vertices[:, 0])
    assert "10 % after training" in [text.get_text() for text in ax.texts]
    for none in (trained.assign(dead=0.0), trained[trained["depth"] == 2], trained.iloc[:3]):
        texts = grid_figures.safe_region(grid[0], none).axes[0].texts
        assert not any("training" in text.get_text() for text in texts)


def test_theory_goes_through_the_points(grid: tuple[pd.DataFrame, pd.DataFrame]) -> None:
    cells, _ = grid
    figure = grid_figures.born_dead(cells)
    lines = [line.get_ydata().tolist() for line in figure.axes[0].get_lines()]
    for width in (1, 2):
        rows = cells[cells["width"] == width]
        assert rows["positive"].tolist() in lines
        assert rows["positive_theory"].tolist() in lines
    errors = figure.axes[0].containers[0].lines[2][0].get_segments()
    rows = cells[cells["width"] == 1]
    ends = np.array([segment[:, 1] for segment in errors])
    np.testing.assert_allclose(ends, rows[["positive_low", "positive_high"]].to_numpy())
    assert [text.get_text() for text in figure.axes[0].texts] == ["1", "2"]
    band = figure.axes[1].collections[-1].get_paths()[0].vertices
    rows = cells[cells["width"] == 2]
    assert {float(y) for y in band[:, 1]} == {float(y) for y in (*rows["theory_low"], *rows["theory_high"])}


def test_names_of_lines_do_not_meet(settings: params.Params) -> None:
    figure = registry.figure("born_dead", settings, committed(), Path())
    heights = sorted(text.get_position()[1] for text in figure.axes[0].texts)
    assert len(heights) == settings.safe_region.width.high
    assert (np.diff(np.log(heights)) > 0.39).all()


def test_width_without_a_dead_network_is_left_out(settings: params.Params) -> None:
    counts = pd.DataFrame({"depth": [2], "width": 20, "networks": 100})
    none = counts.assign(born_dead_low=0, born_dead_high=0, born_dead=0)
    figure = grid_figures.born_dead(grid_tables.born_dead_grid(none, settings.safe_region.initializer))
    assert not figure.axes[0].texts
    figure.savefig("/dev/null", format="png")


def test_safe_region_shows_cells_contours_and_trained(grid: tuple[pd.DataFrame, pd.DataFrame]) -> None:
    figure = grid_figures.safe_region(*grid)
    ax = figure.axes[0]
    mesh, circles = ax.collections
    assert mesh.get_array().tolist() == [[0.3] * 3] * 2
    assert mesh.norm.boundaries.tolist() == list(grid_figures.SHADES)
    assert (grid_figures.SHADES[0], grid_figures.SHADES[-1]) == (0, 1)
    assert circles.get_offsets().tolist() == [[5, 4]]
    assert circles.get_array().tolist() == [0]
    for line, level in zip(ax.get_lines(), grid_figures.LEVELS, strict=True):
        assert line.get_xdata().tolist() == [2, 3, 4]
        assert line.get_ydata().tolist() == [theory.width_at(level, depth).high for depth in (2, 3, 4)]
    assert ax.get_xlim() == (1.5, 5.5)
    assert ax.get_ylim() == (0.5, 4.5)
    assert "theory" in ax.get_title(loc="left")
    unknown = grid_figures.safe_region(grid[0].assign(theory_low=np.nan), grid[1]).axes[0]
    assert not unknown.get_lines()
    assert "theory" not in unknown.get_title(loc="left")
    titles = drawn_axes(grid_figures.born_dead(grid[0].assign(theory_low=np.nan)))
    assert titles == ["for every x > 0", "for every x"]


@pytest.mark.parametrize("kept", [{"depth": 3}, {"width": 2}, {"depth": 3, "width": 2}])
def test_safe_region_of_one_row_or_column_has_cells(
    kept: dict[str, int], grid: tuple[pd.DataFrame, pd.DataFrame]
) -> None:
    cells = grid[0]
    for name, value in kept.items():
        cells = cells[cells[name] == value]
    mesh = grid_figures.safe_region(cells, grid[1]).axes[0].collections[0]
    corners = mesh.get_coordinates()
    assert corners.shape[:2] == (cells["width"].nunique() + 1, cells["depth"].nunique() + 1)
    assert corners[0, 0].tolist() == [cells["depth"].min() - 0.5, cells["width"].min() - 0.5]
    assert corners[-1, -1].tolist() == [cells["depth"].max() + 0.5, cells["width"].max() + 0.5]


def test_every_figure_has_what_draws_it(settings: params.Params) -> None:
    assert set(drawing.FIGURES) == set(registry.DRAWN_BY)
    assert drawing.drawn(settings) == list(drawing.FIGURES)
    alone = {"relu": settings.collapse.cases["relu"]}
    bare = settings.model_copy(update={"collapse": settings.collapse.model_copy(update={"cases": alone})})
    missing = set(drawing.FIGURES) - set(drawing.drawn(bare))
    assert missing == {"loop_numbers", "paper_rates", "collapse_values"}
    alone = {"relu": alone["relu"].model_copy(update={"follow": []})}
    unfollowed = settings.model_copy(update={"collapse": settings.collapse.model_copy(update={"cases": alone})})
    assert set(drawing.drawn(bare)) - set(drawing.drawn(unfollowed)) == {"over_training", "deaths"}
    plane = {"plane": settings.collapse.cases["abs_sum_abs_difference-he"]}
    without = settings.model_copy(update={"collapse": settings.collapse.model_copy(update={"cases": plane})})
    figures = drawing.drawn(without)
    assert not {"collapse_values", "functions", "collapse_rates", "rate_by_tolerance", "before_and_after"} & {*figures}
    assert {"paper_rates", "losses"} <= set(figures)


def test_cases_of_two_targets_with_one_name_are_all_drawn(settings: params.Params) -> None:
    """A second target with the same function and interval, but other points, has the same label."""
    fewer = settings.data.targets["x_sin_x"].model_copy(update={"points": 100})
    targets = {**settings.data.targets, "few": fewer}
    changed = settings.model_copy(update={"data": settings.data.model_copy(update={"targets": targets})})
    figure = registry.figure("over_training", changed, committed(), Path())
    names = [text.get_text() for text in figure.legends[0].get_texts()]
    assert {labels.narrow_networks(changed)[key] for key in ("relu", "leaky_relu")} <= set(names)


def test_notebook_shows_every_figure_that_is_drawn() -> None:
    shown = re.findall(r'show\(\\n",\s+"\s+\\"(\w+)\\"', (ROOT / "reports" / "report.ipynb").read_text())
    assert tuple(shown) == drawing.FIGURES
