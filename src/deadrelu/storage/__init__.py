"""Atomic writes of files and folders, Parquet tables with their provenance, the MNIST files, and rounding."""
