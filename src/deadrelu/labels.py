"""Readable names, made from the settings and never typed: titles cannot disagree with what was run."""

from typing import NamedTuple

from deadrelu.initializers import label as initializer_label
from deadrelu.params import ActivationCase, CollapseCase

ACTIVATIONS = {
    "relu": "ReLU",
    "leaky_relu": "Leaky ReLU",
    "elu": "ELU",
    "gelu": "GELU",
    "tanh": "tanh",
    "sigmoid": "sigmoid",
}


class Panel(NamedTuple):
    """What a case of `activations` is called."""

    activation: str
    initializer: str

    def __str__(self) -> str:
        """'tanh, Glorot normal'."""
        return f"{self.activation}, {self.initializer}"


def panel(case: ActivationCase) -> Panel:
    """Panel('tanh', 'Glorot normal')."""
    return Panel(ACTIVATIONS[case.activation], initializer_label(case.initializer))


def narrow_network(case: CollapseCase) -> str:
    """'ReLU' or 'Leaky ReLU (slope 0.1)'."""
    name = ACTIVATIONS[case.activation]
    return f"{name} (slope {case.negative_slope:g})" if case.negative_slope else name


def architecture(case: CollapseCase) -> str:
    """'10 hidden layers of widths 1, 9 × 2'."""
    runs: list[tuple[int, int]] = []
    for width in case.widths:
        if runs and runs[-1][1] == width:
            runs[-1] = (runs[-1][0] + 1, width)
        else:
            runs.append((1, width))
    widths = ", ".join(f"{count} × {width}" if count > 1 else f"{width}" for count, width in runs)
    return f"{len(case.widths)} hidden layer{'s' * (len(case.widths) > 1)} of width {widths}"
