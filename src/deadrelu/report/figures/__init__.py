"""Figures of the report: a module per topic, a registry of their names, and the processes that draw them."""
