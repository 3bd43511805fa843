"""Test comparisons of variations with their case, and of interpretations with the paper's rows, on known counts."""

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from deadrelu import engine
from deadrelu.analysis import criteria, intervals, sensitivity
from deadrelu.settings import params
from deadrelu.stages import experiments


def trials(constant: int, n: int = 1000, *, first: int = 0, born_dead: float = 0.0) -> pd.DataFrame:
    """Return n trials with so many constant networks from number `first` on, and a share dead before training."""
    ranges = np.full(n, 2.0)
    ranges[first : first + constant] = 5e-4
    loss = np.where(ranges < 1, 1.0, 0.1)
    dead = np.arange(n) < born_dead * n
    return pd.DataFrame({"range": ranges, "born_dead": dead, "dead": ranges == 0, "loss_final": loss})


COUNTS = {"x_sin_5x-he": 919, "x_sin_5x-rai": 500, "step_sin_5x-he": 938, "step_sin_5x-rai": 326}
COUNTS |= {"x_sin_5x-rai-he_first": 300, "step_sin_5x-rai-he_first": 330}


@pytest.fixture
def case_trials(settings: params.Params) -> dict[str, pd.DataFrame]:
    return {key: trials(COUNTS.get(key, 100)) for key in settings.collapse.cases}


def table_trials(settings: params.Params, **changed: pd.DataFrame) -> dict[str, pd.DataFrame]:
    """Return the trials of every variation: those of its case, except for the variations in `changed`."""
    by_table = {}
    for key, table in settings.sensitivity.items():
        same = trials(COUNTS.get(table.of, 100))
        parts = [changed.get(name, same).assign(variation=name) for name in table.variations]
        by_table[key] = pd.concat(parts[::-1], ignore_index=True)
    return by_table


def test_variations_on_the_same_networks_are_compared_network_by_network(
    settings: params.Params, case_trials: dict[str, pd.DataFrame]
) -> None:
    """With RAI, 300 of 1,000 networks are constant; another optimizer makes 40 others constant and frees 10."""
    tables = table_trials(settings, sgd=trials(330, first=10, born_dead=0.2))
    variations = sensitivity.variations(case_trials, tables, settings)
    rows = variations[variations["table"] == "x_sin_5x-rai"].set_index("variation")
    assert list(rows.index) == ["", *settings.sensitivity["x_sin_5x-rai"].variations]
    row, case = rows.loc["sgd"], rows.loc[""]
    assert (case["count"], case["rate"], case["published"]) == (300, 0.3, 0.292)
    assert pd.isna(case["difference"])
    assert not case["differs"]
    assert (row["count"], row["born_dead"], row["dead"], row["pairs_differ"]) == (330, 0.2, 0, 50)
    assert (row["shared_layers"], row["layers"]) == (10, 10)
    assert (row["low"], row["high"]) == intervals.wilson(330, 1000)[1:]
    before, after = np.arange(1000) < 300, (np.arange(1000) >= 10) & (np.arange(1000) < 340)
    expected = intervals.paired_difference(before, after)
    assert tuple(row[["difference", "difference_low", "difference_high", "p"]]) == pytest.approx(tuple(expected))
    assert row["p"] == pytest.approx(stats.binomtest(40, 50, 0.5).pvalue)


def test_variations_of_the_first_layer_are_compared_as_independent_samples(
    settings: params.Params, case_trials: dict[str, pd.DataFrame]
) -> None:
    tables = table_trials(settings, rai_first=trials(250, first=700))
    variations = sensitivity.variations(case_trials, tables, settings).set_index(["table", "variation"])
    row = variations.loc[("x_sin_5x-rai", "rai_first")]
    assert row["shared_layers"] == 0
    assert pd.isna(row["pairs_differ"])
    expected = intervals.independent_difference(np.arange(1000) < 300, np.arange(1000) < 250)
    assert tuple(row[["difference", "difference_low", "difference_high", "p"]]) == pytest.approx(tuple(expected))
    rai_layers = variations.loc["x_sin_5x-rai"].drop("")["shared_layers"]
    assert set(rai_layers.index[rai_layers == 0]) == {"rai_first", "he_not_cut"}


def leading_equal_kernels(network: engine.Network, other: engine.Network) -> int:
    """Return how many layers, from the first on, have the same kernels in the first three trials of both networks."""
    drawn = [member.split(engine.draw_weights(member, 10, np.arange(3))) for member in (network, other)]
    equal = [np.array_equal(kernels, others) for (kernels, _), (others, _) in zip(*drawn, strict=False)]
    return [*equal, False].index(False)


