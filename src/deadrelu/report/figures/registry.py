"""Register the report's figures by name, each with the function that draws it and the tables that it shows."""

from collections.abc import Callable, Iterable, Mapping
from functools import cache, partial
from pathlib import Path

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from deadrelu.analysis import outcomes, published
from deadrelu.functions import FUNCTIONS
from deadrelu.report import labels, rate_findings
from deadrelu.report.figures import (
    collapse_figures,
    constant_figures,
    grid_figures,
    outcome_figures,
    rate_figures,
    signal_figures,
    style,
    training_figures,
)
from deadrelu.settings.params import Params
from deadrelu.storage import parquet
from deadrelu.storage.tables import SAMPLE

Numbers = Mapping[str, pd.DataFrame]
"""Tables of the report by name."""


Drawing = partial[Figure]
"""A function that draws a figure, with all of its arguments, on which alone the figure depends."""


def drawing(name: str, params: Params, numbers: Numbers, activations: Path) -> Drawing:
    """Return the call that draws the figure `name`, of `drawing.FIGURES`; `activations` is the folder of samples."""
    return DRAWN_BY[name](params, numbers, activations)


def figure(name: str, params: Params, numbers: Numbers, activations: Path) -> Figure:
    """Draw the figure `name`, one of `drawing.FIGURES`; the arguments are those of `drawing`."""
    return drawing(name, params, numbers, activations)()


def _colours(params: Params) -> dict[str, str]:
    """Return the colour of every initializer in the settings, by its name; it is the same in all figures."""
    cases = (params.activations.cases, params.training.cases, params.collapse.cases)
    return style.colours(labels.initializer(case.initializer) for group in cases for case in group.values())


def _panels(params: Params) -> dict[str, labels.Panel]:
    return {key: labels.panel(case) for key, case in params.activations.cases.items()}


def _violins(name: str, params: Params, numbers: Numbers, activations: Path) -> Drawing:
    # The arguments are paths, so that 20 MB are not parsed if the figures of the last run can be reused.
    files = [activations.resolve() / f"{key}.parquet" for key in params.activations.cases]
    return partial(_violins_of_files, name, files, numbers["signals"], _panels(params), _colours(params))


def _violins_of_files(
    name: str, files: list[Path], summary: pd.DataFrame, panels: dict[str, labels.Panel], colours: dict[str, str]
) -> Figure:
    violins = {"activations": signal_figures.activation_violins, "gradients": signal_figures.gradient_violins}
    return violins[name](_samples(tuple(files)), summary, panels, colours)


@cache  # shared by the figures of one run
def _samples(files: tuple[Path, ...]) -> pd.DataFrame:
    return pd.concat([signal_figures.subset(parquet.read(path, SAMPLE.schema)) for path in files], ignore_index=True)


def _signals(params: Params, numbers: Numbers, _: Path) -> Drawing:
    return partial(signal_figures.signal_strength, numbers["signals"], _panels(params), _colours(params))


def _beside_theory(params: Params, numbers: Numbers, _: Path) -> Drawing:
    return partial(signal_figures.beside_theory, numbers["signals"], _panels(params), _colours(params))


def _loss_curves(params: Params, numbers: Numbers, _: Path) -> Drawing:
    trained = labels.trained(params.training.cases)
    return partial(training_figures.loss_curves, numbers["loss_curves"], numbers["epochs"], trained, _colours(params))


def _of_cases(params: Params, keys: Iterable[str]) -> dict[str, str]:
    networks = labels.narrow_networks(params)
    return {key: networks[key] for key in keys}


def _collapse_rates(params: Params, numbers: Numbers, _: Path) -> Drawing:
    rates = numbers["collapse_rates"]
    cases = _of_cases(params, params.main_cases)
    rows = rates[rates["case"].isin(cases)]
    return partial(rate_figures.collapse_rates, rows, cases, labels.events(params.collapse.tolerance))


def _paper_rates(params: Params, numbers: Numbers, _: Path) -> Drawing:
    rates = numbers["collapse_rates"]
    cases = _of_cases(params, params.other_cases)
    rows = rates[rates["case"].isin(cases)]
    above = [
        published.LU_AT_LEAST if published.is_lu_abs(params, params.collapse.cases[case]) else float("nan")
        for case in rows["case"]
    ]
    return partial(rate_figures.paper_rates, rows.assign(lu_above=above), cases, params.collapse.tolerance)


