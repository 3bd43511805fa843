"""The report's figures by name: which shows which table."""

from collections.abc import Callable, Iterable, Mapping
from functools import cache, partial
from pathlib import Path

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from deadrelu.analysis import fates, published
from deadrelu.report import labels, rate_findings
from deadrelu.report.figures import (
    collapse_figures,
    fate_figures,
    grid_figures,
    rate_figures,
    signal_figures,
    style,
    training_figures,
)
from deadrelu.settings import targets
from deadrelu.settings.params import Params
from deadrelu.stages.activations import SAMPLE
from deadrelu.storage import parquet

Numbers = Mapping[str, pd.DataFrame]
"""The report's small tables by name."""


Drawing = partial[Figure]
"""A function that draws a figure, and what it needs: it reads nothing else."""


def drawing(name: str, params: Params, numbers: Numbers, activations: Path) -> Drawing:
    """How to draw one of `drawing.FIGURES`; `activations` is the folder with the samples of `activations`."""
    return DRAWN_BY[name](params, numbers, activations)


def figure(name: str, params: Params, numbers: Numbers, activations: Path) -> Figure:
    """Draw it."""
    return drawing(name, params, numbers, activations)()


def _colours(params: Params) -> dict[str, str]:
    """Of every initializer of this run, whichever figure it is in."""
    cases = (params.activations.cases, params.training.cases, params.collapse.cases)
    return style.colours(labels.initializer(case.initializer) for group in cases for case in group.values())


def _panels(params: Params) -> dict[str, labels.Panel]:
    return {key: labels.panel(case) for key, case in params.activations.cases.items()}


def _violins(name: str, params: Params, numbers: Numbers, activations: Path) -> Drawing:
    # The files, not what they hold: 20 MB that need not be read to know that they are the same.
    files = [activations.resolve() / f"{key}.parquet" for key in params.activations.cases]
    return partial(_violins_of_files, name, files, numbers["signals"], _panels(params), _colours(params))


def _violins_of_files(
    name: str, files: list[Path], summary: pd.DataFrame, panels: dict[str, labels.Panel], colours: dict[str, str]
) -> Figure:
    violins = {"activations": signal_figures.activation_violins, "gradients": signal_figures.gradient_violins}
    return violins[name](_samples(tuple(files)), summary, panels, colours)


@cache  # for the figures of one run
def _samples(files: tuple[Path, ...]) -> pd.DataFrame:
    return pd.concat([signal_figures.subset(parquet.read(path, SAMPLE)) for path in files], ignore_index=True)


def _signals(params: Params, numbers: Numbers, _: Path) -> Drawing:
    return partial(signal_figures.signal_strength, numbers["signals"], _panels(params), _colours(params))


def _beside_theory(params: Params, numbers: Numbers, _: Path) -> Drawing:
    return partial(signal_figures.beside_theory, numbers["signals"], _panels(params), _colours(params))


def _loss_curves(params: Params, numbers: Numbers, _: Path) -> Drawing:
    trained = labels.trained(params.training.cases)
    return partial(training_figures.loss_curves, numbers["loss_curves"], numbers["epochs"], trained, _colours(params))


def _of_cases(params: Params, keys: Iterable[str]) -> dict[str, str]:
    networks = labels.narrow_networks(params.collapse.cases)
    return {key: networks[key] for key in keys}


def _collapse_rates(params: Params, numbers: Numbers, _: Path) -> Drawing:
    rates = numbers["collapse_rates"]
    cases = _of_cases(params, params.collapse.main)
    rows = rates[rates["case"].isin(cases)]
    return partial(rate_figures.collapse_rates, rows, cases, labels.events(params.collapse.tolerance))


def _paper_rates(params: Params, numbers: Numbers, _: Path) -> Drawing:
    rates = numbers["collapse_rates"]
    cases = _of_cases(params, params.collapse.own_target)
    rows = rates[rates["case"].isin(cases) & rates["event"].isin(["collapsed", "born_dead"])]
    above = [published.LU_AT_LEAST if published.is_lu_abs(params, case) else float("nan") for case in rows["case"]]
    return partial(rate_figures.paper_rates, rows.assign(lu_above=above), cases)


def _functions(params: Params, numbers: Numbers, _: Path) -> Drawing:
    drawn = numbers["functions"]
    cases = _of_cases(params, dict.fromkeys(drawn["case"]))
    over = {key: _target(params, key) for key in cases}
    return partial(fate_figures.functions, drawn, numbers["fates"], over, cases, fates.FATES)


def _target(params: Params, key: str) -> tuple[np.ndarray, np.ndarray]:
    of = params.target_of(key)
    x = np.linspace(of.low, of.high, 301)
    return x, targets.FUNCTIONS[of.function].of(x)


def _deaths(params: Params, numbers: Numbers, _: Path) -> Drawing:
    table = numbers["losses"]
    cases = _of_cases(params, dict.fromkeys(table["case"]))
    return partial(fate_figures.losses, table, numbers["fates"], cases, fates.FATES)


def _rate_by_tolerance(params: Params, numbers: Numbers, _: Path) -> Drawing:
    curve, notebook = numbers["rate_by_tolerance"], published.notebook_rates(params)
    return partial(
        rate_figures.rate_by_tolerance,
        curve,
        _of_cases(params, params.collapse.main),
        labels.CRITERIA,
        notebook,
        rate_findings.agreeing(curve, notebook),
        params.collapse.tolerance,
    )


def _loop_numbers(params: Params, numbers: Numbers, _: Path) -> Drawing:
    named = _of_cases(params, params.collapse.refit)
    return partial(collapse_figures.loop_numbers, numbers["loop_numbers"], named, published.loop_rates(params))


def _collapse_values(params: Params, numbers: Numbers, _: Path) -> Drawing:
    return partial(
        collapse_figures.collapse_values, numbers["collapse_values"], _of_cases(params, params.collapse.cases)
    )


def _born_dead(params: Params, numbers: Numbers, _: Path) -> Drawing:
    return partial(grid_figures.born_dead, numbers["born_dead"])


def _safe_region(params: Params, numbers: Numbers, _: Path) -> Drawing:
    return partial(grid_figures.safe_region, numbers["born_dead"], numbers["trained_grid"])


def _death_epochs(params: Params, numbers: Numbers, _: Path) -> Drawing:
    return partial(fate_figures.death_epochs, numbers["death_epochs"], {"he": "He", "rai": "RAI"})


DRAWN_BY: dict[str, Callable[[Params, Numbers, Path], Drawing]] = {
    "activations": partial(_violins, "activations"),
    "beside_theory": _beside_theory,
    "gradients": partial(_violins, "gradients"),
    "signals": _signals,
    "loss_curves": _loss_curves,
    "collapse_rates": _collapse_rates,
    "functions": _functions,
    "deaths": _deaths,
    "rate_by_tolerance": _rate_by_tolerance,
    "loop_numbers": _loop_numbers,
    "paper_rates": _paper_rates,
    "collapse_values": _collapse_values,
    "death_epochs": _death_epochs,
    "safe_region": _safe_region,
    "born_dead": _born_dead,
}
