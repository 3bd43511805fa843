"""Signals of any Keras model, forward and backward: what each layer puts out, and the gradient of a loss there."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, Literal, NamedTuple

import numpy as np
import numpy.typing as npt

Float = npt.NDArray[np.float32]
Inputs = Sequence[npt.NDArray[Any]]
"""One array for each input of the model, in the order of `model.inputs`, each of shape (n_inputs, …)."""

Objective = Callable[[list[Any], slice], Any]
"""`objective(outputs, rows)`: the sum of the losses of these rows of the inputs, a scalar tensor."""

BATCH = 1000
"""Most inputs in one pass. Constant, because the last bits of a matrix product depend on the batch size."""

ELEMENTS = 2**26
"""Most numbers that the layers put out in one pass, 256 MB; their gradients and the tape take about thrice that."""

Kind = Literal["weights", "normalization", "activation", "merge", "output"]
MERGES = {"Add", "Subtract", "Multiply", "Average", "Maximum", "Minimum", "Concatenate", "Dot"}
NONLINEAR = {
    *("ReLU", "Relu", "Relu6", "LeakyReLU", "LeakyRelu", "PReLU", "ELU", "Elu", "Selu", "Gelu", "Silu", "Swish"),
    *("Tanh", "Sigmoid", "HardSigmoid", "HardSilu", "HardSwish", "HardTanh", "Softmax", "Softplus", "Softsign", "Mish"),
}


class Tap(NamedTuple):
    """One call of one layer; a shared layer has one for each."""

    name: str
    kind: Kind
    activation: str | None
    """The field's name of its nonlinearity, e.g. 'relu'; None for a linear layer."""
    on_trunk: bool
    """Every path from the inputs to the outputs goes through it; no skip connection leads around it."""
    shape: tuple[int, ...]
    """Of the output for one input; the last axis counts units."""
    operation: Any
    """The Keras layer or operation."""


class Batch(NamedTuple):
    """Signals of some of the inputs, one array for each tap."""

    rows: slice
    activations: list[Float]
    gradients: list[Float]
    """Of the objective with respect to the activations: same shapes."""
    kernels: list[list[Float]]
    """For each tap, gradients with respect to its layer's kernels (weights of two or more axes)."""


def taps(model: Any, inputs: Inputs) -> list[Tap]:
    """Find the layers that make, change or join signals, in the order in which the model calls them.

    Layers inside nested models are among them. Left out are layers that only move numbers about (Flatten, Dropout,
    pooling, padding, Reshape, …) and those whose output is no floating-point tensor.

    Args:
        model: a Keras model, Sequential or functional; a subclassed one if it calls its layers.
        inputs: the first of them serves for a first pass.
    """
    import keras

    calls: list[tuple[Any, list[int], Any]] = []
    everything = [o for o in _operations(model) if not isinstance(o, keras.layers.InputLayer)]
    given = _packed(model, [x[:1] for x in inputs])
    with _listening(everything, lambda operation, sources, output: calls.append((operation, sources, output))):
        outputs = keras.tree.flatten(model(given, training=False))
    ends = {id(output) for output in outputs}
    trunk = _trunk(calls)
    found: list[Tap] = []
    for (operation, sources, output), on_trunk in zip(calls, trunk, strict=True):
        kind = "output" if id(output) in ends else _kind(operation, len(sources))
        if kind is None or not _is_signal(output):
            continue
        earlier = sum(tap.operation is operation for tap in found)
        name = f"{operation.name} (call {earlier + 1})" if earlier else operation.name
        found.append(Tap(name, kind, activation_name(operation), on_trunk, tuple(output.shape[1:]), operation))
    return found


def batches(
    model: Any,
    taps: Sequence[Tap],
    inputs: Inputs,
    objective: Objective,
    *,
    size: int | None = None,
    training: bool = False,
) -> Iterator[Batch]:
    """Send the inputs through the model and the objective's gradient back, one batch after another.

    Memory is that of one batch. `objective` sums over inputs, so that in inference mode no gradient depends on how
    many inputs there are or how they are cut.

    Args:
        model: a Keras model; it comes out as it went in, also after `training`.
        taps: from `taps(model, inputs)`, all or some.
        inputs: float32 or what the model takes.
        objective: what the gradient is of.
        size: inputs in a batch; None: `batch_size(taps)`.
        training: run layers such as BatchNormalization and Dropout as in training.
    """
    import keras
    import tensorflow as tf

    heard: list[Any] = []
    size = size or batch_size(taps)
    wanted = list({id(tap.operation): tap.operation for tap in taps}.values())
    kernels = [kernel.value for operation in wanted for kernel in kernels_of(operation)]
    moving = [(v, v.numpy()) for v in model.non_trainable_variables] if training else []

    def hear(operation: Any, sources: list[int], output: Any) -> None:
        if _is_signal(output):
            tape.watch(output)
            heard.append(output)

    try:
        for start in range(0, len(inputs[0]), size):
            rows = slice(start, min(start + size, len(inputs[0])))
            heard.clear()
            with tf.GradientTape() as tape, _listening(wanted, hear):
                tape.watch(kernels)  # of frozen layers too
                outputs = model(_packed(model, [x[rows] for x in inputs]), training=training)
                loss = objective(keras.tree.flatten(outputs), rows)
            found = tape.gradient(loss, heard + kernels, unconnected_gradients=tf.UnconnectedGradients.ZERO)
            arrays = [tf.convert_to_tensor(g).numpy() for g in found]
            of_kernels = iter(arrays[len(heard) :])
            by_operation = {id(o): [next(of_kernels) for _ in kernels_of(o)] for o in wanted}
            yield Batch(
                rows,
                [_float32(signal.numpy()) for signal in heard],
                [_float32(gradient) for gradient in arrays[: len(heard)]],
                [by_operation[id(tap.operation)] for tap in taps],
            )
    finally:
        for variable, value in moving:
            variable.assign(value)


