"""A PyTorch model as a subject: what it puts out, layer by layer, and what comes back."""

from collections import OrderedDict
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, Literal

import numpy as np
import torch
from torch import nn

from deadrelu.errors import InputError
from deadrelu.inspection.pytorch.calls import Heard, is_signal, listening
from deadrelu.inspection.pytorch.layouts import Layout, arranged
from deadrelu.inspection.pytorch.trace import forward, trace
from deadrelu.inspection.subject import Array, Facts, is_new
from deadrelu.signals.batches import ONE_SOURCE, Batch, Objective
from deadrelu.signals.layers import LayerOutput
from deadrelu.signals.slopes import has_dead_units


class TorchModel:
    """A `torch.nn.Module` and what a first pass found in it."""

    framework: Literal["Keras", "PyTorch"] = "PyTorch"

    def __init__(
        self, model: nn.Module, x: Sequence[Array], names: Sequence[str], trained: Sequence[tuple[str, Any]]
    ) -> None:
        self.model, self.names, self.trained = model, names, trained
        self.traced = trace(model, x, names)
        self.recorded: Sequence[LayerOutput] = self.traced.recorded
        self.classes, self.opaque = self.traced.classes, self.traced.opaque
        self.place = {call.at: k for k, call in enumerate(self.traced.heard)}

    def facts(self, entry: LayerOutput) -> Facts:
        """See `Subject`."""
        call = self.traced.heard[self.recorded.index(entry)]
        kernels = [_numpy(kernel) for kernel in call.kernels]
        recurrent = isinstance(call.owner, nn.RNNBase)
        return Facts(call.what, sum(weight.numel() for _, weight in call.parameters), kernels, recurrent)

    def passes(self, x: Sequence[Array], objective: Objective, *, size: int, training: bool) -> Iterator[Batch]:
        """See `Subject`; the model is in the right mode already, see `opened`."""
        weights = [weight for _, weight in self.trained]
        kernels = [kernel for call in self.traced.heard for kernel in call.kernels]
        for rows in _rows(len(x[0]), size):
            collected = _Collected(self, rows.stop - rows.start)
            with torch.enable_grad():
                with listening(self.model, collected.record):
                    ends, _, _, leaves = forward(self.model, [a[rows] for a in x], self.names, self.traced.dtypes)
                if collected.seen < set(self.place):
                    raise InputError("model: calls other layers for other inputs; expected: the same for all")
                loss = objective(ends, rows)
            collected.finish()
            wanted = [*weights, *kernels, *(leaf for leaf in leaves if leaf.requires_grad)]
            found: list[Any] = [None] * len(wanted)
            if loss.requires_grad:
                found = list(torch.autograd.grad(loss, wanted, allow_unused=True))
            arrays = [
                np.zeros(tuple(of.shape), np.float32) if gradient is None else _numpy(gradient)
                for of, gradient in zip(wanted, found, strict=True)
            ]
            of_kernels = iter(arrays[len(weights) :])
            yield Batch(
                rows,
                [_joined(parts) for parts in collected.activations],
                [_joined(parts) for parts in collected.backward],
                [[next(of_kernels) for _ in call.kernels] for call in self.traced.heard],
                collected.slopes,
                collected.sources,
                collected.logits,
                arrays[: len(weights)],
            )

    def trainable(self) -> list[tuple[str, tuple[int, ...]]]:
        """See `Subject`."""
        return [(_layer_of(name) or name, tuple(weight.shape)) for name, weight in self.trained]

    def weights(self) -> Iterator[tuple[str, Array]]:
        """See `Subject`."""
        ends = ("running_mean", "running_var")  # other buffers may be masks
        averages = [(name, buffer) for name, buffer in self.model.named_buffers() if name.endswith(ends)]
        for name, weight in [*self.model.named_parameters(), *averages]:
            layer, own = _layer_of(name), name.rpartition(".")[2]
            yield f"{layer} ({own})" if layer else own, _numpy(weight)

    def new_normalizations(self) -> int:
        """See `Subject`."""
        modules = [m for m in self.model.modules() if getattr(m, "running_var", None) is not None]
        return sum(is_new(_numpy(m.running_mean), _numpy(m.running_var)) for m in modules)


