"""Describe the machine of a measurement in words."""

import platform
from pathlib import Path

from deadrelu import engine


def description() -> str:
    """Return the processor, the number of cores and the version of Python, in words."""
    return f"{_processor()}, {engine.cores()} cores, Python {platform.python_version()}"


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return platform.processor() or platform.machine()
    return next((line.split(":")[1].strip() for line in lines if line.startswith("model name")), platform.machine())
