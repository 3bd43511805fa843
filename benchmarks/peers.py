"""Train the same networks in other ways: by Keras's fit in a loop, and by JAX's vmap over trials."""

from collections.abc import Callable
from typing import Any

import numpy as np

from deadrelu.engine import Adam, Float, Network, Training, draw_weights

Trainer = Callable[[int], None]
"""Function that trains so many networks."""


def keras_loop(network: Network, training: Training, x: Float, y: Float) -> Trainer:
    """Build, compile and fit one Keras model after the other, as the notebook meant to."""
    import keras

    def train(n: int) -> None:
        for _ in range(n):
            model = keras.Sequential([keras.Input((network.inputs,))])
            for width in network.widths:
                model.add(keras.layers.Dense(width, use_bias=network.biases))
                model.add(keras.layers.LeakyReLU(negative_slope=network.negative_slope))
            model.add(keras.layers.Dense(network.outputs, use_bias=network.biases))
            model.compile(optimizer="adam", loss=training.loss)
            model.fit(x, y, batch_size=training.batch_size, epochs=training.epochs, verbose=0)

    return train


def jax_vmap(network: Network, training: Training, x: Float, y: Float) -> Trainer:
    """Train many networks as one would write it in JAX: vmap over trials, scan over steps, the same Adam.

    The last, smaller batch of each epoch is left out, which favours this peer by 2 %.
    """
    import jax
    import jax.numpy as jnp

    adam = training.optimizer
    assert isinstance(adam, Adam)
    layers, batch = [layer[:2] for layer in network.layers], training.batch_size
    ends = np.cumsum([fan_in * fan_out for fan_in, fan_out in layers])[:-1]

    def forward(weights: Any, inputs: Any) -> Any:
        signal = inputs[:, None]
        kernels = jnp.split(weights, ends)
        for depth, (kernel, shape) in enumerate(zip(kernels, layers, strict=True), start=1):
            signal = signal @ kernel.reshape(shape)
            if depth < len(layers):
                signal = jnp.where(signal > 0, signal, network.negative_slope * signal)
        return signal[:, 0]

    def loss(weights: Any, inputs: Any, targets: Any) -> Any:
        return jnp.mean(jnp.square(forward(weights, inputs) - targets))

    def step(state: Any, indices: Any) -> tuple[Any, None]:
        weights, m, v, t = state
        gradient = jax.grad(loss)(weights, x_all[indices], y_all[indices])
        m += (gradient - m) * (1 - adam.beta_1)
        v += (jnp.square(gradient) - v) * (1 - adam.beta_2)
        rate = adam.learning_rate * jnp.sqrt(1 - adam.beta_2**t) / (1 - adam.beta_1**t)
        return (weights - m * rate / (jnp.sqrt(v) + adam.epsilon), m, v, t + 1), None

    def train(weights: Any, key: Any) -> Any:
        def epoch(state: Any, key: Any) -> tuple[Any, None]:
            order = jax.random.permutation(key, len(x))[: len(x) // batch * batch].reshape(-1, batch)
            state, _ = jax.lax.scan(step, state, order)
            return state, None

        start = (weights, jnp.zeros_like(weights), jnp.zeros_like(weights), 1.0)
        return jax.lax.scan(epoch, start, jax.random.split(key, training.epochs))[0][0]

    x_all, y_all = jnp.asarray(x), jnp.asarray(y)
    train_all = jax.jit(jax.vmap(train))

    def run(n: int) -> None:
        weights = draw_weights(network, 10, np.arange(n))
        train_all(weights, jax.random.split(jax.random.key(10), n)).block_until_ready()

    return run
