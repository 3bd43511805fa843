"""The figures of the report: a module a topic, a registry of their names, and who draws them when."""
