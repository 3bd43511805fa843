"""Small Keras models of common architectures, untrained and healthy, with inputs and labels."""

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

N = 48


class Specimen(NamedTuple):
    """A model with the inputs and labels on which it is inspected."""

    model: Any
    x: Any
    y: Any


def _dense(activation: str, initializer: str, depth: int = 6) -> Callable[[], Specimen]:
    def build() -> Specimen:
        import keras

        hidden = [keras.layers.Dense(32, activation, kernel_initializer=initializer) for _ in range(depth)]
        model = keras.Sequential([keras.Input((20,)), *hidden, keras.layers.Dense(3, "softmax")])
        return Specimen(model, vectors(), classes())

    return build


def vectors(width: int = 20) -> np.ndarray:
    return np.random.default_rng(1).normal(size=(N, width)).astype(np.float32)


def images(size: int = 16, channels: int = 1) -> np.ndarray:
    return np.random.default_rng(2).normal(size=(N, size, size, channels)).astype(np.float32)


def tokens(length: int = 10) -> np.ndarray:
    return np.random.default_rng(3).integers(0, 50, (N, length))


def series(length: int = 8, width: int = 5) -> np.ndarray:
    return np.random.default_rng(4).normal(size=(N, length, width)).astype(np.float32)


def classes() -> np.ndarray:
    return np.random.default_rng(5).integers(0, 3, N)


def _functional(inputs: Any, body: Callable[[Any], Any]) -> Any:
    import keras

    return keras.Model(inputs, body(inputs))


def convnet() -> Specimen:
    import keras

    kl = keras.layers
    stack = [kl.Conv2D(8, 3, activation="relu"), kl.MaxPooling2D(), kl.Conv2D(16, 3, activation="relu")]
    model = keras.Sequential([keras.Input((16, 16, 1)), *stack, kl.Flatten(), kl.Dense(3, "softmax")])
    return Specimen(model, images(), classes())


def convnet_with_normalization() -> Specimen:
    import keras

    kl = keras.layers
    stack = []
    for filters in (8, 16, 16):
        stack += [kl.Conv2D(filters, 3, padding="same", use_bias=False), kl.BatchNormalization(), kl.ReLU()]
    model = keras.Sequential(
        [keras.Input((16, 16, 1)), *stack, kl.GlobalAveragePooling2D(), kl.Dropout(0.3), kl.Dense(3)]
    )
    return Specimen(model, images(), classes())


def vgg() -> Specimen:
    import keras

    kl = keras.layers
    stack = []
    for filters in (8, 16, 32):
        for _ in range(2):
            conv = kl.Conv2D(filters, 3, padding="same", activation="relu", kernel_initializer="he_normal")
            stack.append(conv)
        stack.append(kl.MaxPooling2D())
    model = keras.Sequential([keras.Input((16, 16, 1)), *stack, kl.Flatten(), kl.Dense(32, "relu"), kl.Dense(3)])
    return Specimen(model, images(), classes())


def resnet() -> Specimen:
    import keras

    kl = keras.layers
    image = keras.Input((16, 16, 1))
    x = kl.Conv2D(8, 3, padding="same", kernel_initializer="he_normal")(image)
    for _ in range(3):
        y = kl.ReLU()(kl.BatchNormalization()(kl.Conv2D(8, 3, padding="same")(x)))
        y = kl.BatchNormalization()(kl.Conv2D(8, 3, padding="same")(y))
        x = kl.ReLU()(kl.Add()([x, y]))
    return Specimen(keras.Model(image, kl.Dense(3)(kl.GlobalAveragePooling2D()(x))), images(), classes())


def preactivated_resnet() -> Specimen:
    import keras

    kl = keras.layers
    image = keras.Input((16, 16, 1))
    x = kl.Conv2D(8, 3, padding="same", kernel_initializer="he_normal")(image)
    for _ in range(3):
        y = kl.Activation("relu")(kl.BatchNormalization()(x))
        x = x + kl.Conv2D(8, 3, padding="same")(y)
    return Specimen(keras.Model(image, kl.Dense(3)(kl.GlobalAveragePooling2D()(x))), images(), classes())


