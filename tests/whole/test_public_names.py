"""Test the names that `from deadrelu import …` provides, and that `import deadrelu` imports nothing large."""

import subprocess
import sys

import pytest

import deadrelu
from deadrelu import engine
from deadrelu.inspection.inspect import inspect


def test_names_are_those_of_the_packages() -> None:
    assert (deadrelu.Network, deadrelu.Training) == (engine.Network, engine.Training)
    assert (deadrelu.train, deadrelu.predict, deadrelu.inspect) == (engine.run, engine.predict, inspect)
    assert {*deadrelu.__all__} == {"Network", "Training", "train", "predict", "inspect", "__version__"}
    assert deadrelu.__version__[0].isdigit()
    with pytest.raises(AttributeError, match="module 'deadrelu' has no attribute 'nonsense'"):
        deadrelu.nonsense  # noqa: B018


def test_the_package_alone_imports_nothing_large() -> None:
    code = "import sys, deadrelu; print({'numpy', 'pandas', 'tensorflow', 'llvmlite'} & sys.modules.keys())"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "set()\n"