def _functions(params: Params, numbers: Numbers, _: Path) -> Drawing:
    drawn = numbers["functions"]
    cases = _of_cases(params, dict.fromkeys(drawn["case"]))
    over = {key: _target(params, key) for key in cases}
    return partial(outcome_figures.functions, drawn, numbers["outcomes"], over, cases, outcomes.OUTCOMES)


def _target(params: Params, key: str) -> tuple[np.ndarray, np.ndarray]:
    target = params.target_of(key)
    x = np.linspace(target.low, target.high, 301)
    return x, FUNCTIONS[target.function].compute(x)


def _losses(params: Params, numbers: Numbers, _: Path) -> Drawing:
    table = numbers["losses"]
    cases = _of_cases(params, dict.fromkeys(table["case"]))
    return partial(outcome_figures.losses, table, numbers["outcomes"], cases, outcomes.OUTCOMES)


def _over_training(params: Params, numbers: Numbers, _: Path) -> Drawing:
    table, collapse = numbers["over_training"], params.collapse
    followed = list(dict.fromkeys(table["case"]))
    groups: dict[str, dict[str, str]] = {}
    for key in followed:
        groups.setdefault(labels.target(params.target_of(key)), {}).update(_of_cases(params, [key]))
    notebook = {
        key: (collapse.epochs_of(key), rate)
        for key, rate in published.notebook_rates(params, params.main_cases).items()
    }
    return partial(constant_figures.over_training, table, groups, notebook, labels.criteria(collapse.tolerance))


def _before_and_after(params: Params, numbers: Numbers, _: Path) -> Drawing:
    cases, criteria = _of_cases(params, params.main_cases), labels.criteria(params.collapse.tolerance)
    return partial(constant_figures.before_and_after, numbers["before_and_after"], cases, criteria)


def _rate_by_tolerance(params: Params, numbers: Numbers, _: Path) -> Drawing:
    curve, notebook = numbers["rate_by_tolerance"], published.notebook_rates(params, params.main_cases)
    cases, consistent = _of_cases(params, params.main_cases), rate_findings.agreeing(curve, notebook)
    arguments = (curve, cases, labels.PLACES, notebook, consistent, params.collapse.tolerance)
    return partial(rate_figures.rate_by_tolerance, *arguments)


def _loop_numbers(params: Params, numbers: Numbers, _: Path) -> Drawing:
    named = _of_cases(params, params.collapse.refit)
    return partial(
        collapse_figures.loop_numbers,
        numbers["loop_numbers"],
        named,
        published.notebook_rates(params, params.collapse.refit),
    )


def _collapse_values(params: Params, numbers: Numbers, _: Path) -> Drawing:
    return partial(
        collapse_figures.collapse_values, numbers["collapse_values"], _of_cases(params, params.collapse.cases)
    )


def _born_dead(params: Params, numbers: Numbers, _: Path) -> Drawing:
    return partial(grid_figures.born_dead, numbers["born_dead"])


def _safe_region(params: Params, numbers: Numbers, _: Path) -> Drawing:
    return partial(grid_figures.safe_region, numbers["born_dead"], numbers["trained_grid"])


def _deaths(params: Params, numbers: Numbers, _: Path) -> Drawing:
    table = numbers["deaths"]
    cases = _of_cases(params, dict.fromkeys(table["case"]))
    checkpoints = {case: tuple(params.collapse.cases[case].follow) for case in cases}
    return partial(outcome_figures.deaths, table, cases, checkpoints)


DRAWN_BY: dict[str, Callable[[Params, Numbers, Path], Drawing]] = {
    "activations": partial(_violins, "activations"),
    "beside_theory": _beside_theory,
    "gradients": partial(_violins, "gradients"),
    "signals": _signals,
    "loss_curves": _loss_curves,
    "over_training": _over_training,
    "before_and_after": _before_and_after,
    "collapse_rates": _collapse_rates,
    "functions": _functions,
    "losses": _losses,
    "rate_by_tolerance": _rate_by_tolerance,
    "loop_numbers": _loop_numbers,
    "paper_rates": _paper_rates,
    "collapse_values": _collapse_values,
    "deaths": _deaths,
    "safe_region": _safe_region,
    "born_dead": _born_dead,
}
