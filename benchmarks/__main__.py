"""Command line of the benchmarks: `make bench`, or `python -m benchmarks --help`."""

from pathlib import Path
from typing import Annotated

import typer

from deadrelu.errors import InputError
from deadrelu.settings import params

app = typer.Typer(
    help="Measure the trial engine and `inspect`. Nothing is written but figures.",
    add_completion=False,
    rich_markup_mode="markdown",
)
Json = Annotated[bool, typer.Option("--json", help="Print JSON instead of a table.")]
Figure = Annotated[Path | None, typer.Option(help="A .png file for the figure.")]


def png(figure: Path | None) -> Path | None:
    """Return the file, or refuse it if its name does not end with .png."""
    if figure and figure.suffix != ".png":
        raise InputError(f"--figure: received {figure}; expected: a file whose name ends with .png")
    return figure


@app.command()
def engine(
    repeats: Annotated[int, typer.Option(min=1, help="Number of repetitions; the median is shown.")] = 5,
    figure: Figure = None,
    as_json: Json = False,
) -> None:
    """Measure ms/trial of the notebook's experiment for the engine, Keras's fit in a loop, and JAX if installed."""
    from benchmarks import engine_speed

    engine_speed.main(repeats=repeats, as_json=as_json, figure=png(figure))


@app.command()
def scale(
    up_to: Annotated[int, typer.Option(min=1, max=10_000_000, help="Largest number of trials.")] = 1_000_000,
    figure: Figure = None,
    as_json: Json = False,
) -> None:
    """Measure trials/s and peak memory for 10^3 to 10^6 networks, from initial weights to tables."""
    from benchmarks import scale

    scale.main(params.load(), up_to=up_to, as_json=as_json, figure=png(figure))


@app.command()
def grid(as_json: Json = False) -> None:
    """Measure the seconds that each trained cell of the depth-width grid in params.yaml takes."""
    from benchmarks import grid

    grid.main(params.load(), as_json=as_json)


@app.command()
def shuffles(
    trials: Annotated[int, typer.Option(min=1, help="Networks of each block size.")] = 10_000, as_json: Json = False
) -> None:
    """Compare rates of networks whose shuffles share a factor with those of networks that shuffle independently."""
    from benchmarks import shuffles

    shuffles.main(trials=trials, as_json=as_json)


@app.command()
def inspect(as_json: Json = False) -> None:
    """Compare the time and peak memory of `inspect` and of a plain pass for four PyTorch models. It needs PyTorch."""
    from benchmarks import inspect_costs

    inspect_costs.main(as_json=as_json)


@app.command()
def page(as_json: Json = False) -> None:
    """Compare the time of trials in the report's page, in Chromium, with the engine's; measure the longest task."""
    from benchmarks import page_speed

    page_speed.main(params.load(), as_json=as_json)


@app.command()
def install(as_json: Json = False) -> None:
    """Install each extra into an empty environment: packages, MB, seconds, import time. It needs a package index."""
    from benchmarks import install

    install.main(as_json=as_json)


if __name__ == "__main__":
    app()
