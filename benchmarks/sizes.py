"""Measure the time of a trial, and the time to compile its program, over width and depth."""

import time

import pandas as pd
from rich.table import Table

from deadrelu import engine
from deadrelu.engine import programs

WIDTHS = (1, 2, 4, 8, 16, 32, 64)
DEPTHS = (3, 10, 30)

SECONDS = 0.3
"""Seconds that a measurement should take, by its number of trials."""

TRAINING = engine.Training(epochs=5, batch_size=64)


def measure(x: engine.Float, y: engine.Float) -> pd.DataFrame:
    """Train ReLU networks with biases for a few epochs.

    Args:
        x, y: points, shape (n_points,), float32.

    Returns:
        A row for each network: depth, width, weights, compile_s, ms_per_trial, and ns, per trial, weight and point.
    """
    rows = []
    for depth in DEPTHS:
        for width in WIDTHS:
            network = engine.Network(
                widths=(width,) * depth,
                activation="relu",
                biases=True,
                initialize="he_normal",
            )
            programs._compiled.cache_clear()
            compile_s = _seconds(network, x[:1], y[:1], 1)
            few = programs.lanes(network) * engine.cores()
            n = few * max(1, int(SECONDS / max(_seconds(network, x, y, few), 1e-3)))
            ms = 1000 * min(_seconds(network, x, y, n) for _ in range(2)) / n
            weights = network.n_weights
            row = {"depth": depth, "width": width, "weights": weights, "compile_s": compile_s, "ms_per_trial": ms}
            rows.append(row | {"ns": 1e6 * ms / weights / len(x) / TRAINING.epochs})
    return pd.DataFrame(rows)


def _seconds(network: engine.Network, x: engine.Float, y: engine.Float, n: int) -> float:
    begin = time.perf_counter()
    for _ in engine.run(network, TRAINING, x, y, trials=range(n), seed=10):
        pass
    return time.perf_counter() - begin


def as_text(table: pd.DataFrame, n_points: int) -> Table:
    """Return a table for the terminal."""
    shown = Table(title=f"{TRAINING.epochs} epochs of {n_points:,} points; ns are per trial, weight and point")
    for column in ("depth", "width", "weights", "ms/trial", "ns", "compiled in, s"):
        shown.add_column(column, justify="right")
    for row in table.itertuples():
        numbers = (f"{row.ms_per_trial:.3g}", f"{row.ns:.3f}", f"{row.compile_s:.2f}")
        shown.add_row(str(row.depth), str(row.width), f"{row.weights:,}", *numbers)
        if row.width == max(WIDTHS):
            shown.add_section()
    return shown


def as_json(table: pd.DataFrame) -> list[dict[str, float]]:
    """Return the rows as plain numbers."""
    rows = table.to_dict(orient="list")
    return [dict(zip(map(str, rows), map(float, row), strict=True)) for row in zip(*rows.values(), strict=True)]
