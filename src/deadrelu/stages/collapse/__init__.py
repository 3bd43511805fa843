"""collapse@case: train many narrow networks and keep what any criterion of collapse needs."""
