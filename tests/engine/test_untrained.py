"""Test counts of dead networks over depth and width against closed forms, and networks computed one by one."""

import threading
import tracemalloc
from concurrent.futures import CancelledError

import numpy as np
import pytest
from scipy.stats import binomtest

from deadrelu.analysis import theory
from deadrelu.engine import initializers, untrained
from deadrelu.settings import params
from deadrelu.settings.initializer import FanScaled, Normal, Rai
from deadrelu.streams import SAFE_REGION, stream

HE = initializers.sampler(FanScaled(name="he_normal"))
N = 20_000


@pytest.mark.parametrize("width", [1, 2, 3, 5])
def test_counts_match_theory_at_every_depth(width: int) -> None:
    """Exact tests at 1e-7 in 3 x 12 cells of 4 widths give a false alarm once in 70,000 seeds.

    They have power: a depth off by one moves every exact probability below 0.99 here by at least 9 standard errors.
    """
    born_dead = untrained.born_dead(HE, width, 12, range(N), seed=3)
    for depth in range(1, 13):
        widths = [width] * depth
        for signs in (born_dead.low, born_dead.high):
            assert binomtest(int(signs[depth - 1]), N, theory.born_dead_on_half_line(widths)).pvalue > 1e-7
        low, high = theory.born_dead_on_interval(widths)
        both = int(born_dead.both[depth - 1])
        assert binomtest(both, N, low, alternative="less").pvalue > 1e-7
        assert binomtest(both, N, high, alternative="greater").pvalue > 1e-7
    for counts in born_dead:
        assert (np.diff(counts) >= 0).all()  # a dead signal stays dead
    assert (born_dead.both <= np.minimum(born_dead.low, born_dead.high)).all()


def test_one_pass_is_every_depth_by_itself() -> None:
    """The counts are those of the same kernels, multiplied out network by network and depth by depth."""
    kernels: list[np.ndarray] = []

    def remember(rng: np.random.Generator, n: int, fan_in: int, fan_out: int) -> np.ndarray:
        kernels.append(HE(rng, n, fan_in, fan_out))
        return kernels[-1]

    born_dead = untrained.born_dead(remember, 2, 4, range(300), seed=3)
    for depth in range(1, 5):
        dead = np.zeros((300, 2), bool)
        for network in range(300):
            for sign, x in enumerate((-1.0, 1.0)):
                signal = np.array([x])
                for layer in kernels[:depth]:
                    signal = np.maximum(0, signal @ layer[network])
                dead[network, sign] = (signal == 0).all()
        expected = [*dead.sum(axis=0), dead.all(axis=1).sum()]
        assert [counts[depth - 1] for counts in born_dead] == expected


def test_deeper_and_more_networks_change_none() -> None:
    few = untrained.born_dead(HE, 3, 5, range(1000), seed=3)
    deeper = untrained.born_dead(HE, 3, 9, range(1000), seed=3)
    for counts, more in zip(few, deeper, strict=True):
        assert counts.tolist() == more[:5].tolist()
    doubled, rest = untrained.born_dead(HE, 3, 5, range(2000), seed=3), []
    for counts, more in zip(few, doubled, strict=True):
        rest += (more - counts).tolist()
    assert min(rest) >= 0
    assert max(rest) <= 1000
    assert untrained.born_dead(HE, 3, 5, range(1000), seed=4).both.tolist() != few.both.tolist()


def test_small_weights_do_not_underflow() -> None:
    """Weights of 1e-6 in 100 layers make signals of 1e-600, which is no float, and not dead."""
    small = initializers.sampler(Normal(name="random_normal", stddev=1e-6))
    large = initializers.sampler(Normal(name="random_normal", stddev=1.0))
    counts = [untrained.born_dead(draw, 8, 100, range(1000), seed=3).both.tolist() for draw in (small, large)]
    assert counts[0] == counts[1]
    assert 0 < counts[0][-1] < 1000


def test_every_width_and_block_has_its_stream() -> None:
    for width in (2, 3):
        drawn: list[np.ndarray] = []

        def remember(rng: np.random.Generator, n: int, fan_in: int, fan_out: int) -> np.ndarray:
            drawn.append(HE(rng, n, fan_in, fan_out))  # noqa: B023
            return drawn[-1]  # noqa: B023

        untrained.born_dead(remember, width, 1, range(1500), seed=3)
        for block, kernels in enumerate(drawn):
            rng = stream(3, SAFE_REGION, width, block)
            np.testing.assert_array_equal(kernels, HE(rng, untrained.BLOCK, 1, width))
        assert len(drawn) == 2


RAI = initializers.sampler(Rai(name="rai"))


