"""From params to the tables: train the published rows under each reading, and follow two rows epoch by epoch."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from deadrelu import engine, progress
from deadrelu.engine import criteria
from deadrelu.jobs import shards, workers
from deadrelu.jobs.store import open_store
from deadrelu.settings import initializers, targets
from deadrelu.settings.params import Params, Reading
from deadrelu.stages.sensitivity.tables import DEATHS, RATES
from deadrelu.storage import files, parquet

FOLDER = Path("data/sensitivity")
TOLERANCES = (1e-6, 1e-5, 1e-4, 1e-3, 1e-2, 1e-1)
NO_BETTER = 0.99
"""A loss is no better than the best constant's from this share of it on."""

FOLLOWED_POINTS = 300
"""Points on which deaths are looked at."""

Row = dict[str, object]


@dataclass(frozen=True)
class Run:
    """A row of the paper under one reading."""

    kind: str
    name: str
    function: str
    row: str
    """'he' or 'rai'."""
    reading: Reading
    width: int = 2
    epochs: int | None = None

    def __str__(self) -> str:
        return f"{self.kind} {self.name}, row {self.row} of {self.function}"


@dataclass(frozen=True)
class Deaths:
    """A row of the paper under the base reading, epoch by epoch."""

    row: str

    def __str__(self) -> str:
        return f"deaths of row {self.row}"


@dataclass(frozen=True)
class Readings:
    """All runs as work in shards, one for each."""

    params: Params

    @property
    def made_by(self) -> dict[str, object]:
        """What the tables say of themselves."""
        return parquet.provenance(self.params.of_sensitivity(), parquet.ENGINE_PACKAGES)

    def measure(self, shard: shards.Shard, threads: int, watch: shards.Watch) -> dict[str, bytes]:
        """Make the rows of a run."""
        if isinstance(shard.of, Deaths):
            rows, schema = _deaths(shard.of.row, self.params, threads, watch), DEATHS
        else:
            rows, schema = pd.DataFrame(_measured(shard.of, self.params, threads, watch)), RATES
        return {"rows.parquet": parquet.to_bytes(rows, schema, self.made_by)}


def main(params: Params) -> None:
    """Write `data/sensitivity/rates.parquet` and `deaths.parquet`."""
    files.check_place(FOLDER, folder=True)
    engine.processor()  # a wrong DEADRELU_CPU is told before any work
    readings, settings = Readings(params), params.sensitivity
    of_rates = shards.cut(runs(params), settings.trials, settings.trials)
    of_deaths = shards.cut([Deaths("he"), Deaths("rai")], settings.deaths, settings.deaths, begin=len(of_rates))
    fingerprint = shards.fingerprint(readings.made_by)
    with open_store("sensitivity", fingerprint) as store, progress.rate_and_time_left() as bar:
        workers.run(readings.measure, [*of_rates, *of_deaths], store, bar, "networks")
        with files.new_folder(FOLDER) as folder:
            for name, some in (("rates", of_rates), ("deaths", of_deaths)):
                parquet.write_joined(folder / f"{name}.parquet", (store.get(shard)["rows.parquet"] for shard in some))


def runs(params: Params) -> Iterator[Run]:
    """All rows that are trained: the published four under each reading, x sin 5x under each variation, the plane."""
    settings = params.sensitivity
    for name, reading in settings.readings.items():
        for function in ("x_sin_5x", "step_sin_5x"):
            for row in ("he", "rai"):
                yield Run("reading", name, function, row, reading)
    for name, reading in {"base": settings.base, **settings.variations}.items():
        yield Run("variation", name, "x_sin_5x", "rai", reading)
    for hidden_layers in settings.plane.hidden_layers:
        for row in ("he", "rai"):
            plane = settings.base.model_copy(update={"hidden_layers": hidden_layers})
            name = f"{hidden_layers} hidden layers"
            yield Run("plane", name, "abs_sum_abs_difference", row, plane, settings.plane.width, settings.plane.epochs)


def network(run: Run) -> engine.Network:
    """Of a row of the paper."""
    function, reading = targets.FUNCTIONS[run.function], run.reading
    first, middle, last = reading.he, reading.he, reading.he
    if run.row == "rai":
        middle = reading.initializer
        first, last = reading.first_initializer or middle, reading.last_initializer or middle
    return engine.Network(
        widths=(run.width,) * reading.hidden_layers,
        activation="relu",
        biases=True,
        inputs=function.inputs,
        outputs=function.outputs,
        initialize=initializers.sampler(middle),
        initialize_first=initializers.sampler(first),
        initialize_last=initializers.sampler(last),
    )


