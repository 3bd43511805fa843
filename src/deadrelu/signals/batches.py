"""Signals of Keras models, forward and backward, batch by batch: activations, gradients, slopes."""

from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from deadrelu.signals.calls import Call, is_signal, listening
from deadrelu.signals.kinds import is_recurrent, kernels_of
from deadrelu.signals.layers import Inputs, LayerOutput, packed, signal_of
from deadrelu.signals.slopes import has_dead_units, largest_slope

Float = npt.NDArray[np.float32]
Objective = Callable[[list[Any], slice], Any]
"""`objective(outputs, rows)`: the sum of the losses of these rows of the inputs, a scalar tensor."""

MAX_BATCH_SIZE = 1000
"""Most inputs in one pass. Constant, because the last bits of a matrix product depend on the batch size."""

MAX_BATCH_ELEMENTS = 2**26
"""Most numbers that the layers put out in one pass, 256 MB; their gradients and the tape take about thrice that."""


ONE_SOURCE = ("weights", "activation", "output")
"""Kinds of layers whose signal comes from one tensor."""


class Batch(NamedTuple):
    """Signals of some of the inputs, one entry for each layer: float32, or float64 where the model computes in it."""

    rows: slice
    activations: list[Float]
    gradients: list[Float]
    """Of the objective with respect to the activations: same shapes."""
    kernels: list[list[Float]]
    """For each layer output, gradients with respect to its layer's kernels (weights of two or more axes), only if
    `of_weights`."""
    slopes: list[npt.NDArray[np.float64] | None]
    """Largest slope of the activation of each unit, shape (units,), only if `of_weights`; None where units cannot be
    dead."""
    sources: list[Float | None]
    """What a layer of one source was given, only if `of_weights`; None for all other layers."""
    logits: list[Float | None]
    """Of an output with an activation, what that was given, only if `of_weights`; None for all other layers."""
    weights: list[Float]
    """Gradients with respect to `model.trainable_variables`; empty unless asked for."""


def batches(
    model: Any,
    recorded: Sequence[LayerOutput],
    inputs: Inputs,
    objective: Objective,
    *,
    size: int | None = None,
    training: bool = False,
    of_weights: bool = False,
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
        of_weights: take gradients of kernels and all trainable weights, slopes and sources, too.
    """
    import keras
    import tensorflow as tf

    size = size or batch_size(recorded)
    place = {(id(entry.operation), entry.number): k for k, entry in enumerate(recorded)}
    wanted = list(dict.fromkeys(entry.operation for entry in recorded))
    kernels_by = {id(operation): kernels_of(operation) if of_weights else [] for operation in wanted}
    kernels = [kernel.value for operation in wanted for kernel in kernels_by[id(operation)]]
    variables = [variable.value for variable in model.trainable_variables] if of_weights else []
    moving = [(v, v.numpy()) for v in model.non_trainable_variables] if training else []
    heard: dict[int, list[Any]] = {}
    slopes: list[npt.NDArray[np.float64] | None] = []
    sources: list[Float | None] = []
    logits: list[Float | None] = []

    def record(call: Call) -> None:
        k = place.get((id(call.operation), call.number))
        if k is None or not (tensors := signal_of(call, recorded[k].parts)):
            return
        for tensor in tensors:
            tape.watch(tensor)
        heard[k] = tensors
        entry = recorded[k]
        if not of_weights:
            return
        if entry.kind in ONE_SOURCE and call.sources and is_signal(call.sources[0]):
            sources[k] = _float32(call.sources[0].numpy())
        if call.function is None or is_recurrent(entry.operation) or entry.activation is None:
            return
        with tape.stop_recording():
            if has_dead_units(entry.activation) and len(entry.shape) > 0:
                slopes[k] = largest_slope(call.function, call.preactivation)
            if entry.kind == "output":
                logits[k] = _float32(call.preactivation.numpy())

    try:
        for start in range(0, len(inputs[0]), size):
            rows = slice(start, min(start + size, len(inputs[0])))
            heard.clear()
            slopes[:] = [None] * len(recorded)
            sources[:] = [None] * len(recorded)
            logits[:] = [None] * len(recorded)
            with tf.GradientTape() as tape, listening(wanted, record):
                tape.watch([*kernels, *variables])  # of frozen layers too
                outputs = model(packed(model, [x[rows] for x in inputs]), training=training)
                loss = objective(keras.tree.flatten(outputs), rows)
            tensors = [tensor for k in range(len(recorded)) for tensor in heard[k]]
            found = tape.gradient(
                loss, [*tensors, *kernels, *variables], unconnected_gradients=tf.UnconnectedGradients.ZERO
            )
            arrays = iter([tf.convert_to_tensor(g).numpy() for g in found])
            gradients = [_joined([next(arrays) for _ in heard[k]]) for k in range(len(recorded))]
            by_operation = {id(o): [next(arrays) for _ in kernels_by[id(o)]] for o in wanted}
            yield Batch(
                rows,
                [_joined([tensor.numpy() for tensor in heard[k]]) for k in range(len(recorded))],
                gradients,
                [by_operation[id(entry.operation)] for entry in recorded],
                list(slopes),
                list(sources),
                list(logits),
                list(arrays),
            )
    finally:
        for variable, value in moving:
            variable.assign(value)


def batch_size(recorded: Sequence[LayerOutput]) -> int:
    """How many inputs fit into `MAX_BATCH_ELEMENTS` and `MAX_BATCH_SIZE`; at least 1."""
    elements = sum(int(np.prod(entry.shape)) for entry in recorded)
    return max(1, min(MAX_BATCH_SIZE, MAX_BATCH_ELEMENTS // max(1, elements)))


def _joined(parts: list[npt.NDArray[Any]]) -> Float:
    """One array; several tensors of a layer, such as two states, side by side."""
    if len(parts) == 1:
        return _float32(parts[0])
    return _float32(np.concatenate([part.reshape(len(part), -1) for part in parts], axis=1))


def _float32(array: npt.NDArray[Any]) -> Float:
    """Half precision as float32; float64 as it is."""
    return array if array.dtype == np.float64 else array.astype(np.float32, copy=False)
