"""Train the trials of experiments in shards, and write their tables (collapse, sensitivity and safe_region)."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import numpy as np
import pyarrow as pa

from deadrelu import engine
from deadrelu.engine import ranges
from deadrelu.jobs.experiment import MAX_SAVED_WEIGHTS, Experiment
from deadrelu.jobs.shards import Shard, StopSignal, cut
from deadrelu.jobs.store import Store
from deadrelu.storage import parquet, tables

MAX_NETWORKS_IN_MEMORY = 512
"""Maximum number of networks of a shard whose predictions at all training inputs are in memory together."""

SHARD_OF_DEAD = 8
"""Factor by which shards are larger if many trials can be dead at initialization: these take little time."""

MIN_ROWS_PER_FILE = 1024
"""Minimum number of rows of a file part-*.parquet, except the last; a file contains one or more whole shards."""

CURVE_POINTS = 61
"""Number of equally spaced points in the interval of the target at which functions are saved."""

DEAD_LAYER_POINTS = 300
"""Approximate number of training inputs at which dead layers are determined."""

Columns = dict[str, np.ndarray]


def trials_per_shard(experiment: Experiment) -> int:
    """Return the number of trials in a shard of an experiment."""
    mostly_dead = experiment.network.can_be_dead and not experiment.network.biases and not experiment.checkpoints
    return MAX_NETWORKS_IN_MEMORY * (SHARD_OF_DEAD if mostly_dead else 1)


Key = TypeVar("Key")


def shards_of(experiments: Mapping[Key, Experiment], *, begin: int = 0) -> dict[Key, list[Shard]]:
    """Split experiments into shards; the shards of all experiments together are numbered from `begin` on."""
    shards: dict[Key, list[Shard]] = {}
    for key, experiment in experiments.items():
        first = begin + sum(map(len, shards.values()))
        shards[key] = cut([experiment], experiment.trials, trials_per_shard(experiment), begin=first)
    return shards


def made_by(experiment: Experiment) -> dict[str, object]:
    """Return the provenance that is recorded in the tables of an experiment."""
    return parquet.provenance(experiment.settings)


def measure(shard: Shard, threads: int, stop: StopSignal) -> dict[str, bytes]:
    """Train the trials of a shard of an experiment.

    Returns:
        Contents of files by name: `trials.parquet`; with checkpoints, `history.parquet`; for the first shard, if the
        experiment saves trials, `weights.parquet` (small networks) and `functions.parquet` (one input and output).
    """
    return _Measurement(shard.work, shard, threads, stop).tables()


@dataclass
class _Measurement:
    """Training and measurement of one shard of an experiment."""

    experiment: Experiment
    shard: Shard
    threads: int
    stop: StopSignal

    def __post_init__(self) -> None:
        self.x, self.y = self.experiment.target.sample(self.experiment.seed)

    def tables(self) -> dict[str, bytes]:
        """Train the trials of the shard, and return the contents of its files by name, as `measure` does."""
        experiment, origin = self.experiment, made_by(self.experiment)
        rows, functions, weights, histories = [], [], [], []
        for part, history in self._trained():
            columns, curves = self._columns(part)
            rows.append(columns)
            functions.append(curves)
            histories.append(history)
            saved = part.trial < experiment.saved_trials
            weights.append({name: getattr(part, name)[saved] for name in ("trial", "initial", "final")})
            self.stop.report(self.shard, part.trial[-1] + 1 - self.shard.low)
        contents = {"trials.parquet": parquet.to_bytes(_joined(rows), tables.TRIALS.schema, origin)}
        if histories[0]:
            contents["history.parquet"] = parquet.to_bytes(_joined(histories), tables.HISTORY.schema, origin)
        saves = self.shard.low == 0 and experiment.saved_trials > 0
        if saves and experiment.network.architecture.n_weights <= MAX_SAVED_WEIGHTS:
            contents["weights.parquet"] = parquet.to_bytes(_joined(weights), tables.WEIGHTS.schema, origin)
        if saves and functions[0]:
            contents["functions.parquet"] = parquet.to_bytes(_joined(functions), tables.FUNCTIONS.schema, origin)
        return contents

    def _trained(self) -> Iterator[tuple[engine.Trained, Columns]]:
        """Yield up to `MAX_NETWORKS_IN_MEMORY` trained trials at a time; without checkpoints, no history columns."""
        experiment, numbers = self.experiment, range(self.shard.low, self.shard.high)
        if experiment.checkpoints:
            yield self._followed(numbers)
            return
        arguments = experiment.network, experiment.training, self.x, self.y
        chunks = engine.run(*arguments, trials=numbers, seed=experiment.seed, threads=self.threads, stop=self.stop)
        for chunk in chunks:
            for piece in chunk.pieces(MAX_NETWORKS_IN_MEMORY):
                yield piece, {}

    def _followed(self, numbers: range) -> tuple[engine.Trained, Columns]:
        """Train, and measure at checkpoints; return trials after `experiment.epochs` epochs, and history's columns."""
        experiment = self.experiment
        moments = sorted({*experiment.checkpoints, experiment.epochs} - {0})
        followed = engine.follow(
            experiment.network,
            experiment.training,
            self.x,
            self.y,
            trials=numbers,
            seed=experiment.seed,
            epochs=moments,
            threads=self.threads,
            stop=self.stop,
        )
        last: engine.Trained | None = None
        losses: list[engine.Float] = []
        rows: list[Columns] = []
        checkpoints = _Ranges(self)
        for epoch, trained in zip(moments, followed, strict=True):
            if 0 in experiment.checkpoints and not rows:
                rows.append(checkpoints.measure(0, trained.trial, trained.initial))
            if epoch in experiment.checkpoints:
                rows.append(checkpoints.measure(epoch, trained.trial, trained.final))
            if last is None:
                losses.append(trained.loss)
            if epoch == experiment.epochs:
                loss = np.concatenate(losses, axis=1)
                last = engine.Trained(trained.trial, trained.initial, trained.final, loss)
            self.stop.report(self.shard, len(numbers) * epoch / moments[-1])
        assert last is not None  # `moments` contains `experiment.epochs`
        return last, _joined(rows)

    def _columns(self, part: engine.Trained) -> tuple[Columns, Columns]:
        """Return columns of `trials.parquet` and of `functions.parquet` (none for several inputs or outputs)."""
        experiment, n = self.experiment, len(self.x)
        grid = experiment.target.grid(CURVE_POINTS)
        inputs = _with_probes(self.x, grid)  # one prediction for all inputs
        before, after = (
            engine.predict(experiment.network, weights, inputs, self.stop) for weights in (part.initial, part.final)
        )
        initial, final = (ranges.spread(outputs[:, :n], self.x) for outputs in (before, after))
        columns: Columns = {
            "trial": part.trial,
            "born_dead": initial.range == 0,
            "dead": final.range == 0,
            "range_initial": initial.range,
            **{name: values for name, values in final._asdict().items() if values is not None},
            "loss_initial": engine.mean_loss(experiment.training, before[:, :n], self.y),
            "loss_final": engine.mean_loss(experiment.training, after[:, :n], self.y),
            "loss": part.loss,
        }
        for side in ("low", "high"):
            if (side_range := getattr(initial, f"range_{side}")) is not None:
                columns[f"born_dead_{side}"] = side_range == 0
        if self.x.shape[1] > 1:
            return columns, {}
        probes = after[:, n : n + len(ranges.PROBES), 0]
        columns |= {f"probe_{k}": probes[:, k - 1] for k in range(1, len(ranges.PROBES) + 1)}
        columns["probes_equal"] = ranges.probes_equal(probes)
        if self.y.shape[1] > 1:
            return columns, {}
        saved = part.trial < experiment.saved_trials
        untrained, trained = (outputs[saved, -CURVE_POINTS:, 0].ravel() for outputs in (before, after))
        numbers = part.trial[saved]
        curves: Columns = {"trial": np.repeat(numbers, CURVE_POINTS), "x": np.tile(grid, len(numbers))}
        return columns, curves | {"untrained": untrained, "trained": trained}


