"""Build the notebook's Keras networks, and redraw their weights."""

from typing import Any, Literal

from deadrelu.settings.initializer import Constant, Identity, Settings, ZerosOrOnes
from deadrelu.storage.idx_files import PIXELS
from deadrelu.streams import DROPOUT, LAYERS, stream


def mlp(
    hidden_layers: int,
    width: int,
    activation: str,
    initializer: Settings,
    *,
    seed: int,
    layer_seeds: Literal["independent", "shared"] = "independent",
    dtype: str = "float32",
) -> Any:
    """Build an MLP of a linear Dense(width) on 784 inputs, hidden Dense(width) layers and a softmax Dense(10).

    Hidden layers are named hidden_1, hidden_2 and so on; with hidden_layers=0, there are none. Biases start at zero.
    With `layer_seeds="shared"`, all layers have the same seed, as in the notebook, so that layers of equal shape
    have the same weights. For every dtype, weights are drawn as float32.
    """
    import keras

    seeds = stream(seed, LAYERS).integers(2**31, size=hidden_layers + 2).tolist()
    if layer_seeds == "shared":
        seeds = [seed] * len(seeds)

    def dense(units: int, activation: str | None, name: str) -> Any:
        draw = keras_initializer(initializer, seeds.pop(0))

        def drawn(shape: tuple[int, ...], dtype: str | None = None) -> Any:
            return keras.ops.cast(draw(shape, "float32"), dtype)

        return keras.layers.Dense(units, activation, kernel_initializer=drawn, name=name, dtype=dtype)

    return keras.Sequential(
        [
            keras.Input((PIXELS,), dtype=dtype),
            dense(width, None, "linear"),
            *[dense(width, activation, f"hidden_{k}") for k in range(1, hidden_layers + 1)],
            dense(10, "softmax", "softmax"),
        ]
    )


def cnn(*, dtype: str = "float32") -> Any:
    """Build the notebook's CNN for images of shape (28, 28, 1); `redraw` gives it the weights of an initializer.

    It has Conv 32 3×3 ReLU, Conv 64 3×3 ReLU, MaxPool 2×2, Dropout 0.25, Dense 128 ReLU, Dropout 0.5, softmax Dense 10.
    """
    import keras

    return keras.Sequential(
        [
            keras.Input((28, 28, 1), dtype=dtype),
            keras.layers.Conv2D(32, 3, activation="relu", dtype=dtype),
            keras.layers.Conv2D(64, 3, activation="relu", dtype=dtype),
            keras.layers.MaxPooling2D(2, dtype=dtype),
            keras.layers.Dropout(0.25, dtype=dtype),
            keras.layers.Flatten(dtype=dtype),
            keras.layers.Dense(128, activation="relu", dtype=dtype),
            keras.layers.Dropout(0.5, dtype=dtype),
            keras.layers.Dense(10, activation="softmax", dtype=dtype),
        ]
    )


def redraw(model: Any, initializer: Settings, *, seed: int, trial: int) -> None:
    """Assign new weights and zero biases to every layer with a kernel, and a new seed to every Dropout layer.

    The initializer, `seed` and the number `trial` determine them, whatever was drawn or trained before.
    """
    seeds = stream(seed, LAYERS, trial).integers(2**31, size=len(model.layers)).tolist()
    dropout = stream(seed, DROPOUT, trial).integers(2**32, size=len(model.layers), dtype="uint32").tolist()
    for layer, layer_seed, dropout_seed in zip(model.layers, seeds, dropout, strict=True):
        if hasattr(layer, "kernel"):
            layer.kernel.assign(keras_initializer(initializer, layer_seed)(layer.kernel.shape))
            layer.bias.assign([0.0] * layer.bias.shape[0])
        if hasattr(layer, "seed_generator"):
            layer.seed_generator.state.assign([dropout_seed, 0])


def keras_initializer(settings: Settings, seed: int) -> Any:
    """Return the Keras initializer of these settings; with equal seeds, layers of equal shape get equal weights."""
    import keras

    names = {"random_uniform": "RandomUniform", "random_normal": "RandomNormal", "truncated_normal": "TruncatedNormal"}
    name = names.get(settings.name, settings.name.title().replace("_", ""))
    random = {} if isinstance(settings, Constant | Identity | ZerosOrOnes) else {"seed": seed}
    return getattr(keras.initializers, name)(**settings.model_dump(exclude={"name"}), **random)
