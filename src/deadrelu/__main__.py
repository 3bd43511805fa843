"""The entry point of `deadrelu` and of `python -m deadrelu`."""

import atexit
import gc
import sys
import traceback

from deadrelu import extras


def run() -> None:
    """Run the command line; Ctrl-C ends it with 130 from the first import on, a fault of our own with 70.

    A package that is not installed is wrong input: a line that says which extra has it, and 2.
    """
    # Looking for cycles among half a million objects that imports leave takes longer than many a command.
    gc.set_threshold(100_000)
    atexit.register(gc.freeze)
    try:
        from deadrelu import cli

        cli.run()
    except KeyboardInterrupt:
        sys.exit(130)
    except Exception as error:
        extra = "keras" if sys.argv[1:2] == ["inspect"] else "pipeline"
        missing = isinstance(error, ModuleNotFoundError) and extras.explained(error, extra)
        if missing:
            print(f"deadrelu: {missing}", file=sys.stderr)
            sys.exit(2)
        traceback.print_exc()
        print(
            "deadrelu: this is a fault of deadrelu, not of your input; please report the lines above", file=sys.stderr
        )
        sys.exit(70)


if __name__ == "__main__":
    run()
