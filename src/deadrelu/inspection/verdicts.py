"""What the numbers of a model mean: the state of each layer, and what becomes of signal and gradient on the trunk."""

from dataclasses import dataclass
from typing import Literal

import numpy as np
import pandas as pd

from deadrelu.analysis.growth import Growth, growth, growth_factor
from deadrelu.inspection.measure import Measured
from deadrelu.inspection.units import BOUNDED

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

NORMALIZED = (1e-5, 1e5)
"""The same for gradient norm times weight norm, where normalization layers set the scale of gradients."""

SLIGHT = (0.1, 10.0)
"""Beyond these, it weakens or grows, which training can stand."""

Change = Literal["vanishes", "weakens", "holds", "grows", "explodes"]
State = Literal["NaN", "infinite", "dead", "zero", "constant", ""]

OWN_FACTOR = (0.08, 8.0)
"""A layer that multiplies the signal by less, or more, has an unusual scale, whatever the others do."""

SIGMOID_SLOPE = 0.25
"""Of a sigmoid at 0: a layer that ends in one, such as a gate, has a quarter of the factor of others."""

ALIKE = 2.5
"""Layers of one class, or of one class and size, agree when one is not further from the others' median than this."""


@dataclass(frozen=True)
class EndToEnd:
    """Signal or gradient from one end of the trunk to the other."""

    verdict: Change
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
    normalized: bool = False
    """The strengths are gradient norms times weight norms, because normalization layers set the scale of gradients."""


@dataclass(frozen=True)
class Verdicts:
    """Of a whole model."""

    table: pd.DataFrame
    """That of `Measured` with the columns of `judge`."""
    is_dead: bool
    """No output depends on the input and a layer is dead that no step can bring back."""
    signal: EndToEnd | None
    gradient: EndToEnd | None
    """None: the trunk has no two layers, they are not finite, or there is nothing where it begins."""


def judge(measured: Measured) -> Verdicts:
    """Say what becomes of each layer, of the signal and of the gradient.

    Means over layers compare each layer on the trunk with the trunk's previous layer of the same kind: a ReLU halves
    the mean square and the next layer doubles it again, a branch has its own scale, and neither says that a signal
    vanishes. A normalization layer restores the scale of signals: the signal is judged from the last one on, and
    gradients are judged by gradient norm times weight norm, which no scale of a normalized layer changes.

    Returns:
        Columns forward, the factor of input_std from the layer compared with; backward, that of gradient_rms from the
        next one; forward_mean and backward_mean, geometric means of these up to here, on the signal's path and on the
        gradient's, from `TREND_FACTORS` on; unusual, whether the layer's own factor (gain) is far from others;
        saturated; state; signal and gradient, what becomes of them per layer up to here.
    """
    table = measured.table.assign(unusual=_unusual(measured))
    normalizes = bool((table["kind"] == "normalization").any())
    table = _with_trends(table, measured, judged=not measured.new_normalizations and not normalizes)
    table = table.assign(
        saturated=table["saturated_fraction"] >= SATURATED, state=[_state(row) for _, row in table.iterrows()]
    )
    outputs = table[table["kind"] == "output"]
    is_constant = (outputs["strength"] <= CONSTANT * outputs["rms"]) | (outputs["strength"] == 0)
    finite = bool(np.isfinite(table["rms"]).all())
    is_dead = finite and bool(len(outputs) and is_constant.all() and _is_cut_off(measured, table))
    if measured.new_normalizations:  # in inference mode, the signal is not what an optimizer sees
        return Verdicts(table, is_dead, None, None)
    # From the first layer on, where the scale of the inputs is itself unusual.
    input_std = measured.input_std if measured.input_scale_is_usual else np.nan
    backward = _backward_normalized(measured) if normalizes else _backward(table, measured)
    return Verdicts(table, is_dead, _forward(table, input_std), backward)


