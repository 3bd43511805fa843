"""Test numbers and sentences made from tables of signals and losses that are small enough to check by hand."""

import numpy as np
import pandas as pd
import pytest
from helpers.projects import ROOT
from scipy import stats

from deadrelu.analysis import mean_field, summaries
from deadrelu.report import findings, labels
from deadrelu.settings import params
from deadrelu.settings.stages import ActivationsParams


def networks(**columns: object) -> pd.DataFrame:
    """Return two networks of four layers, in any order: one halves the signal, one quarters it; gradients double."""
    layers = np.array([3, 1, 2, 4])
    parts = [
        pd.DataFrame(
            {"case": "a", "network": k, "layer": layers, "input_std": share**layers, "gradient_rms": 0.5**layers}
        )
        for k, share in ((1, 0.25), (0, 0.5))
    ]
    return pd.concat(parts, ignore_index=True).assign(**columns)


SUMMARY = pd.DataFrame(
    {
        "case": ["a"] * 4 + ["b"],
        "layer": [3, 1, 2, 4, 1],
        "saturated_fraction": [0.1, 0.4, 0.2, 0.3, 1.0],
        "zero_fraction": [0.5, 0.6, 0.0, 0.1, 1.0],
    }
)
IMAGES = np.random.default_rng(3).uniform(size=(100, 784))


def one_case_settings(settings: params.Params, **change: object) -> ActivationsParams:
    """Return the settings of `activations` with only a case `a`, ReLU with He initialization."""
    tree = settings.activations.model_dump() | {
        "network": {"hidden_layers": 4, "width": 100},
        "cases": {"a": {"activation": "relu", "initializer": {"name": "he_normal"}}},
    }
    return ActivationsParams.model_validate(tree | change)


def test_factor_per_layer_is_a_mean_over_networks(settings: params.Params) -> None:
    row = summaries.signal_ratios(SUMMARY, networks(), one_case_settings(settings), IMAGES).iloc[0]
    assert row["forward"] == pytest.approx(0.125**0.5)
    logs = np.log([0.5, 0.25])
    interval = stats.t.interval(0.95, 1, logs.mean(), stats.sem(logs))
    assert (row["forward_low"], row["forward_high"]) == pytest.approx(tuple(np.exp(interval)))
    assert row["forward_verdict"] == "varies"  # two networks that differ say little
    assert (row["backward"], row["backward_low"], row["backward_high"]) == pytest.approx((2, 2, 2))
    assert row["backward_verdict"] == "explodes"
    assert (row["saturated_least"], row["saturated_largest"]) == (0.1, 0.4)
    assert (row["zero_least"], row["zero_largest"]) == (0, 0.6)


def test_factor_of_signals_that_die_or_overflow_is_told(settings: params.Params) -> None:
    settings_, halves = one_case_settings(settings), 0.5 ** networks()["layer"]
    last = networks()["layer"] == 4

    def row(strength: pd.Series, kept: "slice | pd.Series" = slice(None)) -> pd.Series:
        table = networks(input_std=strength)[kept]
        return summaries.signal_ratios(SUMMARY, table, settings_, IMAGES).iloc[0]

    assert (row(halves)["forward"], row(halves)["forward_verdict"]) == (pytest.approx(0.5), "vanishes")
    dead = row(halves.where(~last, 0.0))
    assert (dead["forward"], dead["forward_verdict"]) == (0, "vanishes")
    assert row(halves.where(~last, np.inf))["forward_verdict"] == "explodes"
    alone = row(halves, networks()["layer"] == 1)
    assert (alone["forward_verdict"], alone["backward_verdict"]) == ("not measured", "not measured")


