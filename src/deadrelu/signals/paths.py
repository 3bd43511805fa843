"""Which layers every path from an input to an output goes through."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from deadrelu.signals.calls import Call


def makers(calls: Sequence[Call]) -> dict[int, int]:
    """For the id of each tensor, the first call that put it out: Dropout puts out in inference what came in."""
    import keras

    made: dict[int, int] = {}
    for at, call in enumerate(calls):
        for tensor in keras.tree.flatten(call.output):
            made.setdefault(id(tensor), at)
    return made


def of_every_output(calls: Sequence[Call], made: dict[int, int], ends: Sequence[int]) -> set[int]:
    """Calls on the trunk to each of the outputs."""
    return set.intersection(*(trunk(calls, made, [end]) for end in ends)) if ends else set()


def trunk(calls: Sequence[Call], made: dict[int, int], ends: Sequence[int]) -> set[int]:
    """Calls on every path from an input to an output, for the pair with most of them.

    Raw operations inside a composite layer are not followed: whatever comes out of them may come from each input of the
    layer, and the layer's own output from each layer in it.
    """
    position = {id(call): at for at, call in enumerate(calls)}
    edges = []
    for at, call in enumerate(calls):
        before = [node for source in call.sources for node in _from(source, call, calls[:at], made)]
        within = [k for k in range(at) if calls[k].enclosing is not None and position.get(id(calls[k].enclosing)) == at]
        edges += [(node, at) for node in (*before, *within) if node != at]
    return on_every_path(edges, ends)


def on_every_path(edges: Sequence[tuple[int, int]], ends: Sequence[int]) -> set[int]:
    """Nodes on every path from an input to an end, for the pair with most of them.

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


def _from(source: Any, call: Call, before: Sequence[Call], made: dict[int, int]) -> list[int]:
    """Calls that a tensor comes from; a negative number of its own for one that no call made."""
    if id(source) in made and made[id(source)] < len(before):
        return [made[id(source)]]
    for at in reversed(range(len(before))):
        # In mixed precision, a layer takes a copy of its input.
        if any(t.shape == source.shape and t.dtype != source.dtype for t in before[at].tensors()[:1]):
            return [at]
    if call.enclosing is not None and call.enclosing.sources:
        return [node for outer in call.enclosing.sources for node in _from(outer, call.enclosing, before, made)]
    return [-id(source)]


def _closure(reached: set[int], edges: Sequence[tuple[int, int]]) -> set[int]:
    """Everything that edges lead to; they are in an order that one pass is enough for."""
    reached = set(reached)
    for a, b in edges:
        if a in reached:
            reached.add(b)
    return reached
