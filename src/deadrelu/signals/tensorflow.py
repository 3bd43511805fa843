"""TensorFlow, started without its greeting."""

import os
import sys
import tempfile


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
            import tensorflow as tf

            tf.zeros(1)
        except Exception:
            log.seek(0)
            os.write(stderr, log.read())
            raise
        finally:
            os.dup2(stderr, 2)
            os.close(stderr)
