"""The measuring stages of dvc.yaml, with one module for each; they compute tables in `data/` from the params."""
