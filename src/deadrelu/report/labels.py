"""Make readable names from the settings, so that titles agree with what was run."""

import itertools
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple, TypeVar

from deadrelu.analysis.counting import count_of as count_of  # re-exported
from deadrelu.functions import FUNCTIONS
from deadrelu.settings.initializer import (
    Constant,
    FanScaled,
    Identity,
    Normal,
    Orthogonal,
    Rai,
    Settings,
    Uniform,
    VarianceScaling,
    ZerosOrOnes,
)
from deadrelu.settings.params import Params
from deadrelu.settings.stages import ActivationCase, TargetParams, Trainable, TrainingCase, Variation

ACTIVATIONS = {
    **{"relu": "ReLU", "leaky_relu": "Leaky ReLU", "elu": "ELU", "gelu": "GELU"},
    **{name: name for name in ("tanh", "sigmoid")},
}

PLACES = {"interval": "the interval", "negative": "x < 0", "positive": "x > 0", "probes": "the 5 probes"}
"""Words for the keys of `rates.PLACES`, the inputs at which predictions are compared."""

OPTIMIZERS = {"adam": "Adam", "sgd": "SGD"}


class Panel(NamedTuple):
    """Name of a case of `activations` or `training`, in two parts."""

    activation: str
    initializer: str

    def __str__(self) -> str:
        """Return both parts, such as 'tanh, Glorot normal'."""
        return f"{self.activation}, {self.initializer}"


def initializer(settings: Settings | Rai) -> str:
    """Return the name of an initializer, such as 'Random normal (σ = 0.1)' or 'Glorot uniform'."""
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
    if isinstance(settings, FanScaled):
        family, distribution = settings.name.split("_")
        return f"{'LeCun' if family == 'lecun' else family.capitalize()} {distribution}"
    arguments = ", ".join(f"{key} {value:g}" for key, value in settings.model_dump(exclude={"name"}).items())
    return f"{settings.name.replace('_', ' ').capitalize()} ({arguments})"


Name = TypeVar("Name", str, Panel)


def _unique(names: Mapping[str, Name], with_key: Callable[[Name, str], Name]) -> dict[str, Name]:
    """Return the names by key; `with_key(name, key)` adds the key to every name that another key has as well."""
    numbers = Counter(names.values())
    return {key: name if numbers[name] == 1 else with_key(name, key) for key, name in names.items()}


def grid_initializers(params: Params) -> dict[str, str]:
    """Return a name for each key of `safe_region.initializers`; equal names get their key added."""
    names = {key: initializer(settings) for key, settings in params.safe_region.initializers.items()}
    return _unique(names, "{}: {}".format)


def panel(case: ActivationCase) -> Panel:
    """Return the name of a case, such as Panel('tanh', 'Glorot normal')."""
    return Panel(ACTIVATIONS[case.activation], initializer(case.initializer))


def trained(cases: Mapping[str, TrainingCase]) -> dict[str, Panel]:
    """Return each case's name, such as Panel('MLP, tanh', 'Glorot normal'); equal names get their key added."""
    names = {
        key: Panel(f"{case.network.upper()}, {ACTIVATIONS[case.activation]}", initializer(case.initializer))
        for key, case in cases.items()
    }
    return _unique(names, lambda name, key: Panel(name.activation, f"{name.initializer}: {key}"))


def narrow_network(params: Params, key: str) -> str:
    """Return the name of case `key` of `collapse`, such as 'ReLU, fitted 50 times' or 'x sin 5x, He normal'."""
    case = params.collapse.cases[key]
    name = ACTIVATIONS[case.activation]
    name += f" (slope {case.negative_slope:g})" * bool(case.negative_slope)
    if case.protocol == "refit":
        return f"{name}, fitted {case.fits:,} times"
    if key in params.main_cases:
        return name
    parts = [FUNCTIONS[params.target_of(key).function].label, of_layers(case)]
    parts += [name] * (case.activation != "relu") + ["absolute error"] * (case.loss == "mean_absolute_error")
    return ", ".join(parts)


def narrow_networks(params: Params) -> dict[str, str]:
    """Return a name for each case of `collapse`; equal names get their key added."""
    return _unique({key: narrow_network(params, key) for key in params.collapse.cases}, "{}: {}".format)


def criteria(tolerance: float) -> dict[str, str]:
    """Return words for the two criteria of a constant network, by their names, with the tolerant one first."""
    return {"within": f"range ≤ {tolerance:g}", "exact": "range exactly 0"}


def events(tolerance: float) -> dict[str, str]:
    """Return words for the events of `rates.collapse_rates`, by their names."""
    return {
        "collapsed_before": f"range ≤ {tolerance:g} before training",
        "collapsed": f"range ≤ {tolerance:g} after it",
        "probes_equal": "equal at the 5 probes after it",
        "born_dead": "range exactly 0 before training",
        "dead": "range exactly 0 after it",
    }


def architecture(case: Trainable) -> str:
    """Return network and training in words: '9 hidden layers of 2 units; He normal, zero biases; Adam (0.001), ...'."""
    biases = "no biases" if not case.biases else "random biases" if case.initializer.name == "rai" else "zero biases"
    return (
        f"{count_of(len(case.widths), 'hidden layer')} of {widths(case.widths)}; "
        f"{of_layers(case)}, {biases}; {OPTIMIZERS[case.optimizer.name]} "
        f"({case.optimizer.learning_rate:g}), {case.loss.replace('_', ' ')}"
    )


def of_layers(case: Trainable) -> str:
    """Return the initializers of a case, such as 'He normal' or 'RAI (first layer He normal)'."""
    others = (("first", case.first_initializer), ("last", case.last_initializer))
    named = [f"{which} layer {initializer(other)}" for which, other in others if other is not None]
    return initializer(case.initializer) + (f" ({', '.join(named)})" if named else "")


def widths(sizes: Sequence[int]) -> str:
    """Return the widths of layers in words, such as '2 units' or '1, then 9 × 2 units'."""
    runs = [(width, len(list(run))) for width, run in itertools.groupby(sizes)]
    if len(runs) == 1:
        return count_of(runs[0][0], "unit")
    parts = [f"{count} × {width}" if count > 1 else f"{width}" for width, count in runs]
    return f"{', then '.join(parts)} units"


def target(params: TargetParams) -> str:
    """Return a target's function and interval, such as 'x sin x on [−2.646, 2.646]'."""
    return f"{FUNCTIONS[params.function].label} on {interval(params)}"


def interval(params: TargetParams) -> str:
    """Return the interval of a target, such as '[−2.646, 2.646]'."""
    return f"[{params.low:.3f}, {params.high:.3f}]".replace("-", "−")


def changes(variation: Variation, base: Trainable, target: TargetParams) -> str:
    """Return what a variation changes of its case, such as '8 hidden layers' or 'first layer RAI', or 'nothing'.

    Args:
        variation: variation, completed with trials, epochs and batch size.
        base: case that is varied, completed in the same way.
        target: target of this case.
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
        parts.append(FUNCTIONS[variation.target.function].label)
    if variation.target.points != target.points:
        parts.append(count_of(variation.target.points, "point"))
    if (variation.target.low, variation.target.high) != (target.low, target.high):
        parts.append(f"on {interval(variation.target)}")
    return ", ".join(parts) or "nothing"
