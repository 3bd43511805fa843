"""Training sets of the narrow networks: random inputs, and the values of a target function."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from deadrelu.functions import FUNCTIONS
from deadrelu.streams import TARGET, stream

Float = npt.NDArray[np.float32]


@dataclass(frozen=True)
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

    def sample(self, seed: int) -> tuple[Float, Float]:
        """Draw the training set: inputs x, shape (points, inputs), and y, shape (points, outputs), float32.

        Values are computed in float64 from x after its rounding to float32, so that pairs are as exact as possible.
        """
        function = FUNCTIONS[self.function]
        drawn = stream(seed, TARGET).random(self.points if function.inputs == 1 else (self.points, function.inputs))
        x = (self.low + (self.high - self.low) * drawn).astype(np.float32)
        y = function.compute(x.astype(np.float64)).astype(np.float32)
        return x.reshape(self.points, -1), y.reshape(self.points, -1)
