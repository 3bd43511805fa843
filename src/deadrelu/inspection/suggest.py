"""Which other initializers help a model: each is drawn, measured, and named only if it does."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np

from deadrelu.inspection.keras_model import KerasModel
from deadrelu.inspection.measure import measure
from deadrelu.inspection.verdicts import EndToEnd, Verdicts, judge
from deadrelu.signals import batches
from deadrelu.signals.calls import operations
from deadrelu.signals.kinds import kernels_of, own_weights

CANDIDATES = ("he_normal", "glorot_uniform", "lecun_normal", "orthogonal")
SEEDS = 3
MAX_INPUTS = 256
"""Inputs that candidates are measured on."""


def remedies(
    subject: KerasModel,
    x: Sequence[Any],
    objective: batches.Objective,
    gradient_of: str,
    *,
    size: int,
    training: bool,
    before: Verdicts,
    seed: int,
) -> list[str]:
    """Sentences on initializers with which fewer things are wrong than now, with `SEEDS` draws each; the best first.

    The weights of the same architecture are drawn anew: kernels by the candidate, all else as its layer starts. The
    model gets its own weights back.
    """
    if not _wrong(before):
        return []
    few = [array[:MAX_INPUTS] for array in x]
    found = []
    model = subject.model
    with _weights_kept(model):
        for name in CANDIDATES:
            judged = []
            for draw in range(SEEDS):
                _redraw(model, name, seed + draw)
                measured = measure(subject, few, objective, gradient_of, size=size, training=training)
                judged.append(judge(measured))
            if max(map(_wrong, judged)) < _wrong(before):
                distance = np.mean([_distance(verdicts) for verdicts in judged])
                found.append((max(map(_wrong, judged)), distance, name, judged))
    if not found:
        tried = ", ".join(CANDIDATES)
        return [f"Drawn again with {tried} ({SEEDS} times each), the model is no better."]
    found.sort(key=lambda entry: entry[:2])
    best = [entry for entry in found if entry[0] == found[0][0]]
    text = [f"kernel_initializer='{name}' helps ({SEEDS} draws): {_told(judged)}." for _, _, name, judged in best]
    return [f"Now: {_told([before])}.", *text]


def _wrong(verdicts: Verdicts) -> int:
    """How many things are wrong: the network is dead, signal or gradient do not hold, numbers are not finite."""
    if not np.isfinite(verdicts.table["rms"]).all():
        return 4
    if verdicts.is_dead:
        return 3
    ends = (verdicts.signal, verdicts.gradient)
    return sum(end is not None and end.verdict != "holds" for end in ends)


def _distance(verdicts: Verdicts) -> float:
    """From ends that are equally strong, in powers of e."""
    ends = [end for end in (verdicts.signal, verdicts.gradient) if end is not None and end.factor > 0]
    return float(sum(abs(np.log(end.factor)) for end in ends))


def _told(judged: Sequence[Verdicts]) -> str:
    """'signal ×0.5 to ×0.9 from end to end, gradient ×1 to ×1.3, 0 to 3 dead units'."""
    parts = []
    for what in ("signal", "gradient"):
        ends: list[EndToEnd] = [end for verdicts in judged if (end := getattr(verdicts, what)) is not None]
        if ends:
            parts.append(f"{what} {_span([end.factor for end in ends], '×{:.2g}')} from end to end")
    dead = [float(verdicts.table["dead_in_all_calls"].sum()) for verdicts in judged]
    return ", ".join([*parts, f"{_span(dead, '{:.0f}')} dead units"])


def _span(values: Sequence[float], form: str) -> str:
    low, high = form.format(min(values)), form.format(max(values))
    return low if low == high else f"{low} to {high}"


def _redraw(model: Any, name: str, seed: int) -> None:
    """Give a model new weights, as its layers start, with kernels by the initializer of this name."""
    import keras

    number = 0
    for operation in operations(model):
        kernels = {id(kernel) for kernel in kernels_of(operation)}
        for variable in own_weights(operation):
            number += 1
            initializer = getattr(operation, f"{variable.name}_initializer", None)
            is_kernel = id(variable) in kernels and not any(w in variable.name for w in ("recurrent", "embedding"))
            if is_kernel:
                initializer = keras.initializers.get({"class_name": _class_of(name), "config": {"seed": seed + number}})
            if initializer is not None:
                config = initializer.get_config() if hasattr(initializer, "get_config") else {}
                if not is_kernel and "seed" in config:
                    initializer = type(initializer).from_config(config | {"seed": seed + number})
                variable.assign(initializer(tuple(variable.shape), dtype=variable.dtype))


def _class_of(name: str) -> str:
    """'HeNormal' for 'he_normal'."""
    return name.title().replace("_", "")


@contextmanager
def _weights_kept(model: Any) -> Iterator[None]:
    before = [variable.numpy() for variable in model.weights]
    try:
        yield
    finally:
        for variable, value in zip(model.weights, before, strict=True):
            variable.assign(value)
