"""What the signals of a model say of it, in words: a verdict for each layer, sentences for the whole."""

import numpy as np
import pandas as pd

from deadrelu.analysis.growth import growth, growth_factor
from deadrelu.report.labels import count_of

CONSTANT = 1e-6
"""A layer is constant when what depends on the input is less than this share of it: float32 loses it behind."""

SATURATED = 0.5
"""A layer is saturated when at least this share of its outputs is."""

FACTORS = 2
"""Factors that a verdict needs: a single one says more of two shapes than of the initialization."""

RECTIFIERS = {"relu", "relu6"}
"""Where these put out 0, their slope is 0: no gradient passes. A linear layer of zeros still learns its own weights."""

USUAL_SCALE = (0.1, 10.0)
"""Of the root mean square of inputs; initializers are made for about 1."""

REMEDIES = {
    "relu": "For ReLU, kernel_initializer='he_normal' keeps both when untrained (He et al. 2015, arXiv:1502.01852).",
    "tanh": "For tanh, kernel_initializer='glorot_normal' nearly keeps both when untrained (Glorot and Bengio 2010).",
    "sigmoid": "For sigmoid, Glorot's and He's initializers both lose the signal: its slope is at most 1/4. Another "
    "activation, or normalization, keeps it.",
}
"""What to change where signal or gradient vanish or explode; the report measures each of them."""


def with_verdicts(table: pd.DataFrame) -> pd.DataFrame:
    """Compare each layer with its kind and name what becomes of the signal.

    Only layers on the trunk are compared, each with the trunk's previous layer of the same kind (weights with
    weights, activations with activations, sums with sums): a ReLU halves the mean square and the next layer doubles
    it again, a branch has its own scale, and neither says that a signal vanishes.

    Args:
        table: columns kind, activation, on_trunk, units, rms, input_std, dead_units, saturated_fraction, gradient_rms,
            in the order in which the model calls the layers.

    Returns:
        The same with forward, the factor of input_std from the layer compared with; backward, the factor of
        gradient_rms from the next layer compared with; forward_mean and backward_mean, the geometric mean of these
        factors up to here, on the signal's way and on the gradient's, from `FACTORS` of them on (NaN: nothing to
        compare with); verdict.
    """
    table = table.assign(**dict.fromkeys(("forward", "forward_mean", "backward", "backward_mean"), np.nan))
    signal, gradient = (["not measured"] * len(table) for _ in range(2))
    for kind in table["kind"].unique():
        chain = np.flatnonzero((table["kind"] == kind) & table["on_trunk"] & (kind != "output"))
        for direction, column, at, verdicts in (
            ("forward", "input_std", chain, signal),
            ("backward", "gradient_rms", chain[::-1], gradient),
        ):
            strength = table[column].to_numpy()[at]
            for k in range(1, len(at)):
                table.loc[at[k], direction] = growth_factor(strength[k - 1 : k + 1])[0]
                if k >= FACTORS:
                    mean, low, high = growth_factor(strength[: k + 1])
                    table.loc[at[k], f"{direction}_mean"] = mean
                    verdicts[at[k]] = growth(mean, low, high)
    rows = zip(table.iterrows(), signal, gradient, strict=True)
    return table.assign(verdict=[_of_layer(row, ahead, back) for (_, row), ahead, back in rows])


def _of_layer(row: pd.Series, signal: str, gradient: str) -> str:
    """'dead', 'zero', 'constant', '3 dead, signal vanishes', 'holds', or '' where there is nothing to say."""
    if not np.isfinite(row["rms"]):
        return "not finite"
    if row["dead_units"] == row["units"]:
        return "dead" if row["activation"] in RECTIFIERS else "zero"
    if row["input_std"] <= CONSTANT * row["rms"]:
        return "constant"
    notes = [f"{row['dead_units']:.0f} dead"] if row["dead_units"] else []
    if row["saturated_fraction"] >= SATURATED:
        notes.append("saturated")
    both = {"vanishes": "vanish", "explodes": "explode"}
    if signal == gradient and signal in both:
        notes.append(f"signal and gradient {both[signal]}")
    else:
        notes += [f"{name} {what}" for name, what in (("signal", signal), ("gradient", gradient)) if what in both]
    return ", ".join(notes) or ("holds" if "holds" in (signal, gradient) else "")


