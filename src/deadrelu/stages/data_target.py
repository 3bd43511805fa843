"""Stage data@target: draw the training sets of the small networks, and write a table for each."""

from deadrelu.engine.targets import Target
from deadrelu.settings.params import Params
from deadrelu.storage import files, parquet, tables, versions


def settings(params: Params, key: str) -> dict[str, object]:
    """Return the settings that the table of the target `key` depends on."""
    return {"seed": params.seed, **params.data.targets[key].model_dump()}


def main(params: Params) -> None:
    """Write `data/targets/<key>.parquet` for each target, only for users: trainings draw the same points themselves."""
    with files.new_folder(tables.DATA / tables.TARGETS) as folder:
        for key, group in params.data.targets.items():
            x, y = Target(**group.model_dump()).sample(params.seed)
            table = tables.points(x.shape[1], y.shape[1])
            columns = dict(zip(table.schema.names, [*x.T, *y.T], strict=True))
            made_by = parquet.provenance(settings(params, key))
            parquet.write(folder / table.name.format(key), columns, table.schema, made_by)
    versions.record("data@target", tables.DATA / tables.TARGETS, versions.ENGINE_PACKAGES)
