"""Activation functions whose units can be dead or saturated."""

DEAD_SLOPE = 1e-6
"""A unit is dead when the slope of its activation is at most this on all inputs; float32 loses it next to 1."""

BOUNDED = {"tanh", "sigmoid", "hard_sigmoid", "hard_tanh", "softsign"}
"""Activations that are flat at both ends, where units are called saturated, see `signals.statistics.SATURATED`."""

OF_SEVERAL_UNITS = {"softmax", "log_softmax", "sparsemax", "glu", "softmin"}
"""Activations that are functions of several units: these have no dead units."""


def has_dead_units(activation: str | None) -> bool:
    """Return whether units with this activation can be dead."""
    return activation is not None and activation not in BOUNDED | OF_SEVERAL_UNITS
