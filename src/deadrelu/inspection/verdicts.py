"""What the numbers of a model mean: a verdict for each layer, and one for signal and gradient from end to end."""

from dataclasses import dataclass
from typing import Literal

import numpy as np
import pandas as pd

from deadrelu.analysis.growth import Growth, growth, growth_factor
from deadrelu.inspection.measure import Measured
from deadrelu.signals.slopes import BOUNDED

CONSTANT = 1e-6
"""A layer is constant when what depends on the input is less than this share of it: float32 loses it behind."""

SATURATED = 0.5
"""A layer is saturated when at least this share of its outputs is."""

SLIGHTLY_SATURATED = 0.05
"""From this share of saturated outputs on, a layer's small factor is that of its saturation."""

TREND_FACTORS = 4
"""Factors that a mean per layer, with its interval, needs: five layers of a kind."""

FROM_END_TO_END = (0.01, 100.0)
"""Beyond these factors from one end to the other, a signal or gradient vanishes or explodes, however few the layers."""

SLIGHT = (0.1, 10.0)
"""Beyond these, it weakens or grows, which training can stand."""

Fate = Literal["vanishes", "weakens", "holds", "grows", "explodes"]

OWN_FACTOR = (0.08, 8.0)
"""A layer that multiplies the signal by less, or more, is named, whatever the others do."""

FAR_FROM_OTHERS = 6.0
"""A layer is far from the others of its class when its own factor is this many times theirs, or less than one by it."""

ALIKE = 2.5
"""The others agree when none of them is further from their median than this factor."""

SMALL_BY_DESIGN = ("Depthwise", "Separable", "Embedding")
"""Classes whose Keras defaults have factors below `OWN_FACTOR`: they are compared with others of their class only."""


@dataclass(frozen=True)
class EndToEnd:
    """Signal or gradient from one end of the trunk to the other."""

    verdict: Fate
    first: str
    """Where it comes from: 'the input', or a layer."""
    last: str
    begin: float
    """Strength there: standard deviation over inputs, or norm of the gradient."""
    end: float
    factor: float
    """From one to the other, but for pooling on the signal's way, which says nothing of the initialization."""
    per_layer: tuple[float, float, float]
    """Mean factor of a layer with its 95 % interval; NaN with fewer than `TREND_FACTORS` factors."""
    layers: int
    kind: str
    """Of the layers that the mean is over."""


@dataclass(frozen=True)
class Verdicts:
    """Of a whole model."""

    table: pd.DataFrame
    """That of `Measured` without of_every_output, with the columns of `judge`."""
    is_dead: bool
    """No output depends on the input and a layer is dead, or a dead layer lies on every path."""
    signal: EndToEnd | None
    gradient: EndToEnd | None
    """None: the trunk has no two layers, they are not finite, or there is nothing where it begins."""


def judge(measured: Measured) -> Verdicts:
    """Name what becomes of signal and gradient.

    Means over layers compare each layer on the trunk with the trunk's previous layer of the same kind: a ReLU halves
    the mean square and the next layer doubles it again, a branch has its own scale, and neither says that a signal
    vanishes.

    Returns:
        Columns forward, the factor of input_std from the layer compared with; backward, that of gradient_rms from the
        next one; forward_mean and backward_mean, geometric means of these up to here, on the signal's way and on the
        gradient's, from `TREND_FACTORS` on; unusual, whether the layer's own factor (gain) is far from others; verdict.
    """
    table = measured.table.assign(unusual=_unusual(measured.table))
    table, signal, gradient = _with_trends(table, judged=not measured.new_normalizations)
    table = table.assign(
        verdict=[_of_layer(row, s, g) for (_, row), s, g in zip(table.iterrows(), signal, gradient, strict=True)]
    )
    outputs = table[table["kind"] == "output"]
    is_constant = (outputs["strength"] <= CONSTANT * outputs["rms"]) | (outputs["strength"] == 0)
    dead_on_trunk = (table["verdict"] == "dead") & table["on_trunk"] & (measured.arrays == 1)
    finite = bool(np.isfinite(table["rms"]).all())
    on_trunk = dead_on_trunk & (table["layer_class"] != "PReLU")  # whose slopes are trained
    is_dead = finite and bool((len(outputs) and is_constant.all() and _is_cut_off(measured)) or on_trunk.any())
    told = table.drop(columns="of_every_output")
    if measured.new_normalizations:  # in inference mode, the signal is not what an optimizer sees
        return Verdicts(told, is_dead, None, None)
    # From the first layer on, where the scale of the inputs is itself named.
    input_std = measured.input_std if measured.input_scale_is_usual else np.nan
    return Verdicts(told, is_dead, _forward(table, input_std), _backward(table))


