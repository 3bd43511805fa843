"""Split work into shards, compute shards in this process or on a Dask cluster, and reuse finished shards."""
