"""Stage collapse@case: train many narrow networks, and write results to which any criterion of collapse applies."""

from deadrelu import engine, progress
from deadrelu.errors import InputError
from deadrelu.jobs import shards, trials, workers
from deadrelu.jobs.store import open_store
from deadrelu.settings.params import Params
from deadrelu.stages import experiments
from deadrelu.storage import files, tables, versions


def main(params: Params, key: str) -> None:
    """Write `data/collapse/<key>/part-*.parquet` with one row per trial of the case `key`.

    Also write, to the same folder, `history.parquet` if trials are followed or refitted; and, for the first trials,
    `functions.parquet` if networks have one input and one output, and `weights.parquet` if they are small.
    """
    if key not in params.collapse.cases:
        raise InputError(f"params.yaml:collapse.cases: received {key!r}; expected: {', '.join(params.collapse.cases)}")
    folder = tables.TRIALS.path(key).parent
    files.check_place(folder, folder=True)
    engine.processor()  # a wrong DEADRELU_CPU is reported before any work
    experiment = experiments.of_case(params, key)
    todo = trials.shards_of({key: experiment})[key]
    fingerprint = shards.fingerprint(trials.made_by(experiment))
    with open_store(f"collapse-{key}", fingerprint) as store, progress.rate_and_time_left() as bar:
        workers.run(trials.measure, todo, store, bar, f"collapse {key}")
        with files.new_folder(folder) as new:
            trials.publish(store, todo, new)
    versions.record(f"collapse@{key}", folder, versions.ENGINE_PACKAGES)
