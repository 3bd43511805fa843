"""Atomic writes of files and folders, Parquet tables with their provenance, MNIST files, versions, and rounding."""
