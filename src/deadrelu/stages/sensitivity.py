"""Stage sensitivity@table: train variations of a case; each variation changes one setting of the case."""

from deadrelu import engine, progress
from deadrelu.errors import InputError
from deadrelu.jobs import shards, trials, workers
from deadrelu.jobs.store import open_store
from deadrelu.settings.params import Params
from deadrelu.stages import experiments
from deadrelu.storage import files, parquet, tables, versions


def settings(params: Params, key: str) -> dict[str, object]:
    """Return the settings that the table `key` depends on; the table records them."""
    variations = experiments.of_variations(params, key)
    return {"seed": params.seed, "variations": {name: one.settings for name, one in variations.items()}}


def main(params: Params, key: str) -> None:
    """Write `data/sensitivity/<key>/trials.parquet` with one row per variation and trial."""
    if key not in params.sensitivity:
        known = ", ".join(params.sensitivity) or "none: the group is empty"
        raise InputError(f"params.yaml:sensitivity: received {key!r}; expected: {known}")
    path = tables.VARIATIONS.path(key)
    files.check_place(path.parent, folder=True)
    engine.processor()  # a wrong DEADRELU_CPU is reported before any work
    origin = parquet.provenance(settings(params, key))
    todo = trials.shards_of(experiments.of_variations(params, key))
    with open_store(f"sensitivity-{key}", shards.fingerprint(origin)) as store, progress.rate_and_time_left() as bar:
        workers.run(trials.measure, [shard for one in todo.values() for shard in one], store, bar, f"sensitivity {key}")
        with files.new_folder(path.parent) as new:
            names = {name: {"variation": name} for name in todo}
            schema = tables.VARIATIONS.schema
            trials.publish_together(store, todo, names, new / path.name, schema, origin)
    versions.record(f"sensitivity@{key}", path.parent, versions.ENGINE_PACKAGES)
