"""Numbers rounded to so many significant digits, so that they are the same wherever they are computed.

What Keras computes in float64 differs in its last bits between processors and between numbers of threads, by some 1e-15
of a value. Rounded to five or six digits, such values are equal, but for one in 1e9 that lies that near to a tie.
"""

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.float64]

EXPONENTS = np.arange(-300, 301)
POWERS = np.array([float(f"1e{exponent}") for exponent in EXPONENTS])  # not by pow, whose last bit is a library's


def significant(values: npt.ArrayLike, digits: int) -> Array:
    """Round to significant decimal digits.

    Args:
        values: any shape; below 1e-300 they become 0, NaN and infinity stay.
        digits: how many.

    Returns:
        The same shape, float64.
    """
    values = np.asarray(values, np.float64)
    size = np.abs(values)
    place = np.searchsorted(POWERS, size, side="right") - 1 - (digits - 1)  # of the last digit that stays
    place = np.clip(place, 0, len(POWERS) - 1)
    unit = POWERS[place]
    with np.errstate(invalid="ignore", over="ignore"):
        rounded = np.rint(values / unit)
        # A power of ten below 1 is no exact float64; dividing by the one above 1 rounds once, to what a parser reads.
        inverse = POWERS[np.clip(len(POWERS) - 1 - place, 0, len(POWERS) - 1)]
        found = np.where(unit < 1, rounded / inverse, rounded * unit)
    found = np.where(size < POWERS[0], 0.0, found)
    return np.where(np.isfinite(values), found, values)
