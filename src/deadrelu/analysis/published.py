"""Published collapse rates and the settings that they belong to; a rate is compared only with runs of its settings."""

from math import sqrt
from typing import Any

from deadrelu.settings.params import CollapseCase, FanScaled, Params, Rai, TargetParams, Trainable, Variation

TRIALS = 1000
"""Number of trials behind each rate of the notebook, and of Lu et al."""

NOTEBOOK_WIDTHS = [1, *[2] * 9]
NOTEBOOK = (
    (CollapseCase(activation="relu", target="", widths=NOTEBOOK_WIDTHS), 0.956),
    (CollapseCase(activation="leaky_relu", target="", negative_slope=0.1, widths=NOTEBOOK_WIDTHS), 0.192),
)
"""Networks of the 2019 notebook, each with the collapse rate that it printed."""

LU_AT_LEAST = 0.9
"""Collapse rate that Lu et al. (arXiv:1903.06733) exceed, "more than 90 %", for 10 ReLU layers of width 2 on |x|."""

LU = {
    ("x_sin_5x", "he"): 0.919,
    ("x_sin_5x", "rai"): 0.292,
    ("step_sin_5x", "he"): 0.938,
    ("step_sin_5x", "rai"): 0.326,
    ("abs_sum_abs_difference", "he"): 0.768,
    ("abs_sum_abs_difference", "rai"): 0.096,
}
"""Collapse rates in Lu et al. by function and initializer, with biases, on [-sqrt 3, sqrt 3]; the width is 2, or 4 for
two inputs. The paper does not state the training, how RAI draws the first layer, and the depth for two inputs."""

LU_WIDTHS = [2] * 9
"""Widths of the "10-layer" network of Lu et al., interpreted as nine hidden layers and the output."""


def notebook_rates(params: Params) -> dict[str, float]:
    """Return the notebook's collapse rate, by case key, for each main case with the notebook's settings."""
    rates = {key: notebook_rate(params, key) for key in params.main_cases}
    return {key: rate for key, rate in rates.items() if rate is not None}


def notebook_rate(params: Params, key: str) -> float | None:
    """Return the notebook's rate for the case `key` of `collapse`; None unless its settings are the notebook's.

    For a case of the protocol "refit" it is None, since the notebook calls its trials independent; see `loop_rates`.
    """
    return None if key in params.collapse.refit else _of_notebook(params, key)


def loop_rates(params: Params) -> dict[str, float]:
    """Return the notebook's rate by the key of each case that repeats the notebook's loop, with any `fits`."""
    rates = {key: _of_notebook(params, key) for key in params.collapse.refit}
    return {key: rate for key, rate in rates.items() if rate is not None}


def _of_notebook(params: Params, key: str) -> float | None:
    case = params.collapse.complete(params.collapse.cases[key])
    if (case.epochs, case.batch_size) != (10, 64) or not _is_on(params.target_of(key), "x_sin_x", sqrt(7)):
        return None
    return next((rate for notebook, rate in NOTEBOOK if notebook == _network_and_loss(case)), None)


def lu_rate(params: Params, case: CollapseCase | Variation) -> float | None:
    """Return the rate of Lu et al. for the network, target and loss of a case, or None; their training is unknown."""
    target = params.target(case)
    row = (target.function, "rai" if isinstance(case.initializer, Rai) else "he")
    return LU.get(row) if is_like_lu(params, case) else None


def is_lu_abs(params: Params, case: CollapseCase | Variation) -> bool:
    """Return whether a case is that of Lu et al. with |x| and He's initializer, whose rate is above `LU_AT_LEAST`."""
    he = case.initializer == FanScaled(name="he_normal")
    return he and params.target(case).function == "abs_x" and is_like_lu(params, case)


def is_like_lu(params: Params, case: CollapseCase | Variation) -> bool:
    """Return whether a case has Lu et al.'s network with biases, initializers, loss and interval.

    For one input, the network has nine hidden layers of 2 units; for two, it has any number of layers of 4 units.
    """
    target, he = params.target(case), FanScaled(name="he_normal")
    plane = not target.of_one_input
    widths = set(case.widths) == {4} if plane else case.widths == LU_WIDTHS
    known = case.initializer == he or isinstance(case.initializer, Rai)
    first, _, last = case.initializers
    ends = first in (case.initializer, he) and last == case.initializer
    theirs = CollapseCase(activation="relu", target="", widths=case.widths, biases=True, initializer=case.initializer)
    independent = case.protocol == "independent"
    untold = case.model_copy(update={"optimizer": theirs.optimizer})  # their training is not known
    same = _network_and_loss(untold) == theirs and _is_on(target, target.function, sqrt(3))
    return widths and ends and known and independent and same


def _network_and_loss(case: Trainable) -> CollapseCase:
    """Return a case that keeps network, main initializer, loss and optimizer, and has neutral values for all else."""
    elsewhere: dict[str, Any] = {"trials": None, "epochs": None, "batch_size": None, "target": "", "follow": []}
    elsewhere |= {"protocol": "independent", "fits": None, "first_initializer": None, "last_initializer": None}
    return CollapseCase.model_validate(case.model_dump() | elsewhere)


def _is_on(target: TargetParams, function: str, end: float) -> bool:
    ends = (target.low + end, target.high - end)
    return target.function == function and target.points == 3000 and max(map(abs, ends)) < 1e-6
