"""Which layers there are in a PyTorch model: a first pass over a few inputs, and who hands what to whom."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import nn

from deadrelu.errors import InputError
from deadrelu.inspection.pytorch.calls import Heard, flat, is_leaf, is_signal, listening
from deadrelu.inspection.pytorch.layouts import Layout, arranged, layout_of
from deadrelu.inspection.subject import Array
from deadrelu.signals import paths
from deadrelu.signals.layers import LayerOutput, Output

FIRST_PASS = (5, 7, 11, 13, 3, 2)
"""Numbers of inputs in the first pass: one that is no length of an input, so that the axis of the inputs can be told
from others."""


class Forward(NamedTuple):
    """A pass through the model."""

    ends: list[Any]
    """Floating-point tensors that it puts out."""
    given: list[Any]
    """What it was given."""
    leaves: list[Any]
    """The same before the model may write over it: of these, gradients can be taken."""


class Traced(NamedTuple):
    """What there is to record; one entry of each list for each layer."""

    recorded: list[LayerOutput]
    heard: list[Heard]
    layouts: list[list[Layout]]
    """Of each tensor that is recorded of a layer."""
    outputs: list[Output]
    """Of the model."""
    classes: set[str]
    opaque: list[str]


def forward(model: nn.Module, x: Sequence[Array], names: Sequence[str]) -> Forward:
    """Call the model on arrays, by position, or by name if there are names.

    Floats become what the weights are; whole numbers become floats, too, unless the model has embeddings.
    """
    weight = next((w for w in model.parameters() if w.is_floating_point()), torch.zeros(1))
    has_tokens = any(isinstance(module, nn.Embedding) for module in model.modules())
    leaves, given = [], []
    for array in x:
        tensor = torch.tensor(np.asarray(array), device=weight.device)
        whole = array.dtype.kind in "biu" and has_tokens
        leaves.append(tensor.long() if whole else tensor.to(weight.dtype).requires_grad_())
        given.append(leaves[-1].clone())
    ends = flat(model(**dict(zip(names, given, strict=True))) if names else model(*given))
    ends = [tensor for tensor in ends if is_signal(tensor)]
    if not ends:
        raise InputError("model: received outputs without a floating-point tensor; expected: one or more")
    return Forward(ends, given, leaves)


def trace(model: nn.Module, x: Sequence[Array], names: Sequence[str]) -> Traced:
    """Find the layers that make, change or join signals, in the order in which the model calls them.

    See `signals.layers.trace_layers`, of which this is the twin.
    """
    n = next((k for k in FIRST_PASS if k <= len(x[0]) and all(k not in array.shape[1:] for array in x)), 2)
    calls: list[Heard] = []
    with listening(model, calls.append), torch.enable_grad():
        ends, given, _ = forward(model, [array[:n] for array in x], names)
    made = {id(tensor): -1 - k for k, tensor in enumerate(given)}
    layouts = {id(tensor): Layout(0, channels_first=tensor.ndim > 3) for tensor in given}
    edges, joined = [], {}
    of_call: dict[int, list[Layout]] = {}
    for call in calls:
        before = [made[id(source)] for source in call.sources if id(source) in made]
        edges += [(node, call.at) for node in dict.fromkeys(before)]
        joined[call.at] = len(before)
        of_call[call.at] = [layout_of(call, tensor, n, layouts) for tensor in call.outputs]
        layouts |= dict(zip(map(id, call.outputs), of_call[call.at], strict=True))
        made |= {id(tensor): call.at for tensor in call.outputs if before}
    at_ends = [made[id(end)] for end in ends if made.get(id(end), -1) >= 0]
    on_trunk = paths.on_every_path(edges, at_ends)
    of_every = set.intersection(*(paths.on_every_path(edges, [end]) for end in at_ends)) if at_ends else set()
    used = {id(source) for call in calls for source in call.sources} | {id(end) for end in ends}
    found: list[tuple[LayerOutput, Heard, list[Layout]]] = []
    for call in calls:
        kind = "output" if call.at in at_ends else call.kind(joined[call.at])
        parts = [
            k
            for k, tensor in enumerate(call.outputs)
            if is_signal(tensor) and id(tensor) in used and of_call[call.at][k].has_inputs
        ]
        if kind is None or not parts or not joined[call.at]:
            continue
        own = [of_call[call.at][k] for k in parts]
        shapes = [tuple(arranged(call.outputs[k], at, n).shape[1:]) for k, at in zip(parts, own, strict=True)]
        shape = shapes[0] if len(shapes) == 1 else (sum(int(np.prod(part)) for part in shapes),)
        name = call.name + (f" (call {call.number + 1})" if call.number else "")
        shares = bool(call.parameters) and isinstance(call.owner, nn.Module)  # two calls of one ReLU share no unit
        key, number = (call.owner, call.number) if shares else (call, 0)
        every = len(at_ends) == 1 or call.at in of_every
        about = (call.activation, call.at in on_trunk, shape, key, number, every, tuple(parts))
        found.append((LayerOutput(name, kind, *about), call, own))
    recorded, heard, places = (list(column) for column in zip(*found, strict=True)) if found else ([], [], [])
    activations = {call.at: call.activation for call in calls}
    outputs = [
        Output(f"output {k}", activations.get(made.get(id(end), -1)), tuple(end.shape[1:]))
        for k, end in enumerate(ends, start=1)
    ]
    return Traced(recorded, heard, places, outputs, {call.what for call in calls}, _opaque(model, calls))


def _opaque(model: nn.Module, calls: Sequence[Heard]) -> list[str]:
    """Names of modules that were heard as one and have others inside."""
    names = {id(module): name for name, module in model.named_modules()}
    inside = [call.owner for call in calls if isinstance(call.owner, nn.Module) and is_leaf(call.owner)]
    return list(dict.fromkeys(names[id(module)] for module in inside if any(True for _ in module.children())))
