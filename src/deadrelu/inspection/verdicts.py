"""Verdicts on a model from its numbers: the state of each layer, and the change of signal and gradient on the trunk."""

from dataclasses import dataclass
from typing import Literal

import numpy as np
import pandas as pd

from deadrelu.analysis.growth import Growth, growth, growth_factor
from deadrelu.inspection.measure import Measured
from deadrelu.inspection.units import BOUNDED

CONSTANT = 1e-6
"""Largest ratio of standard deviation over inputs to rms with which the output of a layer counts as constant."""

MOSTLY_SATURATED = 0.5
"""Minimum share of saturated outputs of a saturated layer."""

SLIGHTLY_SATURATED = 0.05
"""Share of saturated outputs above which an unusual factor of a layer is attributed to saturation."""

TREND_FACTORS = 4
"""Minimum number of factors between successive layers of a kind for a mean factor: five layers have four."""

FROM_END_TO_END = (0.01, 100.0)
"""Factors from one end of the trunk to the other below or above which a signal or gradient vanishes or explodes."""

NORMALIZED = (1e-5, 1e5)
"""Limits of the factor of gradient norm times weight norm over the path, for models with normalization layers."""

SLIGHT = (0.1, 10.0)
"""Factors over the path below or above which a signal or gradient weakens or grows, which is no fault."""

Change = Literal["vanishes", "weakens", "holds", "grows", "explodes"]
State = Literal["NaN", "infinite", "dead", "zero", "constant", ""]

OWN_FACTOR = (0.08, 8.0)
"""Factors of the signal below or above which a layer is unusual, unless others of its class have similar factors."""

SIGMOID_SLOPE = 0.25
"""Slope of a sigmoid at 0: a layer with a sigmoid, such as a gate, has a quarter of the usual factor."""

ALIKE = 2.5
"""Largest ratio between a layer's factor and the median of its class, or of its class and size, if they are similar."""


@dataclass(frozen=True)
class EndToEnd:
    """The change of the signal or of the gradient from one end of the trunk (see `paths`) to the other."""

    verdict: Change
    first: str
    """Beginning of the path: 'the input' or the name of a layer; a gradient begins at the last layer."""
    last: str
    begin: float
    """Strength at the beginning: standard deviation over inputs, or norm of the gradient (see `normalized`)."""
    end: float
    factor: float
    """Factor from one end to the other, without that of pooling, which says nothing about the initialization."""
    per_layer: tuple[float, float, float]
    """Mean factor per layer and the ends of its 95 % interval; NaN with too few layers or with normalization layers."""
    layers: int
    kind: str
    """Kind of the layers over which the mean is taken, `layers` in number; '' without a mean."""
    normalized: bool = False
    """True if strengths are gradient norms times weight norms: normalization layers set the scale of gradients."""


@dataclass(frozen=True)
class Verdicts:
    """The verdicts on a whole model."""

    table: pd.DataFrame
    """The table of `Measured` with the columns that `judge` adds."""
    is_dead: bool
    """True if no output depends on the input, and some dead layer cannot be revived by a training step."""
    signal: EndToEnd | None
    gradient: EndToEnd | None
    """`signal` or `gradient` is None if new normalization or too few, infinite or zero strengths prevent a verdict."""


def judge(measured: Measured) -> Verdicts:
    """Judge each layer, the signal and the gradient.

    Each layer on the trunk is compared with the trunk's previous layer of the same kind, because a ReLU halves the
    mean square and the next layer doubles it, and because a branch has its own scale: neither is a vanishing signal.
    Normalization layers restore the scale of signals. In models with some, the signal is judged from the last of them
    on, and the gradient by gradient norm times weight norm, which does not depend on the scale of normalized weights.

    Returns:
        The verdicts. These columns are added to the table: forward, the ratio of input_std to that of the previous
        layer of the kind; backward, the ratio of gradient_rms to that of the next one; forward_mean, backward_mean:
        geometric means of these ratios up to this layer, NaN for fewer than `TREND_FACTORS`; signal, gradient: the
        growth (`analysis.growth.Growth`) by these means; unusual: whether gain is unusual; saturated; state: a `State`.
    """
    table = measured.table.assign(unusual=_unusual(measured))
    normalizes = bool((table["kind"] == "normalization").any())
    table = _with_trends(table, measured, judged=not measured.new_normalizations and not normalizes)
    table = table.assign(
        saturated=table["saturated_fraction"] >= MOSTLY_SATURATED, state=[_state(row) for _, row in table.iterrows()]
    )
    outputs = table[table["kind"] == "output"]
    is_constant = (outputs["strength"] <= CONSTANT * outputs["rms"]) | (outputs["strength"] == 0)
    finite = bool(np.isfinite(table["rms"]).all())
    is_dead = finite and bool(len(outputs) and is_constant.all() and _is_cut_off(measured, table))
    if measured.new_normalizations:  # the signal of inference mode is not that of training
        return Verdicts(table, is_dead, None, None)
    # If the scale of the inputs is itself unusual, the signal is judged from the first layer on.
    input_std = measured.input_std if measured.input_scale_is_usual else np.nan
    backward = _backward_normalized(measured) if normalizes else _backward(table, measured)
    return Verdicts(table, is_dead, _forward(table, input_std), backward)


