"""A model that is only looked at: whatever its layers draw or count meanwhile, it comes out as it went in."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np


@contextmanager
def unchanged(model: Any, seed: int) -> Iterator[None]:
    """While open, layers draw what the seed says, whatever they drew before; then all states are as they were."""
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
    """Seed generators of all layers, in the layers' order."""
    import keras

    found: dict[int, Any] = {}
    for layer in model._flatten_layers():
        for value in (*vars(layer).values(), *getattr(layer, "_seed_generators", ())):
            if isinstance(value, keras.random.SeedGenerator):
                found.setdefault(id(value), value)
    return list(found.values())
