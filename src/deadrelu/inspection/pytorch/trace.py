"""Which layers there are in a PyTorch model: a first pass over a few inputs, and who hands what to whom."""

import itertools
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import nn

from deadrelu.errors import InputError
from deadrelu.inspection.pytorch.calls import Heard, flat, is_leaf, is_signal, listening
from deadrelu.inspection.pytorch.layouts import Layout, arranged, layout_of, of_input
from deadrelu.inspection.subject import Array
from deadrelu.signals import paths
from deadrelu.signals.layers import LayerOutput, Output

FIRST_PASSES = (7, 6)
"""Inputs in two passes that find the layers: the axis of the inputs is the one whose length differs."""

MASKED = 1e30
"""A sum beyond this, in a model that puts out less, has had a mask added: no signal."""

MOVERS = {"flatten", "squeeze", "view", "reshape", "unsqueeze", "Flatten", "Dropout", "Identity", "Unflatten"}
"""Calls that leave a probability a probability."""


class Forward(NamedTuple):
    """A pass through the model."""

    ends: list[Any]
    """Floating-point tensors that it puts out."""
    names: list[str]
    """Theirs."""
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
    sources: list[Layout | None]
    """Of the first tensor that came in, if it has inputs."""
    outputs: list[Output]
    """Of the model."""
    classes: set[str]
    opaque: list[str]
    dtypes: list[Any]
    """What each input is given as."""


def forward(model: nn.Module, x: Sequence[Array], names: Sequence[str], dtypes: Sequence[Any]) -> Forward:
    """Call the model on arrays, by position, or by name if there are names."""
    device = next((weight.device for weight in model.parameters()), torch.device("cpu"))
    leaves = []
    for array, dtype in zip(x, dtypes, strict=True):
        native = np.array(array, dtype=array.dtype.newbyteorder("="))  # contiguous, in this machine's byte order
        tensor = torch.tensor(native, device=device).to(dtype)
        leaves.append(tensor.requires_grad_(dtype.is_floating_point))
    given = [leaf.clone() for leaf in leaves]
    made = model(**dict(zip(names, given, strict=True))) if names else model(*given)
    named = list(made.items()) if isinstance(made, dict) else [(f"output {k + 1}", t) for k, t in enumerate(flat(made))]
    ends = [(str(name), tensor) for name, part in named for tensor in flat(part) if is_signal(tensor)]
    if not ends:
        raise InputError("model: received outputs without a floating-point tensor; expected: one or more")
    return Forward([tensor for _, tensor in ends], [name for name, _ in ends], given, leaves)