def densenet() -> Specimen:
    import keras

    kl = keras.layers
    image = keras.Input((16, 16, 1))
    x = kl.Conv2D(8, 3, padding="same")(image)
    for _ in range(3):
        x = kl.Concatenate()([x, kl.Conv2D(4, 3, padding="same", activation="relu")(x)])
    return Specimen(keras.Model(image, kl.Dense(3, "softmax")(kl.Flatten()(x))), images(), classes())


def mobilenet() -> Specimen:
    import keras

    kl = keras.layers
    stack = [kl.Conv2D(8, 3, strides=2, padding="same"), kl.BatchNormalization(), kl.ReLU(max_value=6.0)]
    for filters in (16, 32):
        stack += [kl.DepthwiseConv2D(3, padding="same"), kl.BatchNormalization(), kl.ReLU(max_value=6.0)]
        stack += [kl.Conv2D(filters, 1), kl.BatchNormalization(), kl.ReLU(max_value=6.0)]
    model = keras.Sequential([keras.Input((16, 16, 1)), *stack, kl.GlobalAveragePooling2D(), kl.Dense(3, "softmax")])
    return Specimen(model, images(), classes())


def inception() -> Specimen:
    import keras

    kl = keras.layers
    image = keras.Input((16, 16, 1))
    x = kl.Conv2D(8, 3, activation="relu", padding="same")(image)
    for _ in range(2):
        branches = [kl.Conv2D(4, size, padding="same", activation="relu")(x) for size in (1, 3, 5)]
        x = kl.Concatenate()([*branches, kl.MaxPooling2D(3, 1, padding="same")(x)])
    return Specimen(keras.Model(image, kl.Dense(3, "softmax")(kl.GlobalAveragePooling2D()(x))), images(), classes())


def unet() -> Specimen:
    import keras

    kl = keras.layers
    image = keras.Input((16, 16, 1))
    a = kl.Conv2D(8, 3, padding="same", activation="relu")(image)
    b = kl.Conv2D(16, 3, padding="same", activation="relu")(kl.MaxPooling2D()(a))
    up = kl.Conv2DTranspose(8, 2, strides=2, activation="relu")(b)
    c = kl.Conv2D(8, 3, padding="same", activation="relu")(kl.Concatenate()([up, a]))
    model = keras.Model(image, kl.Conv2D(1, 1, activation="sigmoid")(c))
    return Specimen(model, images(), (images() > 0).astype(np.float32))


def autoencoder() -> Specimen:
    import keras

    kl = keras.layers
    sizes = [kl.Dense(16, "relu"), kl.Dense(4, "relu"), kl.Dense(16, "relu"), kl.Dense(20)]
    return Specimen(keras.Sequential([keras.Input((20,)), *sizes]), vectors(), vectors())


def convolutional_autoencoder() -> Specimen:
    import keras

    kl = keras.layers
    encoder = keras.Sequential(
        [keras.Input((16, 16, 1)), kl.Conv2D(8, 3, 2, "same", activation="relu"), kl.Flatten(), kl.Dense(8)],
        name="encoder",
    )
    decoder = keras.Sequential(
        [
            keras.Input((8,)),
            kl.Dense(8 * 8 * 4, "relu"),
            kl.Reshape((8, 8, 4)),
            kl.Conv2DTranspose(1, 3, 2, "same"),
        ],
        name="decoder",
    )
    image = keras.Input((16, 16, 1))
    return Specimen(keras.Model(image, decoder(encoder(image))), images(), images())


