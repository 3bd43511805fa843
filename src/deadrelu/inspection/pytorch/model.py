"""A PyTorch model as a `Subject`, which runs batches forward and backward and hands each signal to a recorder."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
import torch
from torch import nn

from deadrelu.errors import InputError
from deadrelu.inspection.measure import rms
from deadrelu.inspection.pytorch.calls import RecordedCall, is_signal, record_calls
from deadrelu.inspection.pytorch.layouts import Layout, arranged
from deadrelu.inspection.pytorch.trace import Arguments, Traced, forward, trace
from deadrelu.inspection.records import ONE_SOURCE, Array, Parts, Recorder, WeightRecord
from deadrelu.inspection.subject import Objective, is_new
from deadrelu.inspection.units import has_dead_units

HALF = (torch.bfloat16, torch.float16)
OTHER_LAYERS = "model: calls other layers for other inputs; expected: the same for all"


class TorchModel:
    """A `torch.nn.Module` as a `Subject`, whose layers are determined in a first pass, see `trace.trace`.

    Args:
        model: the model, in the mode in which it is measured, see `kept.kept`.
        x: one array of shape (n, …) for each input of the model.
        args: names and constants with which the model is called.
        frozen: parameters that training does not change.
    """

    framework: Literal["Keras", "PyTorch"] = "PyTorch"

    def __init__(
        self, model: nn.Module, x: Sequence[npt.NDArray[Any]], args: Arguments, frozen: Sequence[nn.Parameter]
    ) -> None:
        self.model, self.args, self.frozen = model, args, {id(weight) for weight in frozen}
        # This check comes before any pass, because a pass may spread NaN into moving averages.
        tensors = [*model.parameters(), *model.buffers()]
        self.finite = {id(tensor): bool(np.isfinite(_shared(tensor)).all()) for tensor in tensors}
        survey = trace(model, x, args)
        self.traced, self.outputs, self.opaque = survey.traced, survey.outputs, survey.opaque
        self.records, self.dtypes = [entry.record for entry in survey.traced], survey.dtypes
        self.takes_any_scale, self.has_own_loss = survey.takes_any_scale, survey.has_own_loss
        self.place = {entry.call.at: k for k, entry in enumerate(self.traced)}
        self.parameters = [w for w in model.parameters() if w.is_floating_point() or w.is_complex()]
        self.gradients: list[Any] = [None] * len(self.parameters)
        self.inputs = 0

    def passes(
        self,
        x: Sequence[npt.NDArray[Any]],
        objective: Objective,
        recorder: Recorder,
        *,
        size: int,
        training: bool,  # the model is in the right mode already, see `kept.kept`
    ) -> Iterator[int]:
        """Run the inputs forward and backward in batches of about `size`, see `Subject.passes`."""
        self.gradients, self.inputs = [None] * len(self.parameters), len(x[0])
        for rows in _rows(len(x[0]), size):
            batch = _Batch(self, rows.stop - rows.start, Parts(recorder))
            with torch.enable_grad():
                with record_calls(self.model, batch.record):
                    passed = forward(self.model, [array[rows] for array in x], self.args, self.dtypes)
                if batch.seen < set(self.place):
                    raise InputError(OTHER_LAYERS)
                own = passed.loss if objective.is_own else None
                loss = objective.function(passed.ends, rows) if own is None else own * batch.inputs
            batch.measure_slopes()
            if loss.requires_grad:
                wanted = [*self.parameters, *(leaf for leaf in passed.leaves if leaf.requires_grad)]
                with self._sums():
                    torch.autograd.grad(loss, wanted, allow_unused=True)
            batch.parts.end_batch()
            yield batch.inputs

    @contextmanager
    def _sums(self) -> Iterator[None]:
        """Add each gradient of a weight to `self.gradients` when it is computed, so that no second set is stored."""

        def add(gradient: Any, k: int) -> Any:
            so_far, is_sparse = self.gradients[k], gradient.is_sparse
            new = gradient.to_dense() if is_sparse else gradient
            new = new.float() if new.dtype in HALF else new
            # Two weights may share one tensor as gradient, so that the first sum is a copy.
            self.gradients[k] = new.clone() if so_far is None else so_far.add_(new)
            return None if is_sparse else torch.zeros((), dtype=gradient.dtype, device=new.device).expand(new.shape)

        hooks = [weight._backward_hooks for weight in self.parameters]
        try:
            for k, weight in enumerate(self.parameters):
                weight._backward_hooks = None  # the user's own hooks may change gradients
                weight.register_hook(partial(add, k=k))
            yield
        finally:
            for weight, before in zip(self.parameters, hooks, strict=True):
                weight._backward_hooks = before

    def weights(self) -> list[WeightRecord]:
        """Return all weights, with the gradients of the last `passes`."""
        kernels = {id(kernel) for entry in self.traced for kernel in entry.call.kernels}
        scales = {id(getattr(m, "weight", None)) for m in self.model.modules() if "Norm" in type(m).__name__}
        gradients = {id(w): g for w, g in zip(self.parameters, self.gradients, strict=True)}
        ends = ("running_mean", "running_var")  # other buffers may be masks
        averages = [(name, buffer) for name, buffer in self.model.named_buffers() if name.endswith(ends)]
        records = []
        for name, weight in [*self.model.named_parameters(), *averages]:
            layer, own, gradient = _layer_of(name), name.rpartition(".")[2], gradients.get(id(weight))
            values = _shared(weight)
            records.append(
                WeightRecord(
                    key=id(weight),
                    layer=layer or name,
                    name=f"{layer} ({own})" if layer else own,
                    shape=tuple(weight.shape),
                    trainable=id(weight) in gradients and id(weight) not in self.frozen,
                    is_kernel=id(weight) in kernels | scales,
                    rms=rms(values),
                    gradient_rms=0.0 if gradient is None else rms(_shared(gradient)) / self.inputs,
                    is_finite=self.finite.get(id(weight), True),
                )
            )
        known = {weight.key for weight in records}
        rest = [(entry, name, w) for entry in self.traced for name, w in entry.call.parameters if id(w) not in known]
        return records + [_without_name(entry, name, weight) for entry, name, weight in rest]

    @contextmanager
    def stepped(self, keys: Sequence[Any]) -> Iterator[None]:
        """Move the all-zero weights with these keys a step against their gradients; set them to 0 at the end."""
        pairs = zip(self.parameters, self.gradients, strict=True)
        chosen = [(w, g) for w, g in pairs if id(w) in keys and g is not None]
        try:
            for weight, gradient in chosen:  # unlike a write of the model, this one changes no `_version`
                fan_in = float(np.prod(weight.shape[1:])) if weight.ndim > 1 else 1.0
                weight.data.copy_(-gradient / (rms(_shared(gradient)) * fan_in**0.5))
            yield
        finally:
            for weight, _ in chosen:
                weight.data.zero_()

    def new_normalizations(self) -> int:
        """Return the number of BatchNormalization layers with the moving averages of a new layer, see `is_new`."""
        modules = [m for m in self.model.modules() if getattr(m, "running_var", None) is not None]
        return sum(is_new(_array(m.running_mean), _array(m.running_var)) for m in modules)


class _Batch:
    """The recording of one batch of inputs while it passes through the model."""

    def __init__(self, subject: TorchModel, inputs: int, parts: Parts) -> None:
        self.subject, self.inputs, self.parts = subject, inputs, parts
        self.seen: set[int] = set()
        self.activations: list[tuple[int, Any, Any]] = []

    def record(self, call: RecordedCall) -> None:
        """Hand the signals of a call to the recorder before the model can overwrite them."""
        k = self.subject.place.get(call.at)
        if k is None:
            return
        entry = self.subject.traced[k]
        if call.what != entry.call.what:
            raise InputError(OTHER_LAYERS)
        self.seen.add(call.at)
        signals, source, logits = [], None, None
        for number, (part, layout) in enumerate(zip(entry.parts, entry.layouts, strict=True)):
            tensor = call.outputs[part]
            signals.append(_array(arranged(tensor, layout, self.inputs)))
            if tensor.requires_grad:
                tensor.register_hook(lambda g, part=number, layout=layout: self._backward(k, part, g, layout))
        given = call.given if call.given is not None else next(iter(call.sources), None)
        known = entry.record.given_by is not None
        if entry.record.kind in ONE_SOURCE and entry.source is not None and is_signal(given) and not known:
            source = _array(arranged(given, entry.source, self.inputs))
        if call.function is not None and entry.record.activation is not None:
            if has_dead_units(entry.record.activation) and entry.record.shape:
                self.activations.append((k, call.function, call.given))
            if entry.record.kind == "output":
                logits = _array(call.given)
        self.parts.forward(k, signals, source=source, logits=logits)
        if not call.has_gradient:  # so that its gradient is unknown
            for number, signal in enumerate(signals):
                self.parts.backward(k, number, np.full_like(signal, np.nan))

    def measure_slopes(self) -> None:
        """Measure the slopes of activations after the pass, because a model may count tensors saved during it."""
        for k, function, given in self.activations:
            entry = self.subject.traced[k]
            self.parts.recorder.slopes(k, _largest_slope(function, given, entry.layouts[0], self.inputs))
        self.activations.clear()

    def _backward(self, k: int, part: int, gradient: Any, layout: Layout) -> None:
        self.parts.backward(k, part, _array(arranged(gradient, layout, self.inputs)))


def _rows(n: int, size: int) -> list[slice]:
    """Return the rows of each batch; a last batch of one input, too few for BatchNormalization, is avoided."""
    starts = list(range(0, n, size))
    if len(starts) > 1 and n - starts[-1] == 1:
        starts.pop()
    return [slice(start, end) for start, end in zip(starts, [*starts[1:], n], strict=True)]


def _layer_of(name: str) -> str:
    """Return 'block.conv' for 'block.conv.weight' and 'block.conv.parametrizations.weight.original0'."""
    return name.partition(".parametrizations.")[0] if ".parametrizations." in name else name.rpartition(".")[0]


def _without_name(entry: Traced, name: str, weight: Any) -> WeightRecord:
    """Return the record of a weight that is no parameter of the model but, for example, is computed from some."""
    values = _shared(weight)
    size, shape = rms(values), tuple(weight.shape)
    is_kernel, is_finite = weight.ndim > 1, bool(np.isfinite(size))
    return WeightRecord(id(weight), entry.record.name, name, shape, False, is_kernel, size, 0.0, is_finite)


def _shared(tensor: Any) -> npt.NDArray[Any]:
    """Return a tensor as an array that may share its memory; half precision becomes float32, complex the modulus."""
    plain = tensor.detach().cpu()
    plain = plain.abs() if plain.is_complex() else plain
    array: npt.NDArray[Any] = (plain.float() if plain.dtype in HALF else plain).numpy()
    return array


def _array(tensor: Any) -> Array:
    """Return a copy of a tensor, which the model may overwrite, as an array of float64 or float32."""
    array = _shared(tensor)
    signal: Array = array.copy() if array.dtype == np.float64 else array.astype(np.float32)
    return signal


def _largest_slope(function: Any, given: Any, layout: Layout, n: int) -> npt.NDArray[np.float64]:
    """Return the largest absolute slope of a function at `given`, a tensor for n inputs: float64, shape (units,)."""
    with torch.enable_grad():
        z = given.detach().clone().requires_grad_()
        (slope,) = torch.autograd.grad(function(z).sum(), z, allow_unused=True)
    slope = torch.zeros_like(z) if slope is None else slope
    known = torch.where(torch.isnan(z + slope), torch.inf, slope.abs()).detach()
    units_last = arranged(known, layout, n)
    largest: npt.NDArray[np.float64] = _array(units_last.reshape(-1, units_last.shape[-1]).amax(0)).astype(np.float64)
    return largest
