"""Published collapse rates and the settings that they belong to; a rate is compared only with runs of its settings."""

from collections.abc import Iterable
from math import sqrt
from operator import attrgetter

from deadrelu.settings.initializer import FanScaled, Rai
from deadrelu.settings.params import Params
from deadrelu.settings.stages import CollapseCase, TargetParams, Variation

TRIALS = 1000  # number of trials behind each rate of the notebook, and of Lu et al.
# Collapse rates that the 2019 notebook printed, by activation function and negative slope, and one of its two cases:
# what is not given has the defaults of `CollapseCase`.
NOTEBOOK = {("relu", 0.0): 0.956, ("leaky_relu", 0.1): 0.192}
NOTEBOOK_CASE = CollapseCase(activation="relu", target="x_sin_x", widths=[1, *[2] * 9], epochs=10, batch_size=64)
# Collapse rate that Lu et al. (arXiv:1903.06733) exceed, "more than 90 %", for 10 ReLU layers of width 2 on |x|.
LU_AT_LEAST = 0.9
# Their collapse rates by function and initializer, with biases, on [-sqrt 3, sqrt 3]; the width is 2, or 4 for two
# inputs. The paper does not state the training, how RAI draws the first layer, and the depth for two inputs.
LU = {
    ("x_sin_5x", "he"): 0.919,
    ("x_sin_5x", "rai"): 0.292,
    ("step_sin_5x", "he"): 0.938,
    ("step_sin_5x", "rai"): 0.326,
    ("abs_sum_abs_difference", "he"): 0.768,
    ("abs_sum_abs_difference", "rai"): 0.096,
}
LU_WIDTHS = [2] * 9  # widths of their "10-layer" network, interpreted as nine hidden layers and the output
HE = FanScaled(name="he_normal")


def notebook_rates(params: Params, keys: Iterable[str]) -> dict[str, float]:
    """Return the notebook's collapse rate by key, for those cases of `collapse` in `keys` that have its settings.

    The number of trials, further checkpoints, and the protocol with its number of fits may differ.
    """
    settings = attrgetter("widths", "biases", "initializers", "optimizer", "loss", "epochs", "batch_size")
    rates = {}
    for key in keys:
        case, target = params.collapse.complete(params.collapse.cases[key]), params.target_of(key)
        same = settings(case) == settings(NOTEBOOK_CASE) and target.function == "x_sin_x" and _is_on(target, sqrt(7))
        rates[key] = NOTEBOOK.get((case.activation, case.negative_slope)) if same else None
    return {key: rate for key, rate in rates.items() if rate is not None}


def lu_row(params: Params, case: CollapseCase | Variation) -> tuple[str, str]:
    """Return the function that a case learns and its initializer, "rai" or "he" (any other), as in the keys of `LU`."""
    return params.target(case).function, "rai" if isinstance(case.initializer, Rai) else "he"


def lu_rate(params: Params, case: CollapseCase | Variation) -> float | None:
    """Return the rate of Lu et al. for the network, target and loss of a case, or None; their training is unknown."""
    return LU.get(lu_row(params, case)) if _is_like_lu(params, case) else None


def is_lu_abs(params: Params, case: CollapseCase | Variation) -> bool:
    """Return whether a case is that of Lu et al. with |x| and He's initializer, whose rate is above `LU_AT_LEAST`."""
    return lu_row(params, case) == ("abs_x", "he") and _is_like_lu(params, case)


def _is_like_lu(params: Params, case: CollapseCase | Variation) -> bool:
    """Return whether a case has Lu et al.'s network with biases, initializers, loss and interval; see `LU`."""
    target, (first, middle, last) = params.target(case), case.initializers
    widths = case.widths == LU_WIDTHS if target.of_one_input else set(case.widths) == {4}
    known = (middle == HE or isinstance(middle, Rai)) and first in (middle, HE) and last == middle
    same = case.activation == "relu" and case.biases and case.loss == "mean_squared_error"
    return widths and known and same and case.protocol == "independent" and _is_on(target, sqrt(3))


def _is_on(target: TargetParams, end: float) -> bool:
    """Return whether a training set has 3,000 points on [-end, end]."""
    return target.points == 3000 and max(abs(target.low + end), abs(target.high - end)) < 1e-6
