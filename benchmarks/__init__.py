"""Benchmarks of the trial engine, of `inspect`, of the page and of installation. They are not in the wheel."""
