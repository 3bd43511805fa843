"""The notebook's Keras networks."""

from typing import Any, Literal

from deadrelu.initializers import Settings, keras_initializer
from deadrelu.streams import LAYERS, stream


def mlp(
    hidden_layers: int,
    width: int,
    activation: str,
    initializer: Settings,
    *,
    seed: int,
    layer_seeds: Literal["independent", "shared"] = "independent",
) -> Any:
    """Build Dense(width) without activation on 784 inputs, hidden Dense(width) layers, Dense(10) softmax.

    Hidden layers are named hidden_1, hidden_2, …: hidden_layers=0 has only the linear layer and the softmax.
    Biases are zero. `layer_seeds="shared"` gives every layer the same seed, as the notebook did: layers of equal
    shape then have the same weights.
    """
    import keras

    seeds = stream(seed, LAYERS).integers(2**31, size=hidden_layers + 2).tolist()
    if layer_seeds == "shared":
        seeds = [seed] * len(seeds)

    def dense(units: int, activation: str | None, name: str) -> Any:
        return keras.layers.Dense(
            units, activation, kernel_initializer=keras_initializer(initializer, seeds.pop(0)), name=name
        )

    return keras.Sequential(
        [
            keras.Input((784,)),
            dense(width, None, "linear"),
            *[dense(width, activation, f"hidden_{k}") for k in range(1, hidden_layers + 1)],
            dense(10, "softmax", "softmax"),
        ]
    )
