"""Train the trials of experiments in shards, and write their tables (collapse, sensitivity and safe_region)."""

from collections import defaultdict
from collections.abc import Mapping
from itertools import chain
from pathlib import Path
from typing import TypeVar

import numpy as np

from deadrelu import engine
from deadrelu.engine import ranges
from deadrelu.jobs.experiment import MAX_SAVED_WEIGHTS, Experiment
from deadrelu.jobs.shards import Computation, Shard, StopSignal, cut
from deadrelu.jobs.store import Store
from deadrelu.storage import parquet, tables

TRIALS_PER_SHARD = 512  # a block of the engine: predictions of a block at all training inputs are in memory together
SHARD_OF_DEAD = 8  # factor by which shards are larger if most trials may be dead at initialization
MIN_ROWS_PER_FILE = 1024  # minimum number of rows of a file part-*.parquet, except the last; it has whole shards
CURVE_POINTS = 61  # number of equally spaced points in the interval of the target at which functions are saved
DEAD_LAYER_POINTS = 300  # approximate number of training inputs at which dead layers are determined

Columns = dict[str, np.ndarray]
Key = TypeVar("Key")


def shards_of(experiments: Mapping[Key, Experiment], *, begin: int = 0) -> dict[Key, list[Shard]]:
    """Split experiments into shards; the shards of all experiments together are numbered from `begin` on."""
    shards: dict[Key, list[Shard]] = {}
    for key, experiment in experiments.items():
        mostly_dead = experiment.network.can_be_dead and not experiment.network.biases and not experiment.checkpoints
        size, first = TRIALS_PER_SHARD * (SHARD_OF_DEAD if mostly_dead else 1), begin + sum(map(len, shards.values()))
        shards[key] = cut([experiment], experiment.trials, size, begin=first)
    return shards


def computation(shards: Mapping[Key, list[Shard]], description: str) -> Computation:
    """Return `measure`, the shards of all experiments, and the description of their progress line."""
    return measure, list(chain.from_iterable(shards.values())), description


def measure(shard: Shard, threads: int, stop: StopSignal) -> dict[str, bytes]:
    """Train the trials of a shard of an experiment.

    Returns:
        Contents of files by name: `trials.parquet`; with checkpoints, `history.parquet`; for the first shard, if the
        experiment saves trials, `weights.parquet` (small networks) and `functions.parquet` (one input and output).
    """
    experiment: Experiment = shard.work
    network, training, (x, y) = experiment.network, experiment.training, experiment.target.sample(experiment.seed)
    epochs = sorted({*experiment.checkpoints, experiment.epochs} - {0})
    numbers = range(shard.low, shard.high)
    chunks: dict[str, list[Columns]] = defaultdict(list)  # by the name of the table
    for part in engine.run(
        network, training, x, y, trials=numbers, seed=experiment.seed, epochs=epochs, threads=threads, stop=stop
    ):
        if part.epoch == epochs[0]:
            losses, checkpoints = [], _Checkpoints(experiment, x, stop)
            if 0 in experiment.checkpoints:
                chunks["history"].append(checkpoints.measure(0, part.trial, part.initial))
        losses.append(part.loss)
        if part.epoch in experiment.checkpoints:
            chunks["history"].append(checkpoints.measure(part.epoch, part.trial, part.final))
        if part.epoch == experiment.epochs:
            measured = _measure_part(experiment, part, x, y, stop)
            measured["trials"]["loss"] = np.concatenate(losses, axis=1)
            for name in measured if shard.low == 0 else ["trials"]:
                chunks[name].append(measured[name])
        stop.report(shard, part.trial[0] - shard.low + len(part.trial) * part.epoch / epochs[-1])
    schemas = {table.name: table.schema for table in (tables.HISTORY, tables.FUNCTIONS, tables.WEIGHTS)}
    contents, origin = {}, parquet.provenance(experiment.settings)
    for name, pieces in chunks.items():
        columns = {key: np.concatenate([piece[key] for piece in pieces]) for key in pieces[0]}
        if name == "history":  # epoch by epoch, not part by part
            order = np.argsort(columns["epoch"], kind="stable")
            columns = {key: values[order] for key, values in columns.items()}
        schema = schemas.get(f"{name}.parquet", tables.TRIALS.schema)
        contents[f"{name}.parquet"] = parquet.to_bytes(columns, schema, origin)
    return contents


