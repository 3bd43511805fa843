"""Codes of findings, each with its meaning, how it is decided, and a remedy; docs/inspect.md has the same table."""

from collections.abc import Sequence
from typing import Literal, NamedTuple

Severity = Literal["error", "warning", "note"]
SEVERITIES: tuple[Severity, ...] = ("error", "warning", "note")


class Code(NamedTuple):
    """The description of a code: its usual severity, its meaning, how it is decided, and a remedy."""

    severity: Severity
    meaning: str
    decided: str
    remedy: str


CODES = {
    "not-finite": Code(
        "error",
        "numbers are NaN or infinite",
        "in the output of a layer, or in a weight",
        "check the inputs and the first layer and weights that are named; lower the learning rate",
    ),
    "dead-network": Code(
        "error",
        "no output depends on the input, and no training step can change that",
        "a layer is dead and no weight up to it has a gradient",
        "draw the weights again, with another initializer or a wider layer",
    ),
    "constant-output": Code(
        "error",
        "no output depends on the input",
        "its standard deviation over inputs is at most 1e-6 of its root mean square",
        "check the first layer that is named: from there on, all inputs give the same numbers",
    ),
    "dead-layer": Code(
        "error",
        "no unit of the layer passes a gradient",
        "the slope of the activation is at most 1e-6 in all units on all inputs; in a branch it is a warning",
        "use Leaky ReLU, another initializer or positive biases; check the sizes of biases and scales",
    ),
    "no-gradient": Code(
        "warning",
        "a training step does not change the layer",
        "the gradient of all its trainable weights is exactly 0, and no regularizer moves them",
        "check the dead or zero layers after it",
    ),
    "constant-layer": Code(
        "warning",
        "the output of the layer does not depend on the input",
        "as for constant-output; layers after a dead one are not listed",
        "check the layer's input, and its scale relative to its bias",
    ),
    "signal-vanishes": Code(
        "warning",
        "the part that depends on the input shrinks along the path that all signals share",
        "its factor is below ×0.01 over the path, or below ×0.8 per layer with a 95 % interval that excludes 1",
        "use the initializer of the activation (He for ReLU, Glorot for tanh), or normalization",
    ),
    "signal-explodes": Code(
        "warning",
        "the signal grows along this path",
        "its factor is above ×100 over the path, or above ×1.25 per layer with a 95 % interval that excludes 1",
        "as for signal-vanishes; scale the inputs",
    ),
    "gradient-vanishes": Code(
        "warning",
        "the gradient shrinks on its path from the output to the first layer",
        "as for the signal; with normalization layers, gradient norm times weight norm below ×1e-5",
        "as for signal-vanishes; add skip connections",
    ),
    "gradient-explodes": Code(
        "warning",
        "the gradient grows along this path",
        "as for the signal; with normalization layers, gradient norm times weight norm above ×1e5",
        "as for signal-explodes; clip gradients or warm up the learning rate",
    ),
    "unusual-scale": Code(
        "warning",
        "a layer multiplies the signal by much less or more than usual",
        "below ×0.08 or above ×8 (a quarter of that after a sigmoid), unlike others of its class",
        "check its initializer and any factor typed by hand",
    ),
    "saturated": Code(
        "warning",
        "half or more of the outputs of a bounded activation are at its limits",
        "beyond ±0.99 for tanh, below 0.01 or above 0.99 for sigmoid",
        "scale the inputs or the weights down",
    ),
    "dead-units": Code(
        "note",
        "some units pass no gradient",
        "the slope of the activation is at most 1e-6 on all inputs; a shared layer counts once",
        "a few do no harm; follow their number in training with DeadUnits",
    ),
    "saturated-units": Code(
        "note",
        "all outputs of some units of a bounded activation are at its limits",
        "as for saturated",
        "as for saturated",
    ),
    "squashed-output": Code(
        "note",
        "an output is the same for all inputs to a part in a million, but its activation's input is not",
        "as for constant-output",
        "compute the loss from the logits",
    ),
    "zero-weights": Code(
        "note",
        "a layer starts with weights of 0, which block the signal or the gradient",
        "the weight is all 0 but its gradient is not; the model is judged after one step of this weight on a copy",
        "none if it is on purpose",
    ),
    "frozen": Code("note", "weights of the layer are not trained", "trainable or requires_grad is off", "none"),
    "unusual-inputs": Code(
        "note",
        "the inputs have a scale for which initializers are not made",
        "their root mean square is below 0.1 or above 10",
        "scale them to a standard deviation of 1",
    ),
    "small-embeddings": Code(
        "note",
        "embeddings are much smaller than usual",
        "their root mean square is below 0.003",
        "check the initializer",
    ),
    "new-normalization": Code(
        "note",
        "BatchNormalization has processed no data, so inference mode differs from training mode",
        "its moving averages are those of a new layer; signal and gradient are not judged",
        "inspect in training mode or after some training steps",
    ),
    "not-inside": Code(
        "note", "only the output of these layers could be measured", "calls inside them cannot be recorded", "none"
    ),
}
"""The descriptions of all codes by code, the most serious first."""

GROUPS = {
    "dead": ("dead-network", "dead-layer"),
    "vanishes": ("signal-vanishes", "gradient-vanishes"),
    "explodes": ("signal-explodes", "gradient-explodes"),
}
"""Words that each stand for several codes."""


def codes_of(words: Sequence[str]) -> set[str]:
    """Return the codes that the words stand for; a word is a code or one of `GROUPS`.

    Raises:
        KeyError: a word is neither a code nor one of `GROUPS`.
    """
    codes: set[str] = set()
    for word in words:
        if word in CODES:
            codes.add(word)
        elif word in GROUPS:
            codes |= set(GROUPS[word])
        else:
            raise KeyError(word)
    return codes
