"""Test that initializers draw from the distributions of Keras's, and that RAI follows its paper."""

import numpy as np
import pytest
from scipy.stats import beta, chisquare, ks_2samp, kstest, norm, truncnorm

from deadrelu.engine import initializers
from deadrelu.settings.initializer import (
    Constant,
    FanScaled,
    Identity,
    Normal,
    Orthogonal,
    Rai,
    Uniform,
    VarianceScaling,
    ZerosOrOnes,
)
from deadrelu.signals import networks

SETTINGS = [
    Uniform(name="random_uniform", minval=-1.0, maxval=0.5),
    Normal(name="random_normal", mean=0.2, stddev=0.1),
    Normal(name="truncated_normal", stddev=0.3),
    *[
        FanScaled(name=f"{family}_{shape}")  # type: ignore[arg-type]
        for family in ("glorot", "he", "lecun")
        for shape in ("normal", "uniform")
    ],
    Orthogonal(name="orthogonal", gain=1.5),
    VarianceScaling(name="variance_scaling", scale=3.0, mode="fan_out", distribution="untruncated_normal"),
]
FIXED = [
    Constant(name="constant", value=0.5),
    Identity(name="identity", gain=2.0),
    ZerosOrOnes(name="zeros"),
    ZerosOrOnes(name="ones"),
]


@pytest.mark.parametrize("settings", SETTINGS, ids=lambda s: s.name)
def test_draws_are_distributed_as_keras_draws(settings: initializers.Settings) -> None:
    """A Kolmogorov-Smirnov test at 1e-6 is made of each. A scale wrong by 5 % would give p < 1e-12 at this size."""
    shape = (400, 500)
    (ours,) = initializers.sampler(settings)(np.random.default_rng(1), 1, *shape)
    keras = np.asarray(networks.keras_initializer(settings, seed=2)(shape))
    assert ours.shape == shape
    assert ours.dtype == np.float32
    assert ks_2samp(ours.ravel(), keras.ravel()).pvalue > 1e-6


@pytest.mark.parametrize("settings", SETTINGS, ids=lambda s: s.name)
def test_same_seed_same_weights(settings: initializers.Settings) -> None:
    draw = initializers.sampler(settings)
    assert (draw(np.random.default_rng(1), 4, 2, 3) == draw(np.random.default_rng(1), 4, 2, 3)).all()


@pytest.mark.parametrize("settings", FIXED, ids=lambda s: s.name)
def test_initializers_without_randomness_are_keras(settings: initializers.Settings) -> None:
    ours = initializers.sampler(settings)(np.random.default_rng(1), 2, 3, 4)
    keras = np.asarray(networks.keras_initializer(settings, seed=2)((3, 4)))
    assert (ours == keras).all()


@pytest.mark.parametrize("shape", [(3, 5), (5, 3), (4, 4)])
def test_orthogonal_rows_or_columns_are_orthonormal(shape: tuple[int, int]) -> None:
    settings = Orthogonal(name="orthogonal", gain=2.0)
    for kernel in initializers.sampler(settings)(np.random.default_rng(1), 10, *shape):
        small = kernel @ kernel.T if shape[0] <= shape[1] else kernel.T @ kernel
        np.testing.assert_allclose(small, 4 * np.eye(min(shape)), atol=1e-5)


@pytest.mark.parametrize("layer_seeds", ["independent", "shared"])
def test_layers_share_weights_only_when_asked(layer_seeds: str) -> None:
    """The notebook gave one seeded initializer to every layer, so that its hidden layers of equal shape were equal."""
    model = networks.mlp(3, 10, "relu", SETTINGS[3], seed=10, layer_seeds=layer_seeds)  # type: ignore[arg-type]
    hidden = [model.get_layer(f"hidden_{k}").kernel.numpy() for k in (1, 2, 3)]
    equal = [np.array_equal(a, b) for a, b in ((hidden[0], hidden[1]), (hidden[1], hidden[2]), (hidden[0], hidden[2]))]
    assert equal == [layer_seeds == "shared"] * 3
    assert all((layer.bias.numpy() == 0).all() for layer in model.layers)


