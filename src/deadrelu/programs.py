"""The compiled programs of the trial engine: an epoch of training, and predictions, for LANES networks at once.

Weights of all networks lie in one array of shape (n_weights, LANES): a weight is a vector over trials, and every
operation acts on all of them alike. Kernel by kernel in C order, each followed by its bias if there is one: the
order of Keras's `get_weights`.
"""

from collections.abc import Callable
from functools import lru_cache, reduce, update_wrapper
from operator import add
from threading import Lock
from typing import Any, Generic, ParamSpec, TypeVar

from deadrelu.experiment import Adam, Architecture, Training
from deadrelu.shuffles import LANES

P = ParamSpec("P")
T = TypeVar("T")

WRITTEN_OUT = 100
"""Up to this many weights the units are written out one by one; above, layers are batched matrix products.

Written out, the first call of a program takes 1.4 s for the notebook's 37 weights, 2.6 s for 87, 5 s for 152 and 16 s
for 312, nearly all of it to compile. As matrix products it takes 1 to 2 s, and a trial costs 3 times as much (2 cores).
"""


class _TracedOnce(Generic[P, T]):
    """A function that keeps the programs it made last; threads that ask for the same one at a time get one."""

    def __init__(self, program: Callable[P, T]) -> None:
        self._kept, self._tracing = lru_cache(maxsize=8)(program), Lock()
        update_wrapper(self, program)

    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> T:
        with self._tracing:
            found: T = self._kept(*args, **kwargs)  # type: ignore[arg-type]
            return found

    def cache_clear(self) -> None:
        """Forget them."""
        self._kept.cache_clear()


def _activate(architecture: Architecture, z: Any) -> Any:
    import tensorflow as tf

    if architecture.activation == "leaky_relu":
        return tf.where(z > 0, z, architecture.negative_slope * z)  # its slope at 0 is Keras's: negative_slope
    functions = {"relu": tf.nn.relu, "elu": tf.nn.elu, "tanh": tf.tanh, "sigmoid": tf.sigmoid}
    return (
        tf.nn.gelu(z, approximate=False) if architecture.activation == "gelu" else functions[architecture.activation](z)
    )


def _forward_written_out(
    architecture: Architecture, weights: list[Any], point: list[Any]
) -> tuple[list[Any], list[Any]]:
    """Outputs and last hidden layer, unit by unit; all values have one shape that ends with the trials."""
    signal, hidden, weight = point, point, iter(weights)
    for depth, (fan_in, fan_out) in enumerate(architecture.layers, start=1):
        kernel = [[next(weight) for _ in range(fan_out)] for _ in range(fan_in)]
        z = [reduce(add, [kernel[i][j] * signal[i] for i in range(fan_in)]) for j in range(fan_out)]
        if architecture.biases:
            z = [unit + next(weight) for unit in z]
        hidden = signal
        signal = z if depth == len(architecture.layers) else [_activate(architecture, unit) for unit in z]
    return signal, hidden


def _forward_matrices(architecture: Architecture, weights: Any, points: Any) -> tuple[Any, Any]:
    """Outputs and last hidden layer as matrix products, one per trial: (trials, points, units)."""
    import tensorflow as tf

    signal, hidden, at = points, points, 0
    for depth, (fan_in, fan_out) in enumerate(architecture.layers, start=1):
        hidden = signal
        if architecture.biases:  # the last row of a kernel, for an input of 1; added apart, XLA may fail to compile it
            signal, fan_in = tf.pad(signal, ((0, 0), (0, 0), (0, 1)), constant_values=1.0), fan_in + 1
        kernel = tf.reshape(weights[at : at + fan_in * fan_out], (fan_in, fan_out, -1))
        at += fan_in * fan_out
        z = tf.matmul(signal, tf.transpose(kernel, (2, 0, 1)))
        signal = z if depth == len(architecture.layers) else _activate(architecture, z)
    return signal, hidden


def _error(loss: str, difference: Any) -> Any:
    import tensorflow as tf

    return tf.square(difference) if loss == "mean_squared_error" else tf.abs(difference)


