"""A PyTorch model as a subject: what it puts out, layer by layer, and what comes back."""

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
        for start in range(0, len(x[0]), size):
            rows = slice(start, min(start + size, len(x[0])))
            collected = _Collected(self, rows.stop - rows.start)
            with listening(self.model, collected.record), torch.enable_grad():
                ends, _, leaves = forward(self.model, [array[rows] for array in x], self.names)
            if collected.seen < set(self.place):
                raise InputError("model: calls other layers for other inputs; expected: the same for all")
            loss = objective(ends, rows)
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
                [_joined(parts) for parts in collected.gradients()],
                [[next(of_kernels) for _ in call.kernels] for call in self.traced.heard],
                collected.slopes,
                collected.sources,
                collected.logits,
                arrays[: len(weights)],
            )

    def trainable(self) -> list[tuple[str, tuple[int, ...]]]:
        """See `Subject`."""
        return [(name.rpartition(".")[0] or name, tuple(weight.shape)) for name, weight in self.trained]

    def weights(self) -> Iterator[tuple[str, Array]]:
        """See `Subject`."""
        for name, weight in [*self.model.named_parameters(), *self.model.named_buffers()]:
            layer, _, own = name.rpartition(".")
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
        self.backward: list[list[Any]] = [[] for _ in range(k)]
        self.slopes: list[Any] = [None] * k
        self.sources: list[Any] = [None] * k
        self.logits: list[Any] = [None] * k

    def record(self, call: Heard) -> None:
        """Keep what a call says, before anything writes over it."""
        k = self.of.place.get(call.at)
        if k is None:
            return
        entry, layouts = self.of.recorded[k], self.of.traced.layouts[k]
        if call.what != self.of.traced.heard[k].what:
            raise InputError("model: calls other layers for other inputs; expected: the same for all")
        self.seen.add(call.at)
        for number, (part, layout) in enumerate(zip(entry.parts, layouts, strict=True)):
            tensor = call.outputs[part]
            self.activations[k].append(_numpy(arranged(tensor, layout, self.n)))
            self.backward[k].append(None)
            if tensor.requires_grad:
                tensor.register_hook(lambda g, to=self.backward[k], at=number, of=layout: self._came(to, at, g, of))
        first = call.given if call.given is not None else next(iter(call.sources), None)
        if entry.kind in ONE_SOURCE and first is not None and is_signal(first) and first.shape[0] == self.n:
            self.sources[k] = _numpy(first)
        if call.function is None or entry.activation is None or call.given is None:
            return
        if has_dead_units(entry.activation) and len(entry.shape) > 0:
            self.slopes[k] = _largest_slope(call.function, call.given, layouts[0], self.n)
        if entry.kind == "output":
            self.logits[k] = _numpy(call.given)

    def _came(self, to: list[Any], at: int, gradient: Any, layout: Layout) -> None:
        to[at] = _numpy(arranged(gradient, layout, self.n))

    def gradients(self) -> list[list[Array]]:
        """Of the outputs; 0 where none came back."""
        return [
            [np.zeros_like(a) if g is None else g for a, g in zip(ahead, back, strict=True)]
            for ahead, back in zip(self.activations, self.backward, strict=True)
        ]


@contextmanager
def looked_at(model: nn.Module, seed: int, *, training: bool) -> Iterator[None]:
    """While open, the model is in one mode, and gradients reach all its weights; then all is as it was."""
    modes = [(module, module.training) for module in model.modules()]
    weights = [(weight, weight.requires_grad) for weight in model.parameters()]
    buffers = [(buffer, buffer.detach().clone()) for buffer in model.buffers()]
    fast = torch.backends.mha.get_fastpath_enabled()
    try:
        torch.backends.mha.set_fastpath_enabled(False)  # it goes around the modules
        model.train(training)
        for weight, _ in weights:
            if weight.is_floating_point():
                weight.requires_grad_()  # of frozen layers too
        with torch.random.fork_rng():
            torch.manual_seed(seed)
            yield
    finally:
        torch.backends.mha.set_fastpath_enabled(fast)
        for module, mode in modes:
            module.training = mode
        for weight, needed in weights:
            weight.requires_grad_(needed)
        with torch.no_grad():
            for buffer, value in buffers:
                buffer.copy_(value)


def _numpy(tensor: Any) -> Array:
    array = tensor.detach().cpu()
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
