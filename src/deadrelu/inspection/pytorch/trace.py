"""The layers of a PyTorch model and their connections, determined in first passes over a few inputs."""

import itertools
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import torch
from torch import nn

from deadrelu.errors import InputError
from deadrelu.inspection import paths
from deadrelu.inspection.pytorch.calls import RecordedCall, flat, is_leaf, is_signal, record_calls
from deadrelu.inspection.pytorch.layouts import Layout, arranged, input_layout, layout_of
from deadrelu.inspection.records import ONE_SOURCE, LayerRecord, Output

FIRST_PASSES = (7, 6)
"""Numbers of inputs in the first two passes; the axis whose length differs between them is that of the inputs."""

MASK = 1e4
"""If the largest number of a sum is this many times that of one of its terms, another term counts as a mask."""

MOVERS = {"flatten", "squeeze", "view", "reshape", "unsqueeze", "Flatten", "Dropout", "Identity", "Unflatten"}
"""Names of calls whose output has the same numbers as the input, so that probabilities stay such."""

SCALING = {"mul", "div", "true_divide", "truediv", "rmul"}
"""Names of calls that multiply or divide by a constant if they take only one signal."""


class Forward(NamedTuple):
    """The inputs and outputs of the model in one pass."""

    ends: list[Any]
    """Floating-point tensors that the model returns."""
    names: list[str]
    """Names of the tensors in `ends`."""
    given: list[Any]
    """Tensors that the model receives, which are copies of `leaves`."""
    leaves: list[Any]
    """Input tensors that the model cannot overwrite, so that gradients with respect to these can be computed."""
    loss: Any
    """The model's own loss, a scalar attribute `loss` of what it returns; None if there is none."""


class Traced(NamedTuple):
    """The record of a layer, with the call in the first pass that it describes."""

    record: LayerRecord
    call: RecordedCall
    layouts: list[Layout]
    """Layout of each output tensor that is recorded."""
    source: Layout | None
    """Layout of the first input tensor, if it has an axis of inputs."""
    parts: tuple[int, ...]
    """Indices of those of the layer's output tensors that are recorded, because the model uses them."""


class Survey(NamedTuple):
    """The recorded layers of a model, and its outputs."""

    traced: list[Traced]
    outputs: list[Output]
    takes_any_scale: bool
    has_own_loss: bool
    opaque: list[str]
    dtypes: list[Any]
    """The dtype in which each input is passed to the model."""


class Arguments(NamedTuple):
    """The names and constants with which a model is called."""

    names: Sequence[str] = ()
    """Names of the inputs, by which they are passed; if empty, they are passed by position."""
    constants: Mapping[str, Any] = {}
    """Arguments by name that are the same for all inputs, such as flags, None or masks of positions."""


def forward(model: nn.Module, x: Sequence[npt.NDArray[Any]], args: Arguments, dtypes: Sequence[Any]) -> Forward:
    """Return inputs and outputs of a call on arrays of shape (n, …), of `dtypes`, with the arguments `args`."""
    device = next((weight.device for weight in model.parameters()), torch.device("cpu"))
    leaves = []
    for array, dtype in zip(x, dtypes, strict=True):
        native = np.array(array, dtype=array.dtype.newbyteorder("="))  # contiguous, in this machine's byte order
        tensor = torch.tensor(native, device=device).to(dtype)
        leaves.append(tensor.requires_grad_(dtype.is_floating_point))
    given = [leaf.clone() for leaf in leaves]
    constants = {
        name: value.to(device) if isinstance(value, torch.Tensor) else value for name, value in args.constants.items()
    }
    out = model(**dict(zip(args.names, given, strict=True)), **constants) if args.names else model(*given, **constants)
    numbered = enumerate(flat(out), start=1)
    named = list(out.items()) if isinstance(out, Mapping) else [(f"output {k}", tensor) for k, tensor in numbered]
    ends = [(str(name), tensor) for name, part in named for tensor in flat(part) if is_signal(tensor)]
    if not ends:
        raise InputError("model: received outputs without a floating-point tensor; expected: one or more")
    loss = getattr(out, "loss", None)
    loss = loss if isinstance(loss, torch.Tensor) and loss.ndim == 0 else None
    return Forward([tensor for _, tensor in ends], [name for name, _ in ends], given, leaves, loss)


