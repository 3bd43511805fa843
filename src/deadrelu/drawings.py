"""The report's figures, from its tables to PNG files, drawn side by side while the page is written."""

import multiprocessing
import signal
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Future, ProcessPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import pandas as pd

from deadrelu import labels, printed, tables
from deadrelu.params import Params

if TYPE_CHECKING:
    from matplotlib.figure import Figure

FIGURES = ("activations", "gradients", "signals", "loss_curves", "collapse_rates", "rate_by_tolerance")
PROCESSES = 2
"""Drawing takes four seconds of one core, and a start of a process more than one."""

Draw = Callable[[Params, Mapping[str, pd.DataFrame], Path, Path], list[Future[None]]]


@contextmanager
def side_by_side() -> Iterator[Draw]:
    """Start the processes; yields `draw(params, numbers, activations, folder)`, which lets them draw `FIGURES`.

    `numbers` are the report's small tables by name, `activations` is the folder with the samples of `activations`,
    and each figure becomes a PNG in `folder`: wait for the futures.
    """
    # Not forked: pyarrow has threads by now.
    pool = ProcessPoolExecutor(PROCESSES, mp_context=multiprocessing.get_context("spawn"))

    def draw(
        params: Params, numbers: Mapping[str, pd.DataFrame], activations: Path, folder: Path
    ) -> list[Future[None]]:
        return [pool.submit(_draw, name, params, dict(numbers), activations, folder) for name in FIGURES]

    # Ctrl-C is the parent's to handle; processes inherit the mask.
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        for _ in range(PROCESSES):
            pool.submit(_start)
    finally:
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT})
    try:
        yield draw
    finally:
        pool.shutdown(cancel_futures=True)


def figure(name: str, params: Params, numbers: Mapping[str, pd.DataFrame], activations: Path) -> "Figure":
    """Draw one of `FIGURES`."""
    from deadrelu import collapse_figures, signal_figures, training_figures

    panels = {key: labels.panel(case) for key, case in params.activations.cases.items()}
    networks = labels.narrow_networks(params.collapse.cases)
    if name in ("activations", "gradients"):
        paths = [activations / f"{key}.parquet" for key in panels]
        sample = pd.concat(tables.read(path, tables.ACTIVATIONS) for path in paths)
        violins = {"activations": signal_figures.activation_violins, "gradients": signal_figures.gradient_violins}
        return violins[name](sample, numbers["signals"], panels)
    if name == "signals":
        return signal_figures.signal_strength(numbers["signals"], panels)
    if name == "loss_curves":
        return training_figures.loss_curves(
            numbers["loss_curves"], numbers["epochs"], labels.trained(params.training.cases)
        )
    tolerance = params.collapse.tolerance
    if name == "collapse_rates":
        rates = numbers["collapse_rates"].replace({"event": labels.events(tolerance)})
        return collapse_figures.collapse_rates(rates, networks)
    rates_in_print = printed.notebook_rates(params)
    return collapse_figures.rate_by_tolerance(numbers["rate_by_tolerance"], networks, rates_in_print, tolerance)


def _start() -> None:
    from deadrelu import collapse_figures, page, signal_figures, training_figures  # noqa: F401  what takes a second


def _draw(name: str, params: Params, numbers: dict[str, pd.DataFrame], activations: Path, folder: Path) -> None:
    from deadrelu import page

    page.save(figure(name, params, numbers, activations), folder / f"{name}.png")
