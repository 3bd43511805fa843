"""Training sets of the narrow networks: random inputs, and the values of a target function."""

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
        low, high: ends of the interval from which each input is drawn.
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
        """Draw the training set: inputs x, shape (points, inputs), and y, shape (points, outputs), float32."""
        x, y = sample(self.function, self.low, self.high, self.points, seed=seed)
        return x.reshape(self.points, -1), y.reshape(self.points, -1)

    def grid(self, n: int) -> npt.NDArray[np.float32]:
        """Return n equally spaced numbers from `low` to `high`, shape (n,), float32."""
        return np.linspace(self.low, self.high, n, dtype=np.float32)


def sample(
    function: str, low: float, high: float, points: int, *, seed: int
) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.float32]]:
    """Draw training points, each input uniformly from [low, high].

    Returns:
        x and function(x), float32: shape (points,) for a single input or output, otherwise (points, inputs) or
        (points, outputs). The values are computed in float64 from x after its rounding to float32, so that each pair is
        as exact as float32 permits.
    """
    entry = FUNCTIONS[function]
    drawn = stream(seed, TARGET).random(points if entry.inputs == 1 else (points, entry.inputs))
    x = (low + (high - low) * drawn).astype(np.float32)
    return x, entry.compute(x.astype(np.float64)).astype(np.float32)
