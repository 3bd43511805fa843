"""collapse@case: train many narrow networks and keep what any criterion of collapse needs."""

from pathlib import Path

import numpy as np
from rich.progress import Progress

from deadrelu import collapse, files, initializers, quiet, tables, trials
from deadrelu.errors import InputError
from deadrelu.params import Params


def main(params: Params, key: str) -> None:
    """Write `data/collapse/<key>/part-*.parquet`, one row per trial."""
    settings = params.collapse
    if key not in settings.cases:
        raise InputError(f"params.yaml:collapse.cases: received {key!r}; allowed: {', '.join(settings.cases)}")
    case = settings.cases[key]
    points = tables.read(Path("data/target/points.parquet"), tables.TARGET)
    quiet.start_tensorflow()
    x, y = points["x"].to_numpy(), points["y"].to_numpy()
    network = trials.Network(
        widths=tuple(case.widths),
        activation=case.activation,
        negative_slope=case.negative_slope,
        initialize=initializers.sampler(case.initializer),
    )
    training = trials.Training(epochs=settings.epochs, batch_size=settings.batch_size)
    training_params = settings.model_dump(include={"trials", "epochs", "batch_size"})
    made_by = tables.provenance({"case": case, "collapse": training_params}, params.seed)
    chunks = trials.run(network, training, x, y, trials=range(settings.trials), seed=params.seed)
    with files.new_folder(Path("data/collapse") / key) as folder, Progress() as progress:
        task = progress.add_task(f"collapse {key}", total=settings.trials)
        for number, chunk in enumerate(chunks):
            table = _measure(network, chunk, x, y)
            tables.write(folder / f"part-{number:06d}.parquet", table, tables.COLLAPSE, made_by)
            progress.advance(task, len(chunk.trial))


def _measure(network: trials.Network, chunk: trials.Trained, x: trials.Float, y: trials.Float) -> dict[str, object]:
    before = trials.predict(network, chunk.initial, x)
    after = trials.predict(network, chunk.final, x)
    probes = trials.predict(network, chunk.final, collapse.PROBES)
    initial, final = collapse.spread(before, x), collapse.spread(after, x)
    return {
        "trial": chunk.trial,
        "born_dead_low": initial.range_low == 0,
        "born_dead_high": initial.range_high == 0,
        "born_dead": initial.range == 0,
        "dead": final.range == 0,
        **final._asdict(),
        **{f"probe_{k}": probes[:, k - 1] for k in range(1, len(collapse.PROBES) + 1)},
        "probes_equal": collapse.probes_equal(probes),
        "loss_initial": np.mean(np.square(before - y), axis=1),
        "loss_final": np.mean(np.square(after - y), axis=1),
        "loss": list(chunk.loss),
    }
