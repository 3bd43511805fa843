"""Draw the report's figures from its tables as PNG and SVG files, in processes that run while the page is written."""

import multiprocessing
import signal
import sys
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Future, ProcessPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import pandas as pd

from deadrelu.analysis import rates
from deadrelu.settings.params import Params

FIGURES = (
    *("over_training", "activations", "beside_theory", "gradients", "signals", "loss_curves"),
    *("before_and_after", "collapse_rates", "functions", "losses", "rate_by_tolerance", "loop_numbers"),
    *("paper_rates", "collapse_values", "deaths", "safe_region", "born_dead"),
)
VIOLINS = ("activations", "gradients")
PROCESSES = 2
"""Number of processes; drawing takes six seconds of one core."""

Draw = Callable[[Params, Mapping[str, pd.DataFrame], Path, Path], list[Future[dict[str, str]]]]


@contextmanager
def side_by_side() -> Iterator[Draw]:
    """Start the processes, and yield `draw(params, numbers, activations, folder)`, which submits `FIGURES` to them.

    `numbers` are the report's small tables by name, `activations` is the folder with the samples of `activations`,
    and each figure becomes a PNG and an SVG in `folder`, complete when the future is.
    """
    # Processes are forked where that is safe, here before pyarrow has threads; then nothing is imported again.
    how = "fork" if sys.platform == "linux" else "spawn"
    if how == "fork":
        _start()
    pool = ProcessPoolExecutor(PROCESSES, mp_context=multiprocessing.get_context(how))

    def draw(
        params: Params, numbers: Mapping[str, pd.DataFrame], activations: Path, folder: Path
    ) -> list[Future[dict[str, str]]]:
        return [pool.submit(_draw, names, params, dict(numbers), activations, folder) for names in _jobs(drawn(params))]

    # Only the parent handles Ctrl-C; the processes inherit the mask.
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        for _ in range(PROCESSES):
            pool.submit(_start)
    finally:
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT})
    try:
        yield draw
    finally:
        with _ctrl_c_afterwards():
            pool.shutdown(cancel_futures=True)


@contextmanager
def _ctrl_c_afterwards() -> Iterator[None]:
    """Delay Ctrl-C to the end of a shutdown; during it, Ctrl-C would leave this process and others waiting for ever."""
    pressed: list[int] = []
    before = signal.signal(signal.SIGINT, lambda number, _: pressed.append(number))
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)
    if pressed:
        raise KeyboardInterrupt


def drawn(params: Params) -> list[str]:
    """Return the names of those `FIGURES` for which these settings have a case."""
    independent = params.collapse.independent
    followed = [key for key in independent if params.collapse.cases[key].follow]
    has = {
        "over_training": followed,
        "deaths": followed,
        "before_and_after": params.main_cases,
        "losses": independent,
        "functions": [key for key in independent if params.target_of(key).of_one_input],
        "collapse_rates": params.main_cases,
        "rate_by_tolerance": params.main_cases,
        "loop_numbers": params.collapse.refit,
        "paper_rates": params.other_cases,
        "collapse_values": [key for key in params.collapse.cases if rates.learns_constants(params, key)],
    }
    return [name for name in FIGURES if has.get(name, True)]


def _jobs(names: list[str]) -> list[list[str]]:
    """Group figures into jobs: first those of the same samples in one job, which takes longest, then one for each."""
    violins = [name for name in names if name in VIOLINS]
    return [violins, *([name] for name in names if name not in VIOLINS)]


def _start() -> None:
    from deadrelu.report.figures import kept, registry, save  # noqa: F401  an import of a second


def _draw(
    names: list[str], params: Params, numbers: dict[str, pd.DataFrame], activations: Path, folder: Path
) -> dict[str, str]:
    """Draw some figures, or take them from the last run, and return the key of each."""
    from deadrelu.report.figures import kept, registry, save

    keys = {}
    for name in names:
        drawing = registry.drawing(name, params, numbers, activations)
        keys[name] = kept.key(drawing)
        if not kept.take(name, keys[name], folder):
            save.save(drawing(), folder / f"{name}.png")
    return keys
