"""Theory of the size of signals: against networks drawn by NumPy, and exact values."""

import numpy as np
import pytest
from helpers.projects import ROOT
from scipy.integrate import quad
from scipy.stats import norm

from deadrelu.analysis import mean_field
from deadrelu.engine import initializers
from deadrelu.settings import params


@pytest.mark.parametrize("activation", mean_field.ACTIVATIONS)
@pytest.mark.parametrize("variance", [1e-4, 0.3, 5.0, 1200.0])
def test_mean_square_is_the_integral(activation: str, variance: float) -> None:
    phi = mean_field.ACTIVATIONS[activation]
    expected = sum(
        quad(lambda u: float(phi(np.array(variance**0.5 * u)) ** 2 * norm.pdf(u)), *ends, limit=500)[0]
        for ends in ((-9, -0.1), (-0.1, 0), (0, 0.1), (0.1, 9))
    )
    assert mean_field.mean_square(activation, variance) == pytest.approx(expected, rel=1e-4)


def test_activations_are_keras() -> None:
    import keras

    z = np.linspace(-50, 50, 101)
    for name, phi in mean_field.ACTIVATIONS.items():
        expected = np.asarray(keras.activations.get(name)(keras.ops.convert_to_tensor(z, "float64")))
        np.testing.assert_allclose(phi(z), expected, rtol=1e-9, atol=1e-20)


def test_relu_halves() -> None:
    np.testing.assert_allclose(mean_field.mean_square("relu", [0.1, 4.0]), [0.05, 2.0], rtol=1e-6)


@pytest.mark.parametrize(
    ("activation", "width", "networks"), [("relu", 5, 4000), *((name, 100, 300) for name in mean_field.ACTIVATIONS)]
)
def test_networks_have_this_rms_on_average(activation: str, width: int, networks: int) -> None:
    """Mean square over networks within 4.5 standard errors: 3 layers of 4 settings, a false alarm in 12,000 seeds.

    ReLU's value is exact at width 5, too.
    """
    rng = np.random.default_rng(7)
    x = rng.uniform(size=(8, 12))
    fans, variances = [12, *[width] * 3], [0.2, *[3.0 / width] * 3]
    signals = x @ rng.normal(0, variances[0] ** 0.5, (networks, 12, width))
    expected = mean_field.rms_by_layer(activation, (x**2).sum(axis=1), fans, variances)
    for rms in expected:
        kernels = rng.normal(0, variances[1] ** 0.5, (networks, width, width))
        signals = mean_field.ACTIVATIONS[activation](signals @ kernels)
        squares = (signals**2).mean(axis=(1, 2))
        error = squares.std() / networks**0.5
        wide = 0.02 * rms**2 * (activation != "relu")  # what is left of width 100
        assert abs(squares.mean() - rms**2) < 4.5 * error + wide


@pytest.mark.parametrize(
    "initializer",
    [
        params.Uniform(name="random_uniform", minval=-0.3, maxval=0.3),
        params.Normal(name="random_normal", stddev=0.2),
        params.Normal(name="truncated_normal", stddev=0.2),
        *(params.FanScaled(name=name) for name in ("glorot_normal", "glorot_uniform", "he_normal", "lecun_uniform")),
        params.VarianceScaling(name="variance_scaling", scale=3.0, mode="fan_out"),
    ],
)
def test_variance_is_that_of_the_weights(initializer: params.Settings) -> None:
    """400,000 weights: within 2 %, more than 4.5 standard errors of a variance."""
    weights = initializers.sampler(initializer)(np.random.default_rng(3), 200, 50, 40)
    assert weights.var() == pytest.approx(initializers.variance(initializer, 50, 40), rel=0.02)


def test_what_is_not_symmetric_has_no_theory() -> None:
    for initializer in (
        params.Normal(name="random_normal", mean=0.1, stddev=1.0),
        params.Rai(name="rai"),
        params.Orthogonal(name="orthogonal"),
    ):
        assert not initializers.is_symmetric(initializer)
        with pytest.raises(ValueError, match="symmetric"):
            initializers.variance(initializer, 2, 2)


def test_measured_signals_lie_near_the_line() -> None:
    """The committed run: one network of width 100 is within a quarter of the average over networks, in each layer."""
    import pandas as pd

    signals = pd.read_csv(ROOT / "reports" / "tables" / "signals.csv")
    ratio = signals["rms"] / signals["rms_theory"]
    assert ratio.between(0.8, 1.25).all()
    relu = signals[signals["case"].str.startswith("relu")]
    assert (relu["zero_fraction"] - relu["zero_theory"]).abs().max() < 0.06
    assert len(relu) == 20