def variational_autoencoder() -> Specimen:
    import keras

    kl = keras.layers

    class Sampling(kl.Layer):
        def __init__(self, **settings: Any) -> None:
            super().__init__(**settings)
            self.seed = keras.random.SeedGenerator(1)

        def call(self, mean_and_log_variance: Any) -> Any:
            mean, log_variance = mean_and_log_variance
            drawn = keras.random.normal(keras.ops.shape(mean), seed=self.seed)
            return mean + keras.ops.exp(0.5 * log_variance) * drawn

    x = keras.Input((20,))
    hidden = kl.Dense(16, "relu")(x)
    z = Sampling(name="sampling")([kl.Dense(4, name="mean")(hidden), kl.Dense(4, name="log_variance")(hidden)])
    return Specimen(keras.Model(x, kl.Dense(20)(kl.Dense(16, "relu")(z))), vectors(), vectors())


def lstm() -> Specimen:
    import keras

    kl = keras.layers
    stack = [kl.LSTM(8, return_sequences=True), kl.LSTM(8), kl.Dense(3, "softmax")]
    return Specimen(keras.Sequential([keras.Input((8, 5)), *stack]), series(), classes())


def encoder_decoder() -> Specimen:
    """Build an encoder and a decoder that uses the encoder's states, but not its sequence."""
    import keras

    kl = keras.layers
    source, target = keras.Input((8, 5)), keras.Input((8, 5))
    hidden = kl.LSTM(8, return_sequences=True, name="first")(source)
    _, h, c = kl.LSTM(8, return_sequences=True, return_state=True, name="encoder")(hidden)
    decoded = kl.LSTM(8, return_sequences=True, name="decoder")(target, initial_state=[h, c])
    return Specimen(keras.Model([source, target], kl.Dense(5)(decoded)), [series(), series()[::-1].copy()], series())


def gru() -> Specimen:
    import keras

    kl = keras.layers
    return Specimen(keras.Sequential([keras.Input((8, 5)), kl.GRU(8), kl.Dense(1)]), series(), vectors()[:, :1])


def bidirectional() -> Specimen:
    import keras

    kl = keras.layers
    stack = [kl.Embedding(50, 8), kl.Bidirectional(kl.LSTM(6)), kl.Dense(16, "relu"), kl.Dense(3, "softmax")]
    return Specimen(keras.Sequential([keras.Input((10,)), *stack]), tokens(), classes())


def text_convolutions() -> Specimen:
    import keras

    kl = keras.layers
    stack = [kl.Embedding(50, 8), kl.Conv1D(16, 3, activation="relu"), kl.Conv1D(16, 3, activation="relu")]
    model = keras.Sequential([keras.Input((10,)), *stack, kl.GlobalMaxPooling1D(), kl.Dense(3, "softmax")])
    return Specimen(model, tokens(), classes())


