"""`params.yaml` as typed groups, and what it names: initializers, target functions, streams of random numbers."""
