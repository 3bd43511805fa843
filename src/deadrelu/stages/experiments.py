"""Convert params to experiments: cases of `collapse`, variations of `sensitivity`, cells of `safe_region`."""

from typing import NamedTuple

from deadrelu import engine
from deadrelu.jobs.experiment import Experiment
from deadrelu.settings.params import Params
from deadrelu.settings.stages import CollapseCase, Variation

SAVED_TRIALS_OF_A_CELL = 8  # number of trials of each trained cell of the grid whose functions are saved


class Cell(NamedTuple):
    """A trained cell of the depth-width grid; `initializer` is a key of `safe_region.initializers`."""

    initializer: str
    depth: int
    width: int


def of_case(params: Params, key: str) -> Experiment:
    """Return the experiment of a case of `collapse`."""
    return _experiment(params, params.collapse.cases[key])


def of_variations(params: Params, table: str) -> dict[str, Experiment]:
    """Return the experiments of a table of `sensitivity` by the names of their variations."""
    variations = params.sensitivity[table].variations
    return {name: _experiment(params, case, saved_trials=0) for name, case in variations.items()}


def of_grid(params: Params) -> dict[Cell, Experiment]:
    """Return the experiments of the trained cells of the grid, ordered by width, depth and initializer."""
    grid = params.safe_region.trained
    cells = [Cell(name, depth, width) for width in grid.widths for depth in grid.depths for name in grid.initializers]
    cases = {cell: params.grid_case(cell.depth, cell.width, cell.initializer) for cell in cells}
    return {cell: _experiment(params, case, saved_trials=SAVED_TRIALS_OF_A_CELL) for cell, case in cases.items()}


def _experiment(params: Params, case: CollapseCase | Variation, **options: int) -> Experiment:
    shared, target = params.collapse, engine.Target(**params.target(case).model_dump())
    optimizer = engine.Adam if case.optimizer.name == "adam" else engine.SGD
    return Experiment(
        network=engine.Network(
            widths=tuple(case.widths),
            activation=case.activation,
            negative_slope=case.negative_slope,
            biases=case.biases,
            inputs=target.inputs,
            outputs=target.outputs,
            initialize=case.initializer,
            initialize_first=case.first_initializer,
            initialize_last=case.last_initializer,
        ),
        training=engine.Training(
            epochs=case.epochs or shared.epochs,
            batch_size=case.batch_size or shared.batch_size,
            optimizer=optimizer(learning_rate=case.optimizer.learning_rate),
            loss=case.loss,
        ),
        target=target,
        trials=case.trials or shared.trials,
        seed=params.seed,
        fits=case.fits,
        follow=tuple(case.follow),
        **options,
    )
