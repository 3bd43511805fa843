"""What initialization does to a network's signals, and how often a narrow ReLU network is dead.

>>> from deadrelu import Network, Training, train, predict, inspect

Each name is imported when it is first used: `import deadrelu` alone takes a hundredth of a second.
"""

from importlib import import_module, metadata
from typing import Any

from deadrelu import extras

PUBLIC = {
    "Network": ("deadrelu.engine", "Network"),
    "Training": ("deadrelu.engine", "Training"),
    "train": ("deadrelu.engine", "run"),
    "predict": ("deadrelu.engine", "predict"),
    "inspect": ("deadrelu.inspection.inspect", "inspect"),
}

__all__ = [*PUBLIC, "__version__"]


def __getattr__(name: str) -> Any:
    if name == "__version__":
        return metadata.version("deadrelu")
    if name not in PUBLIC:
        raise AttributeError(f"module 'deadrelu' has no attribute {name!r}")
    module, attribute = PUBLIC[name]
    try:
        return getattr(import_module(module), attribute)
    except ModuleNotFoundError as error:
        raise extras.explained(error) or error from None
