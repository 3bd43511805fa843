"""Import TensorFlow without the messages that it prints at its start."""

import os
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

NOT_NEEDED = ("sklearn", "matplotlib")
"""Optional packages that Keras imports for wrappers and plots not used here; they take half of its import time."""


def import_tensorflow() -> None:
    """Import TensorFlow and run a first operation; show its output to stderr only if that fails.

    The log level does not suppress the messages on oneDNN and on absent GPU drivers, and disabling oneDNN would change
    the arithmetic; therefore stderr is redirected to a temporary file. If TensorFlow is imported already, do nothing.
    """
    if "tensorflow" in sys.modules:
        return
    os.environ["KERAS_BACKEND"] = "tensorflow"  # a user's ~/.keras/keras.json may name another backend
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    sys.stderr.flush()
    stderr = os.dup(2)
    with tempfile.TemporaryFile() as log:
        os.dup2(log.fileno(), 2)
        try:
            with _hidden([name for name in NOT_NEEDED if name not in sys.modules]):
                import tensorflow as tf

            tf.zeros(1)
        except Exception:
            log.seek(0)
            os.write(stderr, log.read())
            raise
        finally:
            os.dup2(stderr, 2)
            os.close(stderr)


@contextmanager
def _hidden(names: Sequence[str]) -> Iterator[None]:
    """Make packages with these names appear not to be installed within the context."""
    for name in names:
        sys.modules[name] = None  # type: ignore[assignment]  # makes `import` fail
    try:
        yield
    finally:
        for name in names:
            sys.modules.pop(name, None)
