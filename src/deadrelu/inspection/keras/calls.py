"""Calls of a Keras model's layers, recorded: which layer was called inside which, with which tensors."""

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from deadrelu.inspection.keras.kinds import is_recurrent, sublayers


@dataclass(eq=False)
class Call:
    """One call of a layer or operation. It holds its tensors, so that their ids stay theirs."""

    operation: Any
    number: int
    """0 for its first call, 1 for its second, …"""
    enclosing: "Call | None"
    """The call that it was made in; None at the top."""
    sources: list[Any] = field(default_factory=list)
    """Tensors that came in."""
    output: Any = None
    preactivations: list[Any] = field(default_factory=list)
    """What its activation function was given, where it has one: in each time step, if it is called in several."""
    function: Callable[[Any], Any] | None = None
    """Its activation function."""

    @property
    def preactivation(self) -> Any:
        """One tensor; None, if it has no activation function and nothing came in."""
        import keras

        if len(self.preactivations) > 1:
            return keras.ops.stack(self.preactivations, axis=1)
        return self.preactivations[0] if self.preactivations else None

    def tensors(self) -> list[Any]:
        """Floating-point tensors of its output that hold numbers: those of a compiled loop hold none."""
        import keras

        return [tensor for tensor in keras.tree.flatten(self.output) if is_signal(tensor)]


def is_signal(tensor: Any) -> bool:
    """Whether it is a floating-point tensor of one axis or more, with numbers in it."""
    dtype = getattr(tensor, "dtype", None)
    return bool(getattr(dtype, "is_floating", False)) and len(tensor.shape) > 0 and hasattr(tensor, "numpy")


def operations(model: Any, prefix: str = "") -> dict[Any, str]:
    """Layers and operations such as `x + y`, also those in nested models and composite layers, with their paths."""
    import keras

    found: dict[Any, str] = {}
    inner = getattr(model, "operations", model.layers) if isinstance(model, keras.Model) else sublayers(model)
    for operation in inner:
        if isinstance(operation, keras.layers.InputLayer):
            continue
        # A name comes from an untrusted file: no line breaks, no terminal codes.
        name = prefix + "".join(c if c.isprintable() else "?" for c in operation.name)
        below = operations(operation, f"{name}/")
        own = {} if isinstance(operation, keras.Model) else {operation: name}
        found = {**found, **{o: path for o, path in {**below, **own}.items() if o not in found}}
    return found


@contextmanager
def record_calls(inside: Sequence[Any], record: Callable[[Call], Any]) -> Iterator[None]:
    """While open, `record(call)` is called after each call of one of the operations; what it returns is the output.

    Each operation's `call`, and the function in its `activation`, is wrapped on the object itself and unwrapped at the
    end. A second model with the outputs of all layers would reach neither into nested models nor before an activation.
    """
    import keras

    running: list[Call] = []
    numbers: Counter[int] = Counter()

    def wrapped_call(operation: Any) -> Callable[..., Any]:
        inner = operation.call

        def call(*args: Any, **kwargs: Any) -> Any:
            made = Call(operation, numbers[id(operation)], running[-1] if running else None)
            numbers[id(operation)] += 1
            made.sources = [part for part in keras.tree.flatten((args, kwargs)) if keras.ops.is_tensor(part)]
            running.append(made)
            try:
                made.output = inner(*args, **kwargs)
            finally:
                running.pop()
            if not made.preactivations and made.sources:
                made.preactivations, made.function = [made.sources[0]], inner
            return record(made)

        return call

    def wrapped_activation(operation: Any, function: Any) -> Callable[..., Any]:

        def activation(z: Any, *args: Any, **kwargs: Any) -> Any:
            if running and running[-1].operation is operation:
                running[-1].preactivations.append(z)
                running[-1].function = function
            return function(z, *args, **kwargs)

        activation.__name__ = getattr(function, "__name__", type(function).__name__)
        return activation

    own_calls = {operation: vars(operation).get("call") for operation in inside}
    # The layer that holds the activation of each: in TimeDistributed, the one that it wraps.
    holders = {o: o.layer if type(o).__name__ == "TimeDistributed" else o for o in inside if not is_recurrent(o)}
    functions = {o: getattr(holder, "activation", None) for o, holder in holders.items()}
    functions = {o: f for o, f in functions.items() if callable(f) and not isinstance(f, keras.layers.Layer)}
    try:
        for operation in inside:
            operation.call = wrapped_call(operation)
        for operation, function in functions.items():
            holders[operation].activation = wrapped_activation(operation, function)
        yield
    finally:
        for operation, function in functions.items():
            holders[operation].activation = function
        for operation, call in own_calls.items():
            if "call" in vars(operation):
                del operation.call  # the one of its class stands again
            if call is not None:
                operation.call = call