class _Ranges:
    """Measurement of ranges of predictions and dead layers of the trials of a shard, checkpoint by checkpoint.

    Networks whose weights did not change since the last checkpoint, such as most dead ones, are not measured again.
    """

    def __init__(self, measurement: _Measurement) -> None:
        self.measurement = measurement
        self.weights: engine.Float | None = None
        self.values: Columns = {}

    def measure(self, epoch: int, trial: np.ndarray, weights: engine.Float) -> Columns:
        """Return columns of `history.parquet` after `epoch` epochs, from weights of all trials, (n, n_weights)."""
        network, x, stop = self.measurement.experiment.network, self.measurement.x, self.measurement.stop
        moved = np.ones(len(trial), bool) if self.weights is None else (weights != self.weights).any(axis=1)
        self.weights = weights
        outputs = engine.predict(network, weights[moved], _with_probes(x), stop) if moved.any() else None
        if outputs is not None:
            columns = {"range": np.ptp(outputs[:, : len(x)], axis=1).max(axis=1)}
            if x.shape[1] == 1:
                columns["probe_range"] = np.ptp(outputs[:, len(x) :], axis=1).max(axis=1)
            columns["dead_layer"] = np.zeros(len(outputs), np.int32)
            constant = columns["range"] == 0
            few = x[:: max(1, len(x) // DEAD_LAYER_POINTS)]
            columns["dead_layer"][constant] = first_dead_layer(network, weights[moved][constant], few)
            for name, values in columns.items():
                kept = self.values.get(name, np.zeros(len(trial), values.dtype)).copy()
                kept[moved] = values
                self.values[name] = kept
        return {"trial": trial, "epoch": np.full(len(trial), epoch), **self.values}


def first_dead_layer(network: engine.Network, weights: engine.Float, x: engine.Float) -> np.ndarray:
    """Return the number, from 1, of the first hidden layer that is 0 on all inputs, or 0 if none is, (n,), int32.

    Args:
        network: description of the networks; only ReLU networks have such layers.
        weights: weights of n networks, shape (n, n_weights), float32.
        x: inputs, shape (n_points, inputs), float32.
    """
    first_dead = np.zeros(len(weights), np.int32)
    if network.activation != "relu" or not len(weights):
        return first_dead
    signals = np.broadcast_to(x, (len(weights), *x.shape))
    for layer, (kernels, biases) in enumerate(network.architecture.split(weights), start=1):
        if layer > len(network.widths):
            break
        signals = np.maximum(np.einsum("npi,nij->npj", signals, kernels) + biases, 0)
        first_dead[(first_dead == 0) & (signals == 0).all(axis=(1, 2))] = layer
    return first_dead


def publish(store: Store, shards: list[Shard], folder: Path) -> None:
    """Write the tables of an experiment from its stored shards into a folder, with its trials in several files."""
    first = store.get(shards[0])
    per_file = -(-MIN_ROWS_PER_FILE // len(shards[0]))
    for number, at in enumerate(range(0, len(shards), per_file)):
        rows = (store.get(shard)["trials.parquet"] for shard in shards[at : at + per_file])
        parquet.write_joined(folder / f"part-{number:06d}.parquet", rows)
    if "history.parquet" in first:
        parquet.write_joined(folder / "history.parquet", (store.get(shard)["history.parquet"] for shard in shards))
    for name in ("functions.parquet", "weights.parquet"):
        if name in first:
            (folder / name).write_bytes(first[name])


def publish_together(
    store: Store,
    shards: Mapping[Key, list[Shard]],
    keys: Mapping[Key, Mapping[str, object]],
    path: Path,
    schema: pa.Schema,
    origin: dict[str, object],
) -> None:
    """Write the trials of several experiments as one table.

    Args:
        store: store of the finished shards.
        shards: shards of each experiment.
        keys: names and values of the constant columns of each experiment, which precede the columns of its trials.
        path: path of the table.
        schema: schema of the table.
        origin: provenance that the table records.
    """
    contents = (
        parquet.with_columns(store.get(shard)["trials.parquet"], keys[key], schema, origin)
        for key, experiment_shards in shards.items()
        for shard in experiment_shards
    )
    parquet.write_joined(path, contents)


def _with_probes(x: engine.Float, *more: engine.Float) -> engine.Float:
    """Return x, shape (n, 1), with rows for the notebook's probes and arrays `more`, (k,); other shapes: unchanged."""
    return np.concatenate([x, *(values[:, None] for values in (ranges.PROBES, *more))]) if x.shape[1] == 1 else x


def _joined(pieces: list[Columns]) -> Columns:
    """Return, by name, the columns of all pieces, concatenated in their order; without pieces, no columns."""
    return {name: np.concatenate([piece[name] for piece in pieces]) for name in pieces[0]} if pieces else {}
