"""Readable names, made from the settings and never typed: titles cannot disagree with what was run."""

import itertools
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from deadrelu.analysis.counting import count_of as count_of  # named by those who import labels
from deadrelu.settings.params import (
    ActivationCase,
    Constant,
    Identity,
    Normal,
    Orthogonal,
    Params,
    Rai,
    Settings,
    TargetParams,
    Trainable,
    TrainingCase,
    Uniform,
    VarianceScaling,
    Variation,
    ZerosOrOnes,
)

ACTIVATIONS = {
    "relu": "ReLU",
    "leaky_relu": "Leaky ReLU",
    "elu": "ELU",
    "gelu": "GELU",
    "tanh": "tanh",
    "sigmoid": "sigmoid",
}
FUNCTIONS = {
    "x_sin_x": "x sin x",
    "abs_x": "|x|",
    "x_sin_5x": "x sin 5x",
    "step_sin_5x": "1{x > 0} + 0.2 sin 5x",
    "abs_sum_abs_difference": "(|x₁ + x₂|, |x₁ − x₂|)",
}
PLACES = {"interval": "the interval", "negative": "x < 0", "positive": "x > 0", "probes": "the 5 probes"}
"""Where predictions are compared, see `rates.PLACES`."""

OPTIMIZERS = {"adam": "Adam", "sgd": "SGD"}


class Panel(NamedTuple):
    """What a case of `activations` or `training` is called."""

    activation: str
    initializer: str

    def __str__(self) -> str:
        """'tanh, Glorot normal'."""
        return f"{self.activation}, {self.initializer}"


def initializer(settings: Settings | Rai) -> str:
    """A readable name, made from the settings: 'Random normal (σ = 0.1)', 'Glorot uniform'."""
    if isinstance(settings, Uniform):
        return f"Random uniform ({settings.minval:g} to {settings.maxval:g})"
    if isinstance(settings, Normal):
        mean = f"μ = {settings.mean:g}, " if settings.mean else ""
        return f"{settings.name.replace('_', ' ').capitalize()} ({mean}σ = {settings.stddev:g})"
    if isinstance(settings, Constant):
        return f"Constant {settings.value:g}"
    if isinstance(settings, ZerosOrOnes):
        return settings.name.capitalize()
    if isinstance(settings, Rai):
        return "RAI"
    if isinstance(settings, VarianceScaling):
        distribution = settings.distribution.replace("_", " ")
        return f"Variance scaling ({settings.scale:g} / {settings.mode}, {distribution})"
    if isinstance(settings, (Orthogonal, Identity)):
        gain = f" (gain {settings.gain:g})" if settings.gain != 1 else ""
        return f"{settings.name.capitalize()}{gain}"
    family, distribution = settings.name.split("_")
    return f"{'LeCun' if family == 'lecun' else family.capitalize()} {distribution}"


def grid_initializers(params: Params) -> dict[str, str]:
    """A name for each key of `safe_region.initializers`; where two would be equal, the key tells them apart."""
    names = {key: initializer(settings) for key, settings in params.safe_region.initializers.items()}
    return {key: name if list(names.values()).count(name) == 1 else f"{name}: {key}" for key, name in names.items()}


def panel(case: ActivationCase) -> Panel:
    """Panel('tanh', 'Glorot normal')."""
    return Panel(ACTIVATIONS[case.activation], initializer(case.initializer))


def trained(cases: Mapping[str, TrainingCase]) -> dict[str, Panel]:
    """Panel('MLP, tanh', 'Glorot normal') for each case; where two would be equal, the key tells them apart."""
    names = {
        key: Panel(f"{case.network.upper()}, {ACTIVATIONS[case.activation]}", initializer(case.initializer))
        for key, case in cases.items()
    }
    unique = {key for key, name in names.items() if list(names.values()).count(name) == 1}
    return {
        key: name if key in unique else Panel(name.activation, f"{name.initializer}: {key}")
        for key, name in names.items()
    }


def narrow_network(params: Params, key: str) -> str:
    """Return 'ReLU', 'Leaky ReLU (slope 0.1)', 'ReLU, fitted 50 times' or 'x sin 5x, He normal'."""
    case = params.collapse.cases[key]
    name = ACTIVATIONS[case.activation]
    name += f" (slope {case.negative_slope:g})" * bool(case.negative_slope)
    if case.protocol == "refit":
        return f"{name}, fitted {case.fits:,} times"
    if key in params.main_cases:
        return name
    parts = [FUNCTIONS[params.target_of(key).function], of_layers(case)]
    parts += [name] * (case.activation != "relu") + ["absolute error"] * (case.loss == "mean_absolute_error")
    return ", ".join(parts)


