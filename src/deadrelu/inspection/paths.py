"""The trunk of a model: the layers that every path from an input to an output goes through."""

from collections.abc import Sequence

import numpy as np


def on_every_path(edges: Sequence[tuple[int, int]], ends: Sequence[int]) -> set[int]:
    """Return the nodes that every path from an input to an end goes through, for the pair with most such nodes.

    Args:
        edges: pairs of numbers (node, successor), sorted by successor, with node < successor; inputs are negative.
        ends: numbers of the nodes that compute the model's outputs.
    """
    longest: set[int] = set()
    for begin in dict.fromkeys(source for source, _ in edges if source < 0):
        reached = _closure({begin}, edges)
        for end in ends:
            both = reached & _closure({end}, [(b, a) for a, b in reversed(edges)])
            # Each node follows its sources in this order, so that a node is on every path if no edge leads past it.
            order = sorted(both)
            place = {call: at for at, call in enumerate(order)}
            past = np.zeros(len(order) + 1, int)
            for a, b in edges:
                if a in both and b in both:
                    past[place[a] + 1] += 1
                    past[place[b]] -= 1
            on_all = {call for call, edges_past in zip(order, np.cumsum(past), strict=False) if edges_past == 0}
            longest = max(longest, on_all - {begin}, key=len)
    return longest


def on_path_to_each(edges: Sequence[tuple[int, int]], ends: Sequence[int]) -> set[int]:
    """Return the nodes that `on_every_path(edges, [end])` contains for every one of the ends; none without an end."""
    return set.intersection(*(on_every_path(edges, [end]) for end in ends)) if ends else set()


def _closure(reached: set[int], edges: Sequence[tuple[int, int]]) -> set[int]:
    """Return the nodes `reached` and all nodes behind them; one pass is enough because the edges are sorted."""
    reached = set(reached)
    for a, b in edges:
        if a in reached:
            reached.add(b)
    return reached