def trace(model: nn.Module, x: Sequence[npt.NDArray[Any]], args: Arguments) -> Survey:
    """Return the layers that make, change or join signals, in the order in which the model calls them.

    The arguments are those of `TorchModel`. `keras.trace.trace` does the same for Keras models.
    """
    n = min(FIRST_PASSES[0], len(x[0]))
    m = min(FIRST_PASSES[1], n - 1) if n > 2 else n
    dtypes = _dtypes(model, [array[:n] for array in x], args)
    calls, (ends, names, given, _, loss) = _recorded(model, [array[:n] for array in x], args, dtypes)
    others, _ = _recorded(model, [array[:m] for array in x], args, dtypes)
    if [call.what for call in calls] != [call.what for call in others]:
        raise InputError("model: calls other layers for other inputs; expected: the same for all")
    graph = _Graph(calls, others, given, ends, (n, m))
    outputs = [
        Output(name, _activation_before(calls, graph.made_by, graph.made_by.get(id(end))), tuple(end.shape[1:]))
        for name, end in zip(names, ends, strict=True)
    ]
    takes_any_scale, traced = any("any scale" in call.traits for call in calls), graph.traced()
    for call in (*calls, *others):
        call.forget()
    return Survey(traced, outputs, takes_any_scale, loss is not None, _opaque(model, calls), dtypes)


class _Graph:
    """The connections between calls of the first pass, from which `traced` selects the calls to record."""

    def __init__(
        self,
        calls: Sequence[RecordedCall],
        others: Sequence[RecordedCall],
        given: Sequence[Any],
        ends: Sequence[Any],
        sizes: tuple[int, int],
    ) -> None:
        self.calls, self.inputs = calls, sizes[0]
        self.made_by = {id(tensor): -1 - k for k, tensor in enumerate(given)}
        known = {id(tensor): input_layout(tensor) for tensor in given}
        edges: list[tuple[int, int]] = []
        self.joined: dict[int, int] = {}
        self.layouts: dict[int, list[Layout]] = {}
        self.sources: dict[int, Layout | None] = {}
        self.scales: dict[int, float] = {}
        """For the id of a tensor, the factor by which constants have scaled it since the last layer with weights."""
        for call, other in zip(calls, others, strict=True):
            before = [self.made_by[id(source)] for source in call.sources if id(source) in self.made_by]
            edges += [(node, call.at) for node in dict.fromkeys(before)]
            self.joined[call.at] = len(before)
            came = known.get(id(call.sources[0])) if call.sources else None
            self.sources[call.at] = came if came is not None and came.has_inputs else None
            self.layouts[call.at] = [layout_of(call, k, sizes, other, known) for k in range(len(call.outputs))]
            known |= dict(zip(map(id, call.outputs), self.layouts[call.at], strict=True))
            self.made_by |= {id(tensor): call.at for tensor in call.outputs if before}
            if call.what in SCALING and len(before) == 1 and is_signal(call.sources[0]):
                factor = _norm(call.outputs[0]) / max(_norm(call.sources[0]), 1e-30)
                self.scales[id(call.outputs[0])] = self._scale(call.sources[0]) * factor
            elif before and (call.what in MOVERS or call.activation is not None):
                self.scales[id(call.outputs[0])] = self._scale(call.sources[0])
        self.ends = [self.made_by[id(end)] for end in ends if self.made_by.get(id(end), -1) >= 0]
        self.on_trunk = paths.on_every_path(edges, self.ends)
        self.on_each = paths.on_path_to_each(edges, self.ends)
        self.used = {id(source) for call in calls for source in call.sources} | {id(end) for end in ends}

    def _scale(self, tensor: Any) -> float:
        return self.scales.get(id(tensor), 1.0)

    def traced(self) -> list[Traced]:
        """Return the layers that are recorded, in the order of their calls."""
        traced: list[Traced] = []
        places: dict[int, int] = {}
        """For the id of a tensor that is the whole output of a recorded layer, the index of its record."""
        for call in self.calls:
            kind = "output" if call.at in self.ends else call.kind(self.joined[call.at])
            layouts = self.layouts[call.at]
            parts = tuple(
                k
                for k, tensor in enumerate(call.outputs)
                if is_signal(tensor) and id(tensor) in self.used and layouts[k].has_inputs
            )
            if kind is None or not parts or not self.joined[call.at] or (kind == "merge" and _adds_a_mask(call)):
                continue
            own = [layouts[k] for k in parts]
            shapes = [
                tuple(arranged(call.outputs[k], at, self.inputs).shape[1:]) for k, at in zip(parts, own, strict=True)
            ]
            shape = shapes[0] if len(shapes) == 1 else (sum(int(np.prod(part)) for part in shapes),)
            shares = bool(call.parameters) and isinstance(call.owner, nn.Module)  # two calls of one ReLU share no unit
            record = LayerRecord(
                name=call.name + (f" (call {call.number + 1})" if call.number else ""),
                layer_class=call.what,
                kind=kind,
                activation=call.activation,
                traits=call.traits,
                shape=shape,
                weights=tuple(id(weight) for _, weight in call.parameters),
                on_trunk=call.at in self.on_trunk,
                on_each_trunk=len(self.ends) == 1 or call.at in self.on_each,
                shares=(id(call.owner), shape[-1:]) if shares else (id(call),),
                scale=self._scale(call.sources[0]) if call.sources else 1.0,
                given_by=places.get(id(call.sources[0])) if kind in ONE_SOURCE else None,
                number=call.number if shares else 0,
            )
            if len(parts) == 1:
                places[id(call.outputs[parts[0]])] = len(traced)
            traced.append(Traced(record, call, own, self.sources[call.at], parts))
        return traced