def _measure_part(
    experiment: Experiment, part: engine.Trained, x: engine.Float, y: engine.Float, stop: StopSignal
) -> dict[str, Columns]:
    """Return columns of the tables trials (without `loss`), weights and functions, the last two of saved trials."""
    network, training, n = experiment.network, experiment.training, len(x)
    low, high, probes = experiment.target.low, experiment.target.high, len(ranges.PROBES)
    grid = np.linspace(low, high, CURVE_POINTS, dtype=np.float32)
    inputs = _with_probes(x, grid)  # one prediction for all inputs
    before, after = (engine.predict(network, weights, inputs, stop) for weights in (part.initial, part.final))
    initial, final = (ranges.spread(outputs[:, :n], x) for outputs in (before, after))
    trials: Columns = {
        "trial": part.trial,
        "born_dead": initial["range"] == 0,
        "dead": final["range"] == 0,
        "range_initial": initial["range"],
        **final,
        "loss_initial": engine.mean_loss(training, before[:, :n], y),
        "loss_final": engine.mean_loss(training, after[:, :n], y),
    }
    sides = [side for side in ("low", "high") if f"range_{side}" in initial]
    trials |= {f"born_dead_{side}": initial[f"range_{side}"] == 0 for side in sides}
    saved = part.trial < experiment.saved_trials
    columns = {"trials": trials}
    if experiment.saved_trials and network.n_weights <= MAX_SAVED_WEIGHTS:
        columns["weights"] = {name: getattr(part, name)[saved] for name in ("trial", "initial", "final")}
    if x.shape[1] > 1:
        return columns
    at_probes = after[:, n : n + probes, 0].copy()  # a view would keep all predictions in memory
    trials |= {f"probe_{k}": values for k, values in enumerate(at_probes.T, start=1)}
    trials["probes_equal"] = (at_probes == at_probes[:, :1]).all(axis=1)  # the notebook's criterion of collapse
    if experiment.saved_trials and y.shape[1] == 1:
        numbers = part.trial[saved]
        columns["functions"] = {"trial": np.repeat(numbers, CURVE_POINTS), "x": np.tile(grid, len(numbers))}
        for name, outputs in (("untrained", before), ("trained", after)):
            columns["functions"][name] = outputs[saved, -CURVE_POINTS:, 0].ravel()
    return columns


class _Checkpoints:
    """Measurement of some trials at each checkpoint: ranges of their predictions, and their first dead layer.

    Networks whose weights did not change since the last checkpoint, such as most dead ones, are not measured again.
    """

    def __init__(self, experiment: Experiment, x: engine.Float, stop: StopSignal) -> None:
        self.network, self.x, self.stop = experiment.network, x, stop
        self.weights: engine.Float | None = None
        self.columns: Columns = {}

    def measure(self, epoch: int, trial: np.ndarray, weights: engine.Float) -> Columns:
        """Return columns of `history.parquet` after `epoch` epochs, from weights of all trials, (n, n_weights)."""
        moved = np.ones(len(trial), bool) if self.weights is None else (weights != self.weights).any(axis=1)
        self.weights = weights
        for name, values in self._measure(weights[moved]).items() if moved.any() else ():
            column = self.columns.get(name, np.zeros(len(trial), values.dtype)).copy()
            column[moved] = values
            self.columns[name] = column
        return {"trial": trial, "epoch": np.full(len(trial), epoch), **self.columns}

    def _measure(self, weights: engine.Float) -> Columns:
        n, few = len(self.x), self.x[:: max(1, len(self.x) // DEAD_LAYER_POINTS)]
        outputs = engine.predict(self.network, weights, _with_probes(self.x), self.stop)
        columns = {"range": np.ptp(outputs[:, :n], axis=1).max(axis=1)}
        if self.x.shape[1] == 1:
            columns["probe_range"] = np.ptp(outputs[:, n:], axis=1).max(axis=1)
        constant = columns["range"] == 0
        columns["dead_layer"] = np.zeros(len(weights), np.int32)
        columns["dead_layer"][constant] = first_dead_layer(self.network, weights[constant], few)
        return columns


def first_dead_layer(network: engine.Network, weights: engine.Float, x: engine.Float) -> np.ndarray:
    """Return the number, from 1, of the first hidden layer that is 0 on all inputs, or 0 if none is, (n,), int32.

    Args:
        network: description of the networks; only ReLU networks have such layers.
        weights: weights of n networks, shape (n, n_weights), float32.
        x: inputs, shape (n_points, inputs), float32.
    """
    first_dead = np.zeros(len(weights), np.int32)
    if not network.can_be_dead or not len(weights):
        return first_dead
    signals = np.broadcast_to(x, (len(weights), *x.shape))
    hidden = range(1, len(network.widths) + 1)
    for layer, (kernels, biases) in zip(hidden, network.split(weights), strict=False):
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
    folder: Path,
    table: tables.Table,
    origin: dict[str, object],
) -> None:
    """Write the trials of several experiments as one table.

    Args:
        store: store of the finished shards.
        shards: shards of each experiment.
        keys: names and values of the constant columns of each experiment, which precede the columns of its trials.
        folder: folder into which the table is written.
        table: name of the file, and schema.
        origin: provenance that the table records.
    """
    contents = (
        parquet.with_columns(store.get(shard)["trials.parquet"], keys[key], table.schema, origin)
        for key, experiment_shards in shards.items()
        for shard in experiment_shards
    )
    parquet.write_joined(folder / table.name, contents)


def _with_probes(x: engine.Float, *more: engine.Float) -> engine.Float:
    """Return x, shape (n, 1), with rows for the notebook's probes and arrays `more`, (k,); other shapes: unchanged."""
    return np.concatenate([x, *(values[:, None] for values in (ranges.PROBES, *more))]) if x.shape[1] == 1 else x
