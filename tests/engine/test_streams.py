"""Test that random streams with different keys give different numbers."""

import itertools

from deadrelu.streams import LAYERS, ORDER, TARGET, WEIGHTS, stream


def test_no_two_streams_share_their_numbers() -> None:
    """Zeros in a key count, although NumPy treats the entropy lists [10], [10, 0] and [10, 0, 0] as one seed."""
    keys = [(), (0,), (TARGET,), (LAYERS,), *itertools.product((WEIGHTS, ORDER), (0, 1)), (ORDER, 0, 0), (ORDER, 0, 1)]
    drawn = {key: stream(10, *key).integers(2**63) for key in keys}
    assert len(set(drawn.values())) == len(set(keys))


def test_a_stream_is_named_by_seed_and_key_alone() -> None:
    assert stream(10, WEIGHTS, 3).integers(2**63) == stream(10, WEIGHTS, 3).integers(2**63)
    assert stream(10, WEIGHTS, 3).integers(2**63) != stream(11, WEIGHTS, 3).integers(2**63)