def _norm(tensor: Any) -> float:
    return float(tensor.detach().float().norm())


def _adds_a_mask(call: RecordedCall) -> bool:
    """Return whether a merge adds a mask, with numbers such as -1e9, so that a softmax is 0 at masked positions."""
    floats = [t.detach().abs().max().item() for t in (call.outputs[0], *call.sources) if is_signal(t)]
    return len(floats) > 2 and floats[0] >= MASK * max(1.0, min(floats[1:]))


def _recorded(
    model: nn.Module, x: Sequence[npt.NDArray[Any]], args: Arguments, dtypes: Sequence[Any]
) -> tuple[list[RecordedCall], Forward]:
    calls: list[RecordedCall] = []
    with record_calls(model, calls.append), torch.enable_grad():
        passed = forward(model, x, args, dtypes)
    return calls, passed


def _dtypes(model: nn.Module, x: Sequence[npt.NDArray[Any]], args: Arguments) -> list[Any]:
    """Return the dtype in which the model takes each input: the first combination of dtypes with which it runs.

    Floats get the dtype of the weights. Booleans are first tried as booleans. Whole numbers are first tried as tokens
    (int64) if the model has embeddings, otherwise as floats.
    """
    weight = next((w for w in model.parameters() if w.is_floating_point()), torch.zeros(1))
    has_tokens = any(isinstance(module, nn.Embedding | nn.EmbeddingBag) for module in model.modules())
    whole = [torch.int64, weight.dtype] if has_tokens else [weight.dtype, torch.int64]
    ways = [{"f": [weight.dtype], "b": [torch.bool, weight.dtype]}.get(array.dtype.kind, whole) for array in x]
    failure: Exception | None = None
    for dtypes in itertools.product(*ways):
        try:
            with torch.enable_grad():
                forward(model, x, args, dtypes)
            return list(dtypes)
        except Exception as error:  # a model may raise anything
            failure = failure or error
    assert failure is not None
    raise failure


def _activation_before(calls: Sequence[RecordedCall], made_by: dict[int, int], at: int | None) -> str | None:
    by_number = {call.at: call for call in calls}
    while at is not None and at >= 0:
        call = by_number[at]
        if call.activation is not None or call.what not in MOVERS or not call.sources:
            return call.activation
        before = made_by.get(id(call.sources[0]))
        at = before if before != at else None
    return None


def _opaque(model: nn.Module, calls: Sequence[RecordedCall]) -> list[str]:
    """Return the names of modules that are recorded as one call but contain other modules."""
    names = {id(module): name for name, module in model.named_modules()}
    inside = [call.owner for call in calls if isinstance(call.owner, nn.Module) and is_leaf(call.owner)]
    children = {id(module): {name for name, _ in module.named_children()} for module in inside}
    return list(dict.fromkeys(names[at] for at, inner in children.items() if inner - {"parametrizations"}))
