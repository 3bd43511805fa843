"""The command line: in this process, and through a shell where the process is the point."""

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
    """While open, these environment variables are set."""
    with pytest.MonkeyPatch.context() as patch:
        for name, value in variables.items():
            patch.setenv(name, str(value))
        yield


COMMAND = [sys.executable, "-m", "deadrelu"]


class Done(NamedTuple):
    """How a command ended."""

    returncode: int
    stdout: str
    stderr: str


def deadrelu(*words: str) -> Done:
    """Run a command here: modules are imported once for all tests."""
    out, told = io.StringIO(), io.StringIO()
    with (
        pytest.MonkeyPatch.context() as patch,
        contextlib.redirect_stdout(out),
        contextlib.redirect_stderr(told),
        warnings.catch_warnings(),
    ):
        warnings.simplefilter("ignore")  # what a user would not see as an error is none here
        patch.setattr(sys, "argv", ["deadrelu", *words])
        with pytest.raises(SystemExit) as ended:
            cli.run()
    return Done(int(ended.value.code or 0), out.getvalue(), told.getvalue())


def in_a_process(*words: str) -> "subprocess.CompletedProcess[str]":
    """Run a command as a user does."""
    return subprocess.run([*COMMAND, *words], capture_output=True, text=True, check=False)


def one_line(done: "Done | subprocess.CompletedProcess[str]") -> str:
    """The one line of a command that was refused as wrong input is."""
    assert done.returncode == 2, done.stderr
    assert done.stderr.count("\n") == 1, done.stderr
    assert done.stderr.startswith("deadrelu: ")
    return done.stderr


def refused(*words: str) -> str:
    """Run a command here that must fail as wrong input does; its one line on stderr."""
    return one_line(deadrelu(*words))