def test_shared_layers_are_those_that_are_drawn_alike(settings: params.Params) -> None:
    """Every variation of params.yaml shares as many layers with its case as the engine draws equal kernels for both."""
    shared = set()
    for key, table in settings.sensitivity.items():
        case = experiments.of_case(settings, table.of).network
        for name, variation in experiments.of_variations(settings, key).items():
            shared_count = sensitivity.shared_layers(case, variation.network)
            assert shared_count == leading_equal_kernels(case, variation.network), name
            shared.add(shared_count)
    assert {0, 10} < shared


def test_what_differs_passes_holms_correction_within_its_table(
    settings: params.Params, case_trials: dict[str, pd.DataFrame]
) -> None:
    """Of 13 variations, one with 12 pairs against 1 (p = 0.0034) differs; with 10 against 1, it does not."""
    few = trials(311, first=1)
    tables = table_trials(settings, sgd=few)
    rows = sensitivity.variations(case_trials, tables, settings).set_index(["table", "variation"]).loc["x_sin_5x-rai"]
    p = stats.binomtest(12, 13, 0.5).pvalue
    assert rows.loc["sgd", "p"] == pytest.approx(p)
    assert 0.05 / 13 > p > 0.05 / 26
    assert rows["differs"].sum() == rows.loc["sgd", "differs"] == 1
    weaker = table_trials(settings, sgd=trials(309, first=1))
    rows = sensitivity.variations(case_trials, weaker, settings).set_index(["table", "variation"]).loc["x_sin_5x-rai"]
    assert rows.loc["sgd", "p"] == pytest.approx(stats.binomtest(10, 11, 0.5).pvalue)
    assert 0.05 / 13 < rows.loc["sgd", "p"] < 0.05
    assert not rows["differs"].any()


def test_fewer_trials_are_paired_with_the_first_ones(
    settings: params.Params, case_trials: dict[str, pd.DataFrame]
) -> None:
    """A variation of 400 trials is compared with the first 400 of the case, of which 300 are constant."""
    variations = sensitivity.variations(case_trials, table_trials(settings, sgd=trials(320, 400)), settings)
    row = variations.set_index(["table", "variation"]).loc[("x_sin_5x-rai", "sgd")]
    assert (row["trials"], row["pairs_differ"], row["difference"]) == (400, 20, 20 / 400)


def test_distances_are_those_of_two_samples(settings: params.Params, case_trials: dict[str, pd.DataFrame]) -> None:
    """The published number is a share of 1,000, too: z² is chi-squared of the table of both, and p is Fisher's."""
    variations = sensitivity.variations(case_trials, table_trials(settings), settings).set_index(["table", "variation"])
    row = variations.loc[("x_sin_5x-he", "")]
    assert (row["published"], row["z"], row["published_p"]) == (0.919, 0, 1)
    row = variations.loc[("plane", "rai")]  # its number is that of its own initializer
    table = [[100, 900], [96, 904]]
    assert row["published"] == 0.096
    assert row["z"] ** 2 == pytest.approx(stats.chi2_contingency(table, correction=False)[0])
    tails = [stats.fisher_exact(table, alternative=way).pvalue for way in ("less", "greater")]
    assert row["published_p"] == pytest.approx(min(1, 2 * min(tails)))
    # A network that is not the paper's is compared with the number of its case.
    assert variations.loc[("x_sin_5x-rai", "eight_hidden_layers"), "published"] == 0.292


def test_a_table_of_a_case_that_is_not_in_print(settings: params.Params) -> None:
    tree = settings.model_dump()
    tree["sensitivity"] = {"own": {"of": "relu", "variations": {"sgd": {"optimizer": {"name": "sgd"}}}}}
    changed = params.Params.model_validate(tree)
    varied = {"own": trials(90).assign(variation="sgd")}
    variations = sensitivity.variations({"relu": trials(100)}, varied, changed)
    assert variations[["published", "published_p", "z"]].isna().all(axis=None)
    assert variations["difference"].tolist() == pytest.approx([np.nan, -0.01], nan_ok=True)
    with_cases = {key: trials(100) for key in changed.collapse.cases}
    assert sensitivity.readings(with_cases, varied, changed)["variation"].tolist() == ["", ""]