def _is_cut_off(measured: Measured, table: pd.DataFrame) -> bool:
    """Return whether some dead layer, without trained slopes, is on every path, or no weight up to it can change."""
    moving = [measured.moves.get(name, False) for name in table["layer"]]
    only_path = (table["on_trunk"] & (measured.arrays == 1)).tolist()
    dead = np.flatnonzero(table["state"] == "dead").tolist()
    final = [at for at in dead if "trained slopes" not in measured.records[at].traits]
    return any(only_path[at] or not any(moving[: at + 1]) for at in final)


def _unusual(measured: Measured) -> list[bool]:
    """Return for each row whether the layer's factor is beyond `OWN_FACTOR` and unlike that of others of its class."""
    table, unusual = measured.table, []
    alike = ["layer_class", "activation"]
    for (at, row), record in zip(table.iterrows(), measured.records, strict=True):
        gain = row["gain"] / (SIGMOID_SLOPE if row["activation"] in ("sigmoid", "hard_sigmoid") else 1)
        if not gain > 0 or not np.isfinite(gain) or record.traits & {"small by design", "recurrent"}:
            unusual.append(False)
            continue
        # A layer that saturates is reported as saturated instead.
        saturates = row["activation"] in BOUNDED and (gain > 1 or row["saturated_fraction"] > SLIGHTLY_SATURATED)
        others = table[(table[alike] == row[alike]).all(axis=1) & (table.index != at) & (table["gain"] > 0)]
        same_size = others[(others["units"] == row["units"]) & (others["parameters"] == row["parameters"])]
        usual = any(
            len(few) > 1 and abs(np.log(row["gain"] / few["gain"].median())) <= np.log(ALIKE)
            for few in (others, same_size)
        )
        unusual.append(not saturates and not usual and not OWN_FACTOR[0] <= gain <= OWN_FACTOR[1])
    return unusual


def _with_trends(table: pd.DataFrame, measured: Measured, *, judged: bool) -> pd.DataFrame:
    table = table.assign(**dict.fromkeys(("forward", "forward_mean", "backward", "backward_mean"), np.nan))
    signal: list[Growth] = ["not measured"] * len(table)
    gradient: list[Growth] = ["not measured"] * len(table)
    on_each_trunk = np.array([record.on_each_trunk for record in measured.records])
    for kind in table["kind"].unique():
        chain = np.flatnonzero((table["kind"] == kind) & table["on_trunk"] & (kind not in ("output", "block")))
        back = chain[on_each_trunk[chain]][::-1]
        for direction, column, at, verdicts in (
            ("forward", "input_std", chain, signal),
            ("backward", "gradient_rms", back, gradient),
        ):
            strength, unusual = table[column].to_numpy()[at], table["unusual"].to_numpy()[at]
            crossed = unusual[1:] if direction == "forward" else unusual[:-1]  # for each factor: is its layer unusual?
            for k in range(1, len(at)):
                table.loc[at[k], direction] = growth_factor(strength[k - 1 : k + 1])[0]
                if np.sum(~crossed[:k]) >= TREND_FACTORS:
                    mean, low, high = growth_factor(strength[: k + 1], ~crossed[:k])
                    table.loc[at[k], f"{direction}_mean"] = mean
                    verdicts[at[k]] = growth(mean, low, high) if judged else "not measured"
    return table.assign(signal=signal, gradient=gradient)


def _state(row: pd.Series) -> State:
    """Return the state of the layer in one row of the table; '' if no other state applies."""
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
    # Behind pooling and the like, the layer's own factor (`step`) is used, which excludes them. It is not used behind a
    # layer off the trunk, nor if its input is as large as the previous output: it would miss a factor such as 0.1 * x.
    at = trunk.index.to_numpy()
    follows = np.diff(np.r_[-1, at])[-(len(strengths) - 1) :] == 1 if len(strengths) > 1 else np.zeros(0, bool)
    given = trunk["source_size"].to_numpy()[-(len(strengths) - 1) :] if len(strengths) > 1 else np.zeros(0)
    own = follows & ~np.isnan(steps[1:]) & (given != sizes[:-1])
    with np.errstate(divide="ignore", invalid="ignore"):
        steps = np.where(own, steps[1:], strengths[1:] / strengths[:-1])
    return _end_to_end(names, strengths, steps, mean)


def _backward(table: pd.DataFrame, measured: Measured) -> EndToEnd | None:
    judged = np.array([r.on_each_trunk and r.kind != "output" and "tokens" not in r.traits for r in measured.records])
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
        if kernels and record.on_trunk and record.on_each_trunk and "tokens" not in record.traits:
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
    if strengths[-1] > 0 and (strengths == 0).any():  # the signal reaches the end on another path
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
    """Return the mean factor (with interval) of `column` in the trunk's most frequent kind, and its count and name."""
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
