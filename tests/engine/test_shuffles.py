"""Test that orders of the points are permutations, each uniform, and any two of them independent."""

from collections import Counter

import numpy as np
import pytest
from helpers.training import epoch_order
from scipy.stats import chisquare

from deadrelu.engine import shuffles


@pytest.mark.parametrize("n_points", [1, 2, 7, 3000])
def test_every_trial_and_epoch_has_a_permutation_of_its_own(n_points: int) -> None:
    keys = [(trial, epoch) for trial in (0, 1, 511, 512, 1000) for epoch in (0, 1)]
    orders = [epoch_order(n_points, 10, *key) for key in keys]
    assert all(sorted(order) == list(range(n_points)) for order in orders)
    if n_points == 3000:
        assert len({order.tobytes() for order in orders}) == len(keys)


def test_orders_are_uniform() -> None:
    """The 24 orders of 4 points are equally frequent over 1,200 seeds, by a chi-square test at 1e-6."""
    counts = Counter(tuple(epoch_order(4, seed, 5, 0).tolist()) for seed in range(1200))
    assert len(counts) == 24
    assert chisquare(list(counts.values())).pvalue > 1e-6


@pytest.mark.parametrize(
    ("first", "second"),
    [((5, 0), (6, 0)), ((5, 0), (5 + shuffles.BLOCK, 0)), ((5, 0), (5, 1))],
    ids=["one block", "one position", "one trial, two epochs"],
)
def test_two_orders_are_independent(first: tuple[int, int], second: tuple[int, int]) -> None:
    """The 36 pairs of orders of 3 points are equally frequent over 1,080 seeds, by a chi-square test at 1e-6."""
    pairs = Counter[tuple[int, ...]]()
    for seed in range(1080):
        orders = (epoch_order(3, seed, *key) for key in (first, second))
        pairs[tuple(np.concatenate(list(orders)).tolist())] += 1
    assert len(pairs) == 36
    assert chisquare(list(pairs.values())).pvalue > 1e-6


def test_trials_of_a_block_share_the_reordering_between_epochs() -> None:
    """As the module documents, the orders of two trials in two epochs are not jointly independent."""
    for trial in (0, 7, shuffles.BLOCK - 1):
        orders = [epoch_order(50, 10, trial, epoch) for epoch in (0, 1)]
        between = np.argsort(orders[0])[orders[1]]
        if trial == 0:
            expected = between
        np.testing.assert_array_equal(between, expected)
