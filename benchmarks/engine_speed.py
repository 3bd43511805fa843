"""Measure the trial engine against its peers and over sizes, in one run on one machine, outside the pipeline."""

import importlib.util
import json
import statistics
import time
from collections.abc import Callable
from pathlib import Path

from rich.console import Console
from rich.table import Table

from benchmarks import figures, machines, peers, sizes
from deadrelu import engine
from deadrelu.analysis.published import NOTEBOOK, NOTEBOOK_CASE
from deadrelu.report.figures import save
from deadrelu.signals import tensorflow
from deadrelu.storage import files

TRIALS = {"engine_leaky_relu": 8192, "engine_relu": 65536, "keras_loop": 3, "jax_vmap": 256}
"""Number of trials in one repetition, so that each takes about a second or more."""


def main(*, repeats: int, as_json: bool, figure: Path | None = None) -> None:
    """Measure, print tables or JSON, and draw a figure."""
    if figure:
        with files.scratch_folder(figure.parent):  # checked early: a place that cannot be written costs no minute
            pass
    x, y = engine.Target("x_sin_x", -(7**0.5), 7**0.5, 3000).sample(10)
    training = engine.Training(epochs=10, batch_size=64)
    tensorflow.import_tensorflow()
    relu, leaky = (
        engine.Network(
            widths=tuple(NOTEBOOK_CASE.widths),
            activation=activation,
            negative_slope=negative_slope,
            initialize="glorot_uniform",
        )
        for activation, negative_slope in NOTEBOOK
    )

    def train(network: engine.Network, n: int) -> None:
        for _ in engine.run(network, training, x, y, trials=range(n), seed=10):
            pass

    contenders: dict[str, Callable[[int], None]] = {
        "engine_leaky_relu": lambda n: train(leaky, n),
        "engine_relu": lambda n: train(relu, n),
        "keras_loop": peers.keras_loop(leaky, training, x, y),
    }
    if importlib.util.find_spec("jax"):
        contenders["jax_vmap"] = peers.jax_vmap(leaky, training, x, y)
    first, warm = {}, {}
    for name, run in contenders.items():
        first[name] = _seconds(run, min(TRIALS[name], 256))
        warm[name] = [_seconds(run, TRIALS[name]) for _ in range(repeats)]
    ms = {name: 1000 * statistics.median(seconds) / TRIALS[name] for name, seconds in warm.items()}
    ours = ms["engine_leaky_relu"]
    ratio = {f"{name}_to_engine_leaky_relu": ms[name] / ours for name in ("keras_loop", "jax_vmap") if name in ms}
    ratio["engine_leaky_relu_to_engine_relu"] = ours / ms["engine_relu"]
    machine, by_size = machines.description(), sizes.measure(x, y)
    if figure:
        with files.scratch_folder(figure.parent) as scratch:
            save.save(figures.sizes(by_size, machine), scratch / "new.png")
            files.replace(scratch / "new.png", figure, scratch)
    if as_json:
        result = {"ms_per_trial": ms, "ratio": ratio, "first_call_s": first, "machine": machine}
        print(json.dumps(result | {"sizes": sizes.as_json(by_size)}, indent=2))
    else:
        _print(ms, first, ratio, machine, repeats)
        Console().print(sizes.as_text(by_size, len(x)))


def _seconds(run: Callable[[int], None], n: int) -> float:
    begin = time.perf_counter()
    run(n)
    return time.perf_counter() - begin


def _print(ms: dict[str, float], first: dict[str, float], ratio: dict[str, float], machine: str, repeats: int) -> None:
    table = Table(title=f"The notebook's experiment, 470 steps a trial; medians of {repeats}; {machine}")
    for column in ("", "ms/trial", "trials", "first call, compiling, s"):
        table.add_column(column, justify="left" if not column else "right")
    for name, value in ms.items():
        table.add_row(name, f"{value:.3g}", f"{TRIALS[name]:,}", f"{first[name]:.2f}")
    console = Console()
    console.print(table)
    for name, value in ratio.items():
        console.print(f"{name.replace('_to_', ' : ')} = {value:,.3g}")
