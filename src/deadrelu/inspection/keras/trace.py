"""The layers of a Keras model and their connections, determined in a first pass over two inputs."""

import math
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy.typing as npt

from deadrelu.inspection import paths
from deadrelu.inspection.keras.calls import Call, operations, record_calls
from deadrelu.inspection.keras.kinds import activation_name, kind_of, own_weights, sublayers, traits_of
from deadrelu.inspection.records import Kind, LayerRecord, Output

MOVERS = {"Reshape", "Flatten", "Permute", "Dropout", "Identity", "Activation", "Cast", "Squeeze", "Transpose"}
"""Classes whose output has the same numbers as the input, so that probabilities stay such; Activation if linear."""


class Traced(NamedTuple):
    """The record of a layer, with the operation that it describes."""

    record: LayerRecord
    operation: Any
    """The Keras layer or operation."""
    parts: tuple[int, ...]
    """Indices of those of its output tensors, such as a sequence or states, that the model uses."""


class Survey(NamedTuple):
    """The layers and outputs of a model that are recorded."""

    traced: list[Traced]
    outputs: list[Output]
    """The outputs of the model, in the order in which it returns them."""
    classes: set[str]
    """Names of the classes, and of their base classes, of all layers that were called."""
    opaque: list[str]
    """Names of composite layers whose inner layers run in a compiled loop, so that only their outputs are recorded."""


def trace(model: Any, inputs: Sequence[npt.NDArray[Any]], names: Sequence[str] = ()) -> Survey:
    """Find the layers that make, change or join signals, in the order in which the model calls them.

    These include layers inside nested models and composite layers. They exclude layers that only move numbers (such as
    Flatten, Dropout, pooling, padding and Reshape), layers without a floating-point output, and layers that depend on
    no input, such as embeddings of positions. If a layer has several output tensors, those that the model uses count.

    The trunk consists of the layers that every path from an input to an output goes through, so that no skip connection
    leads around them. If there are several inputs or outputs, the pair with most such layers defines the trunk.

    Args:
        model: a Keras model that is Sequential, functional, or subclassed with layers that it calls.
        inputs: one array of shape (n, …) for each input; the first two rows are used.
        names: names of the inputs of a subclassed model that takes a dictionary.
    """
    import keras

    few = [x[:2] for x in inputs]
    given = packed(model, [keras.ops.convert_to_tensor(x) for x in few], names)
    if not model.built:
        model(given)  # a subclassed model may make its layers in its first call
    layers = operations(model)
    graph = _Graph(model, given, layers, len(few[0]))
    calls = graph.calls
    opaque = [layers[call.operation] for call in calls if sublayers(call.operation) and id(call) not in graph.composite]
    outputs = _outputs(model, calls, graph.made_by, graph.ends)
    classes = {base.__name__ for call in calls for base in type(call.operation).__mro__}
    return Survey(graph.traced(), outputs, classes, list(dict.fromkeys(opaque)))


class _Graph:
    """The calls of a first pass and the connections between them, from which `traced` selects the calls to record."""

    def __init__(self, model: Any, given: Any, layers: Mapping[Any, str], inputs: int) -> None:
        import keras
        import tensorflow as tf

        calls: list[Call] = []

        def record(call: Call) -> Any:
            calls.append(call)
            return call.output

        with tf.GradientTape(persistent=True) as tape, record_calls(list(layers), record):
            tape.watch([tensor for tensor in keras.tree.flatten(given) if tensor.dtype.is_floating])
            self.ends = [end for end in keras.tree.flatten(model(given, training=False)) if end is not None]
        self.layers = layers
        self.calls = [call for call in calls if call.tensors()]
        self.made_by = _makers(self.calls)
        self.at_ends = [self.made_by[id(end)] for end in self.ends if id(end) in self.made_by]
        edges = _edges(self.calls, self.made_by)
        self.on_trunk = paths.on_every_path(edges, self.at_ends)
        self.on_each = paths.on_path_to_each(edges, self.at_ends)
        begins = {id(tensor) for tensor in keras.tree.flatten(given)}
        self.signals = {at for at, call in enumerate(self.calls) if _depends_on_inputs(call, begins, inputs, tape)}
        self.composite = {id(call.enclosing) for call in self.calls if call.enclosing is not None}
        self.used = {id(source) for call in self.calls for source in call.sources} | {id(end) for end in self.ends}

    def traced(self) -> list[Traced]:
        """Return the layers that are recorded, in the order of their calls."""
        traced = []
        for at, call in enumerate(self.calls):
            is_composite = id(call) in self.composite
            kind = "output" if at in self.at_ends else _kind(call, at, self.made_by, is_composite=is_composite)
            if kind is not None and at in self.signals and not (kind == "merge" and _adds_a_mask(call)):
                parts, shape = self._parts(call)
                traced.append(Traced(self._record(at, call, kind, shape), call.operation, parts))
        return traced

    def _parts(self, call: Call) -> tuple[tuple[int, ...], tuple[int, ...]]:
        """Return the indices of the output tensors that the model uses, and their joint shape for one input."""
        tensors = call.tensors()
        parts = tuple(k for k, tensor in enumerate(tensors) if id(tensor) in self.used) if len(tensors) > 1 else (0,)
        parts = parts or (0,)
        if len(parts) > 1:
            return parts, (sum(math.prod(tensors[k].shape[1:]) for k in parts),)
        return parts, tuple(tensors[parts[0]].shape[1:])

    def _record(self, at: int, call: Call, kind: Kind, shape: tuple[int, ...]) -> LayerRecord:
        return LayerRecord(
            name=self.layers[call.operation] + (f" (call {call.number + 1})" if call.number else ""),
            layer_class=type(call.operation).__name__,
            kind=kind,
            activation=None if id(call) in self.composite else activation_name(call.operation),
            traits=traits_of(call.operation),
            shape=shape,
            weights=tuple(id(weight) for weight in own_weights(call.operation)),
            on_trunk=at in self.on_trunk,
            on_each_trunk=len(self.at_ends) == 1 or at in self.on_each,
            shares=(id(call.operation), shape[-1:]) if own_weights(call.operation) else (id(call),),
            number=call.number,
        )


