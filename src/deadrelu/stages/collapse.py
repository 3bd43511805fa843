"""collapse@case: train many narrow networks and keep what any criterion of collapse needs."""

from pathlib import Path

import numpy as np

from deadrelu import collapse, files, initializers, progress, start, tables, trials
from deadrelu.errors import InputError
from deadrelu.params import Params

PART = 1024
"""Rows of one file, at most: predictions of so many networks are held in memory."""


def main(params: Params, key: str) -> None:
    """Write `data/collapse/<key>/part-*.parquet`, one row per trial."""
    settings = params.collapse
    if key not in settings.cases:
        raise InputError(f"params.yaml:collapse.cases: received {key!r}; allowed: {', '.join(settings.cases)}")
    case = settings.cases[key]
    points = tables.read(Path("data/target/points.parquet"), tables.TARGET)
    start.tensorflow()
    x, y = points["x"].to_numpy(), points["y"].to_numpy()
    network = trials.Network(
        widths=tuple(case.widths),
        activation=case.activation,
        negative_slope=case.negative_slope,
        biases=case.biases,
        initialize=initializers.sampler(case.initializer),
    )
    optimizer = trials.Adam if case.optimizer.name == "adam" else trials.SGD
    training = trials.Training(
        epochs=settings.epochs,
        batch_size=settings.batch_size,
        optimizer=optimizer(learning_rate=case.optimizer.learning_rate),
        loss=case.loss,
    )
    made_by = tables.provenance(params.of_collapse(key), xla_flags=start.XLA_FLAGS)
    chunks = trials.run(network, training, x, y, trials=range(settings.trials), seed=params.seed)
    with files.new_folder(Path("data/collapse") / key) as folder, progress.rate_and_time_left() as bar:
        task = bar.add_task(f"collapse {key}", total=settings.trials)
        for number, part in enumerate(piece for chunk in chunks for piece in chunk.pieces(PART)):
            table = _measure(network, training, part, x, y)
            tables.write(folder / f"part-{number:06d}.parquet", table, tables.COLLAPSE, made_by)
            bar.advance(task, len(part.trial))


def _measure(
    network: trials.Network, training: trials.Training, chunk: trials.Trained, x: trials.Float, y: trials.Float
) -> dict[str, object]:
    inputs = np.concatenate([x, collapse.PROBES])  # one program for both
    before, after = (trials.predict(network, weights, inputs)[:, :, 0] for weights in (chunk.initial, chunk.final))
    initial, final = (collapse.spread(outputs[:, : len(x)], x) for outputs in (before, after))
    probes = after[:, len(x) :]
    return {
        "trial": chunk.trial,
        "born_dead_low": initial.range_low == 0,
        "born_dead_high": initial.range_high == 0,
        "born_dead": initial.range == 0,
        "dead": final.range == 0,
        **final._asdict(),
        **{f"probe_{k}": probes[:, k - 1] for k in range(1, len(collapse.PROBES) + 1)},
        "probes_equal": collapse.probes_equal(probes),
        "loss_initial": trials.mean_loss(training, before[:, : len(x)], y),
        "loss_final": trials.mean_loss(training, after[:, : len(x)], y),
        "loss": list(chunk.loss),
    }
