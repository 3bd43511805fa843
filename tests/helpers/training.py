"""The order of the points of a trial, and the results of all trials, which the engine yields some at a time."""

from collections.abc import Iterable
from dataclasses import replace

import numpy as np

from deadrelu import engine
from deadrelu.engine import shuffles


def epoch_order(n_points: int, seed: int, trial: int, epoch: int) -> np.ndarray:
    """Return the order in which a trial visits the points in an epoch: a permutation, shape (n_points,), int32."""
    left = shuffles.left(n_points, seed, trial // shuffles.BLOCK, epoch)
    return shuffles.right(n_points, seed, trial % shuffles.BLOCK)[left]


def joined(parts: Iterable[engine.Trained]) -> engine.Trained:
    """Return the results of several parts after the same epoch, in their order, as one object."""
    first, *rest = parts
    names = ("trial", "initial", "final", "loss")
    arrays = {name: np.concatenate([getattr(part, name) for part in (first, *rest)]) for name in names}
    return replace(first, **arrays)


def after_epochs(parts: Iterable[engine.Trained], epochs: Iterable[int]) -> list[engine.Trained]:
    """Return the results of all trials after each of `epochs`."""
    results = list(parts)
    return [joined(part for part in results if part.epoch == epoch) for epoch in epochs]