def packed(model: Any, flat: Sequence[Any], names: Sequence[str] = ()) -> Any:
    """Return a flat list of inputs in the structure that the model takes: alone, a list, or a dictionary (`names`)."""
    import keras

    try:
        return keras.tree.pack_sequence_as(model.input, flat)
    except (AttributeError, ValueError):  # a subclassed model has no attribute `input`
        if names:
            return dict(zip(names, flat, strict=True))
        return flat[0] if len(flat) == 1 else list(flat)


def _makers(calls: Sequence[Call]) -> dict[int, int]:
    """Return the index of the first call that returned each tensor, by its id: Dropout may return its input again."""
    import keras

    made_by: dict[int, int] = {}
    for at, call in enumerate(calls):
        for tensor in keras.tree.flatten(call.output):
            made_by.setdefault(id(tensor), at)
    return made_by


def _edges(calls: Sequence[Call], made_by: dict[int, int]) -> list[tuple[int, int]]:
    """Return pairs of indices of calls, of which the second takes or contains the output of the first.

    Raw operations inside a composite layer are not recorded. Their outputs are assumed to depend on every input of the
    layer, and the layer's own output on every layer in it.
    """
    position = {id(call): at for at, call in enumerate(calls)}
    edges = []
    for at, call in enumerate(calls):
        before = [node for source in call.sources for node in _from(source, call, calls[:at], made_by)]
        within = [k for k in range(at) if calls[k].enclosing is not None and position.get(id(calls[k].enclosing)) == at]
        edges += [(node, at) for node in (*before, *within) if node != at]
    return edges


def _from(source: Any, call: Call, before: Sequence[Call], made_by: dict[int, int]) -> list[int]:
    """Return indices of the calls that the input `source` of `call` comes from; a negative number stands for none."""
    if id(source) in made_by and made_by[id(source)] < len(before):
        return [made_by[id(source)]]
    for at in reversed(range(len(before))):
        # In mixed precision, a layer takes a copy, of another dtype, of an earlier output.
        if any(t.shape == source.shape and t.dtype != source.dtype for t in before[at].tensors()[:1]):
            return [at]
    if call.enclosing is not None and call.enclosing.sources:
        return [node for outer in call.enclosing.sources for node in _from(outer, call.enclosing, before, made_by)]
    return [-id(source)]


def _depends_on_inputs(call: Call, begins: set[int], inputs: int, tape: Any) -> bool:
    """Return whether a call's output has length `inputs` on axis 0 and can depend on the inputs with ids `begins`."""
    import tensorflow as tf

    output = call.tensors()[0]
    if output.shape[0] != inputs:
        return False
    takes_input = any(id(source) in begins for source in call.sources)
    if inputs < 2 or takes_input or not bool(tf.reduce_all(output[0] == output[1])):
        return True
    floats = [source for source in call.sources if source.dtype.is_floating]
    return not floats or any(gradient is not None for gradient in tape.gradient(output, floats))


MASK = 1e4
"""If the largest number of a sum is this many times that of one of its terms, another term counts as a mask."""


def _adds_a_mask(call: Call) -> bool:
    """Return whether a merge adds a mask, with numbers such as -1e9, so that a softmax is 0 at masked positions."""
    import tensorflow as tf

    largest = [float(tf.reduce_max(tf.abs(t))) for t in (call.tensors()[0], *call.sources) if t.dtype.is_floating]
    return len(largest) > 2 and largest[0] >= MASK * max(1.0, min(largest[1:]))


def _kind(call: Call, at: int, made_by: dict[int, int], *, is_composite: bool) -> Kind | None:
    """Return the kind of call number `at`; None if it only moves numbers, or returns a tensor of an earlier call."""
    if is_composite:
        return "block" if made_by[id(call.tensors()[0])] == at else None
    if made_by[id(call.tensors()[0])] != at:  # it returns its input
        return None
    # In a functional model, constants are no inputs of a node, so x + [1, 2, 3] has one input.
    nodes = getattr(call.operation, "_inbound_nodes", ())
    joined = [len(node.input_tensors) for node in nodes] or [len(call.sources)]
    return kind_of(call.operation, min(max(joined), len(call.sources)))


def _outputs(model: Any, calls: Sequence[Call], made_by: dict[int, int], ends: Sequence[Any]) -> list[Output]:
    names = list(getattr(model, "output_names", None) or [])
    if len(names) != len(ends):
        names = [f"output {k + 1}" for k in range(len(ends))]
    return [
        Output(name, _activation_before(calls, made_by, made_by.get(id(end))), tuple(end.shape[1:]))
        for name, end in zip(names, ends, strict=True)
    ]


def _activation_before(calls: Sequence[Call], made_by: dict[int, int], at: int | None) -> str | None:
    while at is not None:
        call = calls[at]
        activation = activation_name(call.operation)
        if activation is not None or type(call.operation).__name__ not in MOVERS or not call.sources:
            return activation
        before = made_by.get(id(call.sources[0]))
        at = before if before != at else None
    return None


def owners(model: Any) -> dict[int, str]:
    """Return the path of the layer to which each weight belongs, by the id of the weight."""
    layers: dict[int, str] = {}
    for operation, name in operations(model).items():
        for weight in own_weights(operation):
            layers.setdefault(id(weight), name)
    return layers