def _is_cut_off(measured: Measured) -> bool:
    """Whether a layer is dead, and no weight up to it moves: one that moves may bring the network back."""
    table = measured.table
    rows = table[: np.argmax(dead(table)) + 1] if dead(table).any() else table[:0]
    return bool(len(rows) and not any(measured.moves.get(name, False) for name in rows["layer"]))


def dead(table: pd.DataFrame) -> pd.Series:
    """Layers all of whose units are dead."""
    return (table["dead_units"] == table["units"]) & (table["dead_units"] > 0)


def constant_outputs(table: pd.DataFrame) -> pd.Series:
    """Layers whose output is the same for all inputs."""
    return table["input_std"] <= CONSTANT * table["rms"]


def _unusual(table: pd.DataFrame) -> list[bool]:
    """Layers whose own factor is far from those of their class, or beyond `OWN_FACTOR`."""
    found = []
    for at, row in table.iterrows():
        gain = row["gain"]
        others = table[(table["layer_class"] == row["layer_class"]) & (table.index != at)]
        others = others[(others["activation"] == row["activation"]) & (others["gain"] > 0)]["gain"]
        if not gain > 0 or not np.isfinite(gain):
            found.append(False)
            continue
        # What saturates is called saturated.
        by_design = (
            (row["activation"] in BOUNDED and (gain > 1 or row["saturated_fraction"] > SLIGHTLY_SATURATED))
            or row["layer_class"].startswith(SMALL_BY_DESIGN)
            or row["layer_class"] in RECURRENT
        )
        alone = not by_design and not OWN_FACTOR[0] <= gain <= OWN_FACTOR[1]
        if len(others) < 2:
            found.append(alone)
            continue
        away = np.abs(np.log(others / others.median()))
        far = abs(np.log(gain / others.median())) > np.log(FAR_FROM_OTHERS)
        found.append(bool(alone or (far and np.median(away) <= np.log(ALIKE))))
    return found


RECURRENT = {"LSTM", "GRU", "SimpleRNN", "RNN", "ConvLSTM1D", "ConvLSTM2D", "ConvLSTM3D", "Bidirectional"}
RECURRENT |= {"LSTMCell", "GRUCell", "RNNCell"}


def _with_trends(table: pd.DataFrame, *, judged: bool) -> tuple[pd.DataFrame, list[Growth], list[Growth]]:
    table = table.assign(**dict.fromkeys(("forward", "forward_mean", "backward", "backward_mean"), np.nan))
    signal: list[Growth] = ["not measured"] * len(table)
    gradient: list[Growth] = ["not measured"] * len(table)
    for kind in table["kind"].unique():
        chain = np.flatnonzero((table["kind"] == kind) & table["on_trunk"] & (kind not in ("output", "block")))
        back = chain[table["of_every_output"].to_numpy()[chain]][::-1]
        for direction, column, at, verdicts in (
            ("forward", "input_std", chain, signal),
            ("backward", "gradient_rms", back, gradient),
        ):
            strength, unusual = table[column].to_numpy()[at], table["unusual"].to_numpy()[at]
            crossed = unusual[1:] if direction == "forward" else unusual[:-1]  # by the factors
            for k in range(1, len(at)):
                table.loc[at[k], direction] = growth_factor(strength[k - 1 : k + 1])[0]
                if np.sum(~crossed[:k]) >= TREND_FACTORS:
                    mean, low, high = growth_factor(strength[: k + 1], ~crossed[:k])
                    table.loc[at[k], f"{direction}_mean"] = mean
                    verdicts[at[k]] = growth(mean, low, high) if judged else "not measured"
    return table, signal, gradient


