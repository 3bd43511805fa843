"""Activation functions whose units can be dead or saturated."""

DEAD_SLOPE = 1e-6
"""A unit is dead when the slope of its activation is at most this on all inputs: what float32 rounds away beside 1."""

BOUNDED = {"tanh", "sigmoid", "hard_sigmoid", "hard_tanh", "softsign"}
"""Flat at both ends: units there are called saturated, see `signals.statistics.SATURATED`."""

OF_SEVERAL_UNITS = {"softmax", "log_softmax", "sparsemax", "glu", "softmin"}
"""Not a function of one unit alone: these have no dead units."""


def has_dead_units(activation: str | None) -> bool:
    """Whether units with this activation can be dead."""
    return activation is not None and activation not in BOUNDED | OF_SEVERAL_UNITS
