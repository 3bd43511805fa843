"""The entry point of `deadrelu` and of `python -m deadrelu`."""

import atexit
import gc
import sys
import traceback


def run() -> None:
    """Run the command line; Ctrl-C ends it with 130 from the first import on, a fault of our own with 70."""
    # Looking for cycles among half a million objects that imports leave takes longer than many a command.
    gc.set_threshold(100_000)
    atexit.register(gc.freeze)
    try:
        from deadrelu import cli

        cli.run()
    except KeyboardInterrupt:
        sys.exit(130)
    except Exception:
        traceback.print_exc()
        print(
            "deadrelu: this is a fault of deadrelu, not of your input; please report the lines above", file=sys.stderr
        )
        sys.exit(70)


if __name__ == "__main__":
    run()