def _of_layer(row: pd.Series, signal: Growth, gradient: Growth) -> str:
    """'dead', 'zero', 'constant', '3 dead, signal vanishes', 'holds', or '' where there is nothing to say."""
    if np.isnan(row["rms"]):
        return "NaN"
    if np.isinf(row["rms"]):
        return "infinite"
    if row["dead_units"] and row["dead_units"] == row["units"]:
        return "dead"
    if row["zero_fraction"] == 1:
        return "zero"
    if (row["strength"] if row["kind"] == "output" else row["input_std"]) <= CONSTANT * row["rms"]:
        return "constant"
    notes = [f"{row['dead_units']:.0f} dead"] if row["dead_units"] else []
    if row["saturated_fraction"] >= SATURATED:
        notes.append("saturated")
    elif row["saturated_units"]:
        notes.append(f"{row['saturated_units']:.0f} saturated units")
    if row["unusual"]:
        notes.append(f"signal ×{row['gain']:.2g} here")
    both = {"vanishes": "vanish", "explodes": "explode"}
    if signal == gradient and signal in both:
        notes.append(f"signal and gradient {both[signal]}")
    else:
        notes += [f"{name} {what}" for name, what in (("signal", signal), ("gradient", gradient)) if what in both]
    return ", ".join(notes) or ("holds" if "holds" in (signal, gradient) else "")


def _forward(table: pd.DataFrame, input_std: float) -> EndToEnd | None:
    trunk = table[table["on_trunk"]]
    names, strengths = list(trunk["layer"]), trunk["strength"].to_numpy(float)
    steps = trunk["step"].to_numpy(float)
    if np.isfinite(input_std) and len(trunk):
        names, strengths, steps = ["the input", *names], np.r_[input_std, strengths], np.r_[np.nan, steps]
    # Of a layer with one source its own factor, so that pooling and the like on the way count for nothing; not where
    # other layers lie between.
    at = trunk.index.to_numpy()
    follows = np.diff(np.r_[-1, at])[-(len(strengths) - 1) :] == 1 if len(strengths) > 1 else np.zeros(0, bool)
    own = follows & ~np.isnan(steps[1:])
    steps = np.where(own, steps[1:], strengths[1:] / strengths[:-1])
    return _end_to_end(names, strengths, steps, _mean_factor(table, "input_std"))


def _backward(table: pd.DataFrame) -> EndToEnd | None:
    judged = table["of_every_output"] & (table["kind"] != "output") & (table["layer_class"] != "Embedding")
    trunk = table[table["on_trunk"] & judged & table["gradient_rms"].notna()][::-1]
    norms = trunk["gradient_rms"].to_numpy(float) * np.sqrt(trunk["size"].to_numpy(float))
    steps = norms[1:] / norms[:-1]
    return _end_to_end(list(trunk["layer"]), norms, steps, _mean_factor(table, "gradient_rms"))


def _end_to_end(
    names: list[str], strengths: np.ndarray, steps: np.ndarray, mean: tuple[tuple[float, float, float], int, str]
) -> EndToEnd | None:
    if len(strengths) < 2 or not np.isfinite(strengths).all() or strengths[0] == 0:
        return None
    if strengths[-1] > 0 and (strengths == 0).any():  # it comes from elsewhere
        return None
    (factor, low, high), layers, kind = mean
    total = 0.0 if (strengths == 0).any() else float(np.exp(np.log(steps).sum()))
    trend = growth(factor, low, high)
    verdict: Fate = "weakens" if total < SLIGHT[0] else "grows" if total > SLIGHT[1] else "holds"
    if total < FROM_END_TO_END[0] or (trend == "vanishes" and total < 1):
        verdict = "vanishes"
    elif total > FROM_END_TO_END[1] or (trend == "explodes" and total > 1):
        verdict = "explodes"
    ends = float(strengths[0]), float(strengths[-1])
    return EndToEnd(verdict, names[0], names[-1], *ends, total, (factor, low, high), layers, kind)


def _mean_factor(table: pd.DataFrame, column: str) -> tuple[tuple[float, float, float], int, str]:
    """Mean factor over the kind that has most layers on the trunk, activations on a tie; how many, which kind."""
    trunk = table[table["on_trunk"] & ~table["kind"].isin(["output", "block"])]
    counts = trunk["kind"].value_counts()
    if counts.empty or counts.max() <= TREND_FACTORS:
        return (np.nan, np.nan, np.nan), 0, ""
    kind = max(counts.index, key=lambda name: (counts[name], name == "activation"))
    chain = trunk[trunk["kind"] == kind]
    strength, unusual = chain[column].to_numpy(float), chain["unusual"].to_numpy(bool)
    if column == "input_std":
        factors = growth_factor(strength, ~unusual[1:])
    else:  # on its way back, the gradient crosses the layer that it comes from
        factors = growth_factor(strength[::-1], ~unusual[::-1][:-1])
    return factors, int(counts[kind]), str(kind)
