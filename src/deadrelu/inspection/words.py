"""Messages of findings and verdicts on layers, written from numbers as the last step; no code reads them."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd

from deadrelu.analysis.counting import count_of
from deadrelu.inspection.findings import Finding
from deadrelu.inspection.measure import Measured
from deadrelu.inspection.verdicts import EndToEnd, Verdicts

EMBEDDINGS = {"Keras": 0.029, "PyTorch": 1.0}
"""Root mean square of the embeddings that each framework's default initializer draws: 0.05 / sqrt(3), and 1."""

KINDS = {"merge": "merge layers", "weights": "layers with weights", "normalization": "normalization layers"}


def with_words(findings: Sequence[Finding], measured: Measured, verdicts: Verdicts) -> list[Finding]:
    """Return copies of findings with messages, written from the measurement and the verdicts that they are based on."""
    rows = {row["layer"]: row for row in reversed(verdicts.table.to_dict("records"))}
    return [replace(finding, message=_Words(finding, measured, verdicts, rows).message()) for finding in findings]


class _Words:
    """A writer of the message of one finding."""

    def __init__(
        self, finding: Finding, measured: Measured, verdicts: Verdicts, rows: dict[str, dict[str, Any]]
    ) -> None:
        self.code, self.layers, self.numbers = finding.code, finding.layers, finding.numbers
        self.measured, self.verdicts, self.rows = measured, verdicts, rows
        self.inputs = f"on all {count_of(measured.inputs, 'input')}"

    def message(self) -> str:
        """Return the message of the finding, in one or two sentences, without the finding's code."""
        write: Callable[[], str] = getattr(self, f"_{self.code.replace('-', '_')}")
        return write()

    def _row(self, layer: str) -> dict[str, Any]:
        return self.rows[layer]

    def _not_finite(self) -> str:
        numbers, parts = self.numbers, []
        outputs = self.layers[: len(self.layers) - int(numbers["weights"])]
        for word, name in (("NaN", "nan"), ("infinite numbers", "infinite")):
            if numbers[name]:
                state = "NaN" if name == "nan" else "infinite"
                first = next(layer for layer in outputs if self._row(layer)["state"] == state)
                parts.append(f"{word} in {count_of(int(numbers[name]), 'layer')}, first in {first}")
        if numbers["weights"]:
            parts.append(f"weights that are not finite: {names(self.layers[len(outputs) :])}")
        return _sentence("; ".join(parts))

    def _dead_network(self) -> str:
        row = self._row(self.layers[0])
        units = int(row["units"])
        which = "its only unit" if units == 1 else f"all {units:,} units"
        return (
            f"The network is dead: its output does not depend on the input. The first dead layer is {self.layers[0]}: "
            f"the slope of {row['activation']} is 0 in {which} {self.inputs}, so that no gradient passes it."
        )

    def _dead_layer(self) -> str:
        return f"No unit passes a gradient {self.inputs} in {names(self.layers)}."

    def _constant_output(self) -> str:
        return f"No output depends on the input: the output of {self.layers[0]} is the same {self.inputs}."

    def _constant_layer(self) -> str:
        return f"The output does not depend on the input in {names(self.layers)}."

    def _no_gradient(self) -> str:
        return (
            f"The gradient is exactly 0 in all weights of {names(self.layers)}: a training step does not change them."
        )

    def _signal_vanishes(self) -> str:
        return end_to_end("signal", self.verdicts.signal)

    _signal_explodes = _signal_vanishes

    def _gradient_vanishes(self) -> str:
        return end_to_end("gradient", self.verdicts.gradient)

    _gradient_explodes = _gradient_vanishes

    def _unusual_scale(self) -> str:
        name, others = self.layers[0], self.numbers["others"]
        kind = self._row(name)["layer_class"]
        comparison = "" if np.isnan(others) else f"; the other {kind} layers by {others:.2g} (median)"
        return f"{name} multiplies the signal by {self.numbers['factor']:.2g}{comparison}."

    def _saturated(self) -> str:
        return f"Half or more of the outputs are at the limits of the activation in {names(self.layers)}."

    def _dead_units(self) -> str:
        return f"Dead units, which pass no gradient {self.inputs}: {self._units()}."

    def _saturated_units(self) -> str:
        return f"Saturated units, at the limits of their activation {self.inputs}: {self._units()}."

    def _units(self) -> str:
        numbers = self.numbers
        worst = self.verdicts.table["layer"].iloc[int(numbers["worst_row"])]
        share = f"; the largest share is {numbers['worst']:.0f} of {numbers['worst_of']:.0f}, in {worst}"
        count = f"{numbers['units']:,.0f} of {numbers['of']:,.0f} in {names(self.layers)}"
        return count + share * (len(self.layers) > 1)

    def _squashed_output(self) -> str:
        name = self.layers[0]
        activation = self._row(name)["activation"]
        return f"{name} puts out the same for all inputs, to a part in a million; before its {activation}, they differ."

    def _zero_weights(self) -> str:
        return f"Weights start at 0 in {names(self.layers)}: findings are those after one step of them on a copy."

    def _frozen(self) -> str:
        return f"Weights are not trained in {names(self.layers)}."

    def _unusual_inputs(self) -> str:
        rms = " and ".join(f"{value:.3g}" for value in self.numbers.values())
        return f"The inputs have a root mean square of {rms}; initializers are made for about 1."

    def _small_embeddings(self) -> str:
        framework = self.measured.framework
        usual = f"{framework} draws them with {EMBEDDINGS[framework]:g}"
        return f"The embeddings of {self.layers[0]} have a root mean square of {self.numbers['rms']:.2g}; {usual}."

    def _new_normalization(self) -> str:
        layers = count_of(int(self.numbers["layers"]), "BatchNormalization layer")
        return (
            f"{layers} without data so far: in inference mode they use a mean of 0 and a variance of 1, not those of "
            "the data. Training mode shows what an optimizer sees."
        )

    def _not_inside(self) -> str:
        return f"Only the outputs were measured, not the layers inside, of {names(self.layers)}."


