"""Dead networks over depth and width: against closed forms, and against networks computed one by one."""

import numpy as np
import pytest
from scipy.stats import binomtest

from deadrelu import initializers, params, safe_region, theory
from deadrelu.streams import SAFE_REGION, stream

HE = initializers.sampler(params.FanScaled(name="he_normal"))
N = 20_000


@pytest.mark.parametrize("width", [1, 2, 3, 5])
def test_counts_match_theory_at_every_depth(width: int) -> None:
    """Exact tests at 1e-7 in 3 x 12 cells of 4 widths: a false alarm once in 70,000 seeds.

    Power: a depth off by one moves every exact probability here that is below 0.99 by 9 standard errors or more.
    """
    found = safe_region.born_dead(HE, width, 12, N, seed=3)
    for depth in range(1, 13):
        widths = [width] * depth
        for signs in (found.low, found.high):
            assert binomtest(int(signs[depth - 1]), N, theory.born_dead_on_half_line(widths)).pvalue > 1e-7
        low, high = theory.born_dead_on_interval(widths)
        both = int(found.both[depth - 1])
        assert binomtest(both, N, low, alternative="less").pvalue > 1e-7
        assert binomtest(both, N, high, alternative="greater").pvalue > 1e-7
    for counts in found:
        assert (np.diff(counts) >= 0).all()  # dead stays dead
    assert (found.both <= np.minimum(found.low, found.high)).all()


def test_one_pass_is_every_depth_by_itself() -> None:
    """The same kernels, multiplied out network by network and depth by depth."""
    kernels: list[np.ndarray] = []

    def remember(rng: np.random.Generator, n: int, fan_in: int, fan_out: int) -> np.ndarray:
        kernels.append(HE(rng, n, fan_in, fan_out))
        return kernels[-1]

    found = safe_region.born_dead(remember, 2, 4, 300, seed=3)
    for depth in range(1, 5):
        dead = np.zeros((300, 2), bool)
        for network in range(300):
            for sign, x in enumerate((-1.0, 1.0)):
                signal = np.array([x])
                for layer in kernels[:depth]:
                    signal = np.maximum(0, signal @ layer[network])
                dead[network, sign] = (signal == 0).all()
        expected = [*dead.sum(axis=0), dead.all(axis=1).sum()]
        assert [counts[depth - 1] for counts in found] == expected


def test_deeper_and_more_networks_change_none() -> None:
    few = safe_region.born_dead(HE, 3, 5, 1000, seed=3)
    deeper = safe_region.born_dead(HE, 3, 9, 1000, seed=3)
    for counts, more in zip(few, deeper, strict=True):
        assert counts.tolist() == more[:5].tolist()
    doubled, rest = safe_region.born_dead(HE, 3, 5, 2000, seed=3), []
    for counts, more in zip(few, doubled, strict=True):
        rest += (more - counts).tolist()
    assert min(rest) >= 0
    assert max(rest) <= 1000
    assert safe_region.born_dead(HE, 3, 5, 1000, seed=4).both.tolist() != few.both.tolist()


def test_small_weights_do_not_underflow() -> None:
    """Weights of 1e-6 in 100 layers: 1e-600 is no float, and not dead."""
    small = initializers.sampler(params.Normal(name="random_normal", stddev=1e-6))
    large = initializers.sampler(params.Normal(name="random_normal", stddev=1.0))
    found = [safe_region.born_dead(draw, 8, 100, 1000, seed=3).both.tolist() for draw in (small, large)]
    assert found[0] == found[1]
    assert 0 < found[0][-1] < 1000


def test_every_width_and_block_has_its_stream() -> None:
    for width in (2, 3):
        drawn: list[np.ndarray] = []

        def remember(rng: np.random.Generator, n: int, fan_in: int, fan_out: int) -> np.ndarray:
            drawn.append(HE(rng, n, fan_in, fan_out))  # noqa: B023
            return drawn[-1]  # noqa: B023

        safe_region.born_dead(remember, width, 1, 1500, seed=3)
        for block, kernels in enumerate(drawn):
            rng = stream(3, SAFE_REGION, width, block)
            np.testing.assert_array_equal(kernels, HE(rng, safe_region.BLOCK, 1, width))
        assert len(drawn) == 2
