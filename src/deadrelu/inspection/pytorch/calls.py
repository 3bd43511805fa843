"""Recording of the calls of a PyTorch model: of modules by hooks, of functions such as `F.relu` and `x + y` by a mode.

A `TorchFunctionMode` is called for every function of tensors, so that residual additions and functional activations
are recorded without a symbolic trace of the model. Functions inside a module of `torch.nn` (such as the attention in
`MultiheadAttention`), inside TorchScript and in custom C++ operations are not recorded.
"""

from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn
from torch.overrides import TorchFunctionMode

from deadrelu.inspection.records import Kind, Trait

# The usual names of activations, by the lower-case names, without underscores, of PyTorch's modules and functions.
ACTIVATIONS = {
    name.replace("_", ""): name
    for name in (
        *("relu", "relu6", "leaky_relu", "prelu", "rrelu", "elu", "selu", "celu", "gelu", "silu", "mish", "softplus"),
        *("tanh", "sigmoid", "log_sigmoid", "softsign", "hard_tanh", "hard_sigmoid", "hard_swish", "threshold"),
        *("softmax", "log_softmax", "softmin", "glu"),
    )
}
MERGES = {"add", "sub", "mul", "cat", "concat", "maximum", "minimum", "stack"}
WEIGHTED = {"linear", "bilinear", "embedding", "embedding_bag", "matmul", "mm", "bmm", "addmm", "einsum", "prelu"}
NORMALIZATIONS = {"batch_norm", "layer_norm", "group_norm", "instance_norm", "rms_norm"}
OPAQUE = (nn.MultiheadAttention, nn.RNNBase, torch.jit.ScriptModule)
TRAITS: dict[Trait, tuple[str, ...]] = {
    "any scale": ("embedding",),
    "small by design": ("embedding",),
    "tokens": ("embedding",),
    "trained slopes": ("prelu",),
}

TRAITS_OF_CLASSES: dict[Trait, tuple[type, ...]] = {
    "recurrent": (nn.RNNBase, nn.RNNCellBase),
    "any scale": (nn.Embedding, nn.EmbeddingBag),
    "small by design": (nn.Embedding, nn.EmbeddingBag),
    "tokens": (nn.Embedding, nn.EmbeddingBag),
    "trained slopes": (nn.PReLU,),
}
# Parts by which class names of other libraries' activations are recognized, such as NewGELUActivation, QuickGELU.
WRITTEN_OUT = ("gelu", "silu", "swish", "mish", "relu", "softplus")
CONTAINERS = (nn.Module, nn.Sequential, nn.ModuleList, nn.ModuleDict)


@dataclass(eq=False)
class RecordedCall:
    """A call of a `torch.nn` module or of a function; it keeps its tensors alive, so that their `id()` stays unique."""

    at: int
    """Number of the call among all calls, counted from 0."""
    name: str
    """Path of the module; for a function, the path of the calling module and the function's name."""
    what: str
    """Name of the module's class, or of the function."""
    owner: Any
    """The module, or the function itself."""
    function: Callable[[Any], Any] | None
    """The call as a function of its first source alone, to measure its slope; None if it is no activation."""
    sources: list[Any]
    """The input tensors, without weights."""
    given: Any
    """A copy of the first source before the call, which may overwrite that; None if the call is no activation."""
    outputs: list[Any]
    parameters: list[tuple[str, Any]]
    number: int
    """Number of the call among the calls with this name, counted from 0."""
    axes: tuple[int, ...]
    """The input axis of each output axis, if the call is a permute, transpose or swapaxes; empty for other calls."""
    has_gradient: bool
    """False if the call runs under `torch.no_grad()` or in the `forward` of a `torch.autograd.Function`."""

    def forget(self) -> None:
        """Release the tensors, which occupy the memory of a whole pass."""
        self.sources, self.outputs, self.given, self.function = [], [], None, None

    @property
    def activation(self) -> str | None:
        """The usual name of the nonlinearity; None if the call is no activation."""
        return activation_name(self.what)

    @property
    def traits(self) -> frozenset[Trait]:
        """The traits of the call, see `records.Trait`."""
        traits: set[Trait] = {trait for trait, names in TRAITS.items() if self.what.startswith(names)}
        if isinstance(self.owner, nn.Module):
            traits |= {trait for trait, classes in TRAITS_OF_CLASSES.items() if isinstance(self.owner, classes)}
            if getattr(self.owner, "groups", 1) > 1:
                traits.add("small by design")
        return frozenset(traits)

    @property
    def kernels(self) -> list[Any]:
        """The weights of the call that have two or more axes and are not biases."""
        return [weight for name, weight in self.parameters if weight.ndim > 1 and "bias" not in name]

    def kind(self, joined: int) -> Kind | None:
        """Return the kind of the call, which takes `joined` signals; None if it only moves numbers."""
        if self.what in MERGES:
            return "merge" if joined > 1 else None
        if self.activation is not None:
            return "activation"
        if self.what in NORMALIZATIONS or "Norm" in self.what:
            return "normalization"
        return "weights" if self.kernels else None


