"""Published numbers, each with the settings it belongs to: it is shown beside no other run."""

from math import sqrt

from deadrelu.settings.params import CollapseCase, FanScaled, Params, Rai, TargetParams

TRIALS = 1000
"""Of the notebook, and of each row of Lu et al."""

NOTEBOOK_WIDTHS = [1, *[2] * 9]
NOTEBOOK = (
    (CollapseCase(activation="relu", widths=NOTEBOOK_WIDTHS), 0.956),
    (CollapseCase(activation="leaky_relu", negative_slope=0.1, widths=NOTEBOOK_WIDTHS), 0.192),
)
"""Collapse rates that the 2019 notebook printed."""

LU_AT_LEAST = 0.9
"""Lu et al. (arXiv:1903.06733): "more than 90 %" for 10 ReLU layers of width 2, on |x|."""

LU = (
    ("x_sin_5x", FanScaled(name="he_normal"), 0.919),
    ("x_sin_5x", Rai(name="rai"), 0.292),
    ("step_sin_5x", FanScaled(name="he_normal"), 0.938),
    ("step_sin_5x", Rai(name="rai"), 0.326),
)
"""Collapse rates in Lu et al., with biases, on [-sqrt 3, sqrt 3]: function, initializer, rate."""

LU_ROWS = {
    **{(function, "rai" if isinstance(of, Rai) else "he"): rate for function, of, rate in LU},
    ("abs_sum_abs_difference", "he"): 0.768,
    ("abs_sum_abs_difference", "rai"): 0.096,
}
"""The same by function and initializer; and those of two inputs and outputs, of width 4, whose depth is not clear."""

LU_NETWORK = CollapseCase(activation="relu", widths=[2] * 9, biases=True)
"""Their "10-layer" network, read as nine hidden layers and the output."""


def notebook_rates(params: Params) -> dict[str, float]:
    """The notebook's rate of each of the main cases of `collapse` that has one."""
    rates = {key: notebook_rate(params, key) for key in params.collapse.main}
    return {key: rate for key, rate in rates.items() if rate is not None}


def notebook_rate(params: Params, key: str) -> float | None:
    """The notebook's rate for a case of `collapse`, if network, data and training are the notebook's.

    Not for its loop: the notebook says that its trials are independent. For that, see `loop_rates`.
    """
    return None if key in params.collapse.refit else _of_notebook(params, key)


def loop_rates(params: Params) -> dict[str, float]:
    """The same for each case of refits that is the notebook's loop, however often it fits."""
    rates = {key: _of_notebook(params, key) for key in params.collapse.refit}
    return {key: rate for key, rate in rates.items() if rate is not None}


def _of_notebook(params: Params, key: str) -> float | None:
    settings = params.collapse
    same_training = settings.epochs_of(key) == 10 and settings.batch_size == 64
    if not (same_training and _is_on(params.target_of(key), "x_sin_x", sqrt(7))):
        return None
    case = _network_and_loss(settings.cases[key])
    return next((rate for notebook, rate in NOTEBOOK if notebook == case), None)


def lu_rate(params: Params, key: str) -> float | None:
    """Lu et al.'s rate for a case of `collapse`, if network, data and loss are theirs; their training is not known."""
    case, target = params.collapse.cases[key], params.target_of(key)
    readings = (None, FanScaled(name="he_normal"))  # of the first layer under RAI
    if case.first_initializer not in (readings if case.initializer.name == "rai" else (None,)) or case.last_initializer:
        return None
    theirs = {function: rate for function, initializer, rate in LU if initializer == case.initializer}
    return theirs.get(target.function) if is_like_lu(params, key) else None


def is_lu_abs(params: Params, key: str) -> bool:
    """Whether a case is Lu et al.'s first, |x| from He's initialization: more than `LU_AT_LEAST`."""
    he = params.collapse.cases[key].initializer == FanScaled(name="he_normal")
    return he and params.target_of(key).function == "abs_x" and is_like_lu(params, key)


def is_like_lu(params: Params, key: str) -> bool:
    """Whether a case has Lu et al.'s narrow network and interval, whatever it learns and starts from."""
    case, target = params.collapse.cases[key], params.target_of(key)
    theirs = LU_NETWORK.model_copy(update={"initializer": case.initializer})
    independent = key not in params.collapse.refit
    return independent and _network_and_loss(case) == theirs and _is_on(target, target.function, sqrt(3))


def _network_and_loss(case: CollapseCase) -> CollapseCase:
    """What a case is without how long and on what it is trained."""
    elsewhere = {"trials": None, "epochs": None, "target": None, "protocol": "independent", "fits": None}
    elsewhere |= {"first_initializer": None, "last_initializer": None}
    return case.model_copy(update=elsewhere)


def _is_on(target: TargetParams, function: str, end: float) -> bool:
    ends = (target.low + end, target.high - end)
    return target.function == function and target.points == 3000 and max(map(abs, ends)) < 1e-6
