"""Published collapse rates and the settings that they belong to; a rate is compared only with runs of its settings."""

from collections.abc import Mapping
from math import sqrt

from deadrelu.settings.params import CollapseCase, FanScaled, Params, Rai, TargetParams, Trainable, Variation

TRIALS = 1000  # number of trials behind each rate of the notebook, and of Lu et al.

NOTEBOOK = {("relu", 0.0): 0.956, ("leaky_relu", 0.1): 0.192}
"""Collapse rates that the 2019 notebook printed, by activation function and negative slope."""

NOTEBOOK_SETTINGS = {
    "widths": [1, *[2] * 9],
    "biases": False,
    "initializer": FanScaled(name="glorot_uniform"),
    "optimizer": CollapseCase.model_fields["optimizer"].default,
    "loss": "mean_squared_error",
    "epochs": 10,
    "batch_size": 64,
}
"""Settings of the notebook's networks and of their training on x sin x, by the names of `CollapseCase`."""

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

LU_SETTINGS = {"activation": "relu", "biases": True, "loss": "mean_squared_error", "protocol": "independent"}
HE = FanScaled(name="he_normal")


def notebook_rates(params: Params) -> dict[str, float]:
    """Return the notebook's collapse rate, by case key, for each main case with the notebook's settings."""
    return {key: rate for key in params.main_cases if (rate := notebook_rate(params, key))}


def notebook_rate(params: Params, key: str) -> float | None:
    """Return the notebook's rate for the case `key` of `collapse`; None unless its settings are the notebook's.

    For a case of the protocol "refit" it is None, since the notebook calls its trials independent; see `loop_rates`.
    """
    return None if key in params.collapse.refit else _of_notebook(params, key)


def loop_rates(params: Params) -> dict[str, float]:
    """Return the notebook's rate by the key of each case that repeats the notebook's loop, with any `fits`."""
    return {key: rate for key in params.collapse.refit if (rate := _of_notebook(params, key))}


def _of_notebook(params: Params, key: str) -> float | None:
    case, target = params.collapse.complete(params.collapse.cases[key]), params.target_of(key)
    same = _has(case, NOTEBOOK_SETTINGS) and target.function == "x_sin_x" and _is_on(target, sqrt(7))
    return NOTEBOOK.get((case.activation, case.negative_slope)) if same else None


def lu_row(params: Params, case: CollapseCase | Variation) -> tuple[str, str]:
    """Return the function that a case learns and its initializer, "rai" or "he" (any other), as in the keys of `LU`."""
    return params.target(case).function, "rai" if isinstance(case.initializer, Rai) else "he"


def lu_rate(params: Params, case: CollapseCase | Variation) -> float | None:
    """Return the rate of Lu et al. for the network, target and loss of a case, or None; their training is unknown."""
    return LU.get(lu_row(params, case)) if is_like_lu(params, case) else None


def is_lu_abs(params: Params, case: CollapseCase | Variation) -> bool:
    """Return whether a case is that of Lu et al. with |x| and He's initializer, whose rate is above `LU_AT_LEAST`."""
    return lu_row(params, case) == ("abs_x", "he") and is_like_lu(params, case)


def is_like_lu(params: Params, case: CollapseCase | Variation) -> bool:
    """Return whether a case has Lu et al.'s network with biases, initializers, loss and interval.

    For one input, the network has nine hidden layers of 2 units; for two, it has any number of layers of 4 units.
    """
    target, (first, middle, last) = params.target(case), case.initializers
    widths = case.widths == LU_WIDTHS if target.of_one_input else set(case.widths) == {4}
    known = (middle == HE or isinstance(middle, Rai)) and first in (middle, HE) and last == middle
    return widths and known and _has(case, LU_SETTINGS) and _is_on(target, sqrt(3))


def _has(case: Trainable, settings: Mapping[str, object]) -> bool:
    return all(getattr(case, name) == value for name, value in settings.items())


def _is_on(target: TargetParams, end: float) -> bool:
    """Return whether a training set has 3,000 points on [-end, end]."""
    return target.points == 3000 and max(abs(target.low + end), abs(target.high - end)) < 1e-6