def test_constant_with_biases_network_by_network() -> None:
    """Counts are those of the same draws by hand: a network is constant from the layer on in which every unit is."""
    x, drawn = np.linspace(-2, 2, 9), []

    def remember(rng: np.random.Generator, n: int, fan_in: int, fan_out: int) -> np.ndarray:
        drawn.append(RAI(rng, n, fan_in, fan_out))
        return drawn[-1]

    counts = untrained.born_constant(remember, x, 2, 4, range(300), seed=3)
    for first, second in zip(drawn[:4], drawn[4:], strict=True):  # drawn twice, so that no two layers are in memory
        np.testing.assert_array_equal(first, second)
    del drawn[4:]
    constant = np.zeros((300, 4), bool)
    for network in range(300):
        signal = x[:, None]
        for layer, kernels in enumerate(drawn):
            signal = np.maximum(0, signal @ kernels[network, :-1] + kernels[network, -1])
            constant[network, layer:] |= (signal.max(axis=0) == signal.min(axis=0)).all()
    assert counts.tolist() == constant.sum(axis=0).tolist()
    assert 0 < counts[-1] < 300


def test_a_deep_and_wide_network_needs_the_memory_of_a_layer() -> None:
    """A block of 1,000 layers of 100 units would be 40 GB; this one, of 60 layers of 40, needs less than 12 layers."""
    tracemalloc.start()
    try:
        untrained.born_constant(RAI, np.linspace(-1, 1, 5), 40, 60, range(1000), seed=3)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    layer = 1000 * 40 * 41 * 8
    assert peak < 12 * layer


def test_a_stop_ends_counting() -> None:
    stop = threading.Event()
    stop.set()
    with pytest.raises(CancelledError):
        untrained.born_dead(HE, 3, 5, range(1000), seed=3, stop=stop)
    with pytest.raises(CancelledError):
        untrained.born_constant(RAI, np.linspace(-1, 1, 5), 3, 5, range(1000), seed=3, stop=stop)


def test_without_biases_both_ways_count_the_same() -> None:
    """Two points, one of each sign, suffice: the fast way, which uses them, and the general one count the same."""
    fast = untrained.born_dead(HE, 3, 6, range(2000), seed=3).both
    general = untrained.born_constant(HE, np.linspace(-1, 1, 7), 3, 6, range(2000), seed=3)
    assert fast.tolist() == general.tolist()


def test_rai_dies_as_often_as_in_the_engine(settings: params.Params) -> None:
    """The paper's network is dead as often as in `collapse` on 3,000 points; one in 10,000 seeds is a false alarm."""
    import pandas as pd
    from conftest import ROOT

    from deadrelu.analysis.intervals import independent_difference

    rates = pd.read_csv(ROOT / "reports" / "tables" / "collapse_rates.csv")
    engine = rates[(rates["case"] == "x_sin_5x-rai") & (rates["event"] == "born_dead")].iloc[0]
    target = settings.target_of("x_sin_5x-rai")
    ours = untrained.born_constant(RAI, np.linspace(target.low, target.high, 25), 2, 9, range(4000), seed=5)
    dead = [np.arange(n) < count for count, n in ((ours[-1], 4000), (engine["count"], engine["trials"]))]
    assert independent_difference(*dead).p > 1e-4


@pytest.mark.parametrize("initialize", [HE, RAI])
def test_functions_are_those_of_the_counted_networks(initialize: initializers.Sampler) -> None:
    """As many functions are constant as are counted, and without biases all are homogeneous on each side of 0."""
    x = np.linspace(-2, 2, 9)
    drawn = untrained.functions(initialize, x, 2, 5, 100, seed=3)
    assert drawn.shape == (5, 100, 9)
    counted = untrained.born_constant(initialize, x, 2, 5, range(100), seed=3)
    constant = np.ptp(drawn, axis=2) < 1e-12
    assert constant.sum(axis=1).tolist() == counted.tolist()
    if initialize is HE:
        np.testing.assert_allclose(drawn[:, :, 8], 2 * drawn[:, :, 6], atol=1e-12)
        np.testing.assert_allclose(drawn[:, :, 0], 4 * drawn[:, :, 3], atol=1e-12)
    outputs: list[np.ndarray] = []

    def remember(rng: np.random.Generator, n: int, fan_in: int, fan_out: int) -> np.ndarray:
        drawn_now = initialize(rng, n, fan_in, fan_out)
        if fan_out == 1:
            outputs.append(drawn_now)
        return drawn_now

    untrained.functions(remember, x, 2, 3, 8, seed=3)
    assert len({kernels.tobytes() for kernels in outputs}) == 3  # each depth has an output of its own
    few = untrained.functions(initialize, x, 2, 3, 8, seed=3)
    np.testing.assert_array_equal(few, drawn[:3, :8])  # more layers and networks change no function
