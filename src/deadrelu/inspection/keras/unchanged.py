"""Protection of a Keras model during a measurement: random states and non-trainable variables are restored."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np


@contextmanager
def unchanged(model: Any, seed: int) -> Iterator[None]:
    """Seed the random generators of all layers; at the end, restore them and all non-trainable variables."""
    generators = _generators(model)
    before = [(variable, variable.numpy()) for variable in model.non_trainable_variables]
    before += [(generator.state, generator.state.numpy()) for generator in generators]
    for number, generator in enumerate(generators):
        generator.state.assign(np.array([seed, number]))
    try:
        yield
    finally:
        for variable, value in before:
            variable.assign(value)


def _generators(model: Any) -> list[Any]:
    """Return the seed generators of all layers, in the order of the layers."""
    import keras

    generators: dict[int, Any] = {}
    for layer in model._flatten_layers():
        for value in (*vars(layer).values(), *getattr(layer, "_seed_generators", ())):
            if isinstance(value, keras.random.SeedGenerator):
                generators.setdefault(id(value), value)
    return list(generators.values())
