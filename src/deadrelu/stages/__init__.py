"""The measuring stages of dvc.yaml, one file each: from the params to tables below `data/`."""
