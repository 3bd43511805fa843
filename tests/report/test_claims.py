"""Test that the tables and the advice on the page follow from the numbers, and change with them."""

import numpy as np
import pandas as pd
import pytest
from helpers.projects import ROOT

from deadrelu.report import advice, claims, report_tables
from deadrelu.settings import params


@pytest.fixture
def numbers() -> dict[str, pd.DataFrame]:
    """Return the small tables of the committed report."""
    return {path.stem: pd.read_csv(path) for path in (ROOT / "reports" / "tables").glob("*.csv")}


CONSISTENT = "consistent, if its trainings are independent"


def verdicts(settings: params.Params, numbers: dict[str, pd.DataFrame]) -> dict[str, str]:
    table = claims.table(settings, numbers)
    return dict(zip(table["the 2019 notebook says"], table["holds"], strict=True))


def test_claims_of_the_committed_run(settings: params.Params, numbers: dict[str, pd.DataFrame]) -> None:
    """The verdicts on the 2019 notebook that SCIENCE states follow from the committed numbers."""
    holds = verdicts(settings, numbers)
    assert holds["ReLU: 0.956 collapse"] == CONSISTENT
    assert holds["Leaky ReLU (slope 0.1): 0.192 collapse"] == CONSISTENT
    assert holds["ReLU: 0.956 predict exactly the same at its 5 probes"] == "no"
    assert holds["Leaky ReLU (slope 0.1): 0.192 predict exactly the same at its 5 probes"] == "no"
    assert holds["It is close to the 90 % and more of Lu et al."] == "above, for another network"
    assert holds["ReLU: equal predictions at 5 positive probes mean a constant network"] == "no"
    assert holds["Leaky ReLU (slope 0.1): equal predictions at 5 positive probes mean a constant network"].startswith(
        "not tested"
    )
    assert holds["Its 1,000 simulations are independent"] == "no"
    assert holds["A small variance makes signals explode, a large one makes them vanish"] == "no"
    assert (holds["Glorot is right for tanh"], holds["He is right for ReLU"]) == ("yes", "yes")
    assert holds["Glorot is right for sigmoid"] == "no"


def changed(table: pd.DataFrame, rows: pd.Series, **values: object) -> pd.DataFrame:
    table = table.copy()
    for name, value in values.items():
        table.loc[rows, name] = value
    return table


def test_verdicts_turn_with_the_numbers(settings: params.Params, numbers: dict[str, pd.DataFrame]) -> None:
    rates, ratios, halves = (numbers[name] for name in ("collapse_rates", "signal_ratios", "half_lines"))
    constant = (rates["case"] == "relu") & (rates["event"] == "collapsed")
    fewer = changed(rates, constant, count=870, rate=0.87, low=0.848, high=0.889)
    normal = ratios["case"] == "relu-random_normal_010"
    he, glorot = ratios["case"] == "relu-he_normal", ratios["case"] == "tanh-glorot_normal"
    other = changed(changed(ratios, normal, forward=1.5), ratios["case"] == "relu-random_normal_028", forward=0.5)
    other = changed(changed(other, he, forward_verdict="vanishes"), glorot, backward_verdict="vanishes")
    holds = verdicts(
        settings,
        numbers
        | {"collapse_rates": fewer, "signal_ratios": other}
        | {"half_lines": changed(halves, halves["case"] == "relu", probes_only=0)},
    )
    assert holds["ReLU: 0.956 collapse"] == "no"
    assert holds["It is close to the 90 % and more of Lu et al."] == "no"
    assert holds["ReLU: equal predictions at 5 positive probes mean a constant network"] == "yes"
    assert holds["A small variance makes signals explode, a large one makes them vanish"] == "yes"
    assert holds["He is right for ReLU"] == "no"
    assert holds["Glorot is right for tanh"] == "only in part"


def test_a_claim_is_judged_by_its_own_criterion(settings: params.Params, numbers: dict[str, pd.DataFrame]) -> None:
    """Equal predictions at the probes and a range within the tolerance are two events, each with its own count."""
    rates = numbers["collapse_rates"]
    equal = (rates["case"] == "leaky_relu") & (rates["event"] == "probes_equal")
    holds = verdicts(settings, numbers | {"collapse_rates": changed(rates, equal, count=192, rate=0.192)})
    assert holds["Leaky ReLU (slope 0.1): 0.192 predict exactly the same at its 5 probes"] == "yes"
    assert holds["Leaky ReLU (slope 0.1): 0.192 collapse"] == CONSISTENT
    neither = changed(rates, rates["case"] == "leaky_relu", count=0, rate=0.0)
    holds = verdicts(settings, numbers | {"collapse_rates": neither})
    assert holds["Leaky ReLU (slope 0.1): 0.192 collapse"] == "no"


