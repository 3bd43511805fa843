"""The functions that the narrow networks learn; settings refer to them by name, and the engine computes them."""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.float64]


class Function(NamedTuple):
    """A function, its label in figures and on the page, and the numbers of its inputs and outputs.

    `compute` maps float64 arrays of shape (points,) or (points, inputs) to shape (points,) or (points, outputs).
    """

    compute: Callable[[Array], Array]
    label: str
    inputs: int = 1
    outputs: int = 1


FUNCTIONS = {
    "x_sin_x": Function(lambda x: x * np.sin(x), "x sin x"),  # the notebook's target, on [-sqrt 7, sqrt 7]
    # The functions of Lu et al. (arXiv:1903.06733, arXiv:1808.04947), on [-sqrt 3, sqrt 3], where x has variance 1:
    "abs_x": Function(np.abs, "|x|"),
    "x_sin_5x": Function(lambda x: x * np.sin(5 * x), "x sin 5x"),
    "step_sin_5x": Function(lambda x: (x > 0) + 0.2 * np.sin(5 * x), "1{x > 0} + 0.2 sin 5x"),
    "abs_sum_abs_difference": Function(
        lambda x: np.abs(np.stack([x[:, 0] + x[:, 1], x[:, 0] - x[:, 1]], axis=1)),
        "(|x₁ + x₂|, |x₁ − x₂|)",
        inputs=2,
        outputs=2,
    ),
}
"""The functions by the names that `params.yaml` uses."""
