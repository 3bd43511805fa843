"""Test outcomes of trials made by hand, counts before and after training, losses and functions."""

import numpy as np
import pandas as pd
import pytest

from deadrelu.analysis import outcomes
from deadrelu.analysis.intervals import wilson
from deadrelu.settings import params

BY_HAND = (
    # range_initial, range, range_low, range_high, outcome at a tolerance of 1e-3
    (0.0, 0.0, 0.0, 0.0, "born_dead"),
    (1.0, 0.0, 0.0, 0.0, "died"),
    (5e-4, 1e-4, 1e-4, 1e-4, "stayed_within"),
    (0.0, 1e-4, 1e-4, 1e-4, "stayed_within"),  # dead before training, and not exactly after it
    (1.0, 5e-4, 5e-4, 5e-4, "became_within"),
    (1.0, 1.0, 1e-4, 1.0, "one_sided"),
    (1.0, 1.0, 1.0, 1e-3, "one_sided"),
    (5e-4, 1.0, 1.0, 1.0, "alive"),  # constant before training only
    (0.0, 1.0, 1.0, 1.0, "alive"),
    (1.0, np.inf, np.inf, np.inf, "alive"),  # not finite, so no constant
)


def trials(**columns: object) -> pd.DataFrame:
    """Return a trial of each row above; the losses of trial k begin at k."""
    values: dict[str, object] = {"trial": range(len(BY_HAND))}
    names = ("range_initial", "range", "range_low", "range_high")
    values |= {name: [row[column] for row in BY_HAND] for column, name in enumerate(names)}
    values["loss_initial"] = np.arange(float(len(BY_HAND)))
    values["loss"] = [[k + 0.5, k + 0.25] for k in range(len(BY_HAND))]
    return pd.DataFrame(values | columns)


def test_each_trial_has_its_outcome() -> None:
    assert outcomes.outcomes(trials(), 1e-3).tolist() == [row[-1] for row in BY_HAND]
    assert {row[-1] for row in BY_HAND} == set(outcomes.OUTCOMES)


def test_with_a_tolerance_of_0_nothing_is_within_it_but_not_dead() -> None:
    """Networks with ranges of 1e-4 or 5e-4 are then alive."""
    names = outcomes.outcomes(trials(range_low=1.0, range_high=1.0), 0.0).tolist()
    assert names == ["born_dead", "died", *["alive"] * 8]


@pytest.mark.parametrize("side", ["range_low", "range_high"])
def test_training_inputs_on_one_side_of_0_make_no_network_one_sided(side: str) -> None:
    """The range of the other side is null for every trial, and then the ranges of this side are those of all inputs."""
    one_side = trials(**{side: None, {"range_low": "range_high", "range_high": "range_low"}[side]: trials()["range"]})
    expected = [row[-1] if row[-1] != "one_sided" else "alive" for row in BY_HAND]
    assert outcomes.outcomes(one_side, 1e-3).tolist() == expected
    no_sides = trials(range_low=None, range_high=None)
    assert outcomes.outcomes(no_sides, 1e-3).tolist() == expected


def test_before_and_after_by_one_criterion_at_a_time() -> None:
    """By hand, the range is exactly 0 before training in rows 0, 3 and 8, and after it in rows 0 and 1."""
    table = outcomes.before_and_after({"a": trials()}, 1e-3).set_index("criterion")
    counts = ["trials", "before", "after", "stay", "enter", "leave"]
    assert table.loc["exact", counts].tolist() == [10, 3, 2, 1, 1, 2]
    assert table.loc["within", counts].tolist() == [10, 5, 5, 3, 2, 2]
    assert set(table["case"]) == {"a"}
    for criterion, before, after in (("exact", 3, 2), ("within", 5, 5)):
        row = table.loc[criterion]
        assert tuple(row[["before_rate", "before_low", "before_high"]]) == tuple(wilson(before, 10))
        assert tuple(row[["after_rate", "after_low", "after_high"]]) == tuple(wilson(after, 10))


def history() -> pd.DataFrame:
    """Return five networks at epochs 0, 1 and 5: dead from the start, from 1 on, from 5 on, for a while, and never."""
    ranges = {0: [0, 0, 0], 1: [2, 0, 0], 2: [2, 1e-4, 0], 3: [0, 0, 3], 4: [2, np.nan, 1e-4]}
    layers = {0: [2, 2, 2], 1: [0, 3, 1], 2: [0, 0, 0], 3: [2, 2, 0], 4: [0, 0, 0]}
    rows = [(trial, epoch, ranges[trial][k], layers[trial][k]) for k, epoch in enumerate((0, 1, 5)) for trial in ranges]
    return pd.DataFrame(rows, columns=["trial", "epoch", "range", "dead_layer"])


def test_shares_over_training_are_of_each_checkpoint_and_criterion() -> None:
    shares = outcomes.over_training({"a": history()}, 1e-3)
    counts = shares.set_index(["criterion", "epoch"])["count"]
    assert counts["exact"].to_dict() == {0: 2, 1: 3, 5: 3}
    assert counts["within"].to_dict() == {0: 2, 1: 4, 5: 4}  # one that is not finite is not constant
    assert set(shares["trials"]) == {5}
    last = shares[(shares["criterion"] == "within") & (shares["epoch"] == 5)].iloc[0]
    assert tuple(last[["rate", "low", "high"]]) == tuple(wilson(4, 5))


