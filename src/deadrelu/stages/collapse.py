"""Stage collapse@case: train many narrow networks, and write results to which any criterion of collapse applies."""

from deadrelu.errors import InputError
from deadrelu.jobs import trials, workers
from deadrelu.settings.params import Params
from deadrelu.stages import experiments
from deadrelu.storage import parquet, tables


def main(params: Params, key: str) -> None:
    """Write `data/collapse/<key>/part-*.parquet` with one row per trial of the case `key`.

    Also write, to the same folder, `history.parquet` if trials are followed or refitted; and, for the first trials,
    `functions.parquet` if networks have one input and one output, and `weights.parquet` if they are small.
    """
    if key not in params.collapse.cases:
        raise InputError(f"params.yaml:collapse.cases: received {key!r}; expected: {', '.join(params.collapse.cases)}")
    experiment = experiments.of_case(params, key)
    todo, folder = trials.shards_of({key: experiment}), tables.TRIALS.path(key).parent
    computation = trials.computation(todo, f"collapse {key}")
    origin = parquet.provenance(experiment.settings)
    with workers.finished(f"collapse@{key}", folder, origin, [computation]) as (store, new):
        trials.publish(store, todo[key], new)
