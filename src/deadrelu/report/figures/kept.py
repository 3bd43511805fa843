"""Reuse figures whose code, data and packages have not changed since they were drawn.

Figures of the last run are in `reports/figures` and `reports/vectors` (in Git), their keys in `keys.json` there.
"""

import hashlib
import json
import shutil
from collections.abc import Iterator, Mapping, Sequence
from functools import cache, partial
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from pydantic import BaseModel

from deadrelu.storage.rounding import significant

FIGURES, VECTORS = Path("reports/figures"), Path("reports/vectors")
KEYS = VECTORS / "keys.json"

MODULES = ("functions.py", "report/figures/*.py", "report/labels.py", "analysis/counting.py", "analysis/theory.py")
"""Modules whose code determines figures; everything else on which a figure depends is an argument."""

PACKAGES = ("matplotlib", "seaborn")
"""Packages that draw figures; the results of all other packages are arguments of figures."""

KEY_DIGITS = 9
"""Significant digits of floats in a key: more than a figure shows, but so few that all machines agree on them."""

Entry = Mapping[str, str]
"""Key of a figure, and SHA-256 of its PNG and SVG files."""


def key(drawing: "partial[Any]") -> str:
    """Return the SHA-256 of what determines a figure: function and arguments in `drawing`, code, package versions."""
    digest = hashlib.sha256(f"{drawing.func.__qualname__} {code()}".encode())
    for part in _parts([drawing.args, drawing.keywords]):
        digest.update(part)
    return digest.hexdigest()


@cache
def code() -> str:
    """Return one SHA-256 over the source code of `MODULES` and the installed versions of `PACKAGES`."""
    digest = hashlib.sha256(" ".join(map(version, PACKAGES)).encode())
    for pattern in MODULES:
        for path in sorted(Path(__file__).parents[2].glob(pattern)):
            digest.update(path.read_bytes())
    return digest.hexdigest()


def take(name: str, key: str, folder: Path) -> bool:
    """Copy the figure `name` of the last run to `folder` if it has this key and intact files; return whether it has."""
    try:
        entry = json.loads(KEYS.read_text(encoding="utf-8"))[name]
        kept = {"png": FIGURES / f"{name}.png", "svg": VECTORS / f"{name}.svg"}
        if entry != {"key": key, **{kind: _digest(path) for kind, path in kept.items()}}:
            return False
        for path in kept.values():
            shutil.copyfile(path, folder / path.name)
    except (OSError, ValueError, KeyError, TypeError):
        return False
    return True


def put(entries: Mapping[str, str], folder: Path, vectors: Path) -> None:
    """Move SVGs in `folder` to a new folder `vectors`; write its `keys.json` with each figure's key, in `entries`."""
    vectors.mkdir()
    keys: dict[str, Entry] = {}
    for name, key in entries.items():
        paths = {kind: folder / f"{name}.{kind}" for kind in ("png", "svg")}
        keys[name] = {"key": key, **{kind: _digest(path) for kind, path in paths.items()}}
        paths["svg"].rename(vectors / f"{name}.svg")
    (vectors / "keys.json").write_text(json.dumps(keys, indent=2) + "\n", encoding="utf-8")


def _digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def _parts(value: Any) -> Iterator[bytes]:
    """Yield bytes that identify a value: its contents (of a path, the file's), floats with `KEY_DIGITS` digits.

    Raises:
        TypeError: the value contains an object of a type that is not supported.
    """
    if isinstance(value, BaseModel):
        yield value.model_dump_json().encode()
    elif isinstance(value, Path):
        yield _digest(value).encode()
    elif isinstance(value, pd.DataFrame):
        for name in value:
            yield f"column {name}".encode()
            yield from _parts(value[name].to_numpy())
    elif isinstance(value, np.ndarray) and value.dtype.kind in "biu":
        yield f"{value.dtype} {value.shape}".encode() + np.ascontiguousarray(value).tobytes()
    elif isinstance(value, np.ndarray) and value.dtype.kind == "f":
        yield f"{value.dtype} {value.shape}".encode() + np.ascontiguousarray(significant(value, KEY_DIGITS)).tobytes()
    elif isinstance(value, float | np.floating):
        yield f"{value:.{KEY_DIGITS}g};".encode()
    elif isinstance(value, np.ndarray | Sequence) and not isinstance(value, str):
        yield f"{len(value)} values".encode()
        for entry in value:
            yield from _parts(entry)
    elif isinstance(value, Mapping):
        yield from _parts([[name, entry] for name, entry in value.items()])
    elif value is None or isinstance(value, str | int | np.generic):
        yield f"{value!r};".encode()
    else:
        raise TypeError(f"a figure can be given files, tables, arrays, texts and numbers, not {type(value).__name__}")
