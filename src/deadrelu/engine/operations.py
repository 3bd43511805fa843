"""The operations of the engine's arithmetic, which `forward_backward.py` uses in addition to + - × ÷ and >.

A `tracer.Tracer` implements them by generating a program. In the tests, a subclass computes with NumPy arrays, one
point at a time: the slow reference. The loops that are defined here are those over plain integers.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import Any

Body = Callable[[Any], None]


class Operations(ABC):
    """Operations on values (one float32 for each trial) and integer indices; the order of additions is specified."""

    @abstractmethod
    def select(self, condition: Any, yes: Any, no: Any) -> Any:
        """Return, for each trial, `yes` if the condition is true, and `no` otherwise."""

    @abstractmethod
    def sqrt(self, value: Any) -> Any:
        """Return the correctly rounded square root."""

    @abstractmethod
    def call(self, function: Callable[[Any, Any], Any], value: Any) -> Any:
        """Return function(self, value); a generated program contains the function once and calls it."""

    @abstractmethod
    def accumulate(self, total: Any, value: Any) -> Any:
        """Return total + value; if a value contains numbers of several points, add them one by one, in order."""

    @abstractmethod
    def points(self, first: Any, end: Any, body: Body) -> None:
        """Call body(p) for each p from `first` to `end` - 1; calls are independent except for sums by `accumulate`."""

    def each(self, n: Any, body: Body) -> None:
        """Call body(k) for each k from 0 to n - 1, in any order: no call depends on what another one stores."""
        self.repeat(0, n, body)

    def repeat(self, first: Any, end: Any, body: Body) -> None:
        """Call body(k) for each k from `first` to `end` - 1, one after the other."""
        for k in range(first, end):
            body(k)

    def total(self, n: Any, term: Callable[[Any], Any]) -> Any:
        """Return the sum of term(k) for k from 0 to n - 1 (n >= 1), added from left to right."""
        total = term(0)
        for k in range(1, n):
            total = total + term(k)
        return total
