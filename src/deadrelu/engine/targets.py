"""Target functions of the narrow networks, and their training points."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from deadrelu.functions import FUNCTIONS
from deadrelu.streams import TARGET, stream


@dataclass(frozen=True, kw_only=True)
class Target:
    """A training set: inputs drawn uniformly from [low, high], and the values of a target function.

    Attributes:
        function: a name in `FUNCTIONS`.
        low, high: ends of the interval; each of several inputs lies in it.
        points: number of training points.
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
        x and function(x), float32, of shape (points,) for one input or output, otherwise (points, inputs) or
        (points, outputs). The value is computed in float64 from the rounded x, so that each pair is as exact as
        float32 permits.
    """
    entry = FUNCTIONS[function]
    drawn = stream(seed, TARGET).random(points if entry.inputs == 1 else (points, entry.inputs))
    x = (low + (high - low) * drawn).astype(np.float32)
    return x, entry.compute(x.astype(np.float64)).astype(np.float32)