def test_probes_are_not_judged_without_inputs_on_both_sides(
    settings: params.Params, numbers: dict[str, pd.DataFrame]
) -> None:
    halves = numbers["half_lines"]
    holds = verdicts(settings, numbers | {"half_lines": halves[halves["case"] != "relu"]})
    claim = "equal predictions at 5 positive probes mean a constant network"
    assert f"ReLU: {claim}" not in holds
    assert f"Leaky ReLU (slope 0.1): {claim}" in holds


def test_advice_follows_the_numbers(settings: params.Params, numbers: dict[str, pd.DataFrame]) -> None:
    text = " ".join(advice.sentences(settings, numbers))
    assert "ReLU: of the 4 initializers measured, He normal kept signal and gradient" in text
    assert "sigmoid: of the 3 initializers measured, none kept both" in text
    cells = numbers["explorer"]
    rai = cells[(cells["initializer"] == "rai") & (cells["depth"] == 20) & (cells["width"] == 2)]["rate"].iloc[0]
    assert f"RAI {100 * rai:.1f} %" in text
    flow = numbers["before_and_after"].set_index(["case", "criterion"])
    leaky = flow.loc[("leaky_relu", "within")]
    left = f"Of those within 0.001 before it, {100 * leaky['leave'] / leaky['before']:.1f} % leave in 10 epochs."
    own = [text for text in advice.sentences(settings, numbers) if text.startswith("Leaky ReLU (slope 0.1): ")]
    assert own == [f"Leaky ReLU (slope 0.1): no network is exactly constant before or after training. {left}"]
    dead = numbers["before_and_after"].assign(after=1)
    assert left not in " ".join(advice.sentences(settings, numbers | {"before_and_after": dead}))
    ratios = numbers["signal_ratios"]
    all_hold = ratios.assign(forward_verdict="holds", backward_verdict="holds")
    assert "none kept both" not in " ".join(advice.sentences(settings, numbers | {"signal_ratios": all_hold}))
    learned = numbers["epochs"].assign(validation_accuracy_low=0.9, validation_accuracy_high=0.9)
    assert "Every network that was trained on MNIST learned." in advice.sentences(
        settings, numbers | {"epochs": learned}
    )


def test_tables_are_of_strings_and_of_every_case(settings: params.Params, numbers: dict[str, pd.DataFrame]) -> None:
    tables = {
        "factors": report_tables.factors(settings, numbers),
        "trained": report_tables.trained(settings, numbers),
        "rates": report_tables.rates(settings, numbers),
        "papers": report_tables.papers(settings, numbers),
        "born_dead": report_tables.born_dead(settings, numbers),
        "before_and_after": report_tables.before_and_after(settings, numbers),
        "readings": report_tables.readings(settings, numbers),
        "criteria": report_tables.criteria(settings, numbers),
        **{f"of {key}": report_tables.variations(settings, numbers, key) for key in settings.sensitivity},
        "settings": report_tables.settings(settings, "official", 10_000),
        "claims": claims.table(settings, numbers),
    }
    for name, table in tables.items():
        assert all(isinstance(cell, str) for cell in table.to_numpy().ravel()), name
        assert not table.isin(["nan", "NaN", "None"]).to_numpy().any(), name
    assert len(tables["factors"]) == len(settings.activations.cases)
    assert len(tables["trained"]) == len(settings.training.cases)
    assert len(tables["rates"]) == 5 * len(settings.main_cases)
    assert len(tables["settings"]) == len(settings.collapse.cases) + len(settings.sensitivity) + 3
    assert len(tables["before_and_after"]) == 2 * len(settings.collapse.independent)
    assert len(tables["papers"]) == len(settings.other_cases)
    for key, table in settings.sensitivity.items():
        assert len(tables[f"of {key}"]) == 1 + len(table.variations)
    rai = tables["papers"].query("function == 'x sin 5x' and initializer == 'RAI'").iloc[0]
    measured = numbers["collapse_rates"].query("case == 'x_sin_5x-rai' and event == 'collapsed'")["rate"].iloc[0]
    assert (rai["published"], rai["constant, after (95 %)"].split(" (")[0]) == ("29.2 %", f"{100 * measured:.1f} %")
    rates = numbers["collapse_rates"].query("case == 'x_sin_5x-rai'").set_index("event")["rate"]
    for title, event in (
        ("constant, before", "collapsed_before"),
        ("exactly, before", "born_dead"),
        ("exactly, after", "dead"),
    ):
        assert rai[title] == f"{100 * rates[event]:.1f} %"
    assert tables["papers"]["published"].iloc[0] == "> 90.0 %"
    ten = tables["born_dead"].set_index("width")["10 layers"]
    cell = numbers["born_dead"].query("depth == 10 and width == 2")["rate"].iloc[0]
    assert ten["2"] == f"{100 * cell:.2f} %"


