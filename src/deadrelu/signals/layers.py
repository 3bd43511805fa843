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

MAX_BATCH_SIZE = 1000
"""Most inputs in one pass. Constant, because the last bits of a matrix product depend on the batch size."""

MAX_BATCH_ELEMENTS = 2**26
"""Most numbers that the layers put out in one pass, 256 MB; their gradients and the tape take about thrice that."""

Kind = Literal["weights", "normalization", "activation", "merge", "output"]
MERGES = {"Add", "Subtract", "Multiply", "Average", "Maximum", "Minimum", "Concatenate", "Dot"}
NONLINEAR = {
    *("ReLU", "Relu", "Relu6", "LeakyReLU", "LeakyRelu", "PReLU", "ELU", "Elu", "Selu", "Gelu", "Silu", "Swish"),
    *("Tanh", "Sigmoid", "HardSigmoid", "HardSilu", "HardSwish", "HardTanh", "Softmax", "Softplus", "Softsign", "Mish"),
}


class LayerOutput(NamedTuple):
    """One call of one layer; a shared layer has one for each."""

    name: str
    """Of a layer in a nested model, with the nested model's name before it: 'encoder/dense'."""
    kind: Kind
    activation: str | None
    """The field's name of its nonlinearity, e.g. 'relu'; None for a linear layer."""
    on_trunk: bool
    """Every path goes through it, see `trace_layers`."""
    shape: tuple[int, ...]
    """Of the output for one input; the last axis counts units."""
    operation: Any
    """The Keras layer or operation."""


class Output(NamedTuple):
    """One output of the model."""

    name: str
    activation: str | None
    """Of the layer that made it, or of the one before, if that only moves numbers about, as Reshape does."""
    shape: tuple[int, ...]


class Survey(NamedTuple):
    """What there is to record in a model."""

    recorded: list[LayerOutput]
    outputs: list[Output]
    """In the order of `model.outputs`."""
    classes: set[str]
    """Names of the classes of all layers that were called."""


class Batch(NamedTuple):
    """Signals of some of the inputs, one array for each layer: float32, or float64 where the model computes in it."""

    rows: slice
    activations: list[Float]
    gradients: list[Float]
    """Of the objective with respect to the activations: same shapes."""
    kernels: list[list[Float]]
    """For each layer output, gradients with respect to its layer's kernels (weights of two or more axes)."""


def trace_layers(model: Any, inputs: Inputs) -> Survey:
    """Find the layers that make, change or join signals, in the order in which the model calls them.

    Layers inside nested models are among them. Left out are layers that only move numbers about (Flatten, Dropout,
    pooling, padding, Reshape, …) and those that put out no floating-point tensor; of several, the first counts.

    The trunk: the layers that every path from an input to an output goes through, so that no skip connection leads
    around them. Of several inputs and outputs, the pair with most such layers.

    Args:
        model: a Keras model, Sequential or functional; a subclassed one if it calls its layers.
        inputs: the first of them serves for a first pass.
    """
    import keras

    calls: list[Call] = []
    operations = {o: name for o, name in _operations(model).items() if not isinstance(o, keras.layers.InputLayer)}
    given = _packed(model, [x[:1] for x in inputs])
    if not model.built:
        model(given)  # a subclassed model makes its layers in its first call
    with _listening(list(operations), lambda *call: calls.append(Call(*call))):
        ends = keras.tree.flatten(model(given, training=False))
    made: dict[int, int] = {}
    for at, call in enumerate(calls):
        for tensor in keras.tree.flatten(call.output):
            made.setdefault(id(tensor), at)  # Dropout puts out in inference what came in: the first call made it
    trunk = _trunk(calls, made, [made[id(end)] for end in ends if id(end) in made])
    is_end = {made.get(id(end)) for end in ends}
    found: list[LayerOutput] = []
    for at, call in enumerate(calls):
        kind = "output" if at in is_end else _kind(call.operation, len(call.sources))
        signal = _signal(call.output)
        if kind is None or signal is None:
            continue
        earlier = sum(entry.operation is call.operation for entry in found)
        name = operations[call.operation] + (f" (call {earlier + 1})" if earlier else "")
        shape = tuple(signal.shape[1:])
        found.append(LayerOutput(name, kind, activation_name(call.operation), at in trunk, shape, call.operation))
    names = list(getattr(model, "output_names", None) or [])
    if len(names) != len(ends):
        names = [f"output {k + 1}" for k in range(len(ends))]
    outputs = [
        Output(name, _activation_before(calls, made, made.get(id(end))), tuple(end.shape[1:]))
        for name, end in zip(names, ends, strict=True)
    ]
    return Survey(found, outputs, {type(call.operation).__name__ for call in calls})


