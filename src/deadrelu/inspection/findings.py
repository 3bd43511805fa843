"""Findings on a model: what is wrong with it, as data; words come last."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Literal, NamedTuple

import numpy as np
import pandas as pd

from deadrelu.inspection.measure import Measured
from deadrelu.inspection.verdicts import CONSTANT, OWN_FACTOR, EndToEnd, Verdicts

Severity = Literal["error", "warning", "note"]
SEVERITIES: tuple[Severity, ...] = ("error", "warning", "note")

Numbers = dict[str, float]


@dataclass(frozen=True)
class Finding:
    """One thing that a reader should know of a model."""

    code: str
    """A key of `CODES`."""
    severity: Severity
    layers: list[str]
    """Layers that it is about, in the model's order."""
    numbers: Numbers = field(default_factory=dict)
    """How much; the names are those of the docs."""
    message: str = ""
    """In words; see `words.message`."""


class Code(NamedTuple):
    """What a code of a finding stands for."""

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
        "look at what the layer is given, and at its scale beside its bias",
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
"""What a finding can be, most serious first; docs/inspect.md has this table."""

GROUPS = {
    "dead": ("dead-network", "dead-layer"),
    "vanishes": ("signal-vanishes", "gradient-vanishes"),
    "explodes": ("signal-explodes", "gradient-explodes"),
}
"""Short words for several codes."""

SMALL_EMBEDDINGS = 0.003
"""Below what models are made with: a seventh of GPT's 0.02."""


def codes_of(words: Sequence[str]) -> set[str]:
    """Return the codes that some codes, groups or severities stand for.

    Raises:
        KeyError: a word is none of these.
    """
    found: set[str] = set()
    for word in words:
        if word in CODES:
            found.add(word)
        elif word in GROUPS:
            found |= set(GROUPS[word])
        else:
            raise KeyError(word)
    return found


def find(measured: Measured, verdicts: Verdicts, blocked: Sequence[str] = ()) -> list[Finding]:
    """List what there is to say of a model, most serious first, without words.

    Args:
        measured: the numbers.
        verdicts: of `verdicts.judge`.
        blocked: layers with weights of 0 that stood in the way of what is judged.
    """
    table = verdicts.table
    found = [
        *_not_finite(measured, table),
        *_dead(measured, verdicts),
        *_no_gradient(measured, table),
        *_end_to_end("signal", verdicts.signal, verdicts),
        *_end_to_end("gradient", verdicts.gradient, verdicts),
        *_unusual(table, verdicts),
        *_units(table),
        *_notes(measured, table, blocked),
    ]
    order = list(CODES)
    return sorted(found, key=lambda f: (SEVERITIES.index(f.severity), order.index(f.code)))


def _finding(code: str, layers: Iterable[object], severity: Severity | None = None, /, **numbers: float) -> Finding:
    as_floats = {name: float(value) for name, value in numbers.items()}
    return Finding(code, severity or CODES[code].severity, [str(name) for name in layers], as_floats)


def _not_finite(measured: Measured, table: pd.DataFrame) -> Iterator[Finding]:
    broken = table[table["state"].isin(["NaN", "infinite"])]
    weights = [weight.name for weight in measured.weights if not weight.is_finite]
    if len(broken) or weights:
        nan = int((broken["state"] == "NaN").sum())
        numbers = {"nan": nan, "infinite": len(broken) - nan, "weights": len(weights)}
        yield _finding("not-finite", [*broken["layer"], *weights], None, **numbers)


def _dead(measured: Measured, verdicts: Verdicts) -> Iterator[Finding]:
    table = verdicts.table
    dead, outputs = table[table["state"] == "dead"], table[table["kind"] == "output"]
    inputs = measured.inputs
    if verdicts.is_dead:
        on_trunk = dead[dead["on_trunk"]]
        rows = on_trunk if len(on_trunk) else dead
        yield _finding("dead-network", rows["layer"], units=rows["units"].iloc[0], inputs=inputs)
    else:
        places: list[tuple[bool, Severity]] = [(True, "error"), (False, "warning")]
        for is_on_trunk, severity in places:
            rows = dead[dead["on_trunk"] == is_on_trunk]
            if len(rows):
                yield _finding("dead-layer", rows["layer"], severity, units=rows["units"].sum(), inputs=inputs)
    # A layer that is given what is the same for all inputs is not at fault; nor is a softmax over one number.
    given = table["source_size"].eq(0) | (table["given_std"] > 0)
    alone = table["activation"].eq("softmax") & (table["units"] == 1)
    stuck = table[table["state"].isin(["constant", "zero"]) & given & ~alone]
    all_stuck = len(outputs) and outputs["state"].isin(["constant", "zero", "dead"]).all()
    same = table["input_std"] <= CONSTANT * table["rms"]
    if all_stuck and not verdicts.is_dead:
        first = table[same & (table["on_trunk"] | (table["kind"] == "output"))]["layer"]
        yield _finding("constant-output", list(first)[:1] or list(outputs["layer"])[:1], inputs=inputs)
    elif not verdicts.is_dead and len(stuck := stuck[~stuck.index.isin(dead.index)]):
        yield _finding("constant-layer", stuck["layer"], inputs=inputs)
    squashed = outputs[same[outputs.index] & (outputs["strength"] > CONSTANT * outputs["rms"])]
    for name in squashed["layer"]:
        yield _finding("squashed-output", [name])


