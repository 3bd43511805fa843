"""From the tables to the numbers that the report, the metrics and the check share: rates, fates, theory, tests."""
