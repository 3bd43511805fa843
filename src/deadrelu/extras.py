"""The extras of the package, and the message for a user if an imported module is not installed."""

import sys

OF_MODULE = {"llvmlite": "engine", "pydantic": "engine", "ruamel": "engine", "keras": "keras", "tensorflow": "keras"}
"""The extra that installs each of these modules; all other modules belong to the extra "pipeline"."""

TENSORFLOW_BELOW = (3, 14)
"""The first version of Python for which TensorFlow has no release."""


def explained(error: ModuleNotFoundError, extra: str | None = None) -> ModuleNotFoundError | None:
    """Return an error whose message says how to install a missing module.

    Args:
        error: the error that an import raised.
        extra: the extra that installs the module; if it is None, `OF_MODULE` determines the extra.

    Returns:
        The error, or None if the missing module belongs to this package or is unknown.
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