def _no_gradient(measured: Measured, table: pd.DataFrame) -> Iterator[Finding]:
    if table["state"].isin(["NaN", "infinite"]).any():
        return
    called = {key for record in measured.records for key in record.weights}
    reached = {weight.layer for weight in measured.weights if weight.key in called}
    still = [name for name, moves in measured.moves.items() if not moves and name in reached]
    if still:
        yield _finding("no-gradient", still, inputs=measured.inputs)


def _end_to_end(what: str, end: EndToEnd | None, verdicts: Verdicts) -> Iterator[Finding]:
    if end is None or verdicts.is_dead or end.verdict not in ("vanishes", "explodes"):
        return
    mean, low, high = end.per_layer
    yield _finding(
        f"{what}-{end.verdict}",
        [end.first, end.last],
        begin=end.begin,
        end=end.end,
        factor=end.factor,
        per_layer=mean,
        per_layer_low=low,
        per_layer_high=high,
        layers=end.layers,
    )


def _unusual(table: pd.DataFrame, verdicts: Verdicts) -> Iterator[Finding]:
    if verdicts.is_dead:
        return
    rows = table[table["unusual"] & (table["state"] != "dead")]
    away = np.abs(np.log(rows["gain"] / np.sqrt(OWN_FACTOR[0] * OWN_FACTOR[1])))
    for at in away.sort_values(ascending=False, kind="stable").index:
        row = rows.loc[at]
        others = table[(table["layer_class"] == row["layer_class"]) & ~table["unusual"] & (table["gain"] > 0)]["gain"]
        median = float(others.median()) if len(others) > 1 else np.nan
        yield _finding("unusual-scale", [row["layer"]], factor=row["gain"], others=median)


def _units(table: pd.DataFrame) -> Iterator[Finding]:
    dead = table[(table["dead_in_all_calls"] > 0) & (table["state"] != "dead")]
    counts: list[tuple[str, pd.DataFrame, str]] = [("dead-units", dead, "dead_in_all_calls")]
    counts.append(("saturated-units", table[table["saturated_units"] > 0], "saturated_units"))
    for code, rows, column in counts:
        if len(rows):
            worst = rows.iloc[int((rows[column] / rows["units"]).argmax())]
            of = {"units": rows[column].sum(), "of": rows["units"].sum()}
            place = list(table.index).index(worst.name)
            yield _finding(code, rows["layer"], **of, worst=worst[column], worst_of=worst["units"], worst_row=place)
    saturated = table[table["saturated"] & table["state"].eq("")]
    if len(saturated):
        yield _finding("saturated", saturated["layer"], share=saturated["saturated_fraction"].max())


def _notes(measured: Measured, table: pd.DataFrame, blocked: Sequence[str]) -> Iterator[Finding]:
    if blocked:
        yield _finding("zero-weights", blocked)
    frozen = table[table["frozen"]]["layer"]
    if len(frozen):
        yield _finding("frozen", frozen)
    if not measured.input_scale_is_usual:
        yield _finding("unusual-inputs", [], **{f"rms_{k + 1}": value for k, value in enumerate(measured.input_rms)})
    tokens = np.array(["tokens" in record.traits for record in measured.records])
    for _, row in table[tokens & (table["rms"] < SMALL_EMBEDDINGS) & (table["rms"] > 0)].iterrows():
        yield _finding("small-embeddings", [row["layer"]], rms=row["rms"])
    if measured.new_normalizations:
        yield _finding("new-normalization", [], layers=measured.new_normalizations)
    if measured.opaque:
        yield _finding("not-inside", measured.opaque)
