"""Numbers in print, each with the settings it belongs to: it is shown beside no other run."""

from math import sqrt

from deadrelu.params import CollapseCase, Params

NOTEBOOK_TRIALS = 1000
NOTEBOOK_WIDTHS = [1, *[2] * 9]
NOTEBOOK = (
    (CollapseCase(activation="relu", widths=NOTEBOOK_WIDTHS), 0.956),
    (CollapseCase(activation="leaky_relu", negative_slope=0.1, widths=NOTEBOOK_WIDTHS), 0.192),
)
"""Collapse rates that the 2019 notebook printed."""

LU_AT_LEAST = 0.9
"""Lu et al. (arXiv:1903.06733): "more than 90 %" for 10 ReLU layers of width 2, on |x|."""


def notebook_rates(params: Params) -> dict[str, float]:
    """The notebook's rate of each case of `collapse` that has one."""
    rates = {key: notebook_rate(params, key) for key in params.collapse.cases}
    return {key: rate for key, rate in rates.items() if rate is not None}


def notebook_rate(params: Params, key: str) -> float | None:
    """The notebook's rate for a case of `collapse`, if network, data and training are the notebook's."""
    target, collapse = params.data.target, params.collapse
    same_data = (
        target.function == "x_sin_x"
        and abs(target.high - sqrt(7)) < 1e-6
        and abs(target.low + sqrt(7)) < 1e-6
        and target.points == 3000
    )
    if not (same_data and collapse.epochs == 10 and collapse.batch_size == 64):
        return None
    return next((rate for case, rate in NOTEBOOK if case == collapse.cases[key]), None)
