"""Round numbers to significant digits, so that they are the same on every processor.

The float64 results of Keras differ in their last bits between processors and between numbers of threads, by about 1e-15
of a value. Rounded to five or six digits, values are equal, except for about one in 1e9, which is too close to a tie.
"""

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.float64]

EXPONENTS = np.arange(-300, 301)
POWERS = np.array([float(f"1e{exponent}") for exponent in EXPONENTS])  # parsed, because the last bit of pow varies


def significant(values: npt.ArrayLike, digits: int) -> Array:
    """Round numbers to significant decimal digits.

    Args:
        values: array of any shape; numbers of magnitudes below 1e-300 become 0, NaN and infinity are unchanged.
        digits: number of significant digits.

    Returns:
        The rounded values in the same shape, float64.
    """
    values = np.asarray(values, np.float64)
    size = np.abs(values)
    place = np.searchsorted(POWERS, size, side="right") - 1 - (digits - 1)  # place of the last digit kept
    place = np.clip(place, 0, len(POWERS) - 1)
    unit = POWERS[place]
    with np.errstate(invalid="ignore", over="ignore"):
        rounded = np.rint(values / unit)
        # No power of ten below 1 is an exact float64; dividing by its inverse rounds once, as parsing decimals does.
        inverse = POWERS[np.clip(len(POWERS) - 1 - place, 0, len(POWERS) - 1)]
        result = np.where(unit < 1, rounded / inverse, rounded * unit)
    result = np.where(size < POWERS[0], 0.0, result)
    return np.where(np.isfinite(values), result, values)
