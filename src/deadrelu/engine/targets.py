"""The functions that the narrow networks are to learn, and their training points."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from deadrelu.streams import TARGET, stream

Array = npt.NDArray[np.float64]


class Function(NamedTuple):
    """`of` takes an array of shape (points,) or (points, inputs), and gives (points,) or (points, outputs)."""

    of: Callable[[Array], Array]
    inputs: int = 1
    outputs: int = 1


FUNCTIONS = {
    "x_sin_x": Function(lambda x: x * np.sin(x)),  # the notebook's, on [-sqrt 7, sqrt 7]
    # Those of Lu et al. (arXiv:1903.06733, arXiv:1808.04947), on [-sqrt 3, sqrt 3], where x has variance 1:
    "abs_x": Function(np.abs),
    "x_sin_5x": Function(lambda x: x * np.sin(5 * x)),
    "step_sin_5x": Function(lambda x: (x > 0) + 0.2 * np.sin(5 * x)),
    "abs_sum_abs_difference": Function(
        lambda x: np.abs(np.stack([x[:, 0] + x[:, 1], x[:, 0] - x[:, 1]], axis=1)), inputs=2, outputs=2
    ),
}
"""By the names used in `params.yaml`."""


@dataclass(frozen=True, kw_only=True)
class Target:
    """A training set: `points` inputs drawn uniformly from [low, high], and the function that is to be learned.

    Attributes:
        function: a name in `FUNCTIONS`.
        low, high: ends of the interval; with several inputs, each lies in it.
        points: number of inputs.
    """

    function: str
    low: float
    high: float
    points: int

    @property
    def inputs(self) -> int:
        """Number of inputs of the function."""
        return FUNCTIONS[self.function].inputs

    @property
    def outputs(self) -> int:
        """Number of outputs of the function."""
        return FUNCTIONS[self.function].outputs

    def sample(self, seed: int) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.float32]]:
        """Draw the training set: x, shape (points, inputs), and y, shape (points, outputs), float32."""
        x, y = sample(self.function, self.low, self.high, self.points, seed=seed)
        return x.reshape(self.points, -1), y.reshape(self.points, -1)

    def grid(self, n: int) -> npt.NDArray[np.float32]:
        """Return n equally spaced numbers from `low` to `high`, shape (n,), float32."""
        return np.linspace(self.low, self.high, n, dtype=np.float32)


def sample(
    function: str, low: float, high: float, points: int, *, seed: int
) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.float32]]:
    """Draw training points uniformly from [low, high], or from the square or cube of it.

    Returns:
        x and function(x), float32, of shape (points,) for one input or output, else (points, inputs) or
        (points, outputs). The value is computed in float64 from the rounded x, so that the pair is as exact as
        float32 can hold.
    """
    of, inputs, _ = FUNCTIONS[function]
    drawn = stream(seed, TARGET).random(points if inputs == 1 else (points, inputs))
    x = (low + (high - low) * drawn).astype(np.float32)
    return x, of(x.astype(np.float64)).astype(np.float32)