def _attention_block(x: Any, width: int, activation: str) -> Any:
    import keras

    kl = keras.layers
    y = kl.MultiHeadAttention(2, width // 2)(x, x)
    x = kl.LayerNormalization()(x + y)
    y = kl.Dense(width)(kl.Dense(2 * width, activation)(x))
    return kl.LayerNormalization()(x + y)


def transformer() -> Specimen:
    import keras

    kl = keras.layers
    words = keras.Input((10,))
    x = kl.Embedding(50, 16)(words)
    for _ in range(2):
        x = _attention_block(x, 16, "relu")
    return Specimen(keras.Model(words, kl.Dense(3)(kl.GlobalAveragePooling1D()(x))), tokens(), classes())


def vision_transformer() -> Specimen:
    import keras

    kl = keras.layers
    image = keras.Input((16, 16, 1))
    x = kl.Reshape((16, 16))(kl.Conv2D(16, 4, 4)(image))
    for _ in range(2):
        x = _attention_block(x, 16, "gelu")
    return Specimen(keras.Model(image, kl.Dense(3)(kl.GlobalAveragePooling1D()(x))), images(), classes())


def mixer() -> Specimen:
    import keras

    kl = keras.layers
    image = keras.Input((16, 16, 1))
    x = kl.Reshape((16, 16))(kl.Conv2D(16, 4, 4)(image))
    for _ in range(2):
        y = kl.Permute((2, 1))(kl.LayerNormalization()(x))
        x = x + kl.Permute((2, 1))(kl.Dense(16)(kl.Dense(32, "gelu")(y)))
        x = x + kl.Dense(16)(kl.Dense(32, "gelu")(kl.LayerNormalization()(x)))
    return Specimen(keras.Model(image, kl.Dense(3)(kl.GlobalAveragePooling1D()(x))), images(), classes())


def siamese() -> Specimen:
    import keras

    kl = keras.layers
    tower = keras.Sequential([keras.Input((20,)), kl.Dense(16, "relu"), kl.BatchNormalization(), kl.Dense(8)])
    a, b = keras.Input((20,)), keras.Input((20,))
    distance = keras.ops.abs(kl.Subtract()([tower(a), tower(b)]))
    model = keras.Model([a, b], kl.Dense(1, "sigmoid")(distance))
    return Specimen(model, [vectors(), vectors()[::-1].copy()], (classes() > 0).astype(np.float32)[:, None])


def discriminator() -> Specimen:
    import keras

    kl = keras.layers
    stack = []
    for filters in (8, 16):
        stack += [kl.Conv2D(filters, 3, 2, "same"), kl.LeakyReLU(negative_slope=0.2)]
    model = keras.Sequential([keras.Input((16, 16, 1)), *stack, kl.Flatten(), kl.Dense(1, "sigmoid")])
    return Specimen(model, images(), (classes() > 0).astype(np.float32)[:, None])


def generator() -> Specimen:
    import keras

    kl = keras.layers
    stack = [kl.Dense(4 * 4 * 8), kl.LeakyReLU(), kl.Reshape((4, 4, 8))]
    stack += [kl.Conv2DTranspose(8, 4, 2, "same"), kl.LeakyReLU(), kl.Conv2DTranspose(1, 4, 2, "same")]
    model = keras.Sequential([keras.Input((20,)), *stack, kl.Activation("tanh")])
    return Specimen(model, vectors(), np.tanh(images()))


def time_distributed() -> Specimen:
    import keras

    kl = keras.layers
    stack = [kl.TimeDistributed(kl.Dense(8, "relu")), kl.GRU(8), kl.Dense(3, "softmax")]
    return Specimen(keras.Sequential([keras.Input((8, 5)), *stack]), series(), classes())


def convolutional_lstm() -> Specimen:
    import keras

    kl = keras.layers
    stack = [kl.ConvLSTM2D(4, 3, padding="same"), kl.Conv2D(4, 3, activation="relu"), kl.Flatten(), kl.Dense(3)]
    frames = np.random.default_rng(6).normal(size=(N, 4, 8, 8, 1)).astype(np.float32)
    return Specimen(keras.Sequential([keras.Input((4, 8, 8, 1)), *stack]), frames, classes())


def block_class() -> Any:
    import keras

    class Block(keras.layers.Layer):
        """A residual block, as users write it."""

        def __init__(self, width: int, skips: bool = True, **settings: Any) -> None:
            super().__init__(**settings)
            self.skips = skips
            self.up = keras.layers.Dense(2 * width, "relu", name="up")
            self.down = keras.layers.Dense(width, name="down")

        def build(self, shape: Any) -> None:
            self.up.build(shape)
            self.down.build((*shape[:-1], self.up.units))
            super().build(shape)

        def call(self, x: Any) -> Any:
            y = self.down(self.up(x))
            return x + y if self.skips else y

    return Block


def custom_residual_blocks() -> Specimen:
    import keras

    kl, block = keras.layers, block_class()
    stack = [kl.Dense(16, "relu"), block(16), block(16), kl.Dense(3, "softmax")]
    return Specimen(keras.Sequential([keras.Input((20,)), *stack]), vectors(), classes())


def custom_plain_blocks() -> Specimen:
    import keras

    kl, block = keras.layers, block_class()
    stack = [kl.Dense(16, "relu"), block(16, skips=False), kl.Dense(3, "softmax")]
    return Specimen(keras.Sequential([keras.Input((20,)), *stack]), vectors(), classes())


def squeeze_and_excite() -> Specimen:
    import keras

    kl = keras.layers
    image = keras.Input((16, 16, 1))
    x = kl.Conv2D(8, 3, padding="same", activation="swish")(image)
    weights = kl.Dense(8, "sigmoid")(kl.Dense(4, "relu")(kl.GlobalAveragePooling2D()(x)))
    x = kl.Multiply()([x, kl.Reshape((1, 1, 8))(weights)])
    return Specimen(keras.Model(image, kl.Dense(3)(kl.GlobalAveragePooling2D()(x))), images(), classes())


def wide_and_deep() -> Specimen:
    import keras

    kl = keras.layers
    wide, deep = keras.Input((20,), name="wide"), keras.Input((20,), name="deep")
    hidden = kl.Dense(16, "relu")(kl.Dense(16, "relu")(deep))
    model = keras.Model([wide, deep], kl.Dense(1)(kl.Concatenate()([wide, hidden])))
    return Specimen(model, {"wide": vectors(), "deep": vectors()[::-1].copy()}, vectors()[:, :1])


def two_heads() -> Specimen:
    import keras

    kl = keras.layers
    x = keras.Input((20,))
    hidden = kl.Dense(16, "relu")(kl.Dense(32, "relu")(x))
    heads = [kl.Dense(3, "softmax", name="classes")(hidden), kl.Dense(1, name="number")(hidden)]
    return Specimen(keras.Model(x, heads), vectors(), {"classes": classes(), "number": vectors()[:, 0]})


def preprocessed() -> Specimen:
    import keras

    kl = keras.layers
    image = keras.Input((16, 16, 3), dtype="uint8")
    x = kl.Rescaling(1 / 127.5, offset=-1.0)(image) - np.array([0.1, 0.0, -0.1], np.float32)
    x = kl.Flatten()(kl.Conv2D(8, 3, activation="relu")(x))
    bytes_ = np.random.default_rng(7).integers(0, 256, (N, 16, 16, 3)).astype(np.uint8)
    return Specimen(keras.Model(image, kl.Dense(3, "softmax")(x)), bytes_, classes())


def subclassed() -> Specimen:
    import keras

    class Mine(keras.Model):
        def __init__(self) -> None:
            super().__init__()
            self.hidden = [keras.layers.Dense(16, "relu", name=f"hidden_{k}") for k in range(3)]
            self.out = keras.layers.Dense(3, "softmax", name="out")

        def call(self, x: Any) -> Any:
            for layer in self.hidden:
                x = layer(x)
            return self.out(x)

    model = Mine()
    model(vectors()[:1])
    return Specimen(model, vectors(), classes())


ZOO: dict[str, Callable[[], Specimen]] = {
    "relu": _dense("relu", "he_normal"),
    "tanh": _dense("tanh", "glorot_normal"),
    "gelu": _dense("gelu", "he_normal"),
    "silu": _dense("silu", "he_normal"),
    "elu": _dense("elu", "he_normal"),
    "selu": _dense("selu", "lecun_normal"),
    "shallow": _dense("relu", "glorot_uniform", depth=1),
    **{
        build.__name__: build
        for build in (
            *(convnet, convnet_with_normalization, vgg, resnet, preactivated_resnet, densenet, mobilenet, inception),
            *(unet, autoencoder, convolutional_autoencoder, variational_autoencoder, lstm, encoder_decoder, gru),
            *(bidirectional, text_convolutions, transformer, vision_transformer, mixer, siamese, discriminator),
            *(generator, time_distributed, convolutional_lstm, custom_residual_blocks, custom_plain_blocks),
            *(squeeze_and_excite, wide_and_deep, two_heads, preprocessed, subclassed),
        )
    },
}


def built(name: str, seed: int = 7) -> Specimen:
    """Build a model of the zoo in a new Keras session, with seeded weights."""
    import keras

    keras.utils.clear_session()
    keras.utils.set_random_seed(seed)
    return ZOO[name]()
