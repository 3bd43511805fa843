"""The extras of the package, and the line that a user reads if an imported module is not installed."""

import sys

OF_MODULE = {"llvmlite": "engine", "pydantic": "engine", "ruamel": "engine", "keras": "keras", "tensorflow": "keras"}
"""The extra that installs each module that Python code can lack; all other modules belong to the pipeline."""

TENSORFLOW_BELOW = (3, 14)
"""The first Python for which TensorFlow has no release."""


def explained(error: ModuleNotFoundError, extra: str | None = None) -> ModuleNotFoundError | None:
    """Return the error with a line that says how to install the missing module.

    Args:
        error: the error of an import.
        extra: the extra that installs the module; None: chosen by the module.

    Returns:
        None if a module of this package is missing, which no installation would provide.
    """
    module = (error.name or "").partition(".")[0]
    if module in ("", "deadrelu"):
        return None
    extra = extra or OF_MODULE.get(module, "pipeline")
    line = f"{module} is not installed; `pip install 'deadrelu[{extra}]'` installs what this needs"
    if module == "tensorflow" and sys.version_info >= TENSORFLOW_BELOW:
        line = f"tensorflow is not installed, and has no release for Python {sys.version_info[0]}.{sys.version_info[1]}"
        line += f"; `pip install 'deadrelu[{extra}]'` with Python 3.11 to 3.13 installs it"
    return ModuleNotFoundError(line, name=error.name)
