"""The measuring stages of dvc.yaml, one module each, which compute tables below `data/` from the params."""