def _summed_gradient_written_out(
    architecture: Architecture, loss: str, weights: Any, x: Any, y: Any, order: Any, first: Any, count: Any
) -> tuple[Any, Any]:
    """Gradient and loss of one batch, summed over its points. This is the inner loop, where all the time goes.

    One turn takes one point per trial (its own: `order` has a column per trial), runs the network forward and
    backward on vectors over trials, and adds to the sums. Written like this, and not as a batch to be reduced
    afterwards, no array of batch times trials ever exists. XLA makes the whole turn one fused loop over trials and
    the loop over points one kernel around it (`start.XLA_FLAGS`): weights and sums stay in the first-level cache, and
    a turn costs its arithmetic.

    Args:
        architecture: of the networks.
        loss: its name.
        weights: shape (n_weights, trials).
        x: inputs of all points, shape (n_points, n_inputs).
        y: targets of all points, shape (n_points, n_outputs).
        order: which point comes when, shape (n_points, trials), int32.
        first: position of the batch in the order.
        count: points in the batch.

    Returns:
        Gradient sums, shape (n_weights, trials), and loss sums, shape (trials,).
    """
    import tensorflow as tf

    each = tf.unstack(weights)
    inputs, targets = tf.unstack(x, axis=1), tf.unstack(y, axis=1)

    def add_point(turn: Any, sums: list[Any]) -> tuple[Any, list[Any]]:
        at = order[first + turn]
        with tf.GradientTape() as tape:
            tape.watch(each)
            outputs, _ = _forward_written_out(architecture, each, [tf.gather(column, at) for column in inputs])
            pairs = zip(outputs, targets, strict=True)
            errors = [_error(loss, output - tf.gather(column, at)) for output, column in pairs]
            total = reduce(add, errors) / len(errors)
        gradient = tape.gradient(total, each)
        return turn + 1, [s + g for s, g in zip(sums, [*gradient, total], strict=True)]

    start = [tf.zeros_like(each[0])] * (len(each) + 1)
    _, sums = tf.while_loop(lambda turn, _: turn < count, add_point, (tf.constant(0), start))
    return tf.stack(sums[:-1]), sums[-1]


def _summed_gradient_matrices(
    architecture: Architecture, loss: str, batch: int, weights: Any, x: Any, y: Any, order: Any, first: Any, count: Any
) -> tuple[Any, Any]:
    """The same for wide layers: a batch at once; positions past its end repeat its last point and count nothing."""
    import tensorflow as tf

    turn = tf.range(batch)
    at = tf.transpose(tf.gather(order, first + tf.minimum(turn, count - 1)))
    counts = tf.cast(turn < count, tf.float32)
    with tf.GradientTape() as tape:
        tape.watch(weights)
        outputs, _ = _forward_matrices(architecture, weights, tf.gather(x, at))
        errors = tf.reduce_mean(_error(loss, outputs - tf.gather(y, at)), axis=2)
        # where, not a product: an infinite error of a point that does not count would become NaN.
        total = tf.reduce_sum(tf.where(counts > 0, errors, 0.0), axis=1)
    return tape.gradient(total, weights), total


