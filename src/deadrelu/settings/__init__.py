"""Settings of the pipeline: `params.yaml` as typed groups."""