def batches(
    model: Any,
    recorded: Sequence[LayerOutput],
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
        recorded: of `trace_layers(model, inputs)`, all or some.
        inputs: float32 or what the model takes.
        objective: what the gradient is of.
        size: inputs in a batch; None: `batch_size(recorded)`.
        training: run layers such as BatchNormalization and Dropout as in training.
    """
    import keras
    import tensorflow as tf

    heard: list[Any] = []
    size = size or batch_size(recorded)
    wanted = list(dict.fromkeys(entry.operation for entry in recorded))
    kernels = [kernel.value for operation in wanted for kernel in kernels_of(operation)]
    moving = [(v, v.numpy()) for v in model.non_trainable_variables] if training else []

    def record(_: Any, __: list[Any], output: Any) -> None:
        signal = _signal(output)
        if signal is not None:
            tape.watch(signal)
            heard.append(signal)

    try:
        for start in range(0, len(inputs[0]), size):
            rows = slice(start, min(start + size, len(inputs[0])))
            heard.clear()
            with tf.GradientTape() as tape, _listening(wanted, record):
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
                [by_operation[id(entry.operation)] for entry in recorded],
            )
    finally:
        for variable, value in moving:
            variable.assign(value)


def batch_size(recorded: Sequence[LayerOutput]) -> int:
    """How many inputs fit into `MAX_BATCH_ELEMENTS` and `MAX_BATCH_SIZE`; at least 1."""
    elements = sum(int(np.prod(entry.shape)) for entry in recorded)
    return max(1, min(MAX_BATCH_SIZE, MAX_BATCH_ELEMENTS // max(1, elements)))


def activation_name(operation: Any) -> str | None:
    """'relu' for Dense(activation="relu"), Activation("relu"), ReLU() and keras.ops.relu; None if it is linear."""
    if not hasattr(operation, "activation") and hasattr(operation, "layer"):
        return activation_name(operation.layer)  # TimeDistributed and other wrappers
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


class Call(NamedTuple):
    """One call of a layer in a first pass; it holds its tensors, so that their ids stay theirs."""

    operation: Any
    sources: list[Any]
    output: Any


MOVERS = {"Reshape", "Flatten", "Permute", "Dropout", "Identity", "Activation", "Cast", "Squeeze", "Transpose"}
"""Operations that leave a probability a probability; Activation, if it is linear."""


def _activation_before(calls: Sequence[Call], made: dict[int, int], at: int | None) -> str | None:
    while at is not None:
        operation, sources, _ = calls[at]
        activation = activation_name(operation)
        if activation is not None or type(operation).__name__ not in MOVERS or not sources:
            return activation
        before = made.get(id(sources[0]))
        at = before if before != at else None
    return None


def _kind(operation: Any, sources: int) -> Kind | None:
    name = type(operation).__name__
    if name in MERGES:
        return "merge" if sources > 1 else None  # x + 3.0 is an Add, too
    if activation_name(operation) is not None:
        return "activation"
    if name.endswith("Normalization"):
        return "normalization"
    return "weights" if kernels_of(operation) else None


def kernels_of(operation: Any) -> list[Any]:
    """Weights of two or more axes: kernels and embeddings, not biases, scales or shifts."""
    weights = getattr(operation, "weights", ())
    others = ("bias", "alpha", "gamma", "beta")
    return [w for w in weights if len(w.shape) > 1 and not any(other in w.name for other in others)]


def _signal(output: Any) -> Any:
    """The first floating-point tensor of an output: an LSTM may put out its states, too. None: there is none."""
    import keras

    for part in keras.tree.flatten(output):
        if getattr(getattr(part, "dtype", None), "is_floating", False) and len(part.shape) > 0:
            return part
    return None


def _float32(array: npt.NDArray[Any]) -> Float:
    """Half precision as float32; float64 as it is."""
    return array if array.dtype == np.float64 else array.astype(np.float32, copy=False)


def _operations(model: Any, prefix: str = "") -> dict[Any, str]:
    """Layers, and operations such as `x + y`, also those of nested models, each with its name."""
    import keras

    found: dict[Any, str] = {}
    for operation in getattr(model, "operations", model.layers):
        # A name comes from an untrusted file: no line breaks, no terminal codes.
        name = prefix + "".join(c if c.isprintable() else "?" for c in operation.name)
        inner = _operations(operation, f"{name}/") if isinstance(operation, keras.Model) else {operation: name}
        found = {**inner, **found}
    return found


@contextmanager
def _listening(operations: Sequence[Any], record: Callable[[Any, list[Any], Any], None]) -> Iterator[None]:
    """While open, `record(operation, its input tensors, output)` is called after each call of an operation.

    Each operation's `call` is wrapped on the object itself and unwrapped at the end. A second model with the
    outputs of all layers would not reach into nested models.
    """
    import keras

    def wrap(operation: Any) -> Callable[..., Any]:
        inner = operation.call

        def call(*args: Any, **kwargs: Any) -> Any:
            output = inner(*args, **kwargs)
            record(
                operation, [part for part in keras.tree.flatten((args, kwargs)) if keras.ops.is_tensor(part)], output
            )
            return output

        return call

    own = {operation: vars(operation).get("call") for operation in operations}
    try:
        for operation in operations:
            operation.call = wrap(operation)
        yield
    finally:
        for operation, call in own.items():
            if "call" in vars(operation):
                del operation.call  # the one of its class stands again
            if call is not None:
                operation.call = call


def _trunk(calls: Sequence[Call], made: dict[int, int], ends: Sequence[int]) -> set[int]:
    """Calls on every path from an input to an output, for the pair with most of them.

    A tensor that no call made is an input of the model, or comes out of a raw TensorFlow operation.
    """
    edges = [(_maker(source, calls[:at], made), at) for at, call in enumerate(calls) for source in call.sources]
    edges = [(a, b) for a, b in edges if a != b]
    longest: set[int] = set()
    for begin in dict.fromkeys(source for source, _ in edges if source < 0):
        reached = _closure({begin}, edges)
        for end in ends:
            both = reached & _closure({end}, [(b, a) for a, b in reversed(edges)])
            # Calls come in an order in which each follows its sources: one that no edge leads past is on every path.
            order = sorted(both)
            place = {call: at for at, call in enumerate(order)}
            past = np.zeros(len(order) + 1, int)
            for a, b in edges:
                if a in both and b in both:
                    past[place[a] + 1] += 1
                    past[place[b]] -= 1
            trunk = {call for call, edges_past in zip(order, np.cumsum(past), strict=False) if edges_past == 0}
            longest = max(longest, trunk - {begin}, key=len)
    return longest


def _maker(source: Any, before: Sequence[Call], made: dict[int, int]) -> int:
    """The call that made a tensor; a negative number of its own for one that no call made."""
    if id(source) in made:
        return made[id(source)]
    for at in reversed(range(len(before))):
        signal = _signal(before[at].output)
        # In mixed precision, a layer takes a copy of its input.
        if signal is not None and signal.shape == source.shape and signal.dtype != source.dtype:
            return at
    return -id(source)


def _closure(reached: set[int], edges: Sequence[tuple[int, int]]) -> set[int]:
    """Everything that edges lead to; they are in an order that one pass is enough for."""
    reached = set(reached)
    for a, b in edges:
        if a in reached:
            reached.add(b)
    return reached


def _packed(model: Any, flat: list[npt.NDArray[Any]]) -> Any:
    """Arrange the inputs as the model takes them: alone, as a list, or as a dictionary."""
    import keras

    try:
        return keras.tree.pack_sequence_as(model.input, flat)
    except (AttributeError, ValueError):  # a subclassed model has no `input`
        return flat[0] if len(flat) == 1 else flat
