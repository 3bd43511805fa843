"""Work cut into shards, what may be used again of it, and the workers: this process, or a Dask cluster."""
