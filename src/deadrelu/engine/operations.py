"""The operations of the engine's arithmetic, and a slow reference implementation with NumPy, one point at a time.

`forward_backward.py` defines what a network computes with + - × ÷, > and `Operations`. With the `Reference`, that code
computes numbers directly. With a `tracer.Tracer`, the same code generates a program.
"""

from collections.abc import Callable
from typing import Any, Protocol

import numpy as np

Body = Callable[[Any], None]


class Operations(Protocol):
    """Operations on values (one float32 for each trial) and integer indices; the order of additions is specified."""

    def select(self, condition: Any, yes: Any, no: Any) -> Any:
        """Return, for each trial, `yes` if the condition is true, and `no` otherwise."""

    def sqrt(self, value: Any) -> Any:
        """Return the correctly rounded square root."""

    def call(self, function: Callable[[Any, Any], Any], value: Any) -> Any:
        """Return function(self, value); a generated program contains the function once and calls it."""

    def each(self, n: Any, body: Body) -> None:
        """Call body(k) for each k from 0 to n - 1, in any order: no call depends on what another one stores."""

    def total(self, n: Any, term: Callable[[Any], Any]) -> Any:
        """Return the sum of term(k) for k from 0 to n - 1 (n >= 1), added from left to right."""

    def repeat(self, first: Any, end: Any, body: Body) -> None:
        """Call body(k) for each k from `first` to `end` - 1, one after the other."""

    def points(self, first: Any, end: Any, body: Body) -> None:
        """Call body(p) for each p from `first` to `end` - 1; calls are independent except for sums by `accumulate`."""

    def accumulate(self, total: Any, value: Any) -> Any:
        """Return total + value; if a value contains numbers of several points, add them one by one, in order."""


class Reference:
    """The operations on NumPy arrays of shape (trials,), float32, as specified by `Operations`."""

    def select(self, condition: Any, yes: Any, no: Any) -> Any:
        return np.where(condition, np.float32(yes), np.float32(no))

    def sqrt(self, value: Any) -> Any:
        return np.sqrt(value)

    def call(self, function: Callable[[Any, Any], Any], value: Any) -> Any:
        return function(self, value)

    def each(self, n: int, body: Body) -> None:
        for k in range(n):
            body(k)

    def total(self, n: int, term: Callable[[int], Any]) -> Any:
        total = term(0)
        for k in range(1, n):
            total = total + term(k)
        return total

    def repeat(self, first: int, end: int, body: Body) -> None:
        for k in range(first, end):
            body(k)

    points = repeat

    def accumulate(self, total: Any, value: Any) -> Any:
        return total + value
