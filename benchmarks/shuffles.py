"""Compare rates of trials whose orders share a factor (`engine.shuffles`) with those of independent orders."""

import json
from concurrent.futures import ThreadPoolExecutor

import numpy as np
from rich.console import Console

from benchmarks import machines
from deadrelu import engine
from deadrelu.analysis import criteria
from deadrelu.analysis.intervals import paired_difference, wilson
from deadrelu.engine import batch, shuffles

SEED, TOLERANCE = 10, 0.001
TARGET = engine.Target(function="x_sin_x", low=-(7**0.5), high=7**0.5, points=3000)
NETWORK = engine.Network(
    widths=(1, 2, 2, 2, 2, 2, 2, 2, 2, 2), activation="leaky_relu", negative_slope=0.1, initialize="glorot_uniform"
)
TRAINING = engine.Training(epochs=10, batch_size=64)


def main(*, trials: int, as_json: bool) -> None:
    """Train the notebook's Leaky ReLU networks with both kinds of shuffles, and compare them as pairs."""
    x, y = TARGET.sample(SEED)
    shared = [part.final for part in engine.run(NETWORK, TRAINING, x, y, trials=range(trials), seed=SEED)]
    constant = {"shared": _constant(np.concatenate(shared), x), "independent": _constant(independent(trials, x, y), x)}
    rates = {name: wilson(int(of.sum()), trials)._asdict() for name, of in constant.items()}
    difference = paired_difference(constant["shared"], constant["independent"])
    if as_json:
        result = {"rates": rates, "difference": difference._asdict(), "machine": machines.description()}
        print(json.dumps(result, indent=2))
        return
    console = Console()
    for name, rate in rates.items():
        console.print(f"{name} factors: {rate['rate']:.4f} ({rate['low']:.4f} to {rate['high']:.4f}) of {trials:,}")
    interval = f"{difference.low:+.4f} to {difference.high:+.4f}"
    console.print(f"difference: {difference.difference:+.4f} (95 % interval {interval}, p = {difference.p:.2g})")


def independent(n: int, x: engine.Float, y: engine.Float) -> engine.Float:
    """Return final weights of the first n trials, each trained as the first of a block of its own.

    Such trials share one factor, which is drawn once, and each draws the other anew: all orders are independent.
    """
    weights = engine.draw_weights(NETWORK, SEED, np.arange(n))
    points = batch.Points(x, y, SEED)

    def train(trial: int) -> engine.Float:
        alone = batch.TrialBatch(
            NETWORK, TRAINING, points, weights[trial : trial + 1], np.array([trial * shuffles.BLOCK])
        )
        alone.train(TRAINING.epochs, engine.Stop())
        return alone.weights

    with ThreadPoolExecutor(engine.cores()) as pool:
        return np.concatenate(list(pool.map(train, range(n))))


def _constant(weights: engine.Float, x: engine.Float) -> np.ndarray:
    parts = [engine.predict(NETWORK, weights[start : start + 1000], x) for start in range(0, len(weights), 1000)]
    return criteria.within(np.concatenate([np.ptp(part, axis=1)[:, 0] for part in parts]), TOLERANCE)
