"""The report's figures by name: which shows which table."""

from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path

import pandas as pd
from matplotlib.figure import Figure

from deadrelu import collapse_figures, labels, printed, region_figures, signal_figures, tables, training_figures
from deadrelu.params import Params

Numbers = Mapping[str, pd.DataFrame]
"""The report's small tables by name."""


def figure(name: str, params: Params, numbers: Numbers, activations: Path) -> Figure:
    """Draw one of `drawings.FIGURES`; `activations` is the folder with the samples of `activations`."""
    return DRAWN_BY[name](params, numbers, activations)


def _violins(name: str, params: Params, numbers: Numbers, activations: Path) -> Figure:
    panels = {key: labels.panel(case) for key, case in params.activations.cases.items()}
    paths = [activations / f"{key}.parquet" for key in panels]
    sample = pd.concat(
        [signal_figures.some(tables.read(path, tables.ACTIVATIONS)) for path in paths], ignore_index=True
    )
    violins = {"activations": signal_figures.activation_violins, "gradients": signal_figures.gradient_violins}
    return violins[name](sample, numbers["signals"], panels)


def _signals(params: Params, numbers: Numbers, _: Path) -> Figure:
    panels = {key: labels.panel(case) for key, case in params.activations.cases.items()}
    return signal_figures.signal_strength(numbers["signals"], panels)


def _loss_curves(params: Params, numbers: Numbers, _: Path) -> Figure:
    trained = labels.trained(params.training.cases)
    return training_figures.loss_curves(numbers["loss_curves"], numbers["epochs"], trained)


def _collapse_rates(params: Params, numbers: Numbers, _: Path) -> Figure:
    rates = numbers["collapse_rates"]
    rows = rates[rates["case"].isin(params.collapse.main)]
    names = _names(params, rows, labels.events(params.collapse.tolerance))
    return collapse_figures.collapse_rates(rows, names, "notebook", "2019 notebook")


def _paper_rates(params: Params, numbers: Numbers, _: Path) -> Figure:
    rates = numbers["collapse_rates"]
    rows = rates[rates["case"].isin(params.collapse.own_target) & rates["event"].isin(["constant", "born_dead"])]
    names = _names(params, rows, {"constant": "trained", "born_dead": "untrained"})
    return collapse_figures.collapse_rates(rows, names, "lu", "Lu et al.")


def _names(params: Params, rates: pd.DataFrame, events: Mapping[str, str]) -> list[str]:
    networks = labels.narrow_networks(params.collapse.cases)
    return [f"{networks[case]}: {events[event]}" for case, event in zip(rates["case"], rates["event"], strict=True)]


def _of_cases(params: Params, keys: list[str]) -> dict[str, str]:
    networks = labels.narrow_networks(params.collapse.cases)
    return {key: networks[key] for key in keys}


def _rate_by_tolerance(params: Params, numbers: Numbers, _: Path) -> Figure:
    return collapse_figures.rate_by_tolerance(
        numbers["rate_by_tolerance"],
        _of_cases(params, params.collapse.main),
        labels.CRITERIA,
        printed.notebook_rates(params),
        params.collapse.tolerance,
    )


def _loop_numbers(params: Params, numbers: Numbers, _: Path) -> Figure:
    named = _of_cases(params, params.collapse.continued)
    return collapse_figures.loop_numbers(numbers["loop_numbers"], named, printed.loop_rates(params))


def _collapse_values(params: Params, numbers: Numbers, _: Path) -> Figure:
    return collapse_figures.collapse_values(numbers["collapse_values"], _of_cases(params, list(params.collapse.cases)))


def _born_dead(params: Params, numbers: Numbers, _: Path) -> Figure:
    return region_figures.born_dead(numbers["born_dead"])


def _safe_region(params: Params, numbers: Numbers, _: Path) -> Figure:
    return region_figures.safe_region(numbers["born_dead"], numbers["trained_grid"])


DRAWN_BY: dict[str, Callable[[Params, Numbers, Path], Figure]] = {
    "activations": partial(_violins, "activations"),
    "gradients": partial(_violins, "gradients"),
    "signals": _signals,
    "loss_curves": _loss_curves,
    "collapse_rates": _collapse_rates,
    "rate_by_tolerance": _rate_by_tolerance,
    "loop_numbers": _loop_numbers,
    "paper_rates": _paper_rates,
    "collapse_values": _collapse_values,
    "born_dead": _born_dead,
    "safe_region": _safe_region,
}