def test_theory_of_factors_stands_only_where_it_holds(settings: params.Params) -> None:
    """Theory uses few of the images, evenly spaced among all."""

    def theory(**change: object) -> list[float]:
        ratios = summaries.signal_ratios(SUMMARY, networks(), one_case_settings(settings, **change), IMAGES)
        return ratios[["forward_theory", "backward_theory"]].iloc[0].tolist()

    weights = [(784, 2 / 784), *[(100, 2 / 100)] * 4]
    few = summaries.THEORY_IMAGES
    images = IMAGES[:: 100 // few][:few]
    assert theory() == pytest.approx(mean_field.factors("relu", images, weights))
    orthogonal = {"a": {"activation": "relu", "initializer": {"name": "orthogonal"}}}
    for change in (
        {"layer_seeds": "shared"},
        {"network": {"hidden_layers": 1, "width": 100}},
        {"cases": orthogonal},
    ):
        assert np.isnan(theory(**change)).all(), change


def test_order_of_cases_is_that_of_the_networks(settings: params.Params) -> None:
    both = {key: {"activation": "tanh", "initializer": {"name": "glorot_normal"}} for key in ("a", "b")}
    table = pd.concat([networks().assign(case="b", input_std=1.0), networks()])
    ratios = summaries.signal_ratios(SUMMARY, table, one_case_settings(settings, cases=both), IMAGES)
    assert ratios[["case", "saturated_least"]].to_numpy().tolist() == [["b", 1.0], ["a", 0.1]]
    assert ratios["forward"].tolist() == pytest.approx([1, 0.125**0.5])


def batches(losses: dict[int, list[float]]) -> pd.DataFrame:
    """Return a row for each batch of two epochs of each trial, in random order."""
    rows = [("a", trial, 1 + step // 6, step % 6, loss) for trial, of in losses.items() for step, loss in enumerate(of)]
    table = pd.DataFrame(rows, columns=["case", "trial", "epoch", "batch", "loss"]).astype({"loss": np.float32})
    return table.sample(frac=1, random_state=2)


def test_running_mean_is_over_the_last_batches_and_its_band_over_trials() -> None:
    drawn = np.random.default_rng(4).uniform(1, 3, (3, 12))
    curves = summaries.loss_curves(batches(dict(enumerate(drawn.tolist()))))
    means = np.array([[of[max(0, k - 7) : k + 1].mean() for k in range(12)] for of in drawn.astype(np.float32)])
    assert curves["step"].tolist() == list(range(1, 13))
    np.testing.assert_allclose(curves["loss"], np.median(means, axis=0), rtol=1e-6)
    np.testing.assert_allclose(curves["loss_low"], means.min(axis=0), rtol=1e-6)
    np.testing.assert_allclose(curves["loss_high"], means.max(axis=0), rtol=1e-6)


@pytest.mark.parametrize("broken", [np.nan, np.inf])
def test_running_mean_is_infinite_as_long_as_a_loss_of_it_is_not_finite(broken: float) -> None:
    """A mean of finite losses would hide a divergence, so each mean of 8 that contains the third batch is infinite."""
    losses = [1.0] * 12
    losses[2] = broken
    curves = summaries.loss_curves(batches({0: losses}))
    assert np.isinf(curves["loss"]).tolist() == [2 <= k < 10 for k in range(12)]
    assert set(curves["loss"][~np.isinf(curves["loss"])]) == {1.0}
    curves_of_three = summaries.loss_curves(batches({0: losses, 1: [3.0] * 12, 2: [2.0] * 12}))
    assert curves_of_three["loss"].iloc[5] == 3  # a diverged training has the largest loss of three
    assert curves_of_three["loss_low"].iloc[5] == 2
    assert curves_of_three["loss_high"].iloc[5] == np.inf


def test_a_huge_early_loss_leaves_no_rounding_error() -> None:
    losses = [1e30, *[1.0] * 11]
    assert summaries.loss_curves(batches({0: losses}))["loss"].iloc[-1] == 1.0


def test_each_case_has_its_own_last_epoch() -> None:
    epochs = pd.DataFrame({"case": list("abaab"), "epoch": [0, 0, 1, 2, 1], "loss": [9.0, 8.0, 7.0, 6.0, 5.0]})
    last = summaries.last_epochs(epochs)
    assert last[["case", "epoch", "loss"]].to_numpy().tolist() == [["a", 2, 6.0], ["b", 1, 5.0]]


def test_epochs_over_trials_are_medians_and_extremes() -> None:
    """A diverged trial has an infinite loss; before training the loss is missing, which is no divergence."""
    rows = [
        ("a", trial, epoch, loss, loss + 1, accuracy)
        for trial, of in enumerate(([np.nan, 3.0, 1.0], [np.nan, 2.0, np.nan], [np.nan, 1.0, 4.0]))
        for (epoch, loss), accuracy in zip(enumerate(of), (0.1, 0.5 + trial / 10, 0.2), strict=True)
    ]
    names = ["case", "trial", "epoch", "loss", "validation_loss", "validation_accuracy"]
    table = summaries.epochs_over_trials(pd.DataFrame(rows, columns=names)).set_index("epoch")
    assert set(table["trials"]) == {3}
    assert np.isnan(table.loc[0, "loss"])
    assert table.loc[1, ["loss_low", "loss", "loss_high"]].tolist() == [1, 2, 3]
    assert table.loc[2, ["loss_low", "loss", "loss_high"]].tolist() == [1, 4, np.inf]
    assert table.loc[2, "validation_loss_high"] == np.inf
    assert table.loc[1, ["validation_accuracy_low", "validation_accuracy_high"]].tolist() == [0.5, 0.7]


STRIDES = [(100, 20), (100, 21), (100, 30), (100, 2), (100, 1), (100, 100), (7, 3), (7, 14), (60, 8)]


@pytest.mark.parametrize(("width", "every"), STRIDES)
def test_units_that_a_stride_meets(width: int, every: int) -> None:
    """The sentence agrees with counts of the sampled units, and of those that each image has in the sample."""
    positions = np.arange(0, 5000 * width, every)
    image, unit = np.divmod(positions, width)
    whole = image < image.max()  # the last image may be incomplete
    by_image = {tuple(sorted(units)) for units in pd.Series(unit[whole]).groupby(image[whole]).unique()}
    met, text = len(set(unit)), findings.units_sampled(width, every)
    assert (f"all {width} units" in text) == (met == width)
    assert (f"only {met} of the {width} units" in text) == (met < width)
    if met < width and every <= width:
        assert ("the same for every image" in text) == (len(by_image) == 1)
    assert ("as in the notebook" in text) == ((width, every) == (100, 20))


def test_strides_are_in_words_that_fit_every_number() -> None:
    assert "one of every 2 values" in findings.units_sampled(100, 2)
    assert "every value of" in findings.units_sampled(100, 1)
    assert not [every for every in range(1, 30) if f"{every}th" in findings.units_sampled(100, every)]
    assert "the same for every image" not in findings.units_sampled(100, 30)
    assert "the same for every image" in findings.units_sampled(100, 20)


def test_healthy_panels() -> None:
    panels = {"a": labels.Panel("ReLU", "He normal"), "b": labels.Panel("ReLU", "Glorot normal")}
    factors = {f"{way}{end}": 0.9 for way in ("forward", "backward") for end in ("", "_low", "_high")}
    ratios = pd.DataFrame({"case": ["a", "b"], "forward_verdict": ["holds", "vanishes"], "backward_verdict": "holds"})
    healthy = findings.healthy_panels(ratios.assign(**factors), panels, "ReLU")
    assert healthy == "He normal"
    ratios = ratios.assign(**factors)
    assert findings.healthy_panels(ratios, panels, "tanh") == "none"


@pytest.mark.parametrize(
    ("low", "high", "word"),
    [(0.21, 0.9, "yes"), (0.1, 0.2, "no"), (0.2, 0.9, "in some trials"), (0.1, 0.9, "in some trials")],
)
def test_learned(low: float, high: float, word: str) -> None:
    assert findings.learned(pd.Series({"validation_accuracy_low": low, "validation_accuracy_high": high})) == word


def test_factors_say_what_is_left_and_how_far_theory_is() -> None:
    """Five layers have four steps, so 0.5 to the fourth is left. A case whose signal died has no factor."""
    panels = {key: labels.Panel("ReLU", name) for key, name in zip("abc", ("Small", "Right", "Zeros"), strict=True)}
    ratios = pd.DataFrame(
        {
            "case": list("abc"),
            "forward": [0.5, 1.02, 0.0],
            "forward_low": [0.48, 1.01, np.nan],
            "forward_high": [0.52, 1.03, np.nan],
            "forward_theory": [0.49, 1.0, np.nan],
            "forward_verdict": ["vanishes", "holds", "vanishes"],
        }
    )
    left, theory = findings.factors(ratios, panels, 5)
    assert left.endswith("where it vanishes: ReLU, Small 6.2 %.")
    assert theory == (
        "Measured forward factors differ from mean field's by 2.0 % at most (ReLU, Small: ×0.500, theory ×0.490); 1 "
        "of 2 intervals of 95 % exclude it, unrounded and not corrected for their number. Theory is for wide layers."
    )
    nothing_vanishes = ratios.assign(forward_verdict="holds")
    assert findings.factors(nothing_vanishes, panels, 5) == [theory]
    assert findings.factors(ratios.assign(forward_theory=np.nan), panels, 5) == [left]
    turned = findings.factors(ratios.assign(forward_theory=[0.5, 0.9, np.nan]), panels, 5)[1]
    assert "13.3 % at most (ReLU, Right: ×1.020, theory ×0.900); 1 of 2 " in turned
    for none in (findings.factors(ratios, panels, 1), findings.factors(ratios[2:], panels, 5)):
        assert none == ["No factor is known: the signals die out or overflow, or there is one hidden layer."]


def committed() -> dict[str, pd.DataFrame]:
    return {path.stem: pd.read_csv(path) for path in (ROOT / "reports" / "tables").glob("*.csv")}


def sentences(settings: params.Params, numbers: dict[str, pd.DataFrame], accuracy: float, verdict: str) -> list[str]:
    """Return the sentences if every training ends with this accuracy and every signal has this verdict."""
    ratios = numbers["signal_ratios"].assign(forward=0.5, forward_verdict=verdict)
    epochs = numbers["epochs"].assign(validation_accuracy_low=accuracy, validation_accuracy_high=accuracy)
    return findings.training(settings, numbers | {"signal_ratios": ratios, "epochs": epochs})


def test_sentences_on_training_turn_with_the_numbers(settings: params.Params) -> None:
    """Guessing is reported of every case, learning despite a vanishing signal only of MLPs with measured signals."""
    numbers, cases = committed(), settings.training.cases
    guess = sentences(settings, numbers, 0.1, "vanishes")
    assert len(guess) == len(cases)
    mlp, cnn = (next(text for text in guess if text.startswith(kind)) for kind in ("MLP", "CNN"))
    assert "in 48 steps, it does not do better than guessing (10.0 % of new digits)" in mlp
    assert "in 63 steps" in cnn
    neither = ["None of these stays at guessing in all trials, and none learns although its signal vanishes."]
    assert sentences(settings, numbers, 0.9, "holds") == neither
    yet = sentences(settings, numbers, 0.9, "vanishes")
    panels = {(case.activation, case.initializer) for case in settings.activations.cases.values()}
    shown = [case for case in cases.values() if case.network == "mlp" and (case.activation, case.initializer) in panels]
    assert len(yet) == len(shown) > 2
    assert all(
        "the signal vanishes (6.2 % of that of the first hidden layer is left in the last), and yet the network learns"
        in t
        for t in yet
    )
    assert all("A conjecture:" in text for text in yet)
    other = settings.activations.model_copy(update={"layer_seeds": "shared"})
    assert sentences(settings.model_copy(update={"activations": other}), numbers, 0.9, "vanishes") == neither
