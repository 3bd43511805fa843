"""What a reader should know of a model, in words: most serious first."""

import numpy as np
import pandas as pd

from deadrelu.inspection.measure import Measured
from deadrelu.inspection.verdicts import CONSTANT, EndToEnd, Verdicts, constant_outputs, dead
from deadrelu.report.labels import count_of

EMBEDDINGS = {"Keras": 0.029, "PyTorch": 1.0}
"""Root mean square that default initializers give: 0.05 / sqrt(3), and 1."""

SMALL_EMBEDDINGS = 0.003
"""Below what models are made with: a seventh of GPT's 0.02."""

KINDS = {"merge": "merge layers", "weights": "layers with weights", "normalization": "normalization layers"}


def sentences(measured: Measured, verdicts: Verdicts) -> list[str]:
    """Of a whole model."""
    table, inputs = verdicts.table, f"all {measured.inputs:,} inputs"
    found = [*_not_finite(measured, table), *_dead(table, verdicts, inputs)]
    if measured.unmoved:
        found.append(f"A training step does not change {names(measured.unmoved)}: the gradient there is exactly 0.")
    found += _zero(table, verdicts)
    if not verdicts.is_dead:
        found += _unusual(table)
        found += [
            _end_to_end("signal", verdicts.signal, "standard deviation over inputs"),
            _end_to_end("gradient", verdicts.gradient, "norm"),
        ]
    found += [*_dead_units(table, inputs), *_saturated(table, inputs), *_notes(measured, table)]
    return [sentence for sentence in found if sentence]


def _not_finite(measured: Measured, table: pd.DataFrame) -> list[str]:
    found = []
    for word, broken in (("NaN", table["rms"].isna()), ("Infinite numbers", np.isinf(table["rms"]))):
        rows = table[broken]
        if len(rows):
            found.append(f"{word} in {count_of(len(rows), 'layer')}, first in {rows['layer'].iloc[0]}.")
    if measured.not_finite_weights:
        found.append(f"Weights that are not finite: {names(measured.not_finite_weights)}.")
    return found


def _dead(table: pd.DataFrame, verdicts: Verdicts, inputs: str) -> list[str]:
    rows = table[dead(table)]
    if verdicts.is_dead:
        on_trunk = rows[rows["on_trunk"]]
        first = (on_trunk if len(on_trunk) else rows).iloc[0]
        return [
            f"The network is dead: its output does not depend on the input. The first dead layer is {first['layer']}: "
            f"{_all_units(first)} on {inputs}, so that no gradient passes it."
        ]
    found = []
    if len(rows):
        layers = "layer" if len(rows) == 1 else "layers"
        found.append(f"Dead {layers}, where no unit passes a gradient on {inputs}: {names(rows['layer'])}.")
    outputs = table[table["kind"] == "output"]
    stuck = table[table["verdict"].isin(["constant", "zero"])]
    if len(outputs) and outputs["verdict"].isin(["constant", "zero", "dead"]).all():
        stops = table[constant_outputs(table) & (table["on_trunk"] | (table["kind"] == "output"))]["layer"].iloc[0]
        found.append(f"No output depends on the input: what {stops} puts out is the same for all inputs.")
    elif len(constant := stuck[(stuck["verdict"] == "constant") & ~stuck.index.isin(rows.index)]):
        found.append(f"The output does not depend on the input in {names(constant['layer'])}.")
    squashed = outputs[constant_outputs(outputs) & (outputs["strength"] > CONSTANT * outputs["rms"])]
    for _, row in squashed.iterrows():
        found.append(
            f"{row['layer']} puts out the same for all inputs, to a part in a million; before its "
            f"{row['activation']}, they differ."
        )
    return found


def _all_units(row: pd.Series) -> str:
    units = int(row["units"])
    flat = f"the slope of {row['activation']} is 0"
    return f"{flat} in its only unit" if units == 1 else f"{flat} in all {units:,} units"


def _zero(table: pd.DataFrame, verdicts: Verdicts) -> list[str]:
    zero = table[(table["verdict"] == "zero")]
    if verdicts.is_dead:  # behind a dead layer all may be 0
        zero = zero[zero.index < table.index[dead(table)][0]]
    return [f"The output is 0 on all inputs in {names(zero['layer'])}, which is not an activation."] * bool(len(zero))


