"""Which layers every path from an input to an output goes through: the trunk of a model."""

from collections.abc import Sequence

import numpy as np


def on_every_path(edges: Sequence[tuple[int, int]], ends: Sequence[int]) -> set[int]:
    """Return the nodes on every path from an input to an end, for the pair with most of them.

    Args:
        edges: from node to node, in an order in which each node follows those before it; inputs are negative.
        ends: nodes that make outputs.
    """
    longest: set[int] = set()
    for begin in dict.fromkeys(source for source, _ in edges if source < 0):
        reached = _closure({begin}, edges)
        for end in ends:
            both = reached & _closure({end}, [(b, a) for a, b in reversed(edges)])
            # Calls come in an order in which each follows its sources: one that no edge leads past is on every path.
            order = sorted(both)
            place = {call: at for at, call in enumerate(order)}
            past = np.zeros(len(order) + 1, int)
            for a, b in edges:
                if a in both and b in both:
                    past[place[a] + 1] += 1
                    past[place[b]] -= 1
            found = {call for call, edges_past in zip(order, np.cumsum(past), strict=False) if edges_past == 0}
            longest = max(longest, found - {begin}, key=len)
    return longest


def on_path_to_each(edges: Sequence[tuple[int, int]], ends: Sequence[int]) -> set[int]:
    """Return the nodes on the trunk to each of the ends."""
    return set.intersection(*(on_every_path(edges, [end]) for end in ends)) if ends else set()


def _closure(reached: set[int], edges: Sequence[tuple[int, int]]) -> set[int]:
    """Everything that edges lead to; they are in an order that one pass is enough for."""
    reached = set(reached)
    for a, b in edges:
        if a in reached:
            reached.add(b)
    return reached
