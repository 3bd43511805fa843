"""Measure packages, MB and seconds of each way to install deadrelu into an empty environment, and its import time."""

import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from statistics import median

from rich.console import Console
from rich.table import Table

ROOT = Path(__file__).parents[1]
UV = str(Path(sys.executable).with_name("uv"))

WAYS = {"core": "", "engine": "[engine]", "keras": "[keras]", "pipeline": "[pipeline]"}
"""Extra of each way to install deadrelu."""

IMPORTS = {"python": "pass", "pandas": "import pandas", "inspect": "from deadrelu import inspect"}


def main(*, as_json: bool) -> None:
    """Install every way and print a table. It needs a package index."""
    with tempfile.TemporaryDirectory() as folder:
        build = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", folder]
        subprocess.run(build, cwd=ROOT, check=True, capture_output=True)
        (wheel,) = Path(folder).glob("*.whl")
        rows = [{"way": way, **_installed(wheel, extra, Path(folder) / way)} for way, extra in WAYS.items()]
        seconds = _import_seconds(Path(folder) / "core" / "bin" / "python")
    more = {name: seconds[name] - seconds["python"] for name in ("pandas", "inspect")}
    ratio = more["inspect"] / more["pandas"]
    if as_json:
        print(json.dumps({"installs": rows, "import_s": more, "import_ratio": ratio}, indent=2))
        return
    table = Table("extra", "packages", "MB", "seconds")
    for row in rows:
        table.add_row(str(row["way"]), str(row["packages"]), f"{row['mb']:,.0f}", f"{row['seconds']:.1f}")
    console = Console()
    console.print(table, "Packages beside deadrelu. Seconds depend on what uv has in its cache.")
    console.print(f"`from deadrelu import inspect` takes {ratio:.2f} times as long as `import pandas`.")


def _installed(wheel: Path, extra: str, environment: Path) -> dict[str, float]:
    """Install into a new environment, and measure it."""
    python = str(environment / "bin" / "python")
    subprocess.run([UV, "venv", "--quiet", "--python", sys.executable, str(environment)], check=True)
    start = time.perf_counter()
    what = f"deadrelu{extra} @ {wheel.as_uri()}"
    subprocess.run([UV, "pip", "install", "--quiet", "--python", python, what], check=True)
    seconds = time.perf_counter() - start
    listed = subprocess.run(
        [UV, "pip", "list", "--python", python, "--format", "json"], check=True, capture_output=True, text=True
    ).stdout
    files = [path for path in (environment / "lib").rglob("*") if path.is_file() and not path.is_symlink()]
    megabytes = sum(path.stat().st_size for path in files) / 1e6
    return {"packages": len(json.loads(listed)) - 1, "mb": megabytes, "seconds": seconds}


def _import_seconds(python: Path, repeats: int = 7) -> dict[str, float]:
    """Return the median of several starts of Python, after one that fills the caches."""
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    taken: dict[str, list[float]] = {name: [] for name in IMPORTS}
    for _ in range(repeats + 1):
        for name, code in IMPORTS.items():
            start = time.perf_counter()
            subprocess.run([python, "-c", code], env=environment, check=True)
            taken[name].append(time.perf_counter() - start)
    return {name: median(values[1:]) for name, values in taken.items()}