def narrow_networks(params: Params) -> dict[str, str]:
    """Return a name for each case of `collapse`; where two would have the same, the key tells them apart."""
    names = {key: narrow_network(params, key) for key in params.collapse.cases}
    return {key: name if list(names.values()).count(name) == 1 else f"{name}: {key}" for key, name in names.items()}


def criteria(tolerance: float) -> dict[str, str]:
    """Return the names of the two criteria of a constant network, the tolerant one first."""
    return {"within": f"range ≤ {tolerance:g}", "exact": "range exactly 0"}


def events(tolerance: float) -> dict[str, str]:
    """What the events of `rates.collapse_rates` are called."""
    return {
        "collapsed_before": f"range ≤ {tolerance:g} before training",
        "collapsed": f"range ≤ {tolerance:g} after it",
        "probes_equal": "equal at the 5 probes after it",
        "born_dead": "range exactly 0 before training",
        "dead": "range exactly 0 after it",
    }


def architecture(case: Trainable) -> str:
    """'10 hidden layers of width 1, 9 × 2; Glorot uniform, no biases; Adam (0.001), mean squared error'."""
    biases = "no biases" if not case.biases else "random biases" if case.initializer.name == "rai" else "zero biases"
    return (
        f"{count_of(len(case.widths), 'hidden layer')} of {widths(case.widths)}; "
        f"{of_layers(case)}, {biases}; {OPTIMIZERS[case.optimizer.name]} "
        f"({case.optimizer.learning_rate:g}), {case.loss.replace('_', ' ')}"
    )


def of_layers(case: Trainable) -> str:
    """'He normal', or 'RAI (first layer He normal)'."""
    others = (("first", case.first_initializer), ("last", case.last_initializer))
    named = [f"{which} layer {initializer(other)}" for which, other in others if other is not None]
    return initializer(case.initializer) + (f" ({', '.join(named)})" if named else "")


def widths(of: Sequence[int]) -> str:
    """Return '2 units', or '1, then 9 × 2 units'."""
    runs = [(width, len(list(run))) for width, run in itertools.groupby(of)]
    if len(runs) == 1:
        return count_of(runs[0][0], "unit")
    parts = [f"{count} × {width}" if count > 1 else f"{width}" for width, count in runs]
    return f"{', then '.join(parts)} units"


def target(of: TargetParams) -> str:
    """'x sin x on [−2.646, 2.646]'."""
    return f"{FUNCTIONS[of.function]} on {interval(of)}"


def interval(of: TargetParams) -> str:
    """'[−2.646, 2.646]'."""
    return f"[{of.low:.3f}, {of.high:.3f}]".replace("-", "−")


def changes(variation: Variation, base: Trainable, target: TargetParams) -> str:
    """Return what a variation changes of its case: '8 hidden layers', 'first layer RAI', or 'nothing'.

    Args:
        variation: with trials, epochs and batch size.
        base: the case, likewise.
        target: of the case.
    """
    parts = []
    if len(variation.widths) != len(base.widths):
        others = f" of {widths(variation.widths)}" * (set(variation.widths) != set(base.widths))
        parts.append(count_of(len(variation.widths), "hidden layer") + others)
    elif variation.widths != base.widths:
        parts.append(f"layers of {widths(variation.widths)}")
    if variation.initializer != base.initializer:
        parts.append(of_layers(variation))
    else:
        for which, at in (("first", 0), ("last", 2)):
            if variation.initializers[at] != base.initializers[at]:
                parts.append(f"{which} layer {initializer(variation.initializers[at])}")
    if (variation.activation, variation.negative_slope) != (base.activation, base.negative_slope):
        slope = f" (slope {variation.negative_slope:g})" if variation.negative_slope else ""
        parts.append(ACTIVATIONS[variation.activation] + slope)
    if variation.biases != base.biases:
        parts.append("with biases" if variation.biases else "without biases")
    if variation.optimizer != base.optimizer:
        parts.append(f"{OPTIMIZERS[variation.optimizer.name]} ({variation.optimizer.learning_rate:g})")
    if variation.loss != base.loss:
        parts.append(variation.loss.replace("_", " "))
    if variation.batch_size != base.batch_size:
        parts.append(f"batches of {variation.batch_size:,}")
    if variation.epochs != base.epochs:
        parts.append(count_of(variation.epochs or 0, "epoch"))
    if variation.target.function != target.function:
        parts.append(FUNCTIONS[variation.target.function])
    if variation.target.points != target.points:
        parts.append(count_of(variation.target.points, "point"))
    if (variation.target.low, variation.target.high) != (target.low, target.high):
        parts.append(f"on {interval(variation.target)}")
    return ", ".join(parts) or "nothing"
