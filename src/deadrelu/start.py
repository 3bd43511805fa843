"""TensorFlow started the way this project needs it: without its greeting, and with the options of the trial engine."""

import os
import sys
import tempfile
from threading import Lock

QUICK_XLA_FLAGS = (
    "--xla_cpu_prefer_vector_width=512 "  # 16 trials in one instruction where the processor can
    "--xla_backend_extra_options=xla_cpu_use_multi_output_fusion=true"  # all gradients of a point in one loop
)
"""For programs that run for less time than they take to compile: half as long to compile, up to three times to run."""

XLA_FLAGS = (
    f"{QUICK_XLA_FLAGS},"
    "xla_cpu_small_while_loop_byte_threshold=1000000000"  # the loop over points inside one kernel, not around many
)
"""None of them relaxes arithmetic: NaN and infinity mean what they mean."""

_STARTING = Lock()


def tensorflow(*, keras: bool = True, xla_flags: str = XLA_FLAGS) -> None:
    """Import TensorFlow and run a first operation; show what it writes to stderr only if that fails.

    Args:
        keras: TensorFlow imports Keras along, which takes more than a second; without, Keras waits for its own import.
        xla_flags: read once, when TensorFlow is imported; added to what the environment has.

    Its log level does not silence the notes on oneDNN and on absent GPU drivers, and turning oneDNN off would
    change the arithmetic: so the file descriptor is redirected for this moment. A second call does nothing.
    """
    with _STARTING:
        if "tensorflow" not in sys.modules:
            _start(keras=keras, xla_flags=xla_flags)


def stderr_is_back() -> None:
    """Wait until what is written to stderr is seen: not while another thread starts TensorFlow."""
    with _STARTING:
        pass


def _start(*, keras: bool, xla_flags: str) -> None:
    os.environ["KERAS_BACKEND"] = "tensorflow"  # a user's ~/.keras/keras.json may name another
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    if xla_flags not in os.environ.get("XLA_FLAGS", ""):
        os.environ["XLA_FLAGS"] = f"{os.environ.get('XLA_FLAGS', '')} {xla_flags}".strip()
    legacy = os.environ.get("TF_USE_LEGACY_KERAS")
    if not keras:  # asked for its old Keras, which is not installed, TensorFlow goes on without any
        os.environ["TF_USE_LEGACY_KERAS"] = "1"
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
            os.environ.pop("TF_USE_LEGACY_KERAS", None)
            if legacy is not None:
                os.environ["TF_USE_LEGACY_KERAS"] = legacy
