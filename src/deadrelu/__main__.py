"""The entry point of `deadrelu` and of `python -m deadrelu`."""

import sys


def run() -> None:
    """Run the command line; Ctrl-C ends it with 130 from the first import on."""
    try:
        from deadrelu import cli

        cli.run()
    except KeyboardInterrupt:
        sys.exit(130)


if __name__ == "__main__":
    run()
