"""The kind, activation, traits and kernels of a Keras layer, from its class and weights."""

from typing import Any

from deadrelu.inspection.records import Kind, Trait

MERGES = {"Add", "Subtract", "Multiply", "Average", "Maximum", "Minimum", "Concatenate", "Dot"}
NONLINEAR = {
    *("ReLU", "Relu", "Relu6", "LeakyReLU", "LeakyRelu", "PReLU", "ELU", "Elu", "Selu", "Gelu", "Silu", "Swish"),
    *("Tanh", "Sigmoid", "HardSigmoid", "HardSilu", "HardSwish", "HardTanh", "Softmax", "Softplus", "Softsign", "Mish"),
}


def kind_of(operation: Any, sources: int) -> Kind | None:
    """Return the kind of an operation that takes `sources` signals; None if it only moves numbers, as Flatten does."""
    name = type(operation).__name__
    if name in MERGES:
        return "merge" if sources > 1 else None  # x + 3.0 is also an Add
    if activation_name(operation) is not None:
        return "activation"
    if name.endswith("Normalization"):
        return "normalization"
    return "weights" if kernels_of(operation) else None


def activation_name(operation: Any) -> str | None:
    """Return the activation: 'relu' for Dense(1, "relu"), Activation("relu"), ReLU() and keras.ops.relu; else None."""
    if not hasattr(operation, "activation") and hasattr(operation, "layer"):
        return activation_name(operation.layer)  # TimeDistributed and other wrappers
    kind = type(operation).__name__
    function = getattr(operation, "activation", None)
    if function is not None:
        name = getattr(function, "__name__", type(function).__name__)
    else:
        name = kind if kind in NONLINEAR else "linear"
    if "relu6" in name.lower() or getattr(operation, "max_value", None) == 6:
        return "relu6"
    spelled = {"ReLU": "relu", "LeakyReLU": "leaky_relu", "PReLU": "prelu", "ELU": "elu"}.get(name)
    spelled = spelled or "".join(f"_{c.lower()}" if c.isupper() and at else c.lower() for at, c in enumerate(name))
    return None if spelled == "linear" else spelled


TRAITS: dict[Trait, tuple[str, ...]] = {
    "recurrent": ("RNN", "Bidirectional"),
    "any scale": ("Embedding", "Rescaling", "Normalization", "Discretization", "Hashing", "IntegerLookup"),
    "small by design": ("BaseDepthwiseConv", "BaseSeparableConv", "Embedding"),
    "tokens": ("Embedding",),
    "trained slopes": ("PReLU",),
}
"""Names of the Keras classes with each trait; classes that inherit from these have it, too."""


def traits_of(operation: Any) -> frozenset[Trait]:
    """Return the traits of a layer or operation."""
    classes = {base.__name__ for base in type(operation).__mro__}
    traits: set[Trait] = {trait for trait, names in TRAITS.items() if classes & set(names)}
    if getattr(operation, "groups", 1) > 1:
        traits.add("small by design")
    return frozenset(traits)


def is_recurrent(operation: Any) -> bool:
    """Return whether an operation runs a cell over time steps, in a loop whose calls cannot be recorded."""
    return "recurrent" in traits_of(operation) or hasattr(operation, "cell")


def sublayers(operation: Any) -> list[Any]:
    """Return the inner layers of a composite layer, except its activation; none if it runs over time steps."""
    over_time = is_recurrent(operation) or type(operation).__name__ == "TimeDistributed"
    if over_time or not hasattr(operation, "_flatten_layers"):
        return []
    inner = operation._flatten_layers(include_self=False, recursive=False)
    return [layer for layer in inner if layer is not getattr(operation, "activation", None)]


def own_weights(operation: Any) -> list[Any]:
    """Return the weights of a layer without those of its inner layers, see `sublayers`."""
    if not sublayers(operation):
        return list(getattr(operation, "weights", ()))
    inner = {id(weight) for layer in sublayers(operation) for weight in layer.weights}
    return [weight for weight in operation.weights if id(weight) not in inner]


def kernels_of(operation: Any) -> list[Any]:
    """Return a layer's own weights with two or more axes that are kernels or embeddings, not biases or scales."""
    others = ("bias", "alpha", "gamma", "beta")
    weights = own_weights(operation)
    return [w for w in weights if len(w.shape) > 1 and not any(other in w.name for other in others)]