def activation_name(what: str) -> str | None:
    """Return the activation of the class or function named `what`: 'leaky_relu' for 'LeakyReLU'; None without one."""
    plain = what.lower().replace("_", "")
    name = ACTIVATIONS.get(plain) or ACTIVATIONS.get(plain.removesuffix("activation"))
    if name is None and what != plain:
        name = next((part for part in WRITTEN_OUT if part in plain), None)
    return "silu" if name == "swish" else name


def is_written_out(module: Any) -> bool:
    """Return whether a module without inner modules is an activation or normalization by its class name."""
    what = _class_of(module)
    if next(module.children(), None) is not None:
        return False
    return "Norm" in what or (activation_name(what) is not None and next(module.parameters(), None) is None)


def flat(value: Any) -> list[Any]:
    """Return the tensors in nested lists, tuples, mappings and dataclasses, in their order."""
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
    """Return whether `tensor` is a floating-point tensor with one axis or more."""
    return isinstance(tensor, torch.Tensor) and bool(tensor.is_floating_point() and tensor.ndim > 0)


def is_leaf(module: Any) -> bool:
    """Return whether a module is recorded as one call: it has a `forward` of `torch.nn` and no inner modules.

    Instances of `OPAQUE` and modules that `is_written_out` accepts are leaves, too. In others, each call is recorded.
    """
    if isinstance(module, OPAQUE) or is_written_out(module):
        return True
    official = (type(module).forward.__module__ or "").startswith("torch.nn.modules") and type(module) not in CONTAINERS
    return official and all(name == "parametrizations" for name, _ in module.named_children())


@contextmanager
def record_calls(model: Any, record: Callable[[RecordedCall], None]) -> Iterator[None]:
    """Call `record(call)` after each call of a leaf module or function in the context; remove all hooks at the end."""
    handles: list[Any] = []
    mode = _Mode(record)
    names = {module: name for name, module in reversed(list(model.named_modules()))}

    def enter(module: Any, args: Any, kwargs: Any) -> None:
        mode.stack.append(names[module])
        if mode.leaf is None and is_leaf(module):
            mode.leaf = module
            mode.given = _copy(flat((args, kwargs)), activation_name(_class_of(module)))

    def leave(module: Any, args: Any, kwargs: Any, output: Any) -> None:
        what = _class_of(module)
        name = mode.stack.pop() or what
        if mode.leaf is module:
            depthwise = getattr(module, "groups", 1) > 1 and module.groups == getattr(module, "in_channels", 0)
            function = module.forward if activation_name(what) else None
            own = list(module.named_parameters())
            mode.add(name, "Depthwise" * depthwise + what, module, function, flat((args, kwargs)), flat(output), own)
            mode.leaf = None

    try:
        for module in names:
            handles.append(module.register_forward_pre_hook(enter, with_kwargs=True))
            handles.append(module.register_forward_hook(leave, with_kwargs=True))
        with mode:
            yield
    finally:
        for handle in handles:
            handle.remove()


