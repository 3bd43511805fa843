"""Streams of random numbers, each with a key that begins with its purpose; different keys give independent streams."""

import numpy as np

TARGET, LAYERS, WEIGHTS, ORDER, PROJECTION, DROPOUT, EXAMPLES, SAFE_REGION, ENSEMBLE = range(9)
"""Purposes of streams, the first part of a key. In this order: training points, seeds of Keras layers, initial weights,
order of training examples, random projections of outputs (`inspect` without labels), dropout, choice of images, weights
of the untrained networks of the safe region, weights of the many untrained networks of the stage activations."""


def stream(seed: int, *key: int) -> np.random.Generator:
    """Return the random generator for a seed and a key, such as (WEIGHTS, group)."""
    # default_rng([seed, *key]) would not do: NumPy pads short lists with zeros, so [10] and [10, 0] give one stream.
    return np.random.default_rng(np.random.SeedSequence(seed, spawn_key=key))