def test_rows_stay_with_their_case(settings: params.Params, numbers: dict[str, pd.DataFrame]) -> None:
    """Rows are the same whatever the order of the tables' rows."""
    shuffled = {name: table.sample(frac=1, random_state=1) for name, table in numbers.items()}
    of = {(row[0], row[1], row[2]): row for row in report_tables.papers(settings, numbers).itertuples(index=False)}
    for row in report_tables.papers(settings, shuffled).itertuples(index=False):
        assert row == of[row[0], row[1], row[2]]


def test_rows_of_before_and_after(settings: params.Params, numbers: dict[str, pd.DataFrame]) -> None:
    row = {"case": "relu", "criterion": "within", "trials": 1000, "before": 946, "after": 960}
    table = pd.DataFrame([row | {"stay": 933, "enter": 27, "leave": 13}])
    (shown,) = report_tables.before_and_after(settings, numbers | {"before_and_after": table}).to_dict("records")
    assert shown == {
        "network": "ReLU",
        "criterion": "range ≤ 0.001",
        "networks": "1,000",
        "before": "946",
        "after": "960",
        "stay": "933",
        "become constant": "27",
        "leave": "13",
    }


VARIED = pd.DataFrame(
    {
        "table": "x_sin_5x-rai",
        "variation": [np.nan, "sgd", "eight_hidden_layers"],
        "trials": 1000,
        "born_dead": [0.2, 0.2, 0.15],
        "dead": [0.25, 0.26, 0.2],
        "shared_layers": [np.nan, 10, 8],
        "layers": [np.nan, 10, 9],
        "rate": [0.3, 0.33, 0.25],
        "low": [0.27, 0.3, 0.22],
        "high": [0.33, 0.36, 0.28],
        "pairs_differ": [np.nan, 50.0, 70.0],
        "difference": [np.nan, 0.03, -0.05],
        "difference_low": [np.nan, 0.01, -0.09],
        "difference_high": [np.nan, 0.05, -0.01],
        "p": [np.nan, 0.00001, 0.019],
        "differs": [False, True, False],
        "published": 0.292,
        "z": [0.4, 1.86, -2.1],
    }
)


def test_rows_of_variations(settings: params.Params, numbers: dict[str, pd.DataFrame]) -> None:
    """The case itself has no name, as in a table read from a CSV file, and its row shows no difference."""
    another = VARIED.assign(table="x_sin_5x-he")
    table = pd.concat([another, VARIED], ignore_index=True)
    case, sgd, eight = report_tables.variations(settings, numbers | {"variations": table}, "x_sin_5x-rai").to_dict(
        "records"
    )
    assert case == {
        "changed": "nothing: the case",
        "exactly, before": "20.0 %",
        "exactly, after": "25.0 %",
        "constant, after (95 %)": "30.0 % (27.0 to 33.0 %)",
        "difference, points (95 %)": "",
        "pairs": "",
        "p": "",
        "published": "29.2 %",
        "from published": "+0.4",
    }
    assert (sgd["changed"], sgd["pairs"], sgd["p"]) == ("SGD (0.01)", "50 of 1,000 differ; same networks", "1e-05 *")
    assert sgd["difference, points (95 %)"] == "+3.0 (+1.0 to +5.0)"
    assert (eight["changed"], eight["pairs"], eight["p"]) == (
        *("8 hidden layers", "70 of 1,000 differ; same first 8 layers", "0.019"),
    )
    assert eight["from published"] == "-2.1"
    apart = VARIED.assign(pairs_differ=np.nan)
    shown = report_tables.variations(settings, numbers | {"variations": apart}, "x_sin_5x-rai")
    assert shown["pairs"].tolist() == ["", "independent", "independent"]
    unknown = VARIED.assign(published=np.nan, z=np.nan)
    assert "published" not in report_tables.variations(settings, numbers | {"variations": unknown}, "x_sin_5x-rai")