class _Collected:
    """What one batch tells, layer by layer."""

    def __init__(self, of: TorchModel, n: int) -> None:
        self.of, self.n, self.seen = of, n, set[int]()
        k = len(of.recorded)
        self.activations: list[list[Array]] = [[] for _ in range(k)]
        self.backward: list[list[Array]] = [[] for _ in range(k)]
        self.calls: dict[int, Heard] = {}
        self.slopes: list[Any] = [None] * k
        self.sources: list[Any] = [None] * k
        self.logits: list[Any] = [None] * k

    def record(self, call: Heard) -> None:
        """Keep what a call says, before anything writes over it."""
        k = self.of.place.get(call.at)
        if k is None:
            return
        entry, layouts, source = self.of.recorded[k], self.of.traced.layouts[k], self.of.traced.sources[k]
        if call.what != self.of.traced.heard[k].what:
            raise InputError("model: calls other layers for other inputs; expected: the same for all")
        self.seen.add(call.at)
        for part, layout in zip(entry.parts, layouts, strict=True):
            tensor, at = call.outputs[part], len(self.backward[k])
            self.activations[k].append(_numpy(arranged(tensor, layout, self.n)))
            # Unknown where the model takes none; 0 until it comes.
            self.backward[k].append(np.full_like(self.activations[k][-1], 0 if call.has_gradient else np.nan))
            if tensor.requires_grad:
                tensor.register_hook(lambda g, to=self.backward[k], at=at, of=layout: self._came(to, at, g, of))
        first = call.given if call.given is not None else next(iter(call.sources), None)
        if entry.kind in ONE_SOURCE and source is not None and is_signal(first):
            self.sources[k] = _numpy(arranged(first, source, self.n))
        if call.function is not None and entry.activation is not None:
            self.calls[k] = call

    def finish(self) -> None:
        """Slopes of activations: behind the pass, because what is saved in it may be counted."""
        for k, call in self.calls.items():
            entry, layouts = self.of.recorded[k], self.of.traced.layouts[k]
            if has_dead_units(entry.activation) and len(entry.shape) > 0:
                self.slopes[k] = _largest_slope(call.function, call.given, layouts[0], self.n)
            if entry.kind == "output":
                self.logits[k] = _numpy(call.given)

    def _came(self, to: list[Array], at: int, gradient: Any, layout: Layout) -> None:
        to[at] = _numpy(arranged(gradient, layout, self.n))


@contextmanager
def looked_at(model: nn.Module, seed: int, *, training: bool) -> Iterator[None]:
    """While open, the model is in one mode, and gradients reach all its weights; then all is as it was.

    Modes are set module by module: a `train` of the user's own may do more. A user's backward hooks are off, which
    would put other tensors in the place of those that modules hand on.
    """
    modules = list(model.modules())
    kept = [({**vars(m)}, {**m._parameters}, {**m._buffers}, m._backward_hooks, m._backward_pre_hooks) for m in modules]
    tensors = [*model.parameters(), *model.buffers()]
    values = [(tensor, tensor.requires_grad, tensor.detach().clone(), tensor._version) for tensor in tensors]
    fast = torch.backends.mha.get_fastpath_enabled()
    try:
        torch.backends.mha.set_fastpath_enabled(False)  # it goes around the modules
        for module in modules:
            module.training = training
            module._backward_hooks, module._backward_pre_hooks = OrderedDict(), OrderedDict()
        for weight in model.parameters():
            weight.requires_grad_(weight.is_floating_point() or weight.is_complex())  # of frozen layers too
        with torch.inference_mode(mode=False):
            torch.manual_seed(seed)
            yield
    finally:
        torch.backends.mha.set_fastpath_enabled(fast)
        for module, (attributes, parameters, buffers, backward, before) in zip(modules, kept, strict=True):
            vars(module).clear()
            vars(module).update(attributes)
            for own, was in ((module._parameters, parameters), (module._buffers, buffers)):
                own.clear()
                own.update(was)
            module._backward_hooks, module._backward_pre_hooks = backward, before
        for tensor, needed, value, version in values:
            if tensor.shape != value.shape:
                tensor.data = value
            elif tensor._version != version or not _equal(tensor, value):
                tensor.data.copy_(value)
            tensor.requires_grad_(needed)


def _equal(tensor: Any, value: Any) -> bool:
    """Also where `tensor.data` was assigned, which counts as no new version."""
    if tensor.layout != torch.strided:
        return True
    return bool(torch.equal(torch.nan_to_num(tensor.detach()), torch.nan_to_num(value)))


def _rows(n: int, size: int) -> list[slice]:
    """Batches; the last is not of one input alone, which BatchNormalization does not take in training."""
    starts = list(range(0, n, size))
    if len(starts) > 1 and n - starts[-1] == 1:
        starts.pop()
    return [slice(start, end) for start, end in zip(starts, [*starts[1:], n], strict=True)]


def _layer_of(name: str) -> str:
    """'block.conv' for 'block.conv.weight' and 'block.conv.parametrizations.weight.original0'."""
    return name.partition(".parametrizations.")[0] if ".parametrizations." in name else name.rpartition(".")[0]


def _numpy(tensor: Any) -> Array:
    array = tensor.detach().cpu()
    if array.is_complex():
        array = array.abs()
    found: Array = (array if array.dtype == torch.float64 else array.float()).numpy().copy()
    return found


def _joined(parts: list[Array]) -> Array:
    return parts[0] if len(parts) == 1 else np.concatenate([part.reshape(len(part), -1) for part in parts], axis=1)


def _largest_slope(function: Any, given: Any, layout: Layout, n: int) -> Any:
    """See `slopes.largest_slope`."""
    with torch.enable_grad():
        z = given.detach().clone().requires_grad_()
        (slope,) = torch.autograd.grad(function(z).sum(), z, allow_unused=True)
    slope = torch.zeros_like(z) if slope is None else slope
    known = torch.where(torch.isnan(z + slope), torch.inf, slope.abs()).detach()
    units_last = arranged(known, layout, n)
    return _numpy(units_last.reshape(-1, units_last.shape[-1]).amax(0)).astype(np.float64)