def training(run: Run, params: Params, epochs: int | None = None) -> engine.Training:
    """How it is trained."""
    reading = run.reading
    optimizer = engine.Adam if reading.optimizer.name == "adam" else engine.SGD
    return engine.Training(
        epochs=epochs or run.epochs or reading.epochs or params.sensitivity.epochs,
        batch_size=reading.batch_size,
        optimizer=optimizer(learning_rate=reading.optimizer.learning_rate),
    )


def _points(run: Run, params: Params) -> tuple[engine.Float, engine.Float]:
    end, n = run.reading.end, run.reading.points
    x, y = targets.sample(run.function, -end, end, n, seed=params.seed)
    return x.reshape(n, -1), y.reshape(n, -1)


def _measured(run: Run, params: Params, threads: int, watch: shards.Watch) -> list[Row]:
    """How many trials meet each criterion."""
    x, y = _points(run, params)
    of, how, trials = network(run), training(run, params), params.sensitivity.trials
    counts: dict[str, int] = {}
    best = float(np.mean(np.var(y.astype(float), axis=0)))
    for part in engine.run(of, how, x, y, trials=range(trials), seed=params.seed, threads=threads, stop=watch):
        after = engine.predict(of, part.final, x, watch)
        span = np.ptp(after, axis=1).max(axis=1)
        happened = {"born_dead": engine.are_constant(of, part.initial, x, watch), "dead": span == 0}
        happened |= {f"within_{t:g}": criteria.collapsed(span, t) for t in TOLERANCES}
        happened["best_constant"] = engine.mean_loss(how, after, y) >= NO_BETTER * best
        for name, of_trial in happened.items():
            counts[name] = counts.get(name, 0) + int(of_trial.sum())
    about = {"kind": run.kind, "reading": run.name, "function": run.function, "initializer": run.row}
    numbers: Row = {"hidden_layers": run.reading.hidden_layers, "trials": trials}
    return [{**about, **numbers, "criterion": name, "count": count} for name, count in counts.items()]


def _deaths(row: str, params: Params, threads: int, watch: shards.Watch) -> pd.DataFrame:
    """When networks of a row collapse, and in which layer; x sin 5x under the base reading, epoch by epoch."""
    settings = params.sensitivity
    run = Run("deaths", "base", "x_sin_5x", row, settings.base)
    x, y = _points(run, params)
    few = x[:: max(1, len(x) // FOLLOWED_POINTS)]
    of, how = network(run), training(run, params, epochs=1)
    epochs = settings.base.epochs or settings.epochs
    trials = range(settings.deaths)
    collapsed, layers = [], []
    was = np.zeros(settings.deaths, bool)
    again = engine.run_refits(of, how, x, y, trials=trials, seed=params.seed, fits=epochs, threads=threads, stop=watch)
    for number, part in enumerate(again):
        for weights in (part.initial, part.final) if number == 0 else (part.final,):
            outputs = engine.predict(of, weights, x, watch)[:, :, 0]
            now = criteria.collapsed(np.ptp(outputs, axis=1), settings.collapsed_within)
            layer, new = np.zeros(len(now), np.int32), now & ~was
            layer[new] = first_dead_layer(of, weights[new], few)
            collapsed.append(now)
            layers.append(layer)
            was = now
    happened = np.stack(collapsed)  # epochs, trials
    lives = ~happened
    last_alive = np.where(lives.any(axis=0), len(lives) - 1 - lives[::-1].argmax(axis=0), -1)
    epoch = np.where(happened[-1], last_alive + 1, -1)
    layer = np.stack(layers)[np.maximum(epoch, 0), np.arange(len(epoch))]
    revived = np.array([happened[: end + 1, k].any() for k, end in enumerate(last_alive)])
    return pd.DataFrame(
        {
            "initializer": row,
            "trial": np.arange(len(epoch)),
            "epoch": epoch,
            "layer": np.where(epoch < 0, 0, layer),
            "revived": revived,
        }
    )


def first_dead_layer(of: engine.Network, weights: engine.Float, x: engine.Float) -> np.ndarray:
    """The first hidden layer of each network whose units are all 0 on all points, from 1 on; 0: none.

    Args:
        of: the architecture, with biases.
        weights: shape (n, n_weights), float32.
        x: inputs, shape (n_points, inputs).
    """
    found = np.zeros(len(weights), np.int32)
    signals, at = np.broadcast_to(x, (len(weights), *x.shape)), 0
    for layer, (fan_in, fan_out) in enumerate(of.architecture.layers[:-1], start=1):
        kernel = weights[:, at : at + fan_in * fan_out].reshape(-1, fan_in, fan_out)
        at += fan_in * fan_out
        z = np.einsum("npi,nij->npj", signals, kernel) + weights[:, None, at : at + fan_out]
        at += fan_out
        signals = np.maximum(z, 0)
        found[(found == 0) & (signals == 0).all(axis=(1, 2))] = layer
    return found
