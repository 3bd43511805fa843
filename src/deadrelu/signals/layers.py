"""Which signals there are in a Keras model: what its layers put out, in the order in which it calls them."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy.typing as npt

from deadrelu.signals import paths
from deadrelu.signals.calls import Call, is_signal, listening, operations
from deadrelu.signals.kinds import Kind, activation_name, kind_of, sublayers

Inputs = Sequence[npt.NDArray[Any]]
"""One array for each input of the model, in the order of `model.inputs`, each of shape (n_inputs, …)."""

MOVERS = {"Reshape", "Flatten", "Permute", "Dropout", "Identity", "Activation", "Cast", "Squeeze", "Transpose"}
"""Operations that leave a probability a probability; Activation, if it is linear."""


class LayerOutput(NamedTuple):
    """One call of one layer; a shared layer has one for each."""

    name: str
    """Of a layer in a nested model or a composite layer, with its path: 'encoder/dense'."""
    kind: Kind
    activation: str | None
    """The field's name of its nonlinearity, e.g. 'relu'; None for a linear layer."""
    on_trunk: bool
    """Every path goes through it, see `trace_layers`."""
    shape: tuple[int, ...]
    """Of the output for one input; the last axis counts units."""
    operation: Any
    """The Keras layer or operation."""
    number: int = 0
    """Which of its calls this is."""
    of_every_output: bool = True
    """It is on the trunk to each output: with several outputs, elsewhere the gradients of some are missing."""
    parts: tuple[int, ...] = (0,)
    """Which of the tensors that it puts out the model uses: a sequence, or states."""


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
    opaque: list[str]
    """Composite layers whose layers run in a compiled loop: only their outputs can be recorded."""


def trace_layers(model: Any, inputs: Inputs) -> Survey:
    """Find the layers that make, change or join signals, in the order in which the model calls them.

    Layers inside nested models and composite layers are among them. Left out are layers that only move numbers about
    (Flatten, Dropout, pooling, padding, Reshape, …) and those that put out no floating-point tensor; of several
    tensors, those count that the model uses.

    The trunk: the layers that every path from an input to an output goes through, so that no skip connection leads
    around them. Of several inputs and outputs, the pair with most such layers.

    Args:
        model: a Keras model, Sequential or functional; a subclassed one if it calls its layers.
        inputs: the first of them serves for a first pass.
    """
    import keras

    given = packed(model, [x[:1] for x in inputs])
    if not model.built:
        model(given)  # a subclassed model makes its layers in its first call
    calls: list[Call] = []
    names = operations(model)
    with listening(list(names), calls.append):
        ends = keras.tree.flatten(model(given, training=False))
    calls = [call for call in calls if call.tensors()]
    made = paths.makers(calls)
    at_ends = [made[id(end)] for end in ends if id(end) in made]
    on_trunk, shared = paths.trunk(calls, made, at_ends), paths.of_every_output(calls, made, at_ends)
    is_end = {made.get(id(end)) for end in ends}
    composite = {id(call.enclosing) for call in calls if call.enclosing is not None}
    used = {id(source) for call in calls for source in call.sources} | {id(end) for end in ends}
    found: list[LayerOutput] = []
    for at, call in enumerate(calls):
        is_composite = id(call) in composite
        kind = "output" if at in is_end else _kind(call, at, made, is_composite=is_composite)
        if kind is None:
            continue
        tensors = call.tensors()
        parts = tuple(k for k, tensor in enumerate(tensors) if id(tensor) in used) if len(tensors) > 1 else (0,)
        parts = parts or (0,)
        shape = tuple(tensors[parts[0]].shape[1:])
        if len(parts) > 1:
            shape = (sum(int(keras.ops.size(tensors[k][0])) for k in parts),)
        name = names[call.operation] + (f" (call {call.number + 1})" if call.number else "")
        about = activation_name(call.operation) if kind != "block" else None
        end: Kind = "output" if at in is_end else kind
        of_every = len(at_ends) == 1 or at in shared
        entry = LayerOutput(name, end, about, at in on_trunk, shape, call.operation, call.number, of_every, parts)
        found.append(entry)
    opaque = [names[call.operation] for call in calls if sublayers(call.operation) and id(call) not in composite]
    outputs = _outputs(model, calls, made, ends)
    return Survey(found, outputs, {type(call.operation).__name__ for call in calls}, list(dict.fromkeys(opaque)))


def packed(model: Any, flat: list[npt.NDArray[Any]]) -> Any:
    """Arrange the inputs as the model takes them: alone, as a list, or as a dictionary."""
    import keras

    try:
        return keras.tree.pack_sequence_as(model.input, flat)
    except (AttributeError, ValueError):  # a subclassed model has no `input`
        return flat[0] if len(flat) == 1 else flat


def _kind(call: Call, at: int, made: dict[int, int], *, is_composite: bool) -> Kind | None:
    """Kind of a call; None: nothing to record, or recorded where a layer inside it makes the same tensor."""
    if is_composite:
        return "block" if made[id(call.tensors()[0])] == at else None
    if made[id(call.tensors()[0])] != at:  # what came in
        return None
    # In a functional model, constants are no inputs of a node: x + [1, 2, 3] joins nothing.
    nodes = getattr(call.operation, "_inbound_nodes", ())
    joined = [len(node.input_tensors) for node in nodes] or [len(call.sources)]
    return kind_of(call.operation, min(max(joined), len(call.sources)))


def _outputs(model: Any, calls: Sequence[Call], made: dict[int, int], ends: Sequence[Any]) -> list[Output]:
    names = list(getattr(model, "output_names", None) or [])
    if len(names) != len(ends):
        names = [f"output {k + 1}" for k in range(len(ends))]
    return [
        Output(name, _activation_before(calls, made, made.get(id(end))), tuple(end.shape[1:]))
        for name, end in zip(names, ends, strict=True)
    ]


def _activation_before(calls: Sequence[Call], made: dict[int, int], at: int | None) -> str | None:
    while at is not None:
        call = calls[at]
        activation = activation_name(call.operation)
        if activation is not None or type(call.operation).__name__ not in MOVERS or not call.sources:
            return activation
        before = made.get(id(call.sources[0]))
        at = before if before != at else None
    return None


def signal_of(call: Call, parts: Sequence[int]) -> list[Any]:
    """The tensors of a call that are recorded."""
    tensors = call.tensors()
    return [tensors[k] for k in parts if k < len(tensors) and is_signal(tensors[k])]
