"""The command line (see `deadrelu --help`). Each command imports its modules when it runs: TensorFlow takes seconds."""

import os
import sys
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from deadrelu.errors import InputError, printable

if TYPE_CHECKING:
    from deadrelu.settings.params import Params

app = typer.Typer(
    help="What initialization does to a network's signals, and how often a narrow ReLU network is dead. The "
    "first seven commands are the stages of the pipeline: they read params.yaml and data/ in this folder, or in the "
    "nearest one above that is a project, and write to data/ or reports/. `dvc repro` runs those whose inputs changed.",
    epilog="Exit codes: 0 done, 1 `check` found a change or `inspect --fail-on` a problem, 2 wrong input (one line on "
    "stderr says which), 130 interrupted, 70 a fault of deadrelu itself.",
    pretty_exceptions_enable=False,
    rich_markup_mode="markdown",  # paragraphs wrap independently of the lines of the source
)


def _version(asked: bool) -> None:
    if asked:
        print(f"deadrelu {version('deadrelu')}")
        raise typer.Exit


def _project() -> "Params":
    """Change to the project's folder, and load params.yaml; the project is this folder or, as in DVC, one above it."""
    from deadrelu.settings import params

    here = Path.cwd()
    if not (here / "params.yaml").exists():
        above = (folder for folder in here.parents if all((folder / f).exists() for f in ("params.yaml", "dvc.yaml")))
        if folder := os.environ.get("MNIST_DIR"):
            os.environ["MNIST_DIR"] = os.path.abspath(folder)
        os.chdir(next(above, here))
    return params.load()


@app.callback()
def main(
    version: Annotated[bool, typer.Option("--version", help="Print the version.", callback=_version)] = False,
) -> None:
    """Options before the command."""


@app.command()
def data(which: Annotated[Literal["mnist", "target"], typer.Argument(help="Which data set.")]) -> None:
    """Fetch the MNIST digits, or sample the training sets.

    `mnist` writes the official files from the folder in MNIST_DIR, your cache, or a public mirror to data/mnist/, or
    else 5,000 bundled digits. `target` writes a table for each training set of the small networks to data/targets/.
    """
    if which == "mnist":
        from deadrelu.stages import data_mnist

        data_mnist.main(_project())
    else:
        from deadrelu.stages import data_target

        data_target.main(_project())


@app.command()
def activations() -> None:
    """Measure the signals of an untrained MLP under each initialization.

    Reads data/mnist/; writes data/activations/: sampled activations, and statistics of signals and gradients by layer.
    """
    from deadrelu.stages import activations

    activations.main(_project())


@app.command()
def training() -> None:
    """Train an MLP and a CNN on MNIST under each initialization.

    Reads data/mnist/; writes data/training/: the loss of each batch, and training and validation losses of each epoch.
    """
    from deadrelu.stages import training

    training.main(_project())


@app.command()
def collapse(
    case: Annotated[
        str, typer.Argument(help="A key of collapse.cases in params.yaml, or collapse@KEY, as DVC has it.")
    ],
) -> None:
    """Train the narrow networks of one case.

    Writes data/collapse/CASE/: a table with one row per trial; if the case has `protocol: refit` or `follow`, also a
    table with one row per trial and checkpoint. Example: deadrelu collapse leaky_relu

    Runs on all cores, or on the Dask cluster at DASK_SCHEDULER_ADDRESS. After an interruption, the same command
    continues.
    """
    from deadrelu.stages import collapse

    collapse.main(_project(), case.removeprefix("collapse@"))


@app.command()
def safe_region() -> None:
    """Measure how often a network is dead, over a grid of depths and widths.

    Writes data/safe_region/: how many networks are dead at initialization in each cell of the grid, and the results of
    trained networks in some cells. To measure a deeper grid: dvc exp run -S safe_region.depth.high=50

    Runs on all cores, or on the Dask cluster at DASK_SCHEDULER_ADDRESS. After an interruption, the same command
    continues.
    """
    from deadrelu.stages import safe_region

    safe_region.main(_project())


@app.command()
def sensitivity(
    table: Annotated[
        str | None, typer.Argument(help="A key of sensitivity in params.yaml, or sensitivity@KEY. Default: all.")
    ] = None,
) -> None:
    """Train variations of a case of collapse; each variation changes one setting of the case.

    Writes data/sensitivity/TABLE/: one table with one row per variation and trial. The report compares a variation with
    its case, network by network if both start from the same networks. Example: deadrelu sensitivity plane

    Runs on all cores, or on the Dask cluster at DASK_SCHEDULER_ADDRESS. After an interruption, the same command
    continues.
    """
    from deadrelu.stages import sensitivity

    settings = _project()
    for key in [table.removeprefix("sensitivity@")] if table else settings.sensitivity:
        sensitivity.main(settings, key)


@app.command()
def report() -> None:
    """Draw the figures and write the metrics and the page.

    Reads data/; writes reports/figures/, reports/tables/, reports/metrics.json and reports/report.html.
    """
    from deadrelu.report import build

    build.main(_project())


