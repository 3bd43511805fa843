"""A case of `collapse` as work in shards: trains trials, and makes the columns of their tables."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from deadrelu import engine
from deadrelu.engine import criteria
from deadrelu.jobs import shards
from deadrelu.settings import initializers
from deadrelu.settings.params import Params
from deadrelu.stages.collapse.tables import FITS, FUNCTIONS, TRIALS, WEIGHTS
from deadrelu.storage import parquet

MAX_NETWORKS_IN_MEMORY = 1024
"""Networks whose predictions are held in memory by a shard, at most."""

SAVED_FUNCTIONS = 200
"""Of the first so many trials it is kept what they compute, for pictures."""

SAVED_WEIGHTS = 200
"""Of the first so many trials the weights are kept: for whoever wants to follow one, such as the page."""

MAX_SAVED_WEIGHTS = 1000
"""Of larger networks, none are."""

CURVE_POINTS = 61
"""Points over the interval at which it is kept."""
Columns = dict[str, np.ndarray]


@dataclass(frozen=True)
class CollapseJob:
    """One case of the params, and its training points, two-dimensional."""

    params: Params
    key: str
    x: engine.Float
    y: engine.Float

    @property
    def network(self) -> engine.Network:
        """What is trained."""
        case = self.params.collapse.cases[self.key]
        return engine.Network(
            widths=tuple(case.widths),
            activation=case.activation,
            negative_slope=case.negative_slope,
            biases=case.biases,
            inputs=self.x.shape[1],
            outputs=self.y.shape[1],
            initialize=initializers.sampler(case.initializer),
            initialize_first=initializers.sampler(case.initializers[0]),
            initialize_last=initializers.sampler(case.initializers[2]),
        )

    @property
    def training(self) -> engine.Training:
        """And how."""
        settings, case = self.params.collapse, self.params.collapse.cases[self.key]
        optimizer = engine.Adam if case.optimizer.name == "adam" else engine.SGD
        return engine.Training(
            epochs=settings.epochs_of(self.key),
            batch_size=settings.batch_size,
            optimizer=optimizer(learning_rate=case.optimizer.learning_rate),
            loss=case.loss,
        )

    @property
    def together(self) -> int:
        """Trials of a shard: where most are dead at initialization, so many that training them takes a while."""
        return 8 * MAX_NETWORKS_IN_MEMORY if self.network.can_be_born_dead else MAX_NETWORKS_IN_MEMORY

    @property
    def made_by(self) -> dict[str, object]:
        """What the tables say of themselves."""
        return parquet.provenance(self.params.of_collapse(self.key), parquet.ENGINE_PACKAGES)

    @property
    def fingerprint(self) -> str:
        """Of all that decides the bits."""
        return shards.fingerprint(self.made_by, self.x.tobytes(), self.y.tobytes())

    def measure(self, shard: shards.Shard, threads: int, watch: shards.Watch) -> dict[str, bytes]:
        """Train the trials of a shard, and make its tables."""
        numbers, seed = range(shard.low, shard.high), self.params.seed
        run: dict[str, Any] = {"trials": numbers, "seed": seed, "threads": threads, "stop": watch}
        made: dict[str, bytes] = {}
        if fits := self.params.collapse.cases[self.key].fits:
            loop = engine.run_refits(self.network, self.training, self.x, self.y, fits=fits, **run)
            last, columns = self._follow(loop, shard, watch)
            made["fits.parquet"] = parquet.to_bytes(columns, FITS, self.made_by)
            chunks = iter([last])
        else:
            chunks = engine.run(self.network, self.training, self.x, self.y, **run)
        rows, curves, kept = [], [], []
        for part in (piece for chunk in chunks for piece in chunk.pieces(MAX_NETWORKS_IN_MEMORY)):
            columns, functions = self._columns(part, watch)
            rows.append(columns)
            curves.append(functions)
            if part.trial[0] < SAVED_WEIGHTS:
                some = part.trial < SAVED_WEIGHTS
                kept.append({name: getattr(part, name)[some] for name in ("trial", "initial", "final")})
            watch.at(shard, part.trial[-1] + 1 - shard.low)
        made["trials.parquet"] = parquet.to_bytes(_joined(rows), TRIALS, self.made_by)
        if shard.low == 0 and self.network.architecture.n_weights <= MAX_SAVED_WEIGHTS:
            made["weights.parquet"] = parquet.to_bytes(_joined(kept), WEIGHTS, self.made_by)
        if shard.low == 0 and curves[0]:
            made["functions.parquet"] = parquet.to_bytes(_joined(curves), FUNCTIONS, self.made_by)
        return made

    def _columns(self, part: engine.Trained, stop: engine.Stop) -> tuple[Columns, Columns]:
        """The columns of trials, and those of their functions: none where networks have several inputs or outputs."""
        n, target = len(self.x), self.params.target_of(self.key)
        grid = np.linspace(target.low, target.high, CURVE_POINTS, dtype=np.float32)
        inputs = _with_probes(self.x, grid)  # one program for all
        before, after = (engine.predict(self.network, weights, inputs, stop) for weights in (part.initial, part.final))
        initial, final = (criteria.spread(outputs[:, :n], self.x) for outputs in (before, after))
        columns: Columns = {
            "trial": part.trial,
            "born_dead": initial.range == 0,
            "dead": final.range == 0,
            **{name: values for name, values in final._asdict().items() if values is not None},
            "loss_initial": engine.mean_loss(self.training, before[:, :n], self.y),
            "loss_final": engine.mean_loss(self.training, after[:, :n], self.y),
            "loss": part.loss,
        }
        if initial.range_low is None or initial.range_high is None:
            return columns, {}
        probes = after[:, n : n + len(criteria.PROBES), 0]
        columns |= {
            "born_dead_low": initial.range_low == 0,
            "born_dead_high": initial.range_high == 0,
            **{f"probe_{k}": probes[:, k - 1] for k in range(1, len(criteria.PROBES) + 1)},
            "probes_equal": criteria.probes_equal(probes),
        }
        if self.y.shape[1] > 1:
            return columns, {}
        some = part.trial < SAVED_FUNCTIONS
        untrained, trained = (outputs[some, -CURVE_POINTS:, 0].ravel() for outputs in (before, after))
        numbers = part.trial[some]
        curves: Columns = {"trial": np.repeat(numbers, CURVE_POINTS), "x": np.tile(grid, len(numbers))}
        return columns, curves | {"untrained": untrained, "trained": trained}

    def _follow(
        self, loop: Iterator[engine.Trained], shard: shards.Shard, watch: shards.Watch
    ) -> tuple[engine.Trained, Columns]:
        """Let the loop run; returns the trials after it, with the losses of all fits, and what each fit left."""
        inputs, n, fits = _with_probes(self.x), len(self.x), self.params.collapse.cases[self.key].fits or 0
        ranges: list[engine.Float] = []
        probe_ranges: list[engine.Float] = []
        losses: list[engine.Float] = []
        weights: engine.Float | None = None
        for fit, trained in enumerate(loop, start=1):
            # Most are dead and stay as they are: what has the same weights predicts what it did before.
            moved = np.ones(len(trained.trial), bool) if weights is None else (trained.final != weights).any(axis=1)
            weights = trained.final
            of_fit, of_probes = (
                (ranges[-1].copy(), probe_ranges[-1].copy()) if ranges else np.zeros((2, len(moved)), np.float32)
            )
            if moved.any():
                outputs = engine.predict(self.network, weights[moved], inputs, watch)[:, :, 0]
                of_fit[moved], of_probes[moved] = np.ptp(outputs[:, :n], axis=1), np.ptp(outputs[:, n:], axis=1)
            ranges.append(of_fit)
            probe_ranges.append(of_probes)
            losses.append(trained.loss)
            watch.at(shard, len(shard) * fit / fits)
        last = engine.Trained(trained.trial, trained.initial, trained.final, np.concatenate(losses, axis=1))
        return last, {
            "trial": np.tile(last.trial, fits),
            "fit": np.repeat(np.arange(1, fits + 1), len(last.trial)),
            "range": np.concatenate(ranges),
            "probe_range": np.concatenate(probe_ranges),
        }


def _with_probes(x: engine.Float, *more: engine.Float) -> engine.Float:
    """Inputs, followed by the probes and others, where those are inputs, too."""
    return np.concatenate([x, *(values[:, None] for values in (criteria.PROBES, *more))]) if x.shape[1] == 1 else x


def _joined(pieces: list[Columns]) -> Columns:
    """Columns of pieces, one after the other."""
    return {name: np.concatenate([piece[name] for piece in pieces]) for name in pieces[0]}
