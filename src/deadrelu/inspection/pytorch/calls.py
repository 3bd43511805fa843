"""What a PyTorch model computes, overheard: modules by hooks, and functions such as `F.relu` and `x + y` by a mode.

A `TorchFunctionMode` hears every function of tensors, so that residual additions and functional activations are found
without tracing the model. Not heard: what runs inside a module of `torch.nn` (such as the attention in
`MultiheadAttention`), inside TorchScript, and in custom C++ operations.
"""

from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import nn
from torch.overrides import TorchFunctionMode

from deadrelu.signals.kinds import Kind

ACTIVATIONS = {
    name.replace("_", ""): name
    for name in (
        *("relu", "relu6", "leaky_relu", "prelu", "rrelu", "elu", "selu", "celu", "gelu", "silu", "mish", "softplus"),
        *("tanh", "sigmoid", "log_sigmoid", "softsign", "hard_tanh", "hard_sigmoid", "hard_swish", "threshold"),
        *("softmax", "log_softmax", "softmin", "glu"),
    )
}
"""Names of PyTorch's modules and functions, in small letters, and the field's."""

MERGES = {"add": "Add", "sub": "Subtract", "mul": "Multiply", "cat": "Concatenate", "concat": "Concatenate"}
MERGES |= {"maximum": "Maximum", "minimum": "Minimum", "stack": "Stack"}

WEIGHTED = {"linear", "bilinear", "embedding", "matmul", "mm", "bmm", "addmm", "einsum", "prelu"}
NORMALIZATIONS = {"batch_norm", "layer_norm", "group_norm", "instance_norm", "rms_norm"}
WITH_CHILDREN_UNHEARD = (nn.MultiheadAttention, nn.RNNBase, torch.jit.ScriptModule)
CONTAINERS = (nn.Module, nn.Sequential, nn.ModuleList, nn.ModuleDict)


@dataclass(eq=False)
class Heard:
    """A call of a module of `torch.nn`, or of a function. It holds its tensors, so that their ids stay theirs."""

    at: int
    """Which of all calls."""
    name: str
    """Path of the module, or of the one that called the function and the function's name."""
    what: str
    """Class of the module, or the function's name."""
    owner: Any
    """The module; for a function, itself."""
    function: Callable[[Any], Any] | None
    """Of the first source alone, for its slope; None if it has no activation."""
    sources: list[Any]
    """Tensors that came in."""
    given: Any
    """The first of them as it was before the call, which may write over it; None where nothing is an activation."""
    outputs: list[Any]
    parameters: list[tuple[str, Any]] = field(default_factory=list)
    number: int = 0
    """0 for the first call of this name, 1 for the second, …"""

    @property
    def activation(self) -> str | None:
        """The field's name of the nonlinearity; None for all else."""
        return activation_name(self.what)

    @property
    def kernels(self) -> list[Any]:
        """Weights of two or more axes."""
        return [weight for name, weight in self.parameters if weight.ndim > 1 and "bias" not in name]

    def kind(self, joined: int) -> Kind | None:
        """Of a call that joins so many signals; None: it only moves numbers about."""
        if self.what in MERGES:
            return "merge" if joined > 1 else None
        if self.activation is not None:
            return "activation"
        if self.what in NORMALIZATIONS or "Norm" in self.what:
            return "normalization"
        return "weights" if self.kernels else None


def activation_name(what: str) -> str | None:
    """'leaky_relu' for 'LeakyReLU' and 'leaky_relu'; None for all else."""
    return ACTIVATIONS.get(what.lower().replace("_", ""))


def flat(value: Any) -> list[Any]:
    """Tensors in nested lists, tuples, mappings and dataclasses of tensors, in order."""
    if isinstance(value, torch.Tensor):
        return [value]
    if hasattr(value, "values") and callable(value.values):
        return [tensor for part in value.values() for tensor in flat(part)]
    if isinstance(value, (list, tuple)):
        return [tensor for part in value for tensor in flat(part)]
    if hasattr(value, "__dataclass_fields__"):
        return [tensor for name in value.__dataclass_fields__ for tensor in flat(getattr(value, name))]
    return []


def is_signal(tensor: Any) -> bool:
    """Whether it is a floating-point tensor of one axis or more."""
    return bool(tensor.is_floating_point() and tensor.ndim > 0)