Loss = Annotated[str | None, typer.Option(help="A name of keras.losses. Default: chosen by labels and output.")]
TrainingMode = Annotated[
    bool, typer.Option("--training-mode", help="BatchNormalization and Dropout as in training, not as in use.")
]
BatchSize = Annotated[int | None, typer.Option(min=1, help="Default: as many as fit into about 0.5 GB.")]
Seed = Annotated[int, typer.Option(min=0, max=2**32 - 1, help="Of random projections and of Dropout.")]
FailOn = Annotated[
    list[str] | None,
    typer.Option(help="Exit with 1 on findings of this code or severity, e.g. dead, error; may be repeated."),
]
Ignore = Annotated[
    list[str] | None, typer.Option(help="Leave out findings of this code, e.g. unusual-scale; may be repeated.")
]
Compare = Annotated[Path | None, typer.Option(help="An earlier checkpoint, a .keras file: print what changed since.")]
Verbose = Annotated[
    bool, typer.Option("--verbose", "--all", help="Print every finding, and every row, also of blocks that repeat.")
]


@app.command()
def inspect(
    model: Annotated[Path, typer.Argument(help="A .keras file, as model.save writes it.")],
    inputs: Annotated[Path, typer.Option(help="A .npy or .npz file or a Parquet table: one row an input.")],
    labels: Annotated[Path | None, typer.Option(help="The same for classes or targets. Without: see below.")] = None,
    out: Annotated[Path | None, typer.Option(help="Folder for the files. Default: MODEL-signals, here.")] = None,
    first: Annotated[int | None, typer.Option(min=1, help="Use the first N inputs only.")] = None,
    loss: Loss = None,
    training_mode: TrainingMode = False,
    batch_size: BatchSize = None,
    seed: Seed = 0,
    fail_on: FailOn = None,
    ignore: Ignore = None,
    compare: Compare = None,
    verbose: Verbose = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON instead of a table.")] = False,
) -> None:
    """Measure the signals of your own model: whether it is initialized well, and which units are dead.

    Passes the inputs once forward and backward through every layer. Prints one line per problem and a table of layers
    (rms, zeros, dead units, gradient, verdict); writes layers.parquet, layers.png and signals.html to the folder of
    --out. docs/inspect.md explains all codes of findings, and what to do about each.

    For a model with several inputs, give a .npz file or a table with their names. With labels, gradients are those of
    the loss; without, those of a random projection of the outputs, which also show where gradients vanish or explode.

    A PyTorch model is inspected from Python: from deadrelu import inspect; print(inspect(model, inputs, labels)).

    No code in the files is run: no pickle, no Lambda layers. Example: deadrelu inspect model.keras --inputs x.npy
    """
    from deadrelu.inspection import command

    options: dict[str, Any] = {"first": first, "loss": loss, "batch_size": batch_size, "seed": seed}
    options |= {"fail_on": fail_on or (), "ignore": ignore or (), "compare": compare, "verbose": verbose}
    if command.main(model, inputs, labels, out, training=training_mode, as_json=as_json, **options):
        raise typer.Exit(1)


@app.command()
def check(
    update: Annotated[bool, typer.Option("--update", help="Accept the present results as the reference.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON: every number that was compared.")] = False,
    as_markdown: Annotated[bool, typer.Option("--md", help="Print Markdown, for a pull request.")] = False,
    seeds: Annotated[
        int | None,
        typer.Option(min=3, help="With --update: measure again how much statistics vary, over this many seeds."),
    ] = None,
) -> None:
    """Say whether the results still hold: identical, consistent, changed, or not comparable.

    Compares data/ and reports/ with reports/reference.json: first the bytes of the tables, then number by number.
    With the same seed, trials are compared one by one, which finds small changes. With another seed, shares and
    statistics are compared. The output gives the false-alarm rate and the smallest change that would be found.

    `--update` accepts the present results and shows what changes. If signals or losses changed, it also runs their
    stages with 20 other seeds to measure how much they vary, which takes up to 10 minutes.

    Exits with 0 if identical or consistent, 1 if changed, 2 if it cannot compare.
    """
    if as_json and as_markdown:
        raise InputError("--json --md: received both; expected: one of them")
    if seeds and not update:
        raise InputError(f"--seeds: received {seeds}; expected: together with --update")
    from deadrelu.check import command

    form: Literal["json", "md", "text"] = "json" if as_json else "md" if as_markdown else "text"
    raise typer.Exit(command.main(_project(), update=update, seeds=seeds, form=form))


# typer raises this class on a wrong command line, but exports only a subclass of it.
UsageError: type[Any] = typer.BadParameter.__bases__[0]


def run() -> None:
    """Run the command line, and exit with its code; report wrong input in one line, and exit with 2."""
    try:
        sys.exit(app(args=sys.argv[1:] or ["--help"], standalone_mode=False))
    except InputError as error:
        message = str(error)
    except UsageError as error:
        command = error.ctx.command_path if error.ctx else "deadrelu"
        message = f"{' '.join(error.format_message().split())} `{command} --help` lists what is allowed"
    except OSError as error:
        message = f"{error}; expected: files and folders you can read and write, with space left"
    print(f"deadrelu: {printable(message)}", file=sys.stderr)
    sys.exit(2)
