"""Compute the numbers that the report, the metrics and the check share: rates, outcomes, theory and tests."""
