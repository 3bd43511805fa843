"""Figures kept from earlier runs: one whose table and code are the same need not be drawn again."""

import hashlib
import json
import shutil
from collections.abc import Mapping
from functools import partial
from importlib.metadata import version
from pathlib import Path
from typing import Any

from dask.base import tokenize

from deadrelu.shards import WORK, code

FOLDER = WORK / "figures"
PACKAGES = ("matplotlib", "seaborn", "scipy")


def key(drawing: "partial[Any]") -> str:
    """Of all that decides the bytes of a figure: the function that draws it, what it is given, code and versions."""
    what = tokenize(drawing.func.__qualname__, drawing.args, drawing.keywords, ensure_deterministic=True)
    return " ".join([what, code(), *map(version, PACKAGES)])


def take(name: str, of: str, folder: Path) -> bool:
    """Copy the figure into a folder, if it was kept with this key and is whole."""
    try:
        found = json.loads((FOLDER / f"{name}.json").read_text(encoding="utf-8"))
        if found["key"] != of or _digests(FOLDER, name) != found["files"]:
            return False
        for ending in found["files"]:
            shutil.copyfile(FOLDER / f"{name}{ending}", folder / f"{name}{ending}")
    except (OSError, ValueError, KeyError, TypeError):
        return False
    return True


def keep(name: str, of: str, folder: Path) -> None:
    """Keep a figure of a folder; the one of this name that was kept before goes."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    for ending in _digests(folder, name):
        shutil.copyfile(folder / f"{name}{ending}", FOLDER / f"{name}{ending}")
    (FOLDER / f"{name}.json").write_text(json.dumps({"key": of, "files": _digests(folder, name)}), encoding="utf-8")


def _digests(folder: Path, name: str) -> Mapping[str, str]:
    files = {ending: folder / f"{name}{ending}" for ending in (".png", ".svg")}
    return {ending: hashlib.sha256(path.read_bytes()).hexdigest() for ending, path in files.items()}
