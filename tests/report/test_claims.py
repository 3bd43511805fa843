"""The tables and the advice on the page: each verdict follows from the numbers, and turns with them."""

import pandas as pd
import pytest
from helpers.projects import ROOT

from deadrelu.report import advice, claims, report_tables
from deadrelu.settings import params


@pytest.fixture
def numbers() -> dict[str, pd.DataFrame]:
    """The small tables of the committed report."""
    return {path.stem: pd.read_csv(path) for path in (ROOT / "reports" / "tables").glob("*.csv")}


def verdicts(settings: params.Params, numbers: dict[str, pd.DataFrame]) -> dict[str, str]:
    table = claims.table(settings, numbers)
    return dict(zip(table["the 2019 notebook says"], table["holds"], strict=True))


def test_claims_of_the_committed_run(settings: params.Params, numbers: dict[str, pd.DataFrame]) -> None:
    """What SCIENCE says of the 2019 notebook, found again in the numbers."""
    found = verdicts(settings, numbers)
    assert found["ReLU: 0.956 collapse"] == "yes"
    assert found["Leaky ReLU (slope 0.1): 0.192 collapse"] == "yes"
    assert found["It is close to the 90 % and more of Lu et al."] == "yes"
    assert found["ReLU: equal predictions at 5 positive probes mean a constant network"] == "no"
    assert found["Its 1,000 simulations are independent"] == "no"
    assert found["A small variance makes signals explode, a large one makes them vanish"] == "no"
    assert (found["Glorot is right for tanh"], found["He is right for ReLU"]) == ("yes", "yes")
    assert found["Glorot is right for sigmoid"] == "no"


def changed(table: pd.DataFrame, at: pd.Series, **values: object) -> pd.DataFrame:
    table = table.copy()
    for name, value in values.items():
        table.loc[at, name] = value
    return table


def test_verdicts_turn_with_the_numbers(settings: params.Params, numbers: dict[str, pd.DataFrame]) -> None:
    rates, ratios, halves = (numbers[name] for name in ("collapse_rates", "signal_ratios", "half_lines"))
    constant = (rates["case"] == "relu") & (rates["event"] == "collapsed")
    fewer = changed(rates, constant, count=870, rate=0.87, low=0.848, high=0.889)
    normal = ratios["case"] == "relu-random_normal_010"
    he, glorot = ratios["case"] == "relu-he_normal", ratios["case"] == "tanh-glorot_normal"
    other = changed(changed(ratios, normal, forward=1.5), ratios["case"] == "relu-random_normal_028", forward=0.5)
    other = changed(changed(other, he, forward_verdict="vanishes"), glorot, backward_verdict="vanishes")
    found = verdicts(
        settings,
        numbers
        | {"collapse_rates": fewer, "signal_ratios": other}
        | {"half_lines": changed(halves, halves["case"] == "relu", probes_only=0)},
    )
    assert found["ReLU: 0.956 collapse"] == "no"
    assert found["It is close to the 90 % and more of Lu et al."] == "no"
    assert found["ReLU: equal predictions at 5 positive probes mean a constant network"] == "yes"
    assert found["A small variance makes signals explode, a large one makes them vanish"] == "yes"
    assert found["He is right for ReLU"] == "no"
    assert found["Glorot is right for tanh"] == "only in part"


def test_advice_follows_the_numbers(settings: params.Params, numbers: dict[str, pd.DataFrame]) -> None:
    text = " ".join(advice.sentences(settings, numbers))
    assert "ReLU: of the 4 initializers measured, He normal kept signal and gradient" in text
    assert "sigmoid: of the 3 initializers measured, none kept both" in text
    cells = numbers["explorer"]
    rai = cells[(cells["initializer"] == "rai") & (cells["depth"] == 20) & (cells["width"] == 2)]["rate"].iloc[0]
    assert f"RAI {100 * rai:.1f} %" in text
    leaky = numbers["collapse_rates"].query("case == 'leaky_relu' and event == 'collapsed'")["rate"].iloc[0]
    assert f"{100 * leaky:.1f} % still collapse" in text
    ratios = numbers["signal_ratios"]
    all_hold = ratios.assign(forward_verdict="holds", backward_verdict="holds")
    assert "none kept both" not in " ".join(advice.sentences(settings, numbers | {"signal_ratios": all_hold}))
    learned = numbers["epochs"].assign(validation_accuracy_low=0.9, validation_accuracy_high=0.9)
    assert "Every network that was trained on MNIST learned." in advice.sentences(
        settings, numbers | {"epochs": learned}
    )


def test_tables_are_of_strings_and_of_every_case(settings: params.Params, numbers: dict[str, pd.DataFrame]) -> None:
    made = {
        "factors": report_tables.factors(settings, numbers),
        "trained": report_tables.trained(settings, numbers),
        "rates": report_tables.rates(settings, numbers),
        "papers": report_tables.papers(settings, numbers),
        "born_dead": report_tables.born_dead(settings, numbers),
        "settings": report_tables.settings(settings, "official", 10_000),
        "claims": claims.table(settings, numbers),
    }
    for name, table in made.items():
        assert all(isinstance(cell, str) for cell in table.to_numpy().ravel()), name
        assert not table.isin(["nan", "NaN", "None"]).to_numpy().any(), name
    assert len(made["factors"]) == len(settings.activations.cases)
    assert len(made["trained"]) == len(settings.training.cases)
    assert len(made["rates"]) == 4 * len(settings.collapse.main)
    assert len(made["settings"]) == len(settings.collapse.cases) + 3
    rai = made["papers"].query("function == 'x sin 5x' and initializer == 'RAI'").iloc[0]
    measured = numbers["collapse_rates"].query("case == 'x_sin_5x-rai' and event == 'collapsed'")["rate"].iloc[0]
    assert (rai["published"], rai["here (95 %)"].split(" (")[0]) == ("29.2 %", f"{100 * measured:.1f} %")
    assert made["papers"]["published"].iloc[0] == "> 90.0 %"
    ten = made["born_dead"].set_index("width")["10 layers"]
    cell = numbers["born_dead"].query("depth == 10 and width == 2")["rate"].iloc[0]
    assert ten["2"] == f"{100 * cell:.2f} %"


def test_rows_stay_with_their_case(settings: params.Params, numbers: dict[str, pd.DataFrame]) -> None:
    """Whatever the order of the tables' rows."""
    shuffled = {name: table.sample(frac=1, random_state=1) for name, table in numbers.items()}
    of = {(row[0], row[1], row[2]): row for row in report_tables.papers(settings, numbers).itertuples(index=False)}
    for row in report_tables.papers(settings, shuffled).itertuples(index=False):
        assert row == of[row[0], row[1], row[2]]


def test_a_diverged_training_is_told(settings: params.Params, numbers: dict[str, pd.DataFrame]) -> None:
    epochs = numbers["epochs"]
    broken = changed(epochs, epochs["case"] == "mlp-he_normal", loss=float("inf"))
    table = report_tables.trained(settings, numbers | {"epochs": broken})
    assert table["loss"].tolist().count("diverged") == 1
