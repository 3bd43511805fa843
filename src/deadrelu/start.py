"""TensorFlow, started without its greeting."""

import os
import sys
import tempfile
from threading import Lock

_STARTING = Lock()


def tensorflow() -> None:
    """Import TensorFlow and run a first operation; show what it writes to stderr only if that fails.

    Its log level does not silence the notes on oneDNN and on absent GPU drivers, and turning oneDNN off would
    change the arithmetic: so the file descriptor is redirected for this moment. A second call does nothing.
    """
    with _STARTING:
        if "tensorflow" not in sys.modules:
            _start()


def stderr_is_back() -> None:
    """Wait until what is written to stderr is seen: not while another thread starts TensorFlow."""
    with _STARTING:
        pass


def _start() -> None:
    os.environ["KERAS_BACKEND"] = "tensorflow"  # a user's ~/.keras/keras.json may name another
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    sys.stderr.flush()
    stderr = os.dup(2)
    with tempfile.TemporaryFile() as log:
        os.dup2(log.fileno(), 2)
        try:
            import tensorflow as tf

            tf.zeros(1)
        except Exception:
            log.seek(0)
            os.write(stderr, log.read())
            raise
        finally:
            os.dup2(stderr, 2)
            os.close(stderr)
