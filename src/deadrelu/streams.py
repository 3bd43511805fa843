"""Random streams of the engine and of the MNIST stages, each named by its purpose; no two share their numbers."""

import numpy as np

TARGET, LAYERS, WEIGHTS, ORDER, PROJECTION, DROPOUT, EXAMPLES, SAFE_REGION, ENSEMBLE = range(9)
"""First part of a key, in this order: training points, seeds of Keras layers, initial weights, order of the points,
weights of the outputs where there is no loss, dropout, choice of examples, kernels of the safe region, weights of the
networks whose signals are averaged."""


def stream(seed: int, *key: int) -> np.random.Generator:
    """Return the generator of a seed and a key such as (WEIGHTS, trial)."""
    # default_rng([seed, *key]) fails: NumPy fills a short list up with zeros, so [10] and [10, 0] are one stream.
    return np.random.default_rng(np.random.SeedSequence(seed, spawn_key=key))