@_TracedOnce
def train_epoch(architecture: Architecture, training: Training, n_points: int) -> Callable[..., Any]:
    """Compile an epoch of training.

    Returns:
        A function of the state (weights and, for Adam, two moments, each of shape (n_weights, LANES)), x, y and
        order as above, and the learning rate of each step, all of them tensors. It returns the state and the loss
        summed over the points.
    """
    import tensorflow as tf

    optimizer, batch = training.optimizer, training.batch_size
    steps = -(-n_points // batch)

    def summed_gradient(*arguments: Any) -> tuple[Any, Any]:
        if architecture.n_weights <= WRITTEN_OUT:
            return _summed_gradient_written_out(architecture, training.loss, *arguments)
        return _summed_gradient_matrices(architecture, training.loss, batch, *arguments)

    @tf.function(jit_compile=True, autograph=False)  # type: ignore[untyped-decorator]
    def epoch(state: list[Any], x: Any, y: Any, order: Any, rates: Any) -> tuple[list[Any], Any]:
        def step(i: Any, state: list[Any], loss: Any) -> tuple[Any, list[Any], Any]:
            count = tf.minimum(batch, n_points - i * batch)
            sums, batch_loss = summed_gradient(state[0], x, y, order, i * batch, count)
            gradient = sums / tf.cast(count, tf.float32)
            if isinstance(optimizer, Adam):
                weights, m, v = state
                m += (gradient - m) * (1 - optimizer.beta_1)
                v += (tf.square(gradient) - v) * (1 - optimizer.beta_2)
                new = [weights - m * rates[i] / (tf.sqrt(v) + optimizer.epsilon), m, v]
            else:
                new = [state[0] - rates[i] * gradient]
            return i + 1, new, loss + batch_loss

        start = (tf.constant(0), state, tf.zeros_like(state[0][0]))
        _, state, loss = tf.while_loop(lambda i, *_: i < steps, step, start)
        return state, loss

    slots = 3 if isinstance(optimizer, Adam) else 1
    signature = (
        [tf.TensorSpec((architecture.n_weights, LANES))] * slots,
        tf.TensorSpec((n_points, architecture.sizes[0])),
        tf.TensorSpec((n_points, architecture.sizes[-1])),
        tf.TensorSpec((n_points, LANES), tf.int32),
        tf.TensorSpec((steps,)),
    )
    # Of one signature: TensorFlow would else compare the arguments of every call, for a tenth of the training time.
    return epoch.get_concrete_function(*signature)  # type: ignore[no-any-return]


def _forward(architecture: Architecture, weights: Any, x: Any) -> tuple[list[Any], list[Any]]:
    """Outputs and last hidden layer, unit by unit, at all points: arrays of shape (n_points, trials)."""
    import tensorflow as tf

    if architecture.n_weights <= WRITTEN_OUT:
        columns = [column[:, None] for column in tf.unstack(x, axis=1)]
        return _forward_written_out(architecture, tf.unstack(weights), columns)
    outputs, hidden = _forward_matrices(architecture, weights, tf.broadcast_to(x, (weights.shape[1], *x.shape)))
    return tf.unstack(tf.transpose(outputs)), tf.unstack(tf.transpose(hidden))


@_TracedOnce
def predictions(architecture: Architecture, n_points: int) -> Callable[..., Any]:
    """Compile predictions.

    Returns:
        A function of weights, shape (n_weights, LANES), and x, shape (n_points, n_inputs), both tensors, to outputs,
        shape (LANES, n_points, n_outputs).
    """
    import tensorflow as tf

    @tf.function(jit_compile=True, autograph=False)  # type: ignore[untyped-decorator]
    def outputs(weights: Any, x: Any) -> Any:
        return tf.transpose(tf.stack(_forward(architecture, weights, x)[0]), (2, 1, 0))

    return outputs.get_concrete_function(*_at_points(architecture, n_points))  # type: ignore[no-any-return]


@_TracedOnce
def awake(architecture: Architecture, n_points: int) -> Callable[..., Any]:
    """Compile the question whether any unit of the last hidden layer is other than 0 at any point.

    Returns:
        A function of weights and x as above to a vector of shape (LANES,), bool.
    """
    import tensorflow as tf

    @tf.function(jit_compile=True, autograph=False)  # type: ignore[untyped-decorator]
    def any_unit(weights: Any, x: Any) -> Any:
        return tf.reduce_any(tf.stack(_forward(architecture, weights, x)[1]) != 0, axis=(0, 1))

    return any_unit.get_concrete_function(*_at_points(architecture, n_points))  # type: ignore[no-any-return]


def _at_points(architecture: Architecture, n_points: int) -> tuple[Any, Any]:
    """Signature of a function of weights and inputs."""
    import tensorflow as tf

    return tf.TensorSpec((architecture.n_weights, LANES)), tf.TensorSpec((n_points, architecture.sizes[0]))
