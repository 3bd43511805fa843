"""Findings on a model: data on what is wrong with it, for which `words` writes messages."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np
import pandas as pd

from deadrelu.inspection.codes import CODES, SEVERITIES, Severity
from deadrelu.inspection.measure import Measured
from deadrelu.inspection.verdicts import CONSTANT, OWN_FACTOR, EndToEnd, Verdicts

Numbers = dict[str, float]


@dataclass(frozen=True)
class Finding:
    """One thing that a reader should know about a model."""

    code: str
    """A key of `codes.CODES`."""
    severity: Severity
    layers: list[str]
    """Names of the layers (for not-finite, also of weights) that the finding is about, or both ends of the trunk."""
    numbers: Numbers = field(default_factory=dict)
    """Measured quantities by their names, such as `units` or `factor`."""
    message: str = ""
    """The finding in words; empty until `words.with_words` has written it."""


SMALL_EMBEDDINGS = 0.003
"""Root mean square below which embeddings are called small: a seventh of 0.02, with which GPT starts."""


def find(measured: Measured, verdicts: Verdicts, blocked: Sequence[str] = ()) -> list[Finding]:
    """Return the findings on a model, the most serious first, without messages.

    Args:
        measured: the measurement of the model.
        verdicts: the result of `verdicts.judge` for this measurement.
        blocked: names of layers whose weights were all 0 and blocked the signal or gradient.
    """
    table = verdicts.table
    findings = [
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
    return sorted(findings, key=lambda f: (SEVERITIES.index(f.severity), order.index(f.code)))


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
    # A layer whose own input is the same for all inputs is not at fault, nor is a softmax over one number.
    # A block is left out because its layers have rows of their own.
    tokens = np.array(["tokens" in record.traits for record in measured.records])
    given = (table["source_size"].eq(0) & ~tokens) | (table["given_std"] > 0)
    alone = table["kind"].eq("block") | (table["activation"].eq("softmax") & (table["units"] == 1))
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
    numbers = {"begin": end.begin, "end": end.end, "factor": end.factor}
    numbers |= dict(zip(("per_layer", "per_layer_low", "per_layer_high"), end.per_layer, strict=True))
    yield _finding(f"{what}-{end.verdict}", [end.first, end.last], None, **numbers, layers=end.layers)


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
            units = {"units": rows[column].sum(), "of": rows["units"].sum()}
            place = list(table.index).index(worst.name)
            yield _finding(code, rows["layer"], **units, worst=worst[column], worst_of=worst["units"], worst_row=place)
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
