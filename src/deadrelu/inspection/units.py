"""Activation functions whose units can be dead or saturated."""

DEAD_SLOPE = 1e-6
"""Largest absolute slope, over all inputs, of the activation of a unit that counts as dead."""

BOUNDED = {"tanh", "sigmoid", "hard_sigmoid", "hard_tanh", "softsign"}
"""Activations with two limits; units that stay at these are called saturated, see `signals.statistics.SATURATED`."""

OF_SEVERAL_UNITS = {"softmax", "log_softmax", "sparsemax", "glu", "softmin"}
"""Activations whose outputs each depend on several units, so that no single unit can be called dead."""


def has_dead_units(activation: str | None) -> bool:
    """Return whether units with this activation can be dead; None stands for a linear layer."""
    return activation is not None and activation not in BOUNDED | OF_SEVERAL_UNITS
