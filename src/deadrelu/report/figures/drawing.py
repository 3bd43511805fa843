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
"""Number of processes that draw; all figures together take six seconds of one core."""

Draw = Callable[[Params, Mapping[str, pd.DataFrame], Path, Path], list[Future[dict[str, str]]]]


@contextmanager
def side_by_side() -> Iterator[Draw]:
    """Start processes, and yield a function `draw(params, numbers, activations, folder)` that submits figures to them.

    `numbers` are the tables of the report by name, and `activations` is the folder with the samples of activations.
    `draw` returns a future per job; its result is the key of each figure, which then is a PNG and an SVG in `folder`.
    """
    # On Linux, processes are forked, before pyarrow has threads, so that they need not import anything again.
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
    """Delay Ctrl-C to the end of the context, a shutdown, during which it would make processes wait for ever."""
    pressed: list[int] = []
    before = signal.signal(signal.SIGINT, lambda number, _: pressed.append(number))
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)
    if pressed:
        raise KeyboardInterrupt


def drawn(params: Params) -> list[str]:
    """Return the names of the `FIGURES` for which the settings have a case."""
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
    """Group names of figures into jobs: first all violins, which share samples and take longest, then one for each."""
    violins = [name for name in names if name in VIOLINS]
    return [violins, *([name] for name in names if name not in VIOLINS)]


def _start() -> None:
    from deadrelu.report.figures import kept, registry, save  # noqa: F401  the import takes a second


def _draw(
    names: list[str], params: Params, numbers: dict[str, pd.DataFrame], activations: Path, folder: Path
) -> dict[str, str]:
    """Draw the figures `names` in `folder`, or copy them from the last run if their keys are equal; return the keys."""
    from deadrelu.report.figures import kept, registry, save

    keys = {}
    for name in names:
        drawing = registry.drawing(name, params, numbers, activations)
        keys[name] = kept.key(drawing)
        if not kept.take(name, keys[name], folder):
            save.save(drawing(), folder / f"{name}.png")
    return keys
