"""Rates, distances and differences of readings, on tables small enough to check by hand."""

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from deadrelu.analysis import sensitivity
from deadrelu.analysis.intervals import wilson
from deadrelu.report import rate_findings, report_tables
from deadrelu.settings import params


def counts() -> pd.DataFrame:
    rows = []
    for reading, layers, of_row in (("near", 9, (919, 300, 930, 330)), ("far", 8, (700, 300, 930, 330))):
        row = iter(of_row)
        for function in ("x_sin_5x", "step_sin_5x"):
            for initializer in ("he", "rai"):
                rows.append(("reading", reading, function, initializer, layers, "within_0.001", 1000, next(row)))
    for reading, count in (("base", 300), ("slow", 360)):
        rows.append(("variation", reading, "x_sin_5x", "rai", 9, "within_0.001", 1000, count))
        rows.append(("variation", reading, "x_sin_5x", "rai", 9, "born_dead", 1000, 200))
    rows.append(("plane", "9 hidden layers", "abs_sum_abs_difference", "he", 9, "within_0.001", 1000, 768))
    rows.append(("plane", "9 hidden layers", "abs_sum_abs_difference", "he", 9, "born_dead", 1000, 500))
    names = ["kind", "reading", "function", "initializer", "hidden_layers", "criterion", "trials", "count"]
    return pd.DataFrame(rows, columns=names)


def test_distances_are_those_of_two_samples() -> None:
    of = sensitivity.rates(counts())
    row = of[(of["reading"] == "far") & (of["function"] == "x_sin_5x") & (of["initializer"] == "he")].iloc[0]
    assert (row["low"], row["high"]) == wilson(700, 1000)[1:]
    table = [[700, 300], [919, 81]]
    assert row["z"] ** 2 == pytest.approx(stats.chi2_contingency(table, correction=False)[0])
    readings = sensitivity.readings(of).set_index("reading")
    assert readings.loc["far", "furthest"] == abs(row["z"])
    assert readings.loc["near", "x_sin_5x_rai"] == 0.3
    plane = sensitivity.plane(of)
    assert plane[["published", "z", "born_dead"]].iloc[0].tolist() == [0.768, 0, 0.5]


def test_variations_are_compared_with_the_base() -> None:
    found = sensitivity.variations(sensitivity.rates(counts())).set_index("reading")
    assert np.isnan(found.loc["base", "difference"])
    row = found.loc["slow"]
    error = (0.3 * 0.7 / 1000 + 0.36 * 0.64 / 1000) ** 0.5
    assert row["difference"] == pytest.approx(0.06)
    assert row["difference_high"] - row["difference_low"] == pytest.approx(2 * 1.96 * error)


def test_the_sentence_turns_with_the_numbers() -> None:
    readings = sensitivity.readings(sensitivity.rates(counts()))
    names = {"near": "this one", "far": "that one"}
    assert rate_findings.nearest_reading(readings, names).startswith("This one is consistent with all four")
    text = rate_findings.nearest_reading(readings.assign(furthest=[5.04, 3.21]), names)
    assert text == (
        "None of these readings is consistent with all four published rates: the nearest, that one, is 3.2 standard "
        "errors away in one of them."
    )


def test_deaths_are_counted_by_epoch_and_layer() -> None:
    deaths = pd.DataFrame(
        {
            "initializer": "he",
            "trial": range(6),
            "epoch": [0, 0, 1, 1, 5, -1],
            "layer": [2, 2, 3, 3, 0, 0],
            "revived": [False, False, True, False, False, True],
        }
    )
    table = sensitivity.death_epochs(deaths)
    assert table[["epoch", "layer", "count"]].to_numpy().tolist() == [[0, 2, 2], [1, 3, 2], [5, 0, 1]]
    assert set(table["networks"]) == {6}
    text = rate_findings.deaths_in_training(table, "He")
    assert text == (
        "He: of 6 networks, 2 have collapsed before training and 3 in it, 2 of these in the first three epochs, most "
        "through layer 3; 1 had collapsed and came back."
    )


def test_readings_are_named_by_what_they_change() -> None:
    base = params.Reading(first_initializer=params.FanScaled(name="he_normal"))
    changed = base.model_copy(
        update={
            "hidden_layers": 8,
            "first_initializer": None,
            "batch_size": 128,
            "epochs": 100,
            "end": 1.0,
            "points": 50,
        }
    )
    assert report_tables.reading_name(changed, base) == (
        "8 hidden layers, first layer RAI, batches of 128, 100 epochs, 50 points, inputs from −1 to 1"
    )
    sgd = base.model_copy(update={"optimizer": params.SgdParams(name="sgd")})
    assert report_tables.reading_name(sgd, base) == "SGD (0.01)"
    assert report_tables.reading_name(base, base) == "nothing"
