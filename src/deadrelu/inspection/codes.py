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
        "look at the first layer and the weights that are named; lower the learning rate, check the inputs",
    ),
    "dead-network": Code(
        "error",
        "no output depends on the input, and no step can change that",
        "a layer is dead and no weight up to it has a gradient",
        "draw the weights again, with another initializer or a wider layer",
    ),
    "constant-output": Code(
        "error",
        "no output depends on the input",
        "its standard deviation over inputs is at most 1e-6 of its root mean square",
        "look at the first layer that is named: from there on, all inputs look the same",
    ),
    "dead-layer": Code(
        "error",
        "no unit of the layer passes a gradient",
        "the slope of the activation is at most 1e-6 in all units, on all inputs; a warning in a branch",
        "use Leaky ReLU, another initializer or positive biases; look for a bias or scale that went astray",
    ),
    "no-gradient": Code(
        "warning",
        "a training step does not change the layer",
        "the gradient of all its trainable weights is exactly 0, and no regularizer moves them",
        "look at the dead or zero layers behind it",
    ),
    "constant-layer": Code(
        "warning",
        "the output of the layer does not depend on the input",
        "as for constant-output; layers behind a dead one are not repeated",
        "check what the layer is given, and its scale next to its bias",
    ),
    "signal-vanishes": Code(
        "warning",
        "what depends on the input gets lost on the path that all signals share",
        "from the first end to the last below ×0.01, or below ×0.8 per layer with a 95 % interval that excludes 1",
        "use the initializer of the activation (He for ReLU, Glorot for tanh), or normalization",
    ),
    "signal-explodes": Code(
        "warning",
        "the signal grows along that path",
        "above ×100, or above ×1.25 per layer with a 95 % interval that excludes 1",
        "as for signal-vanishes; scale the inputs",
    ),
    "gradient-vanishes": Code(
        "warning",
        "the gradient gets lost on its path from the output to the first layer",
        "as for the signal; with normalization layers, gradient norm times weight norm below ×1e-5",
        "as for signal-vanishes; skip connections",
    ),
    "gradient-explodes": Code(
        "warning",
        "the gradient grows along that path",
        "as for the signal; with normalization layers, gradient norm times weight norm above ×1e5",
        "as for signal-explodes; clip gradients, warm up the learning rate",
    ),
    "unusual-scale": Code(
        "warning",
        "a layer multiplies the signal by much less or more than usual",
        "below ×0.08 or above ×8 (a quarter of that behind a sigmoid), and not so in others of its class",
        "look at its initializer, and at a factor that was typed by hand",
    ),
    "saturated": Code(
        "warning",
        "half or more of the outputs of a bounded activation are at its limits",
        "beyond ±0.99 for tanh, 0.01 and 0.99 for sigmoid",
        "scale the inputs or the weights down",
    ),
    "dead-units": Code(
        "note",
        "some units pass no gradient",
        "the slope of the activation is at most 1e-6 on all inputs; a shared layer counts once",
        "few do no harm; watch their number in training with DeadUnits",
    ),
    "saturated-units": Code(
        "note",
        "all outputs of some units of a bounded activation are at its limits",
        "as for saturated",
        "as for saturated",
    ),
    "squashed-output": Code(
        "note",
        "an output is the same for all inputs to a part in a million, what its activation is given is not",
        "as for constant-output",
        "take the loss from the logits",
    ),
    "zero-weights": Code(
        "note",
        "a layer starts with weights of 0, which block the signal or the gradient",
        "the weight is all 0 and its gradient is not; the rest is judged after one step of this weight on a copy",
        "none is needed where it is on purpose",
    ),
    "frozen": Code("note", "weights of the layer are not trained", "trainable or requires_grad is off", "none"),
    "unusual-inputs": Code(
        "note",
        "the inputs have a scale that initializers are not made for",
        "their root mean square is below 0.1 or above 10",
        "scale them to a standard deviation of 1",
    ),
    "small-embeddings": Code(
        "note",
        "embeddings are much smaller than usual",
        "their root mean square is below 0.003",
        "look at the initializer",
    ),
    "new-normalization": Code(
        "note",
        "BatchNormalization has seen no data, so that inference mode shows another network than training",
        "its moving averages are those of a new layer; signal and gradient are not judged",
        "inspect in training mode, or after some steps",
    ),
    "not-inside": Code(
        "note", "layers of which only the output could be measured", "their calls cannot be recorded", "none"
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
