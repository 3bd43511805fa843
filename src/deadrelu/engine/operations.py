"""What the engine's arithmetic is written with; and the slow, plain version of it: NumPy arrays, one point at a time.

`forward_backward.py` says what a network computes, with + - × ÷, > and the operations here. Given the `Reference`, it
runs as it stands. Given a `tracer.Tracer`, the same lines write a program.
"""

from collections.abc import Callable
from typing import Any, Protocol

import numpy as np

Body = Callable[[Any], None]


class Operations(Protocol):
    """Values are float32, of one number for each trial; indices are whole numbers. Every order below is kept."""

    def select(self, condition: Any, yes: Any, no: Any) -> Any:
        """`yes` where the condition holds, else `no`."""

    def sqrt(self, value: Any) -> Any:
        """The square root, correctly rounded."""

    def call(self, function: Callable[[Any, Any], Any], value: Any) -> Any:
        """function(operations, value)."""

    def each(self, n: Any, body: Body) -> None:
        """body(0), body(1), …, body(n - 1). None of them needs what another one has stored."""

    def total(self, n: Any, term: Callable[[Any], Any]) -> Any:
        """((term(0) + term(1)) + term(2)) + …"""

    def repeat(self, first: Any, end: Any, body: Body) -> None:
        """body(first), …, body(end - 1), one after the other."""

    def points(self, first: Any, end: Any, body: Body) -> None:
        """body(point) for each point, where all that points have in common are sums by `accumulate`."""

    def accumulate(self, total: Any, value: Any) -> Any:
        """total + value, for the value of each point in turn."""


class Reference:
    """NumPy's float32 arrays of shape (trials,). What each operation does is said in `Operations`."""

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
