"""Recording of the calls of a Keras model's layers, each with its tensors and the call inside which it was made."""

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from deadrelu.inspection.keras.kinds import is_recurrent, sublayers


@dataclass(eq=False)
class Call:
    """One call of a layer or operation; it keeps its tensors, so that no other tensors get their ids."""

    operation: Any
    number: int
    """Number of the call among the calls of this operation, counted from 0."""
    enclosing: "Call | None"
    """The call inside which this one was made, that of a composite layer; None if there is none."""
    sources: list[Any] = field(default_factory=list)
    """The input tensors."""
    output: Any = None
    preactivations: list[Any] = field(default_factory=list)
    """The inputs of the activation function: one tensor, or one for each time step if it is called step by step."""
    function: Callable[[Any], Any] | None = None
    """The activation function; for a layer without one, its own `call`."""

    @property
    def preactivation(self) -> Any:
        """The input of the activation function as one tensor, with time steps on axis 1; None if there is no input."""
        import keras

        if len(self.preactivations) > 1:
            return keras.ops.stack(self.preactivations, axis=1)
        return self.preactivations[0] if self.preactivations else None

    def tensors(self) -> list[Any]:
        """Return the signals in its output, see `is_signal`; tensors in a compiled loop have no values and are none."""
        import keras

        return [tensor for tensor in keras.tree.flatten(self.output) if is_signal(tensor)]


def is_signal(tensor: Any) -> bool:
    """Return whether `tensor` is a floating-point tensor with one axis or more and with values."""
    dtype = getattr(tensor, "dtype", None)
    return bool(getattr(dtype, "is_floating", False)) and len(tensor.shape) > 0 and hasattr(tensor, "numpy")


def operations(model: Any, prefix: str = "") -> dict[Any, str]:
    """Return the path, after `prefix`, of each layer or operation (as `x + y`), also in nested models and layers."""
    import keras

    paths: dict[Any, str] = {}
    inner = getattr(model, "operations", model.layers) if isinstance(model, keras.Model) else sublayers(model)
    for operation in inner:
        if isinstance(operation, keras.layers.InputLayer):
            continue
        # A name may come from an untrusted file, so line breaks and terminal codes are replaced.
        name = prefix + "".join(c if c.isprintable() else "?" for c in operation.name)
        below = operations(operation, f"{name}/")
        own = {} if isinstance(operation, keras.Model) else {operation: name}
        paths = {**paths, **{o: path for o, path in {**below, **own}.items() if o not in paths}}
    return paths


@contextmanager
def record_calls(inside: Sequence[Any], record: Callable[[Call], Any]) -> Iterator[None]:
    """Call `record(call)` after each call of an operation of `inside` in the context; its result replaces the output.

    The attributes `call` and `activation` of each operation are replaced by wrappers and restored at the end. The usual
    way, a second model with the outputs of all layers, would reach neither nested models nor inputs of activations.
    """
    wrappers = _Wrappers(record)
    own_calls = {operation: vars(operation).get("call") for operation in inside}
    activations = _activations(inside)
    try:
        for operation in inside:
            operation.call = wrappers.of_call(operation)
        for operation, holder, function in activations:
            holder.activation = wrappers.of_activation(operation, function)
        yield
    finally:
        for _, holder, function in activations:
            holder.activation = function
        for operation, call in own_calls.items():
            if "call" in vars(operation):
                del operation.call  # makes the method of its class visible again
            if call is not None:
                operation.call = call


class _Wrappers:
    """A factory of wrappers that record calls; `running` is the stack of calls that have begun and not yet ended."""

    def __init__(self, record: Callable[[Call], Any]) -> None:
        self.record = record
        self.running: list[Call] = []
        self.numbers: Counter[int] = Counter()

    def of_call(self, operation: Any) -> Callable[..., Any]:
        import keras

        inner = operation.call

        def call(*args: Any, **kwargs: Any) -> Any:
            recorded = Call(operation, self.numbers[id(operation)], self.running[-1] if self.running else None)
            self.numbers[id(operation)] += 1
            recorded.sources = [part for part in keras.tree.flatten((args, kwargs)) if keras.ops.is_tensor(part)]
            self.running.append(recorded)
            try:
                recorded.output = inner(*args, **kwargs)
            finally:
                self.running.pop()
            if not recorded.preactivations and recorded.sources:
                recorded.preactivations, recorded.function = [recorded.sources[0]], inner
            return self.record(recorded)

        return call

    def of_activation(self, operation: Any, function: Any) -> Callable[..., Any]:
        def activation(z: Any, *args: Any, **kwargs: Any) -> Any:
            if self.running and self.running[-1].operation is operation:
                self.running[-1].preactivations.append(z)
                self.running[-1].function = function
            return function(z, *args, **kwargs)

        activation.__name__ = getattr(function, "__name__", type(function).__name__)
        return activation


def _activations(inside: Sequence[Any]) -> list[tuple[Any, Any, Any]]:
    """Return each operation with an activation function, the layer whose `activation` it is, and the function."""
    import keras

    # TimeDistributed has the activation of the layer that it wraps.
    holders = [(o, o.layer if type(o).__name__ == "TimeDistributed" else o) for o in inside if not is_recurrent(o)]
    functions = [(o, holder, getattr(holder, "activation", None)) for o, holder in holders]
    return [entry for entry in functions if callable(entry[2]) and not isinstance(entry[2], keras.layers.Layer)]
