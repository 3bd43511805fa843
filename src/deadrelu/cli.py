"""The command line: `deadrelu --help`. A stage is imported only when asked for: TensorFlow takes seconds."""

import os
import sys
from typing import Annotated, Any, Literal

import typer

from deadrelu import params, quiet
from deadrelu.errors import InputError

app = typer.Typer(
    help="What initialization does to a network's signals, and how often a narrow ReLU network is dead. "
    "Each command is a stage of the pipeline; `dvc repro` runs those that need it.",
    add_completion=False,
    pretty_exceptions_enable=False,
)


@app.command()
def data(which: Annotated[Literal["mnist", "target"], typer.Argument(help="Which data set.")]) -> None:
    """Fetch the MNIST digits, or sample x sin x."""
    if which == "mnist":
        from deadrelu.stages import data_mnist

        data_mnist.main(params.load())
    else:
        from deadrelu.stages import data_target

        data_target.main(params.load())


@app.command()
def activations() -> None:
    """Measure the signals of an untrained MLP under each initialization."""
    settings = params.load()
    quiet.start_tensorflow()
    from deadrelu.stages import activations

    activations.main(settings)


@app.command()
def collapse(case: Annotated[str, typer.Argument(help="A key of collapse.cases in params.yaml.")]) -> None:
    """Train the narrow networks of one case."""
    settings = params.load()
    quiet.start_tensorflow()
    from deadrelu.stages import collapse

    collapse.main(settings, case)


@app.command()
def report() -> None:
    """Draw the figures, write the metrics and the report."""
    settings = params.load()
    from deadrelu.stages import report

    report.main(settings)


# What typer raises on a wrong command line; it exports this child of it only.
UsageError: type[Any] = typer.BadParameter.__bases__[0]


def run() -> None:
    """Entry point: exit 0 done, 2 wrong input in one line, 130 on Ctrl-C."""
    os.environ["KERAS_BACKEND"] = "tensorflow"  # a user's ~/.keras/keras.json may name another
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    try:
        sys.exit(app(args=sys.argv[1:] or ["--help"], standalone_mode=False))
    except InputError as error:
        message = str(error)
    except UsageError as error:
        message = f"{error.format_message()} `deadrelu --help` lists what is allowed"
    except OSError as error:
        message = f"{error}; allowed: files and folders you can read and write, with space left"
    print(f"deadrelu: {message}", file=sys.stderr)
    sys.exit(2)
