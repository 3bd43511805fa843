"""Test that rounding to significant digits is that of Python's formatting, and ignores the last bits."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from deadrelu.storage.rounding import significant


@given(st.floats(1e-290, 1e290) | st.floats(-1e290, -1e-290), st.integers(1, 8))
def test_as_python_formats_them(value: float, digits: int) -> None:
    """Results agree with Python's to one unit of the last digit, and are off by half a unit at most, up to rounding."""
    rounded = significant(value, digits)
    assert rounded == pytest.approx(float(f"{value:.{digits - 1}e}"), rel=1.01 * 10.0 ** (1 - digits))
    assert abs(rounded - value) <= 0.5000001 * 10.0 ** (np.floor(np.log10(abs(value))) + 1 - digits) * 1.0000001


def test_nothing_is_left_of_the_last_bits() -> None:
    """A million values of all sizes are moved by up to eight units in the last place; one in 1e9 may lie at a tie."""
    rng = np.random.default_rng(1)
    values = rng.standard_normal(1_000_000) * 10.0 ** rng.uniform(-12, 12, 1_000_000)
    moved = values + rng.integers(-8, 9, len(values)) * np.spacing(values)
    assert (moved != values).mean() > 0.9
    assert (significant(values, 5) == significant(moved, 5)).all()
    again = significant(values, 5)
    assert (significant(again, 5) == again).all()
    assert (again == [float(f"{value:.4e}") for value in again]).all()


def test_zero_infinity_nan() -> None:
    values = np.array([0.0, np.inf, -np.inf, np.nan, 1e-305, 0.1, 123456.0, -0.000123456])
    np.testing.assert_array_equal(significant(values, 3), [0, np.inf, -np.inf, np.nan, 0, 0.1, 123000, -0.000123])
