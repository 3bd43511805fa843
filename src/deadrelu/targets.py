"""The functions that the narrow networks are to learn, and their training points."""

from collections.abc import Callable

import numpy as np
import numpy.typing as npt

from deadrelu.streams import TARGET, stream

Array = npt.NDArray[np.float64]

FUNCTIONS: dict[str, Callable[[Array], Array]] = {
    "x_sin_x": lambda x: x * np.sin(x),  # the notebook's, on [-sqrt 7, sqrt 7]
    # Those of Lu et al. (arXiv:1903.06733), on [-sqrt 3, sqrt 3]:
    "abs_x": np.abs,
    "x_sin_5x": lambda x: x * np.sin(5 * x),
    "step_sin_5x": lambda x: (x > 0) + 0.2 * np.sin(5 * x),
}
"""By the names used in `params.yaml`."""


def sample(
    function: str, low: float, high: float, points: int, *, seed: int
) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.float32]]:
    """Draw training points uniformly from [low, high].

    Returns:
        x and function(x), each of shape (points,), float32. The value is computed in float64 from the
        rounded x, so that the pair is as exact as float32 can hold.
    """
    x = stream(seed, TARGET).uniform(low, high, points).astype(np.float32)
    return x, FUNCTIONS[function](x.astype(np.float64)).astype(np.float32)