def test_mlp_is_the_notebooks() -> None:
    model = networks.mlp(5, 100, "tanh", SETTINGS[3], seed=10)
    assert [layer.units for layer in model.layers] == [100] * 6 + [10]
    assert [layer.activation.__name__ for layer in model.layers] == ["linear"] + ["tanh"] * 5 + ["softmax"]


@pytest.mark.parametrize(
    ("settings", "variance"),
    [
        (Normal(name="random_normal", stddev=0.1), 0.01),
        (Normal(name="random_normal", stddev=0.28), 0.0784),
        (FanScaled(name="he_normal"), 2 / 100),
        (FanScaled(name="glorot_uniform"), 2 / 200),
    ],
    ids=str,
)
def test_relu_layers_multiply_the_second_moment_by_half_n_var(settings: Normal, variance: float) -> None:
    """Compare the factor of 3 layers of 100 units, as a mean over 400 networks, with (n Var(w) / 2)^3.

    Six standard errors give a false alarm once in 5e8. The log of one network's factor spreads by about 5 * depth /
    width (Hanin and Nica, arXiv:1812.05994), so the standard error is 2 %, and a variance 5 % off would be found.
    """
    rng = np.random.default_rng(4)
    draw = initializers.sampler(settings)
    factors = []
    for _ in range(400):
        signal = rng.normal(0, 1, 100)
        start = np.mean(signal**2)
        for _ in range(3):
            signal = np.maximum(0, signal @ draw(rng, 1, 100, 100)[0])
        factors.append(np.mean(signal**2) / start)
    error = np.std(factors) / np.sqrt(len(factors))
    assert abs(np.mean(factors) - (100 * variance / 2) ** 3) < 6 * error


def test_cut_normal_is_scipys() -> None:
    """The deviation is a literal, because importing scipy.stats takes half a second; draws are tested at 1e-6."""
    assert truncnorm.std(-2, 2) == initializers.CUT_STD
    drawn = initializers._cut_normal(np.random.default_rng(3), (10, 100, 100))
    assert kstest(drawn.ravel(), truncnorm(-2, 2).cdf).pvalue > 1e-6
    assert kstest(drawn.ravel(), norm.cdf).pvalue < 1e-6


RAI = Rai(name="rai")


@pytest.mark.parametrize("fan_in", [1, 2, 7])
def test_rai_replaces_one_entry_of_each_unit(fan_in: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without the normal part, one entry of each unit is left, from Beta(2, 1), at any place; each test is at 1e-6."""
    monkeypatch.setattr(initializers, "RAI_STD", 0.0)
    drawn = initializers.sampler(RAI)(np.random.default_rng(1), 1000, fan_in, 3)
    assert drawn.shape == (1000, fan_in + 1, 3)
    assert drawn.dtype == np.float32
    assert ((drawn != 0).sum(axis=1) == 1).all()
    assert kstest(drawn[drawn != 0], beta(2, 1).cdf).pvalue > 1e-6
    assert chisquare((drawn != 0).sum(axis=(0, 2))).pvalue > 1e-6


@pytest.mark.parametrize("fan_in", [1, 2, 7])
def test_rai_entries_are_the_papers_mixture(fan_in: int) -> None:
    """One of the fan_in + 1 entries is Beta(2, 1), the others are N(0, 0.6007^2 / fan_in); the test is at 1e-6."""
    drawn = initializers.sampler(RAI)(np.random.default_rng(2), 20_000, fan_in, 2).ravel()

    def mixture(x: np.ndarray) -> np.ndarray:
        share = 1 / (fan_in + 1)
        return share * beta(2, 1).cdf(x) + (1 - share) * norm(0, 0.6007 / fan_in**0.5).cdf(x)

    assert kstest(drawn, mixture).pvalue > 1e-6