def _is_cut_off(measured: Measured, table: pd.DataFrame) -> bool:
    """Whether a layer is dead that no step brings back: it is on every path, or no weight up to it moves."""
    moving = [measured.moves.get(name, False) for name in table["layer"]]
    only_path = (table["on_trunk"] & (measured.arrays == 1)).tolist()
    dead = np.flatnonzero(table["state"] == "dead").tolist()
    final = [at for at in dead if "trained slopes" not in measured.records[at].traits]
    return any(only_path[at] or not any(moving[: at + 1]) for at in final)


def _unusual(measured: Measured) -> list[bool]:
    """Return which layers have an own factor beyond `OWN_FACTOR`, unless others of their class have it, too."""
    table, found = measured.table, []
    of_class = ["layer_class", "activation"]
    for (at, row), record in zip(table.iterrows(), measured.records, strict=True):
        gain = row["gain"] / (SIGMOID_SLOPE if row["activation"] in ("sigmoid", "hard_sigmoid") else 1)
        if not gain > 0 or not np.isfinite(gain) or record.traits & {"small by design", "recurrent"}:
            found.append(False)
            continue
        # What saturates is called saturated.
        saturates = row["activation"] in BOUNDED and (gain > 1 or row["saturated_fraction"] > SLIGHTLY_SATURATED)
        others = table[(table[of_class] == row[of_class]).all(axis=1) & (table.index != at) & (table["gain"] > 0)]
        of_size = others[(others["units"] == row["units"]) & (others["parameters"] == row["parameters"])]
        usual = any(
            len(few) > 1 and abs(np.log(row["gain"] / few["gain"].median())) <= np.log(ALIKE)
            for few in (others, of_size)
        )
        found.append(not saturates and not usual and not OWN_FACTOR[0] <= gain <= OWN_FACTOR[1])
    return found


def _with_trends(table: pd.DataFrame, measured: Measured, *, judged: bool) -> pd.DataFrame:
    table = table.assign(**dict.fromkeys(("forward", "forward_mean", "backward", "backward_mean"), np.nan))
    signal: list[Growth] = ["not measured"] * len(table)
    gradient: list[Growth] = ["not measured"] * len(table)
    of_every = np.array([record.of_every_output for record in measured.records])
    for kind in table["kind"].unique():
        chain = np.flatnonzero((table["kind"] == kind) & table["on_trunk"] & (kind not in ("output", "block")))
        back = chain[of_every[chain]][::-1]
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
    return table.assign(signal=signal, gradient=gradient)


def _state(row: pd.Series) -> State:
    """Return what a layer is, whatever else is to be said of it."""
    if np.isnan(row["rms"]):
        return "NaN"
    if np.isinf(row["rms"]):
        return "infinite"
    if row["dead_units"] and row["dead_units"] == row["units"]:
        return "dead"
    if row["zero_fraction"] == 1:
        return "zero"
    strength = row["strength"] if row["kind"] == "output" else row["input_std"]
    return "constant" if strength <= CONSTANT * row["rms"] else ""


def _forward(table: pd.DataFrame, input_std: float) -> EndToEnd | None:
    trunk = table[table["on_trunk"]]
    restored = np.flatnonzero(trunk["kind"] == "normalization")
    trunk = trunk.iloc[restored[-1] :] if len(restored) else trunk
    names, strengths = list(trunk["layer"]), trunk["strength"].to_numpy(float)
    steps, sizes = trunk["step"].to_numpy(float), trunk["size"].to_numpy()
    mean = _mean_factor(table, "input_std") if not len(restored) else NO_MEAN
    if np.isfinite(input_std) and len(trunk) and not len(restored):
        names, strengths = ["the input", *names], np.r_[input_std, strengths]
        steps, sizes = np.r_[np.nan, steps], np.r_[0, sizes]
    # Of a layer behind pooling and the like its own factor, so that these count for nothing. Not where other layers lie
    # between, nor where a factor may: behind as many numbers as the layer before put out.
    at = trunk.index.to_numpy()
    follows = np.diff(np.r_[-1, at])[-(len(strengths) - 1) :] == 1 if len(strengths) > 1 else np.zeros(0, bool)
    given = trunk["source_size"].to_numpy()[-(len(strengths) - 1) :] if len(strengths) > 1 else np.zeros(0)
    own = follows & ~np.isnan(steps[1:]) & (given != sizes[:-1])
    with np.errstate(divide="ignore", invalid="ignore"):
        steps = np.where(own, steps[1:], strengths[1:] / strengths[:-1])
    return _end_to_end(names, strengths, steps, mean)


