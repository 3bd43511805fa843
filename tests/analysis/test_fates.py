"""What becomes of networks: fates of trials made by hand, their losses, and which functions are kept."""

import numpy as np
import pandas as pd
import pytest

from deadrelu.analysis import fates
from deadrelu.engine import targets
from deadrelu.settings import params


def trials(**columns: object) -> pd.DataFrame:
    """Five trials: dead untrained, dying, constant for x < 0, for x > 0, and alive."""
    values = {
        "trial": range(5),
        "born_dead": [True, False, False, False, False],
        "range": [0.0, 5e-4, 1.0, 1.0, 1.0],
        "range_low": [0.0, 5e-4, 1e-4, 1.0, 1.0],
        "range_high": [0.0, 5e-4, 1.0, 1e-3, 1.0],
        "loss_initial": [1.0, 2.0, 3.0, 4.0, 5.0],
        "loss": [[1.0, 1.0], [2.0, 1.0], [3.0, 2.0], [4.0, 2.5], [5.0, 0.1]],
    }
    return pd.DataFrame(values | columns)


def test_each_trial_meets_its_fate() -> None:
    expected = ["born_dead", "dies", "half_dead", "half_dead", "alive"]
    assert fates.fates(trials(), 1e-3, both_signs=True).tolist() == expected
    one_sign = fates.fates(trials(), 1e-3, both_signs=False).tolist()
    assert one_sign == ["born_dead", "dies", "alive", "alive", "alive"]
    no_sides = trials(range_low=None, range_high=None)
    assert fates.fates(no_sides, 1e-3, both_signs=True).tolist() == one_sign
    assert fates.fates(trials(range=np.nan), 1e-3, both_signs=True)[0] != "born_dead"  # diverged, so not constant


def test_born_dead_that_lives_is_alive() -> None:
    """The name is what became of it: where a network moved after all, it did not end constant."""
    assert (
        fates.fates(trials(range=1.0, range_low=1.0, range_high=1.0), 1e-3, both_signs=True).tolist() == ["alive"] * 5
    )


@pytest.fixture
def only_relu(settings: params.Params) -> params.Params:
    case = {"relu": settings.collapse.cases["relu"]}
    return settings.model_copy(update={"collapse": settings.collapse.model_copy(update={"cases": case})})


def test_tables_count_fates_and_follow_losses(only_relu: params.Params) -> None:
    x = [-1.0, 1.0]
    drawn = pd.DataFrame({"trial": np.repeat(range(5), 2), "x": x * 5, "untrained": 0.0, "trained": np.arange(10.0)})
    found = fates.tables({"relu": trials()}, {"relu": drawn}, only_relu)
    assert found["fates"].to_numpy().tolist() == [
        ["relu", "born_dead", 1, 5],
        ["relu", "dies", 1, 5],
        ["relu", "half_dead", 2, 5],
        ["relu", "alive", 1, 5],
    ]
    losses = found["losses"].set_index(["fate", "epoch"])
    assert losses.loc[("alive", 0), "median"] == 5
    assert losses.loc[("alive", 2), "median"] == 0.1
    assert losses.loc[("half_dead", 1), ["low", "median", "high"]].tolist() == [3, 3, 4]
    assert sorted(found["functions"]["trial"].unique()) == [0, 1, 2, 3, 4]
    assert found["functions"].set_index(["fate", "x"]).loc[("alive", 1.0), "trained"] == 9


def test_band_holds_the_middle_80_percent(only_relu: params.Params) -> None:
    """Of 21 living networks, the third and the nineteenth."""
    alive = pd.concat([trials()[4:]] * 21, ignore_index=True).assign(loss_initial=range(21))
    losses = fates.tables({"relu": alive}, {}, only_relu)["losses"].set_index("epoch")
    assert losses.loc[0, ["low", "median", "high"]].tolist() == [2, 10, 18]


def test_few_functions_of_each_fate(only_relu: params.Params) -> None:
    many = pd.concat([trials(trial=range(5 * k, 5 * k + 5)) for k in range(6)])
    drawn = pd.DataFrame({"trial": range(20), "x": 0.0, "untrained": 0.0, "trained": 0.0})
    found = fates.tables({"relu": many}, {"relu": drawn}, only_relu)["functions"]
    assert found["fate"].value_counts().tolist() == [fates.PER_FATE] * 4
    assert found["trial"][found["fate"] == "alive"].tolist() == [4, 9, 14]


def test_a_diverged_trial_is_the_largest(only_relu: params.Params) -> None:
    broken = trials(range=np.nan, range_low=np.nan, range_high=np.nan, loss=[[np.nan, 1.0]] * 4 + [[7.0, 1.0]])
    losses = fates.tables({"relu": broken}, {}, only_relu)["losses"].set_index("epoch")
    assert losses.loc[1, ["low", "median", "high"]].tolist() == [7, np.inf, np.inf]


def test_best_constant_is_the_mean_or_the_median(settings: params.Params) -> None:
    """Against a search over constants."""
    for key in ("x_sin_5x-he", "x_sin_5x-he-mae", "abs_sum_abs_difference-he"):
        target = settings.target_of(key)
        _, y = targets.sample(target.function, target.low, target.high, target.points, seed=settings.seed)
        y = y.reshape(len(y), -1).astype(float)
        squared = settings.collapse.cases[key].loss == "mean_squared_error"
        at = np.linspace(y.min(), y.max(), 4001)
        losses = [np.min([np.mean((np.square if squared else np.abs)(of - c)) for c in at]) for of in y.T]
        assert fates._best_constant(settings, key) == pytest.approx(np.mean(losses), rel=1e-5)


def test_without_trials_there_are_columns(settings: params.Params) -> None:
    loops = {"relu-refit": settings.collapse.cases["relu-refit"]}
    only_loops = settings.model_copy(update={"collapse": settings.collapse.model_copy(update={"cases": loops})})
    found = fates.tables({}, {}, only_loops)
    assert list(found) == ["fates", "losses", "functions"]
    for table in found.values():
        assert list(table.columns)[:2] == ["case", "fate"]
        assert table.empty