def end_to_end(what: str, end: EndToEnd | None) -> str:
    """Return a sentence on a change along the trunk; `what` is 'signal' or 'gradient'. Return '' if `end` is None."""
    if end is None:
        return ""
    raw = end.end / end.begin if end.begin else np.nan
    apart = "" if np.isclose(raw, end.factor, rtol=0.05) else " apart from pooling and the like"
    strength = "standard deviation over inputs" if what == "signal" else "norm"
    if end.normalized:
        strength = "norm times the norm of the weights"
    text = (
        f"The {what} {end.verdict}: from {end.first} to {end.last} its {strength} goes from {end.begin:.3g} to "
        f"{end.end:.3g}, ×{end.factor:.2g}{apart}"
    )
    mean, low, high = end.per_layer
    if not np.isnan(mean):
        interval = f" (95 % interval {low:.3g} to {high:.3g})" if np.isfinite(low) else ""
        kind = KINDS.get(end.kind, f"{end.kind} layers")
        text += f"; over {end.layers} {kind}, ×{mean:.3g} per layer{interval}"
    return f"{text}."


def verdict(row: pd.Series) -> str:
    """Return the verdict on a layer, a row of `Verdicts.table`: 'dead', '3 dead, signal vanishes' or ''."""
    if row["state"]:
        return str(row["state"])
    notes = [f"{row['dead_units']:.0f} dead"] if row["dead_units"] else []
    if row["saturated"]:
        notes.append("saturated")
    elif row["saturated_units"]:
        notes.append(f"{row['saturated_units']:.0f} saturated units")
    if row["unusual"]:
        notes.append(f"signal ×{row['gain']:.2g} here")
    signal, gradient = row["signal"], row["gradient"]
    both = {"vanishes": "vanish", "explodes": "explode"}
    if signal == gradient and signal in both:
        notes.append(f"signal and gradient {both[signal]}")
    else:
        notes += [f"{name} {what}" for name, what in (("signal", signal), ("gradient", gradient)) if what in both]
    return ", ".join(notes) or ("holds" if "holds" in (signal, gradient) else "")


def names(layers: Sequence[str], most: int = 5) -> str:
    """Return the first `most` names of layers, and the number of the others, as a text: 'a, b, c and 4 more'."""
    text = ", ".join(layers[:most])
    return f"{text} and {len(layers) - most} more" if len(layers) > most else text


def _sentence(text: str) -> str:
    return f"{text[:1].upper()}{text[1:]}."