def test_deaths_are_for_good_and_named_by_the_layer_at_that_moment() -> None:
    """The order of rows does not matter; a network that recovered is no death, but is counted separately."""
    deaths = outcomes.deaths({"a": history().sample(frac=1, random_state=3)})
    assert deaths[["epoch", "layer", "count"]].to_numpy().tolist() == [[0, 2, 1], [1, 3, 1], [5, 0, 1]]
    assert set(deaths["networks"]) == {5}
    assert set(deaths["revived"]) == {1}


def test_no_death_is_an_empty_table_with_columns() -> None:
    alive = history().assign(range=1.0, dead_layer=0)
    for table in (outcomes.deaths({"a": alive}), outcomes.deaths({}), outcomes.over_training({}, 1e-3)):
        assert table.empty
        assert list(table)[:2] in (["case", "epoch"], ["case", "criterion"])


@pytest.fixture
def only_relu(settings: params.Params) -> params.Params:
    case = {"relu": settings.collapse.cases["relu"]}
    return settings.model_copy(update={"collapse": settings.collapse.model_copy(update={"cases": case})})


def test_tables_count_outcomes_and_follow_losses(only_relu: params.Params) -> None:
    x = [-1.0, 1.0]
    drawn = pd.DataFrame({"trial": np.repeat(range(10), 2), "x": x * 10, "untrained": 0.0, "trained": np.arange(20.0)})
    outcome_tables = outcomes.tables({"relu": trials()}, {"relu": drawn}, only_relu)
    assert outcome_tables["outcomes"].to_numpy().tolist() == [
        ["relu", "born_dead", 1, 10],
        ["relu", "died", 1, 10],
        ["relu", "stayed_within", 2, 10],
        ["relu", "became_within", 1, 10],
        ["relu", "one_sided", 2, 10],
        ["relu", "alive", 3, 10],
    ]
    losses = outcome_tables["losses"].set_index(["outcome", "epoch"])
    assert losses.loc[("died", 0), "median"] == 1
    assert losses.loc[("died", 2), "median"] == 1.25
    assert losses.loc[("one_sided", 1), ["low", "median", "high"]].tolist() == [5.5, 5.5, 6.5]
    functions = outcome_tables["functions"].set_index(["outcome", "x"])
    assert sorted(outcome_tables["functions"]["trial"].unique()) == list(range(10))
    assert functions.loc[("became_within", 1.0), "trained"] == 9


def test_band_holds_the_middle_80_percent(only_relu: params.Params) -> None:
    """The band ends at the third and at the nineteenth of 21 active networks."""
    alive = pd.concat([trials()[8:9]] * 21, ignore_index=True).assign(loss_initial=range(21))
    losses = outcomes.tables({"relu": alive}, {}, only_relu)["losses"].set_index("epoch")
    assert losses.loc[0, ["low", "median", "high"]].tolist() == [2, 10, 18]


def test_few_functions_of_each_outcome(only_relu: params.Params) -> None:
    """The functions are those of the first trials, however many trials have the outcome."""
    many = pd.concat([trials(trial=range(10 * k, 10 * k + 10)) for k in range(6)])
    drawn = pd.DataFrame({"trial": range(50), "x": 0.0, "untrained": 0.0, "trained": 0.0})
    functions = outcomes.tables({"relu": many}, {"relu": drawn}, only_relu)["functions"]
    assert functions["outcome"].value_counts().to_dict() == dict.fromkeys(outcomes.OUTCOMES, outcomes.PER_OUTCOME)
    assert functions["trial"][functions["outcome"] == "died"].tolist() == [1, 11, 21]
    assert functions["trial"][functions["outcome"] == "alive"].tolist() == [7, 8, 9]


def test_a_diverged_trial_has_the_largest_loss(only_relu: params.Params) -> None:
    loss = [[np.nan, 1.0]] * 9 + [[7.0, 1.0]]
    broken = trials(range=np.nan, range_low=np.nan, range_high=np.nan, loss=loss)
    assert set(outcomes.outcomes(broken, 1e-3)) == {"alive"}
    losses = outcomes.tables({"relu": broken}, {}, only_relu)["losses"].set_index("epoch")
    assert losses.loc[1, ["low", "median", "high"]].tolist() == [7, np.inf, np.inf]


def test_without_independent_trials_there_are_columns(settings: params.Params) -> None:
    loops = {"relu-refit": settings.collapse.cases["relu-refit"]}
    only_loops = settings.model_copy(update={"collapse": settings.collapse.model_copy(update={"cases": loops})})
    outcome_tables = outcomes.tables({}, {}, only_loops)
    assert list(outcome_tables) == ["outcomes", "losses", "functions"]
    for table in outcome_tables.values():
        assert list(table.columns)[:2] == ["case", "outcome"]
        assert table.empty


def test_one_diverged_trial_changes_no_other() -> None:
    """The ranges of one trial are NaN on both sides; others can still count as constant on one side."""
    broken = trials()
    broken.loc[9, ["range", "range_low", "range_high"]] = np.nan
    assert outcomes.outcomes(broken, 1e-3).tolist() == [row[-1] for row in BY_HAND]
