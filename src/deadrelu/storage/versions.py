"""Record the versions of packages that made the tables of a stage, in `data/versions/<stage>.json`.

These files are separate from the tables, and are not outputs of DVC, so that a newer package that computes the same
numbers changes no hash.
"""

import hashlib
import json
import platform
from collections.abc import Iterable, Sequence
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from deadrelu.storage import files
from deadrelu.storage.tables import DATA

KERAS_PACKAGES = ("deadrelu", "tensorflow", "keras", "numpy", "pandas", "pyarrow")
"""Packages that determine the tables of stages that use Keras."""

ENGINE_PACKAGES = ("deadrelu", "llvmlite", "numpy", "pandas", "pyarrow")
"""Packages that determine the tables of stages that use the trial engine."""


def installed(packages: Iterable[str]) -> dict[str, str]:
    """Return the versions of packages and of Python by name, with 'none' for a package that is not installed."""
    return {package: _version(package) for package in packages} | {"python": platform.python_version()}


def record(stage: str, folder: Path, packages: Sequence[str]) -> None:
    """Record that the installed versions of packages made the current tables of a stage, which are in `folder`."""
    path = _path(stage)
    with files.scratch_folder(path.parent) as scratch:
        text = json.dumps({"sha256": _digest(folder), "versions": installed(packages)}, indent=2, sort_keys=True)
        (scratch / path.name).write_text(f"{text}\n", encoding="utf-8")
        files.replace(scratch / path.name, path, scratch)


def of_tables(stage: str, folder: Path) -> dict[str, str]:
    """Return the versions that made a stage's tables in `folder`, or {} if unknown, as for tables from DVC's cache."""
    try:
        recorded = json.loads(_path(stage).read_text(encoding="utf-8"))
        versions: dict[str, str] = recorded["versions"] if recorded["sha256"] == _digest(folder) else {}
    except (OSError, ValueError, KeyError, TypeError):
        return {}
    return versions


def _path(stage: str) -> Path:
    return DATA / "versions" / f"{stage}.json"


def _digest(folder: Path) -> str:
    digest = hashlib.sha256()
    for path in sorted(path for path in folder.rglob("*") if path.is_file() and not path.name.startswith(".")):
        digest.update(f"{path.name}\0".encode() + hashlib.sha256(path.read_bytes()).digest())
    return digest.hexdigest()


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return "none"
