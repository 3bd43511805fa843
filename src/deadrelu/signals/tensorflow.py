"""TensorFlow, started without its greeting."""

import os
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

NOT_NEEDED = ("sklearn", "matplotlib")
"""What Keras imports where it is installed, for wrappers and plots that are not used here: half of its import time."""


def import_tensorflow() -> None:
    """Import TensorFlow and run a first operation; show what it writes to stderr only if that fails.

    Its log level does not silence the notes on oneDNN and on absent GPU drivers, and turning oneDNN off would
    change the arithmetic: so the file descriptor is redirected for this moment. A second call does nothing.
    """
    if "tensorflow" in sys.modules:
        return
    os.environ["KERAS_BACKEND"] = "tensorflow"  # a user's ~/.keras/keras.json may name another
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
    """While open, packages of these names seem not to be installed."""
    for name in names:
        sys.modules[name] = None  # type: ignore[assignment]  # what `import` takes for "there is none"
    try:
        yield
    finally:
        for name in names:
            sys.modules.pop(name, None)