def is_leaf(module: Any) -> bool:
    """Whether it is heard as one: a module of `torch.nn`, or derived from one, that runs no other module of its own."""
    if isinstance(module, WITH_CHILDREN_UNHEARD):
        return True
    own = [c for c in type(module).__mro__ if c.__module__.startswith("torch.nn.modules") and c not in CONTAINERS]
    return bool(own) and not any(True for _ in module.children())


@contextmanager
def listening(model: Any, record: Callable[[Heard], None]) -> Iterator[None]:
    """While open, `record(heard)` is called after each call of a module or function; hooks are gone at the end."""
    handles: list[Any] = []
    mode = _Mode(record)
    names = dict.fromkeys(model.modules())
    names |= {module: name for name, module in reversed(list(model.named_modules()))}

    def enter(module: Any, args: Any, kwargs: Any) -> None:
        mode.stack.append(names[module] or "")
        if is_leaf(module) and mode.leaf is None:
            mode.leaf = module
            mode.given = _copy(flat((args, kwargs)), activation_name(type(module).__name__))

    def leave(module: Any, args: Any, kwargs: Any, output: Any) -> None:
        name = mode.stack.pop() or type(module).__name__
        if mode.leaf is module:
            what = type(module).__name__
            depthwise = getattr(module, "groups", 1) > 1 and module.groups == getattr(module, "in_channels", 0)
            own = [(of, weight) for of, weight in module.named_parameters()]
            function = _apart(module.forward) if activation_name(what) else None
            mode.tell(name, "Depthwise" * depthwise + what, module, function, flat((args, kwargs)), flat(output), own)
            mode.leaf = None

    try:
        for module in model.modules():
            handles.append(module.register_forward_pre_hook(enter, with_kwargs=True))
            handles.append(module.register_forward_hook(leave, with_kwargs=True))
        with mode:
            yield
    finally:
        for handle in handles:
            handle.remove()


class _Mode(TorchFunctionMode):  # type: ignore[misc]
    """Hears functions of tensors; modules tell it when they begin and end."""

    def __init__(self, record: Callable[[Heard], None]) -> None:
        super().__init__()
        self.record = record
        self.stack: list[str] = []
        self.leaf: Any = None
        self.given: Any = None
        self.calls = 0
        self.numbers: Counter[str] = Counter()

    def __torch_function__(self, function: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        if self.leaf is not None:
            return function(*args, **kwargs)
        what = getattr(function, "__name__", "").strip("_")
        if what not in MERGES and what[1:] in MERGES and what[0] in "ir":  # __iadd__, __radd__
            what = what[1:]
        self.given = _copy(flat((args, kwargs)), activation_name(what))
        output = function(*args, **kwargs)
        tensors = flat(output)
        sources = flat((args, kwargs))
        if not tensors and what == "setitem":
            tensors = sources[:1]
        if tensors and sources:
            weights = [t for t in sources if isinstance(t, nn.Parameter)]
            named = [(what, w) for w in weights] if what in WEIGHTED | NORMALIZATIONS or "conv" in what else []
            rest, options = args[1:], {name: value for name, value in kwargs.items() if name != "inplace"}
            alone = (lambda z: function(z, *rest, **options)) if activation_name(what) else None
            path = self.stack[-1] if self.stack else ""
            signals = [t for t in sources if not isinstance(t, nn.Parameter)]
            alone = _apart(alone) if alone else None
            self.tell(f"{path}.{what}".removeprefix("."), what, function, alone, signals, tensors, named)
        return output

    def tell(
        self, name: str, what: str, owner: Any, function: Any, sources: list[Any], outputs: list[Any], own: list[Any]
    ) -> None:
        """Count a call and record it."""
        number = self.numbers[name]
        self.numbers[name] += 1
        given, self.given, self.leaf = self.given, None, self
        try:
            heard = Heard(self.calls, name, what, owner, function, sources, given, outputs, own, number)
            self.record(heard)
        finally:
            self.leaf = None
        self.calls += 1


def _copy(sources: list[Any], activation: str | None) -> Any:
    """The first source, before an activation may write its result over it."""
    return sources[0].detach().clone() if activation is not None and sources else None


def _apart(function: Callable[[Any], Any]) -> Callable[[Any], Any]:
    """The function on a copy, since it may write over what it is given."""
    return lambda z: function(z.clone())