def test_rows_of_readings_stand_below_the_published_ones(
    settings: params.Params, numbers: dict[str, pd.DataFrame]
) -> None:
    rates = {"x_sin_5x_he": 0.9, "x_sin_5x_rai": 0.3, "step_sin_5x_he": 0.94, "step_sin_5x_rai": 0.33}
    z = {f"{name}_z": distance for name, distance in zip(rates, (-1.5, 0.4, 0.2, 0.0), strict=True)}
    row = {"first": "he", "p": 0.53, "consistent": True, **rates, **z}
    table = pd.DataFrame([row | {"variation": np.nan}, row | {"variation": "eight_hidden_layers", "first": "rai"}])
    shown = report_tables.readings(settings, numbers | {"readings": table})
    assert shown.to_numpy().tolist() == [
        ["published", "91.9 %", "29.2 %", "93.8 %", "32.6 %", ""],
        ["first layer He", "90.0 % (-1.5)", "30.0 % (+0.4)", "94.0 % (+0.2)", "33.0 % (+0.0)", "0.53"],
        [
            *("first layer RAI; 8 hidden layers", "90.0 % (-1.5)", "30.0 % (+0.4)", "94.0 % (+0.2)"),
            *("33.0 % (+0.0)", "0.53"),
        ],
    ]


def test_rows_of_criteria(settings: params.Params, numbers: dict[str, pd.DataFrame]) -> None:
    table = pd.DataFrame({"criterion": ["range", "range", "loss"], "limit": [0.0, 1e-6, 0.99], "rate": 0.372})
    table = table.assign(low=0.343, high=0.402, z=[3.8, np.nan, 5.03])
    shown = report_tables.criteria(settings, numbers | {"criteria": table[::2]})
    assert shown["criterion"].tolist() == ["range exactly 0", "loss ≥ 0.99 of the best constant's"]
    assert set(shown["constant after training (95 %)"]) == {"37.2 % (34.3 to 40.2 %)"}
    assert shown["from published"].tolist() == ["+3.8", "+5.0"]
    alone = report_tables.criteria(settings, numbers | {"criteria": table[1:2]})
    assert alone["criterion"].tolist() == ["range ≤ 1e-06"]
    assert "from published" not in alone


def test_factors_stand_beside_their_theory(settings: params.Params, numbers: dict[str, pd.DataFrame]) -> None:
    ratios = numbers["signal_ratios"]
    he = ratios["case"] == "relu-he_normal"
    edited = changed(ratios, he, forward=1.01, forward_low=0.99, forward_high=1.03, forward_theory=1.0)
    edited = changed(edited, he, backward_theory=np.nan)
    table = report_tables.factors(settings, numbers | {"signal_ratios": edited})
    row = table[(table["activation"] == "ReLU") & (table["initializer"] == "He normal")].iloc[0]
    assert (row["× per layer (95 %)"], row["theory"]) == ("×1.01 (0.99 to 1.03)", "×1")
    assert row["theory, back"] == ""


def test_settings_say_how_long_each_network_is_trained(
    settings: params.Params, numbers: dict[str, pd.DataFrame]
) -> None:
    table = report_tables.settings(settings, "official", 10_000).set_index("part")["how often"]
    assert table["Training"] == "MLP: 3 networks, 3 epochs; CNN: 1 network, 1 epoch"
    assert table["ReLU"] == "1,000 trials, 10 epochs"
    assert table["Leaky ReLU (slope 0.1), fitted 50 times"] == "256 trials, 50 fits, 10 epochs"
    assert table["Sensitivity: plane"] == "500 trials each"
    steps = report_tables.trained(settings, numbers).groupby("network")["steps"].unique()
    assert (list(steps["MLP, ReLU"]), list(steps["CNN, ReLU"])) == (["48"], ["63"])


def test_a_diverged_training_is_told(settings: params.Params, numbers: dict[str, pd.DataFrame]) -> None:
    epochs = numbers["epochs"]
    broken = changed(epochs, epochs["case"] == "mlp-he_normal", loss=float("inf"))
    table = report_tables.trained(settings, numbers | {"epochs": broken})
    assert table["loss"].tolist().count("diverged") == 1
