"""The operations of the engine's arithmetic, and a slow reference implementation: NumPy arrays, one point at a time.

`forward_backward.py` defines what a network computes with + - × ÷, > and the operations here. With the `Reference`,
that code computes numbers directly. With a `tracer.Tracer`, the same code generates a program.
"""

from collections.abc import Callable
from typing import Any, Protocol

import numpy as np

Body = Callable[[Any], None]


class Operations(Protocol):
    """Operations on values, one float32 for each trial, and integer indices; each keeps the order that it specifies."""

    def select(self, condition: Any, yes: Any, no: Any) -> Any:
        """Return `yes` where the condition holds, and `no` elsewhere."""

    def sqrt(self, value: Any) -> Any:
        """Return the correctly rounded square root."""

    def call(self, function: Callable[[Any, Any], Any], value: Any) -> Any:
        """Return function(self, value); a program has the function once and calls it."""

    def each(self, n: Any, body: Body) -> None:
        """Call body(k) for each k from 0 to n - 1, in any order: no call depends on what another one stores."""

    def total(self, n: Any, term: Callable[[Any], Any]) -> Any:
        """Return the sum of term(k) for k from 0 to n - 1, added from left to right."""

    def repeat(self, first: Any, end: Any, body: Body) -> None:
        """Call body(k) for each k from `first` to `end` - 1, one after the other."""

    def points(self, first: Any, end: Any, body: Body) -> None:
        """Call body(point) for each point from `first` to `end` - 1; points share only the sums of `accumulate`."""

    def accumulate(self, total: Any, value: Any) -> Any:
        """Return total + value; where a value has numbers of several points, add them one after the other, in order."""


class Reference:
    """The operations on NumPy arrays of shape (trials,), float32; `Operations` specifies each of them."""

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
