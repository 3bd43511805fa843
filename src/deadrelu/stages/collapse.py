"""collapse@case: train many narrow networks and keep what any criterion of collapse needs."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
from rich.progress import Progress

from deadrelu import collapse, files, initializers, progress, start, tables, targets, trials
from deadrelu.errors import InputError
from deadrelu.params import Params

TARGET = Path("data/target/points.parquet")
PART = 1024
"""Rows of one file, at most: predictions of so many networks are held in memory."""

EXAMPLES = 200
"""Of the first so many trials it is kept what they compute, for pictures."""

DRAWN = 61
"""Points over the interval at which it is kept."""

Points = tuple[trials.Float, trials.Float]
Columns = dict[str, object]


def main(params: Params, key: str) -> None:
    """Write `data/collapse/<key>/part-*.parquet`, one row per trial.

    Beside them `fits.parquet` of continued trials, and `functions.parquet` of networks with one input and one output.
    """
    settings = params.collapse
    if key not in settings.cases:
        raise InputError(f"params.yaml:collapse.cases: received {key!r}; allowed: {', '.join(settings.cases)}")
    case = settings.cases[key]
    points = _points(params, key)
    start.tensorflow(keras=False)
    network = trials.Network(
        widths=tuple(case.widths),
        activation=case.activation,
        negative_slope=case.negative_slope,
        biases=case.biases,
        inputs=points[0].shape[1],
        outputs=points[1].shape[1],
        initialize=initializers.sampler(case.initializer),
    )
    optimizer = trials.Adam if case.optimizer.name == "adam" else trials.SGD
    training = trials.Training(
        epochs=settings.epochs_of(key),
        batch_size=settings.batch_size,
        optimizer=optimizer(learning_rate=case.optimizer.learning_rate),
        loss=case.loss,
    )
    made_by = tables.provenance(params.of_collapse(key), xla_flags=start.XLA_FLAGS)
    numbers = range(settings.trials_of(key))
    grid = np.linspace(params.target_of(key).low, params.target_of(key).high, DRAWN, dtype=np.float32)
    with files.new_folder(Path("data/collapse") / key) as folder, progress.rate_and_time_left() as bar:
        if case.fits:
            loop = trials.run_continued(network, training, *points, trials=numbers, seed=params.seed, fits=case.fits)
            last, fits = _follow(network, loop, points, case.fits, key, bar)
            tables.write(folder / "fits.parquet", fits, tables.FITS, made_by)
            chunks = iter([last])
        else:
            chunks = trials.run(network, training, *points, trials=numbers, seed=params.seed)
        task = bar.add_task(f"collapse {key}", total=len(numbers), visible=not case.fits)
        for number, part in enumerate(piece for chunk in chunks for piece in chunk.pieces(PART)):
            table, curves = _measure(network, training, part, points, grid)
            tables.write(folder / f"part-{number:06d}.parquet", table, tables.COLLAPSE, made_by)
            if number == 0 and curves:
                tables.write(folder / "functions.parquet", curves, tables.FUNCTIONS, made_by)
            bar.advance(task, len(part.trial))


def _points(params: Params, key: str) -> Points:
    """Training points of a case, two-dimensional: its own, or those of `data`."""
    if target := params.collapse.cases[key].target:
        x, y = targets.sample(target.function, target.low, target.high, target.points, seed=params.seed)
        return x.reshape(len(x), -1), y.reshape(len(y), -1)
    points = tables.read(TARGET, tables.TARGET)
    return points[["x"]].to_numpy(), points[["y"]].to_numpy()


def _measure(
    network: trials.Network, training: trials.Training, chunk: trials.Trained, points: Points, grid: trials.Float
) -> tuple[Columns, Columns]:
    """The columns of trials, and those of their functions: none where networks have several inputs or outputs."""
    x, y = points
    inputs, n = _with_probes(x, grid), len(x)  # one program for all
    before, after = (trials.predict(network, weights, inputs) for weights in (chunk.initial, chunk.final))
    initial, final = (collapse.spread(outputs[:, :n], x) for outputs in (before, after))
    columns: Columns = {
        "trial": chunk.trial,
        "born_dead": initial.range == 0,
        "dead": final.range == 0,
        **final._asdict(),
        "loss_initial": trials.mean_loss(training, before[:, :n], y),
        "loss_final": trials.mean_loss(training, after[:, :n], y),
        "loss": list(chunk.loss),
    }
    if initial.range_low is None or initial.range_high is None:
        return columns, {}
    probes = after[:, n : n + len(collapse.PROBES), 0]
    columns |= {
        "born_dead_low": initial.range_low == 0,
        "born_dead_high": initial.range_high == 0,
        **{f"probe_{k}": probes[:, k - 1] for k in range(1, len(collapse.PROBES) + 1)},
        "probes_equal": collapse.probes_equal(probes),
    }
    if y.shape[1] > 1:
        return columns, {}
    some = slice(0, EXAMPLES)
    untrained, trained = (outputs[some, -len(grid) :, 0].ravel() for outputs in (before, after))
    numbers = chunk.trial[some]
    curves: Columns = {"trial": np.repeat(numbers, len(grid)), "x": np.tile(grid, len(numbers))}
    return columns, curves | {"untrained": untrained, "trained": trained}


def _with_probes(x: trials.Float, *more: trials.Float) -> trials.Float:
    """Inputs, followed by the probes and others, where those are inputs, too."""
    return np.concatenate([x, *(values[:, None] for values in (collapse.PROBES, *more))]) if x.shape[1] == 1 else x


def _follow(
    network: trials.Network, loop: Iterator[trials.Trained], points: Points, fits: int, key: str, bar: Progress
) -> tuple[trials.Trained, Columns]:
    """Let the loop run; returns the trials after it, with the losses of all fits, and what each fit left."""
    inputs, n = _with_probes(points[0]), len(points[0])
    ranges: list[trials.Float] = []
    probe_ranges: list[trials.Float] = []
    losses: list[trials.Float] = []
    weights: trials.Float | None = None
    for trained in bar.track(loop, total=fits, description=f"collapse {key}, fits"):
        # Most are dead and stay as they are: what has the same weights predicts what it did before.
        moved = np.ones(len(trained.trial), bool) if weights is None else (trained.final != weights).any(axis=1)
        weights = trained.final
        of_fit, of_probes = (
            (ranges[-1].copy(), probe_ranges[-1].copy()) if ranges else np.zeros((2, len(moved)), np.float32)
        )
        if moved.any():
            outputs = trials.predict(network, weights[moved], inputs)[:, :, 0]
            of_fit[moved], of_probes[moved] = np.ptp(outputs[:, :n], axis=1), np.ptp(outputs[:, n:], axis=1)
        ranges.append(of_fit)
        probe_ranges.append(of_probes)
        losses.append(trained.loss)
    last = trials.Trained(trained.trial, trained.initial, trained.final, np.concatenate(losses, axis=1))
    return last, {
        "trial": np.tile(last.trial, fits),
        "fit": np.repeat(np.arange(1, fits + 1), len(last.trial)),
        "range": np.concatenate(ranges),
        "probe_range": np.concatenate(probe_ranges),
    }
