"""The entry point of `deadrelu` and of `python -m deadrelu`."""

import atexit
import gc
import sys
import traceback

from deadrelu import extras


def run() -> None:
    """Run the command line, and exit with its code; from the first import on, Ctrl-C exits with 130.

    If a package is not installed, print which extra installs it, and exit with 2; exit with 70 on any other error.
    """
    # The imports create half a million objects; garbage collection among them takes longer than many commands.
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
