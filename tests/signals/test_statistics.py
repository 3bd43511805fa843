"""Test statistics of a layer by hand, and against NumPy however the inputs are split into batches."""

import numpy as np
import pytest

from deadrelu.analysis.growth import growth, growth_factor
from deadrelu.signals import statistics
from deadrelu.signals.statistics import Running


def described(signal: np.ndarray, *cuts: int, activation: str | None = None) -> dict[str, float]:
    running = Running(len(signal), activation)
    for piece in np.split(signal, cuts):
        running.add(piece)
    return running.statistics()


def test_by_hand() -> None:
    signal = np.array([[0, 1, -1], [0, 0, 0.995]], np.float32)
    values = [0, 1, -1, 0, 0, np.float64(np.float32(0.995))]
    assert described(signal, activation="tanh") == pytest.approx(
        {
            "mean": np.mean(values),
            "std": np.std(values),
            "rms": np.sqrt(np.mean(np.square(values))),
            "input_std": np.sqrt((0**2 + 0.5**2 + np.std([-1, values[-1]]) ** 2) / 3),
            "zero_fraction": 3 / 6,
            "dead_units": 1,
            "saturated_fraction": 3 / 6,
            **{f"q{round(100 * q):02d}": np.quantile(np.float32(values), q) for q in statistics.QUANTILES},
        }
    )


@pytest.mark.parametrize("shape", [(60, 7), (60, 3, 2, 7)])
@pytest.mark.parametrize("cuts", [(), (1,), (20, 40), tuple(range(1, 60))])
def test_batches_make_no_difference(shape: tuple[int, ...], cuts: tuple[int, ...]) -> None:
    rng = np.random.default_rng(0)
    signal = (rng.normal(3, 1, shape) * (rng.random(shape[1:]) > 0.3)).clip(min=2).astype(np.float32)
    signal[..., -1] = 0
    numbers, wide = described(signal, *cuts), signal.astype(np.float64)
    expected = {
        "mean": wide.mean(),
        "std": wide.std(),
        "rms": np.sqrt(np.square(wide).mean()),
        "input_std": np.sqrt(wide.var(axis=0).mean()),
        "zero_fraction": (wide == 0).mean(),
        "dead_units": 1,
    }
    assert {name: numbers[name] for name in expected} == pytest.approx(expected, rel=1e-12)
    assert numbers["q50"] == np.median(signal)  # fewer values than QUANTILE_SAMPLE, so that all are kept


def test_no_cancellation() -> None:
    """A standard deviation of 1e-3 at a mean of 1e3 keeps its digits, whereas sums of squares would lose it."""
    rng = np.random.default_rng(1)
    signal = (1000 + 1e-3 * rng.normal(size=(5000, 4))).astype(np.float32)
    assert described(signal, *range(100, 5000, 100))["std"] == pytest.approx(signal.astype(float).std(), rel=1e-9)


def test_quantiles_of_a_large_layer_are_of_a_sample_that_meets_every_unit() -> None:
    rng = np.random.default_rng(2)
    units = 100  # a stride of 20 would meet 5 of them
    signal = np.sort(rng.normal(size=units)) + 0.01 * rng.normal(size=(20_000, units))
    numbers = described(signal.astype(np.float32), 7000)
    for q in statistics.QUANTILES:
        # The level of each lies within five standard errors for QUANTILE_SAMPLE values: false alarms are 6e-7 each.
        level = (signal < numbers[f"q{round(100 * q):02d}"]).mean()
        assert abs(level - q) < 5 * np.sqrt(q * (1 - q) / statistics.QUANTILE_SAMPLE)


def test_units_that_differ_but_ignore_the_input_carry_no_signal() -> None:
    constant_units = np.tile(np.array([0.2, 0.5, 0.9], np.float32), (10, 1))
    numbers = described(constant_units, 3)
    assert numbers["std"] > 0.2
    assert numbers["input_std"] < 1e-7


def test_a_unit_that_speaks_once_is_alive_and_a_channel_is_one_unit() -> None:
    signal = np.zeros((10, 4, 4, 3), np.float32)
    signal[9, 3, 3, 1] = 1e-30
    assert described(signal, 5)["dead_units"] == 2


@pytest.mark.parametrize(
    ("activation", "share"), [("relu", 0), ("relu6", 0.25), ("tanh", 0.5), ("hard_sigmoid", 0.75), (None, 0)]
)
def test_saturation_is_the_activations_own(activation: str | None, share: float) -> None:
    signal = np.array([[0, 0.5, 1, 6]], np.float32)
    assert described(signal, activation=activation)["saturated_fraction"] == share


@pytest.mark.parametrize("values", [[np.inf, 1], [np.inf, np.inf], [-np.inf, np.inf]])
def test_infinities_are_reported_not_raised(values: list[float]) -> None:
    numbers = described(np.array([values, [1, 2]], np.float32), 1)
    assert numbers["rms"] == numbers["std"] == numbers["input_std"] == np.inf
    assert numbers["dead_units"] == 0


def test_nan_is_no_infinity() -> None:
    numbers = described(np.array([[np.nan, 1], [np.inf, 2]], np.float32), 1)
    assert np.isnan([numbers["rms"], numbers["std"], numbers["input_std"]]).all()


def test_the_sample_is_the_same_however_inputs_are_cut(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(statistics, "QUANTILE_SAMPLE", 20)
    signal = np.random.default_rng(3).normal(size=(50, 7)).astype(np.float32)
    whole = described(signal)
    assert whole["q50"] != np.median(signal)
    for cuts in ((1,), (3, 11, 12), tuple(range(1, 50))):
        assert described(signal, *cuts)["q50"] == whole["q50"]


@pytest.mark.parametrize(
    ("arguments", "name"),
    [
        ((0.5,), "vanishes"),
        ((1.0,), "holds"),
        ((2.0,), "explodes"),
        ((2.0, 0.9, 4.0), "varies"),
        ((2.0, 1.1, 4.0), "explodes"),
        ((0.5, 0.3, 1.1), "varies"),
        ((1.0, 0.5, 2.0), "varies"),
        ((1.0, 0.5, 1.1), "holds"),
        ((0.5, 0.3, 0.9), "vanishes"),
        ((np.nan,), "not measured"),
    ],
)
def test_verdict(arguments: tuple[float, ...], name: str) -> None:
    assert growth(*arguments) == name


def test_factor() -> None:
    assert growth_factor(np.array([8.0, 4.0, 2.0])) == pytest.approx((0.5, 0.5, 0.5))
    mean, low, high = growth_factor(np.array([1.0, 2.0, 2.0]))
    assert mean == pytest.approx(np.sqrt(2))
    # Two logarithms, ln 2 and 0: mean ± 12.706 × (ln 2 / √2) / √2, from a table of the t distribution.
    assert np.log([low, high]) == pytest.approx(np.log(2) * (0.5 + 12.706 / 2 * np.array([-1, 1])), rel=1e-4)
    assert growth_factor(np.array([1.0, 0.0, 1.0]))[0] == 0
    assert growth_factor(np.array([1.0, np.inf, 1.0]))[0] == np.inf
    assert np.isnan(growth_factor(np.array([1.0, np.nan, 1.0]))[0])
    assert np.isnan(growth_factor(np.array([1.0]))[0])