def _unusual(table: pd.DataFrame) -> list[str]:
    found = []
    rows = table[table["unusual"] & ~dead(table)]
    for _, row in rows[:5].iterrows():
        others = table[(table["layer_class"] == row["layer_class"]) & ~table["unusual"] & (table["gain"] > 0)]
        beside = f"; the other {row['layer_class']} layers ×{others['gain'].median():.2g} (median)" * (len(others) > 1)
        found.append(f"{row['layer']} multiplies the signal by {row['gain']:.2g}{beside}.")
    if len(rows) > 5:
        found.append(f"So do {len(rows) - 5} more: {names(rows['layer'][5:])}.")
    return found


def _end_to_end(what: str, found: EndToEnd | None, strength: str) -> str:
    if found is None:
        return ""
    raw = found.end / found.begin if found.begin else np.nan
    apart = "" if np.isclose(raw, found.factor, rtol=0.05) else " apart from pooling and the like"
    text = (
        f"The {what} {found.verdict}: from {found.first} to {found.last} its {strength} goes from {found.begin:.3g} to "
        f"{found.end:.3g}, ×{found.factor:.2g}{apart}"
    )
    mean, low, high = found.per_layer
    if not np.isnan(mean):
        interval = f" (95 % interval {low:.3g} to {high:.3g})" if np.isfinite(low) else ""
        kind = KINDS.get(found.kind, f"{found.kind} layers")
        text += f"; over {found.layers} {kind}, ×{mean:.3g} per layer{interval}"
    return f"{text}."


def _dead_units(table: pd.DataFrame, inputs: str) -> list[str]:
    rows = table[(table["dead_in_all_calls"] > 0) & ~dead(table)]
    if not len(rows):
        return []
    worst = rows.iloc[int((rows["dead_in_all_calls"] / rows["units"]).argmax())]
    share = f"; the largest share is {worst['dead_in_all_calls']:.0f} of {worst['units']}, in {worst['layer']}"
    of = f"{rows['dead_in_all_calls'].sum():,.0f} of {rows['units'].sum():,}"
    return [f"Dead units, which pass no gradient on {inputs}: {of} in {names(rows['layer'])}{share * (len(rows) > 1)}."]


def _saturated(table: pd.DataFrame, inputs: str) -> list[str]:
    found = []
    units = table[table["saturated_units"] > 0]
    if len(units):
        of = f"{units['saturated_units'].sum():,.0f} of {units['units'].sum():,}"
        found.append(f"Saturated units, at the limits of tanh or sigmoid on {inputs}: {of} in {names(units['layer'])}.")
    mostly = table[table["verdict"].str.contains(r"\bsaturated$|\bsaturated,", regex=True)]
    if len(mostly):
        found.append(f"Half or more of the outputs are saturated in {names(mostly['layer'])}.")
    return found


def _notes(measured: Measured, table: pd.DataFrame) -> list[str]:
    found = []
    if not measured.input_scale_is_usual:
        rms = " and ".join(f"{value:.3g}" for value in measured.input_rms)
        found.append(f"The inputs have a root mean square of {rms}; initializers are made for about 1.")
    usual = EMBEDDINGS[measured.framework]
    for _, row in table[(table["layer_class"] == "Embedding") & (table["rms"] < SMALL_EMBEDDINGS)].iterrows():
        told = f"The embeddings of {row['layer']} have a root mean square of {row['rms']:.2g}"
        found.append(f"{told}; {measured.framework} draws them with {usual:g}.")
    if measured.new_normalizations:
        found.append(
            f"{count_of(measured.new_normalizations, 'BatchNormalization layer')} without data so far: in inference "
            "mode they use a mean of 0 and a variance of 1, not those of the data. Training mode shows what an "
            "optimizer sees."
        )
    if measured.opaque:
        found.append(f"Only the outputs were measured, not the layers inside, of {names(measured.opaque)}.")
    return found


def names(layers: "pd.Series | list[str]", most: int = 5) -> str:
    """'a, b, c and 4 more'."""
    listed = list(layers)
    text = ", ".join(listed[:most])
    return f"{text} and {len(listed) - most} more" if len(listed) > most else text