class _Mode(TorchFunctionMode):  # type: ignore[misc]
    """A mode that records functions of tensors; hooks tell it when calls of modules begin and end."""

    def __init__(self, record: Callable[[RecordedCall], None]) -> None:
        super().__init__()
        self.record = record
        self.stack: list[str] = []
        self.leaf: Any = None
        self.given: Any = None
        self.calls = 0
        self.numbers: Counter[str] = Counter()
        self.made_of: dict[int, tuple[Any, list[Any]]] = {}
        """For the id of each tensor computed from weights alone, such as `weight.t()`: the tensor and the weights."""

    def __torch_function__(self, function: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        if self.leaf is not None:
            return function(*args, **kwargs)
        what = _spelled(function, args, kwargs)
        sources = flat((args, kwargs))
        self.given = _copy(sources, activation_name(what))
        output = function(*args, **kwargs)
        outputs = flat(output)
        if not outputs and what == "setitem":
            outputs = sources[:1]
        if not outputs or not sources:
            return output
        weights_of_sources = [self._weights(source) for source in sources]
        if all(weights_of_sources):
            self.made_of |= {id(t): (t, [w for part in weights_of_sources for w in part]) for t in outputs}
            return output
        takes_weights = what in WEIGHTED | NORMALIZATIONS or "conv" in what
        own = [(what, weight) for part in weights_of_sources for weight in part] if takes_weights else []
        signals = [source for source, part in zip(sources, weights_of_sources, strict=True) if not part]
        alone = (lambda z: function(z, *args[1:], **kwargs)) if activation_name(what) else None
        path = self.stack[-1] if self.stack else ""
        axes = _axes(what, args, kwargs, sources[0].ndim)
        self.add(f"{path}.{what}".removeprefix("."), what, function, alone, signals, outputs, own, axes)
        return output

    def _weights(self, source: Any) -> list[Any]:
        """Return the parameters from which alone a tensor is computed; empty if it depends on anything else."""
        return [source] if isinstance(source, nn.Parameter) else self.made_of.get(id(source), (None, []))[1]

    def add(
        self,
        name: str,
        what: str,
        owner: Any,
        function: Any,
        sources: list[Any],
        outputs: list[Any],
        own: list[Any],
        axes: tuple[int, ...] = (),
    ) -> None:
        """Give a call its numbers, and record it; the arguments are the attributes of its `RecordedCall`."""
        number = self.numbers[name]
        self.numbers[name] += 1
        given, self.given, self.leaf = self.given, None, self
        alone = None if function is None else lambda z: function(z.clone())  # the function may overwrite its input
        has_gradient = torch.is_grad_enabled()
        try:
            about = (sources, given, outputs, own, number, axes, has_gradient)
            self.record(RecordedCall(self.calls, name, what, owner, alone, *about))
        finally:
            self.leaf = None
        self.calls += 1


def _spelled(function: Any, args: Any, kwargs: Any) -> str:
    """Return the usual name of a function with these arguments: 'add' for `x += y`, 'relu' for `x.clamp(min=0)`."""
    what: str = getattr(function, "__name__", "").partition(".")[0].strip("_")  # 'linear.default' in exported graphs
    if what not in MERGES and what[1:] in MERGES and what[0] in "ir":  # __iadd__, __radd__
        return what[1:]
    if what in ("clamp", "clip", "clamp_min"):
        low, high = [*args[1:3], None, None][:2]
        limits = kwargs.get("min", low), kwargs.get("max", high)
        return {(0, None): "relu", (0, 6): "relu6"}.get(limits, what) if _are_numbers(limits) else what
    return what


def _are_numbers(limits: tuple[Any, Any]) -> bool:
    return all(limit is None or isinstance(limit, (int, float)) for limit in limits)


def _axes(what: str, args: Any, kwargs: Any, ndim: int) -> tuple[int, ...]:
    """Return the input axis of each output axis of a permute, transpose or swapaxes; empty for other functions."""
    rest = [*args[1:], *kwargs.values()]
    if what == "permute":
        dims = rest[0] if len(rest) == 1 and isinstance(rest[0], (tuple, list)) else rest
        return tuple(int(axis) % ndim for axis in dims)
    if what in ("transpose", "swapaxes", "swapdims"):
        order = list(range(ndim))
        a, b = (int(axis) % ndim for axis in rest)
        order[a], order[b] = b, a
        return tuple(order)
    return ()


def _class_of(module: Any) -> str:
    """Return the name of a module's class, without the prefix that a parametrization adds."""
    return type(module).__name__.removeprefix("Parametrized")


def _copy(sources: list[Any], activation: str | None) -> Any:
    """Return a copy of the first source of an activation, which may overwrite it; None if there is no activation."""
    return sources[0].detach().clone() if activation is not None and sources else None