def test_without_a_table_there_are_columns(settings: params.Params, case_trials: dict[str, pd.DataFrame]) -> None:
    bare = settings.model_copy(update={"sensitivity": {}})
    for table in (sensitivity.variations(case_trials, {}, bare), sensitivity.by_criterion(case_trials, bare)):
        assert table.empty
        assert {"rate", "published", "z"} <= set(table)
    assert sensitivity.readings(case_trials, {}, bare)["variation"].tolist() == ["", ""]


def test_readings_are_those_of_all_four_rows(settings: params.Params, case_trials: dict[str, pd.DataFrame]) -> None:
    """An interpretation is a first layer of RAI with no variation, or a first layer of He with one of all four rows."""
    tables = table_trials(settings, rate_slow=trials(700))
    readings = sensitivity.readings(case_trials, tables, settings).set_index(["first", "variation"])
    assert list(readings.index) == [("rai", ""), ("he", ""), ("he", "eight_hidden_layers"), ("he", "rate_slow")]
    rows = [f"{function}_{initializer}" for function, initializer in sensitivity.ROWS]
    assert readings.loc[("rai", ""), rows].tolist() == [0.919, 0.5, 0.938, 0.326]
    assert readings.loc[("he", ""), rows].tolist() == [0.919, 0.3, 0.938, 0.33]
    assert readings.loc[("he", "rate_slow"), rows].tolist() == [0.7] * 4
    assert readings.loc[("rai", ""), ["x_sin_5x_he_z", "step_sin_5x_he_z", "step_sin_5x_rai_z"]].tolist() == [0, 0, 0]
    table = [[500, 500], [292, 708]]
    z = stats.chi2_contingency(table, correction=False)[0] ** 0.5
    assert readings.loc[("rai", ""), "x_sin_5x_rai_z"] == pytest.approx(z)
    p = 2 * stats.fisher_exact(table, alternative="greater").pvalue
    assert readings.loc[("rai", ""), "p"] == pytest.approx(4 * p)
    assert readings["consistent"].tolist() == [False, True, True, False]
    assert readings.loc[("he", ""), "p"] == 1


def test_a_reading_is_rejected_by_its_worst_row_times_four(settings: params.Params) -> None:
    """One of four rows may have a p of 0.026, but not one of 0.006."""
    tails = {n: 2 * stats.fisher_exact([[n, 1000 - n], [292, 708]], alternative="greater").pvalue for n in (339, 348)}
    assert 0.0125 < tails[339] < 0.05
    assert tails[348] < 0.0125
    for count, consistent in ((339, True), (348, False)):
        counts = COUNTS | {"x_sin_5x-rai": count}
        cases = {key: trials(counts.get(key, 100)) for key in settings.collapse.cases}
        reading = sensitivity.readings(cases, table_trials(settings), settings).iloc[0]
        assert (reading["first"], reading["consistent"]) == ("rai", consistent)
        assert reading["p"] == pytest.approx(4 * tails[count])


def test_other_criteria_of_the_first_table(settings: params.Params, case_trials: dict[str, pd.DataFrame]) -> None:
    """Ranges are 5e-4 and 2; a network is constant by its loss from 0.99 of the best constant's on."""
    table = next(iter(settings.sensitivity.values()))
    learned = settings.target_of(table.of)
    best = criteria.best_constant(engine.Target(**learned.model_dump()), "mean_squared_error", settings.seed)
    frame = trials(300).assign(loss_final=np.repeat([0.989 * best, 0.991 * best, 2 * best], [600, 300, 100]))
    by_criterion = sensitivity.by_criterion({**case_trials, table.of: frame}, settings)
    assert set(by_criterion["case"]) == {table.of} == {"x_sin_5x-rai-he_first"}
    by_range = by_criterion[by_criterion["criterion"] == "range"].set_index("limit")["count"]
    assert by_range.to_dict() == {limit: 300 * (limit >= 5e-4) for limit in sensitivity.TOLERANCES}
    by_loss = by_criterion[by_criterion["criterion"] == "loss"].iloc[0]
    assert (by_loss["limit"], by_loss["count"]) == (0.99, 400)
    assert set(by_criterion["published"]) == {0.292}
    expected = stats.chi2_contingency([[300, 700], [292, 708]], correction=False)[0] ** 0.5
    assert by_criterion.set_index("limit").loc[1e-3, "z"] == pytest.approx(expected)
