"""Run the command line in this process, or in a new process where a test needs one."""

import contextlib
import io
import subprocess
import sys
import warnings
from collections.abc import Iterator
from typing import NamedTuple

import pytest

from deadrelu import cli


@contextlib.contextmanager
def environment(**variables: object) -> Iterator[None]:
    """Set environment variables until the context ends."""
    with pytest.MonkeyPatch.context() as patch:
        for name, value in variables.items():
            patch.setenv(name, str(value))
        yield


COMMAND = [sys.executable, "-m", "deadrelu"]


class Done(NamedTuple):
    """The exit status and the output of a command."""

    returncode: int
    stdout: str
    stderr: str


def deadrelu(*words: str) -> Done:
    """Run a command in this process, so that modules are imported once for all tests."""
    stdout, stderr = io.StringIO(), io.StringIO()
    with (
        pytest.MonkeyPatch.context() as patch,
        contextlib.redirect_stdout(stdout),
        contextlib.redirect_stderr(stderr),
        warnings.catch_warnings(),
    ):
        warnings.simplefilter("ignore")  # warnings would fail the tests, but are no errors for a user
        patch.setattr(sys, "argv", ["deadrelu", *words])
        with pytest.raises(SystemExit) as ended:
            cli.run()
    return Done(int(ended.value.code or 0), stdout.getvalue(), stderr.getvalue())


def in_a_process(*words: str) -> "subprocess.CompletedProcess[str]":
    """Run a command in a new process, as a user does."""
    return subprocess.run([*COMMAND, *words], capture_output=True, text=True, check=False)


def one_line(done: "Done | subprocess.CompletedProcess[str]") -> str:
    """Check that a command was refused as wrong input (exit status 2, one line), and return the line."""
    assert done.returncode == 2, done.stderr
    assert done.stderr.count("\n") == 1, done.stderr
    assert done.stderr.startswith("deadrelu: ")
    return done.stderr


def refused(*words: str) -> str:
    """Run a command in this process that must be refused as wrong input; return its line on stderr."""
    return one_line(deadrelu(*words))
