"""Stage sensitivity@table: train variations of a case; each variation changes one setting of the case."""

from deadrelu.errors import InputError
from deadrelu.jobs import trials, workers
from deadrelu.settings.params import Params
from deadrelu.stages import experiments
from deadrelu.storage import parquet, tables


def settings(params: Params, key: str) -> dict[str, object]:
    """Return the settings that the table `key` depends on; the table records them."""
    variations = experiments.of_variations(params, key)
    return {"seed": params.seed, "variations": {name: one.settings for name, one in variations.items()}}


def main(params: Params, key: str) -> None:
    """Write `data/sensitivity/<key>/trials.parquet` with one row per variation and trial."""
    if key not in params.sensitivity:
        known = ", ".join(params.sensitivity) or "none: the group is empty"
        raise InputError(f"params.yaml:sensitivity: received {key!r}; expected: {known}")
    origin, todo = parquet.provenance(settings(params, key)), trials.shards_of(experiments.of_variations(params, key))
    table, names = tables.VARIATIONS, {name: {"variation": name} for name in todo}
    computation, folder = trials.computation(todo, f"sensitivity {key}"), table.path(key).parent
    with workers.finished(f"sensitivity@{key}", folder, origin, [computation]) as (store, new):
        trials.publish_together(store, todo, names, new, table, origin)