def _backward(table: pd.DataFrame, measured: Measured) -> EndToEnd | None:
    judged = np.array([r.of_every_output and r.kind != "output" and "tokens" not in r.traits for r in measured.records])
    trunk = table[table["on_trunk"] & judged & table["gradient_rms"].notna()][::-1]
    norms = trunk["gradient_rms"].to_numpy(float) * np.sqrt(trunk["size"].to_numpy(float))
    with np.errstate(divide="ignore", invalid="ignore"):
        steps = norms[1:] / norms[:-1]
    return _end_to_end(list(trunk["layer"]), norms, steps, _mean_factor(table, "gradient_rms"))


def _backward_normalized(measured: Measured) -> EndToEnd | None:
    """Judge the gradient by gradient norm times weight norm of kernels, from the trunk's last layer to its first."""
    by_key = {weight.key: weight for weight in measured.weights}
    products: dict[str, float] = {}
    for record in measured.records:
        kernels = [by_key[key] for key in record.weights if by_key[key].is_kernel and len(by_key[key].shape) > 1]
        if kernels and record.on_trunk and record.of_every_output and "tokens" not in record.traits:
            products.setdefault(record.name, sum(k.size * k.rms * k.gradient_rms for k in kernels))
    names, values = list(products)[::-1], np.array(list(products.values()))[::-1]
    with np.errstate(divide="ignore", invalid="ignore"):
        steps = values[1:] / values[:-1]
    return _end_to_end(names, values, steps, NO_MEAN, NORMALIZED)


def _end_to_end(
    names: list[str],
    strengths: np.ndarray,
    steps: np.ndarray,
    mean: tuple[tuple[float, float, float], int, str],
    limits: tuple[float, float] = FROM_END_TO_END,
) -> EndToEnd | None:
    if len(strengths) < 2 or not np.isfinite(strengths).all() or strengths[0] == 0:
        return None
    if strengths[-1] > 0 and (strengths == 0).any():  # it comes from elsewhere
        return None
    (factor, low, high), layers, kind = mean
    total = 0.0 if (strengths == 0).any() else float(np.exp(np.log(steps).sum()))
    trend = growth(factor, low, high)
    verdict: Change = "weakens" if total < SLIGHT[0] else "grows" if total > SLIGHT[1] else "holds"
    if total < limits[0] or (trend == "vanishes" and total < 1):
        verdict = "vanishes"
    elif total > limits[1] or (trend == "explodes" and total > 1):
        verdict = "explodes"
    ends = float(strengths[0]), float(strengths[-1])
    normalized = limits == NORMALIZED
    return EndToEnd(verdict, names[0], names[-1], *ends, total, (factor, low, high), layers, kind, normalized)


NO_MEAN = ((np.nan, np.nan, np.nan), 0, "")


def _mean_factor(table: pd.DataFrame, column: str) -> tuple[tuple[float, float, float], int, str]:
    """Mean factor over the kind that has most layers on the trunk, activations on a tie; how many, which kind."""
    trunk = table[table["on_trunk"] & ~table["kind"].isin(["output", "block"])]
    counts = trunk["kind"].value_counts()
    if counts.empty or counts.max() <= TREND_FACTORS:
        return NO_MEAN
    kind = max(counts.index, key=lambda name: (counts[name], name == "activation"))
    chain = trunk[trunk["kind"] == kind]
    strength, unusual = chain[column].to_numpy(float), chain["unusual"].to_numpy(bool)
    if column == "input_std":
        factors = growth_factor(strength, ~unusual[1:])
    else:  # on its way back, the gradient crosses the layer that it comes from
        factors = growth_factor(strength[::-1], ~unusual[::-1][:-1])
    return factors, int(counts[kind]), str(kind)
