"""data@target: the training points of the narrow networks."""

from pathlib import Path

from deadrelu.settings import targets
from deadrelu.settings.params import Params
from deadrelu.storage import files, parquet, points

FOLDER = Path("data/target")


def main(params: Params) -> None:
    """Write `data/target/points.parquet`."""
    target = params.data.target
    x, y = targets.sample(target.function, target.low, target.high, target.points, seed=params.seed)
    with files.new_folder(FOLDER) as folder:
        made_by = parquet.provenance(params.of_target())
        parquet.write(folder / "points.parquet", {"x": x, "y": y}, points.SCHEMA, made_by)
