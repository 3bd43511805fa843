"""Derive sentences of advice on the choice of an initializer from the report's tables."""

from collections.abc import Mapping

import pandas as pd

from deadrelu.analysis import summaries
from deadrelu.report import findings, labels
from deadrelu.report.findings import percent, sentence_list
from deadrelu.settings.params import Params
from deadrelu.settings.stages import MAIN


def sentences(params: Params, numbers: Mapping[str, pd.DataFrame]) -> list[str]:
    """Return sentences on each activation function, on training, and on deep and narrow networks.

    Args:
        params: settings in params.yaml.
        numbers: tables of the report by name (`load.Results.small`).
    """
    return [*_by_activation(params, numbers), *_trained(params, numbers), *_narrow(params, numbers)]


def _by_activation(params: Params, numbers: Mapping[str, pd.DataFrame]) -> list[str]:
    ratio = {str(row["case"]): row for row in numbers["signal_ratios"].to_dict("records")}
    texts = []
    for activation in dict.fromkeys(case.activation for case in params.activations.cases.values()):
        keys = [key for key, case in params.activations.cases.items() if case.activation == activation]
        good = [
            labels.initializer(params.activations.cases[key].initializer)
            for key in keys
            if ratio[key]["forward_verdict"] == ratio[key]["backward_verdict"] == "holds"
        ]
        name = labels.ACTIVATIONS[activation]
        if good:
            texts.append(
                f"{name}: of the {len(keys)} initializers measured, {sentence_list(good)} kept signal and gradient."
            )
        else:
            texts.append(f"{name}: of the {len(keys)} initializers measured, none kept both signal and gradient.")
    return texts


def _trained(params: Params, numbers: Mapping[str, pd.DataFrame]) -> list[str]:
    epochs = numbers["epochs"]
    last = summaries.last_epochs(epochs)
    named = labels.trained(params.training.cases)
    failed = [str(named[row["case"]]) for row in last.to_dict("records") if findings.learned(row) == "no"]
    if not failed:
        return ["Every network that was trained on MNIST learned."]
    return [
        f"In the steps that it took here, these networks did no better than guessing on MNIST: {'; '.join(failed)}."
    ]


def _narrow(params: Params, numbers: Mapping[str, pd.DataFrame]) -> list[str]:
    cells = numbers["explorer"]
    names = labels.grid_initializers(params)
    own = names[MAIN]
    texts = []
    deepest = cells[cells["depth"] == cells["depth"].max()]
    narrowest = deepest[deepest["width"] == min(2, deepest["width"].max())]
    rates = {names[key]: rate for key, rate in zip(narrowest["initializer"], narrowest["rate"], strict=True)}
    if others := [f"{name} {percent(rate)}" for name, rate in rates.items() if name != own]:
        depth, width = int(deepest["depth"].iloc[0]), int(narrowest["width"].iloc[0])
        texts.append(
            f"Share dead at initialization for {labels.count_of(depth, 'layer')} of "
            f"{labels.count_of(width, 'ReLU unit')}: {own} {percent(rates[own])}, {', '.join(others)}. For "
            "initializers that are symmetric about 0, the share for x of one sign depends on depth and width alone; "
            "for x of both signs, theory bounds it by them."
        )
    table = numbers["before_and_after"].set_index(["case", "criterion"]).to_dict("index")
    for key in params.main_cases:
        exact, within = table[key, "exact"], table[key, "within"]
        if exact["after"] == 0 and within["before"] > 0:
            share = percent(within["leave"] / within["before"])
            texts.append(
                f"{labels.narrow_network(params, key)}: no network is exactly constant before or after training. Of "
                f"those within {params.collapse.tolerance:g} before it, {share} leave in "
                f"{labels.count_of(params.collapse.epochs_of(key), 'epoch')}."
            )
    return texts
