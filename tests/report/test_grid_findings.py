"""Test that sentences on the depth-width grid follow the numbers."""

import numpy as np
import pandas as pd

from deadrelu.report import grid_findings
from deadrelu.settings import params


def test_grid_agrees_with_theory_or_not() -> None:
    cells = pd.DataFrame({"networks": [1000, 1000], "positive_p": [0.5, 0.02], "p": [1.0, 0.3]})
    text = "In 2 cells of 1,000 networks, the counts agree with theory: the smallest of 4 p values is 0.02, and"
    assert grid_findings.grid(cells) == f"{text} Bonferroni's limit is 0.01."
    assert "contradict theory" in grid_findings.grid(cells.assign(p=[1.0, 0.01]))
    assert "contradict theory" in grid_findings.grid(cells.assign(positive_p=[0.01, 1.0]))
    assert "these are not" in grid_findings.grid(cells.assign(p=np.nan))


def test_width_that_is_enough() -> None:
    """At each depth, all wider networks are below the limit, too; a width whose interval contains it is undecided."""
    rows = [
        (2, 1, 0.5),
        (2, 2, 0.0),
        (2, 3, 0.3),
        (2, 4, 0.009),
        (2, 5, 0.0),
        (10, 1, 0.0),
        (10, 2, 0.0),
        (20, 1, 0.0),
        (20, 2, 0.011),
        (30, 1, 0.1),
    ]
    cells = pd.DataFrame(rows, columns=["depth", "width", "rate"]).assign(networks=1000)
    sentence = grid_findings.wide_enough(cells, 0.01)
    assert sentence == (
        "Smallest of the widths 1 to 5 from which on fewer than 1.0 % of the networks are dead at initialization, as "
        "far as 95 % intervals decide it: 2 layers: 4 or 5 units; 10 layers: 1 unit; 20 layers: 1 unit or more; "
        "30 layers: more than 1 unit."
    )
    certain = grid_findings.wide_enough(cells.assign(networks=1_000_000), 0.01)
    assert certain.endswith(
        "2 layers: 4 units; 10 layers: 1 unit; 20 layers: more than 2 units; 30 layers: more than 1 unit."
    )
    apart = grid_findings.wide_enough(cells[cells["width"] != 3], 0.01)
    assert apart.startswith("Smallest of the widths 1, 2, 4, 5 from which on")
    many = pd.concat([cells, cells.iloc[:3].assign(depth=[4, 6, 8])])
    shown = grid_findings.wide_enough(many, 0.01, "collapsed")
    assert "collapsed" in shown
    assert "4 layers" not in shown


def test_training_adds_most_where_it_says() -> None:
    """Networks exactly constant before and after training are counted; the share within the tolerance is ignored."""
    trained = pd.DataFrame({"depth": [3, 6, 9], "width": [4, 6, 2], "born_dead": [0.1, 0.2, 0.9], "trials": 128})
    trained = trained.assign(dead=[0.1, 0.5, 0.95], rate=[0.9, 0.5, 0.95])
    assert grid_findings.training_kills(trained) == (
        "In 2 of 3 cells, more networks are exactly constant after training than before it, most in that of width 6 "
        "and depth 6: 20.0 % before, 50.0 % after (128 trainings; whether it is more than in the other cells is not "
        "tested)."
    )
    none = grid_findings.training_kills(trained.assign(dead=[0.1, 0.1, 0.9]))
    assert none == "In none of 3 cells, more networks are exactly constant after training than before it."


def test_initializers_are_compared_where_they_differ_most(settings: params.Params) -> None:
    """At depth 3, RAI is better by 0.1 for width 1 and worse by 0.3 for width 2; Glorot is not trained."""
    about = {"depth": 3, "trained": 100.0, "trained_low": 0.0, "trained_high": 1.0}
    main = pd.DataFrame({"width": [1, 2], "initializer": "main", "trained_rate": [0.9, 0.5], **about})
    rai = main.assign(initializer="rai", trained_rate=[0.8, 0.8], trained_low=0.7, trained_high=0.9)
    glorot = main.assign(initializer="glorot_uniform", trained=np.nan)
    assert grid_findings.trained_initializers(pd.concat([main, glorot, rai]), settings) == [
        "After 5 epochs, fewer networks from RAI than from He normal are within 0.001 of a constant in 1 of 2 cells, "
        "more in 1. The difference is largest for 3 layers of 2 units: 80.0 % (interval 70.0 to 90.0 %) and 50.0 % "
        "(interval 0.0 to 100.0 %)."
    ]
    assert not grid_findings.trained_initializers(pd.concat([main, glorot]), settings)
    assert not grid_findings.trained_initializers(main.assign(trained=np.nan), settings)
