"""Split work into shards, compute them in this process or on a Dask cluster, and reuse finished ones."""