def trace(model: nn.Module, x: Sequence[Array], names: Sequence[str]) -> Traced:
    """Find the layers that make, change or join signals, in the order in which the model calls them.

    See `signals.layers.trace_layers`, of which this is the twin.
    """
    n = min(FIRST_PASSES[0], len(x[0]))
    m = min(FIRST_PASSES[1], n - 1) if n > 2 else n
    dtypes = _dtypes(model, [array[:n] for array in x], names)
    calls, passed = _heard(model, [array[:n] for array in x], names, dtypes)
    others, _ = _heard(model, [array[:m] for array in x], names, dtypes)
    if [call.what for call in calls] != [call.what for call in others]:
        raise InputError("model: calls other layers for other inputs; expected: the same for all")
    ends, end_names, given, _ = passed
    made = {id(tensor): -1 - k for k, tensor in enumerate(given)}
    layouts = {id(tensor): of_input(tensor) for tensor in given}
    edges, joined = [], {}
    of_call: dict[int, list[Layout]] = {}
    of_source: dict[int, Layout | None] = {}
    for call, other in zip(calls, others, strict=True):
        before = [made[id(source)] for source in call.sources if id(source) in made]
        edges += [(node, call.at) for node in dict.fromkeys(before)]
        joined[call.at] = len(before)
        came = layouts.get(id(call.sources[0])) if call.sources else None
        of_source[call.at] = came if came is not None and came.has_inputs else None
        of_call[call.at] = [layout_of(call, k, (n, m), other, layouts) for k in range(len(call.outputs))]
        layouts |= dict(zip(map(id, call.outputs), of_call[call.at], strict=True))
        made |= {id(tensor): call.at for tensor in call.outputs if before}
    at_ends = [made[id(end)] for end in ends if made.get(id(end), -1) >= 0]
    on_trunk = paths.on_every_path(edges, at_ends)
    of_every = set.intersection(*(paths.on_every_path(edges, [end]) for end in at_ends)) if at_ends else set()
    used = {id(source) for call in calls for source in call.sources} | {id(end) for end in ends}
    largest = max(float(end.detach().abs().max()) for end in ends)
    found: list[tuple[LayerOutput, Heard, list[Layout], Layout | None]] = []
    for call in calls:
        kind = "output" if call.at in at_ends else call.kind(joined[call.at])
        parts = [
            k
            for k, tensor in enumerate(call.outputs)
            if is_signal(tensor) and id(tensor) in used and of_call[call.at][k].has_inputs
        ]
        if kind is None or not parts or not joined[call.at]:
            continue
        if kind == "merge" and largest < MASKED and float(call.outputs[0].detach().abs().max()) >= MASKED:
            continue
        own = [of_call[call.at][k] for k in parts]
        shapes = [tuple(arranged(call.outputs[k], at, n).shape[1:]) for k, at in zip(parts, own, strict=True)]
        shape = shapes[0] if len(shapes) == 1 else (sum(int(np.prod(part)) for part in shapes),)
        name = call.name + (f" (call {call.number + 1})" if call.number else "")
        shares = bool(call.parameters) and isinstance(call.owner, nn.Module)  # two calls of one ReLU share no unit
        key, number = (call.owner, call.number) if shares else (call, 0)
        every = len(at_ends) == 1 or call.at in of_every
        about = (call.activation, call.at in on_trunk, shape, key, number, every, tuple(parts))
        found.append((LayerOutput(name, kind, *about), call, own, of_source[call.at]))
    recorded, heard, places, sources = (list(column) for column in zip(*found, strict=True)) if found else ([],) * 4
    outputs = [
        Output(name, _activation_before(calls, made, made.get(id(end))), tuple(end.shape[1:]))
        for name, end in zip(end_names, ends, strict=True)
    ]
    classes = {call.what for call in calls}
    return Traced(recorded, heard, places, sources, outputs, classes, _opaque(model, calls), dtypes)


def _heard(
    model: nn.Module, x: Sequence[Array], names: Sequence[str], dtypes: Sequence[Any]
) -> tuple[list[Heard], Forward]:
    calls: list[Heard] = []
    with listening(model, calls.append), torch.enable_grad():
        made = forward(model, x, names, dtypes)
    return calls, made


def _dtypes(model: nn.Module, x: Sequence[Array], names: Sequence[str]) -> list[Any]:
    """What the model takes each input as: the first combination with which it runs.

    Floats as the weights are; booleans as they are; whole numbers as tokens first, if there are embeddings, else as
    floats first.
    """
    weight = next((w for w in model.parameters() if w.is_floating_point()), torch.zeros(1))
    has_tokens = any(isinstance(module, nn.Embedding | nn.EmbeddingBag) for module in model.modules())
    whole = [torch.int64, weight.dtype] if has_tokens else [weight.dtype, torch.int64]
    ways = [{"f": [weight.dtype], "b": [torch.bool, weight.dtype]}.get(array.dtype.kind, whole) for array in x]
    failure: Exception | None = None
    for dtypes in itertools.product(*ways):
        try:
            with torch.enable_grad():
                forward(model, x, names, dtypes)
            return list(dtypes)
        except Exception as error:  # whatever a model says of a dtype
            failure = failure or error
    assert failure is not None
    raise failure


def _activation_before(calls: Sequence[Heard], made: dict[int, int], at: int | None) -> str | None:
    by_number = {call.at: call for call in calls}
    while at is not None and at >= 0:
        call = by_number[at]
        if call.activation is not None or call.what not in MOVERS or not call.sources:
            return call.activation
        before = made.get(id(call.sources[0]))
        at = before if before != at else None
    return None


def _opaque(model: nn.Module, calls: Sequence[Heard]) -> list[str]:
    """Names of modules that were heard as one and have others inside."""
    names = {id(module): name for name, module in model.named_modules()}
    inside = [call.owner for call in calls if isinstance(call.owner, nn.Module) and is_leaf(call.owner)]
    children = {id(module): {name for name, _ in module.named_children()} for module in inside}
    return list(dict.fromkeys(names[at] for at, found in children.items() if found - {"parametrizations"}))