def batch_size(taps: Sequence[Tap]) -> int:
    """How many inputs fit into `ELEMENTS` and `BATCH`; at least 1."""
    elements = sum(int(np.prod(tap.shape)) for tap in taps)
    return max(1, min(BATCH, ELEMENTS // max(1, elements)))


def activation_name(operation: Any) -> str | None:
    """'relu' for Dense(activation="relu"), Activation("relu"), ReLU() and keras.ops.relu; None if it is linear."""
    kind = type(operation).__name__
    function = getattr(operation, "activation", None)
    if function is not None:
        name = getattr(function, "__name__", type(function).__name__)
    else:
        name = kind if kind in NONLINEAR else "linear"
    if "relu6" in name.lower() or getattr(operation, "max_value", None) == 6:
        return "relu6"
    spelled = {"ReLU": "relu", "LeakyReLU": "leaky_relu", "PReLU": "prelu", "ELU": "elu"}.get(name)
    spelled = spelled or "".join(f"_{c.lower()}" if c.isupper() and at else c.lower() for at, c in enumerate(name))
    return None if spelled == "linear" else spelled


def _kind(operation: Any, sources: int) -> Kind | None:
    name = type(operation).__name__
    if name in MERGES:
        return "merge" if sources > 1 else None  # x + 3.0 is an Add, too
    if name.endswith("Normalization"):
        return "normalization"
    if activation_name(operation) is not None:
        return "activation"
    return "weights" if kernels_of(operation) else None


def kernels_of(operation: Any) -> list[Any]:
    """Weights of two or more axes: kernels and embeddings, not biases, scales or shifts."""
    return [weight for weight in getattr(operation, "weights", ()) if len(weight.shape) > 1]


def _is_signal(output: Any) -> bool:
    dtype = getattr(output, "dtype", None)
    return dtype is not None and dtype.is_floating and len(output.shape) > 0


def _float32(array: npt.NDArray[Any]) -> Float:
    return array.astype(np.float32, copy=False)


def _operations(model: Any) -> list[Any]:
    """Layers, and operations such as `x + y`, also those of nested models; each once."""
    import keras

    found: dict[int, Any] = {}
    for operation in getattr(model, "operations", model.layers):
        inner = _operations(operation) if isinstance(operation, keras.Model) else [operation]
        found |= {id(o): o for o in inner}
    return list(found.values())


@contextmanager
def _listening(operations: Sequence[Any], hear: Callable[[Any, list[int], Any], None]) -> Iterator[None]:
    """While open, `hear(operation, ids of its input tensors, output)` is called after each call of an operation.

    Each operation's `call` is wrapped on the object itself and unwrapped at the end. A second model with the
    outputs of all layers would not reach into nested models.
    """
    import keras

    def wrap(operation: Any) -> Callable[..., Any]:
        inner = operation.call

        def call(*args: Any, **kwargs: Any) -> Any:
            output = inner(*args, **kwargs)
            sources = [id(part) for part in keras.tree.flatten((args, kwargs)) if keras.ops.is_tensor(part)]
            hear(operation, sources, output)
            return output

        return call

    wrapped = []
    try:
        for operation in operations:
            operation.call = wrap(operation)
            wrapped.append(operation)
        yield
    finally:
        for operation in wrapped:
            del operation.call  # the one of its class stands again


def _trunk(calls: Sequence[tuple[Any, list[int], Any]]) -> list[bool]:
    """Which calls lie on every path: no call before takes its signal past them to a call behind.

    A tensor that no call before has made is an input of the model, known before the first call; so is one that comes
    out of a raw TensorFlow operation between layers, whose place is unknown.
    """
    import keras

    made: dict[int, int] = {}
    passed = [0] * (len(calls) + 1)  # +1 where an edge begins to lead past calls, -1 where it ends
    for at, (_, sources, output) in enumerate(calls):
        for source in sources:
            passed[made.get(source, -1) + 1] += 1
            passed[at] -= 1
        made |= {id(part): at for part in keras.tree.flatten(output)}
    return [bool(edges == 0) for edges in np.cumsum(passed)[: len(calls)]]


def _packed(model: Any, flat: list[npt.NDArray[Any]]) -> Any:
    """Arrange the inputs as the model takes them: alone, as a list, or as a dictionary."""
    import keras

    try:
        return keras.tree.pack_sequence_as(model.input, flat)
    except (AttributeError, ValueError):  # a subclassed model has no `input`
        return flat[0] if len(flat) == 1 else flat