def sentences(table: pd.DataFrame, inputs: int) -> list[str]:
    """What a reader should know of the model, most serious first.

    Args:
        table: from `with_verdicts`, with the columns of `inspection.inspect`.
        inputs: how many inputs there were.
    """
    found = []
    broken, dead, zero, constant = (
        table[table["verdict"] == name] for name in ("not finite", "dead", "zero", "constant")
    )
    if len(broken):
        found.append(f"Infinities or NaN in {count_of(len(broken), 'layer')}, first in {broken['layer'].iloc[0]}.")
    on_trunk, branches = dead[dead["on_trunk"]], dead[~dead["on_trunk"]]
    if len(on_trunk):
        first = on_trunk.iloc[0]
        found.append(
            f"The network is dead: {first['layer']} puts out 0 on all {inputs:,} inputs (it has "
            f"{count_of(int(first['units']), 'unit')}). Nothing behind it depends on the input; no gradient passes it."
        )
    if len(branches):
        found.append(f"Dead branches, 0 on all {inputs:,} inputs: {_names(branches)}.")
    behind = zero[zero.index < on_trunk.index[0]] if len(on_trunk) else zero  # behind a dead layer all is 0
    if len(behind):
        found.append(f"0 on all {inputs:,} inputs, though linear: {_names(behind)}.")
    if len(constant):
        found.append(f"Constant, whatever the input: {_names(constant)}.")
    stuck = table[(table["gradient_rms"] == 0) & (table["kernel_gradient_rms"] == 0)]
    if len(stuck):
        found.append(f"Gradient of exactly 0, so that a step leaves them as they are: {_names(stuck)}.")
    some = table[
        table["kind"].isin(["activation", "output"])
        & (table["dead_units"] > 0)
        & ~table["verdict"].isin(["dead", "zero"])
    ]
    if len(some):
        worst = some.iloc[int((some["dead_units"] / some["units"]).argmax())]
        found.append(
            f"Dead units, 0 on all {inputs:,} inputs: {some['dead_units'].sum():,.0f} of {some['units'].sum():,} in "
            f"{_names(some)}; the largest share is {worst['dead_units']:.0f} of {worst['units']}, in {worst['layer']}."
        )
    saturated = table[table["saturated_fraction"] >= SATURATED]
    if len(saturated):
        found.append(
            f"Saturated, {SATURATED:.0%} or more of the outputs where the slope is near 0: {_names(saturated)}."
        )
    if len(on_trunk):
        return found
    return found + _along_trunk(table)


def _along_trunk(table: pd.DataFrame) -> list[str]:
    """The mean factors of the kind that has most layers on the trunk, activations on a tie."""
    trunk = table[table["on_trunk"] & (table["kind"] != "output")]
    counts = trunk["kind"].value_counts()
    if counts.empty or counts.max() <= FACTORS:
        return [f"No kind of layer stands more than {FACTORS} times where every path goes: no factor per layer."]
    kind = max(counts.index, key=lambda name: (counts[name], name == "activation"))
    chain = trunk[trunk["kind"] == kind]
    parts, changes = [], False
    for what, strength in (("signal", chain["input_std"]), ("gradient", chain["gradient_rms"][::-1])):
        mean, low, high = growth_factor(strength.to_numpy())
        interval = f", 95 % interval {low:.3g} to {high:.3g}" if np.isfinite(low) else ""
        named = growth(mean, low, high)
        changes = changes or named in ("vanishes", "explodes")
        parts.append(f"the {what} {named} (×{mean:.3g} a layer{interval})")
    name = {"merge": "the sums and other merges", "weights": "the layers with weights"}.get(kind, f"the {kind} layers")
    text = f"From layer to layer, over {name} on every path ({len(chain)}): {' and '.join(parts)}."
    activations = set(chain["activation"])
    remedy = REMEDIES.get(activations.pop()) if len(activations) == 1 else None
    return [text, remedy] if remedy and changes else [text]


def of_inputs(rms: list[float]) -> list[str]:
    """A sentence on inputs of an unusual scale, each by its root mean square."""
    unusual = [f"{value:.3g}" for value in rms if not USUAL_SCALE[0] <= value <= USUAL_SCALE[1]]
    if not unusual:
        return []
    return [f"Inputs with a root mean square of {' and '.join(unusual)}: initializers are made for about 1."]


def of_new_normalization(layers: int) -> list[str]:
    """A sentence on BatchNormalization layers that have seen no data."""
    if not layers:
        return []
    return [
        f"{count_of(layers, 'BatchNormalization layer')} without data so far: in inference mode they use a mean of 0 "
        "and a variance of 1, not those of the data. Training mode shows what an optimizer sees."
    ]


def _names(rows: pd.DataFrame, most: int = 5) -> str:
    names = ", ".join(rows["layer"][:most])
    return f"{names} and {len(rows) - most} more" if len(rows) > most else names
