"""Tables as they stand on the page: numbers become words."""

from collections.abc import Mapping

import pandas as pd

from deadrelu.analysis import published, theory
from deadrelu.report import findings, labels
from deadrelu.report.findings import bounds, interval, percent, percent_or_nothing
from deadrelu.settings.params import Params, Reading

Numbers = Mapping[str, pd.DataFrame]


def settings(params: Params, source: str, images: int) -> pd.DataFrame:
    """What was run: columns part, networks, data, how often."""
    network, training, collapse, region = (
        params.activations.network,
        params.training,
        params.collapse,
        params.safe_region,
    )
    of_training = labels.count_of(training.trials, "network") + f", {labels.count_of(training.epochs, 'epoch')} each"
    digits = f"MNIST, {source}"
    rows = [
        (
            "Signals",
            f"MLP, {network.hidden_layers} × {network.width} hidden; {len(params.activations.cases)} panels",
            f"{digits}, {images:,} test images",
            f"one network each, seed {params.seed}, layer seeds {params.activations.layer_seeds}",
        ),
        (
            "Training",
            f"MLP, {training.mlp.hidden_layers} × {training.mlp.width} hidden, and CNN; {len(training.cases)} cases",
            f"{digits}, {training.examples:,} digits; for the CNN, {training.cnn.examples:,}",
            of_training,
        ),
    ]
    names = labels.narrow_networks(collapse.cases)
    for key, case in collapse.cases.items():
        times = labels.count_of(collapse.trials_of(key), "trial")
        fits = f", {labels.count_of(case.fits, 'fit')}" if case.fits else ""
        length = f", {labels.count_of(collapse.epochs_of(key), 'epoch')}"
        about = labels.architecture(case)
        rows.append((names[key], about, labels.target(params.target_of(key)), times + fits + length))
    rows.append(
        (
            "Depth and width",
            f"{region.depth.low} to {region.depth.high} layers of {region.width.low} to {region.width.high}, ReLU, "
            f"{labels.initializer(region.initializer)}",
            "not trained; some trained on " + labels.target(params.target_of_grid),
            f"{region.networks:,} of each width; {labels.count_of(region.trained.trials, 'training')} per cell",
        )
    )
    return pd.DataFrame(rows, columns=["part", "networks", "data", "how often"])


def factors(params: Params, numbers: Numbers) -> pd.DataFrame:
    """What a layer does to signal and gradient in each panel."""
    ratios = numbers["signal_ratios"].set_index("case").loc[list(params.activations.cases)]
    panels = [labels.panel(case) for case in params.activations.cases.values()]

    def factor(direction: str) -> list[str]:
        return [findings.factor(row, direction) for _, row in ratios.iterrows()]

    return pd.DataFrame(
        {
            "activation": [panel.activation for panel in panels],
            "initializer": [panel.initializer for panel in panels],
            "signal": ratios["forward_verdict"].to_list(),
            "× per layer (95 %)": factor("forward"),
            "gradient": ratios["backward_verdict"].to_list(),
            "× per layer back (95 %)": factor("backward"),
            "saturated": [
                interval(*pair) if pair[1] >= 0.01 else ""
                for pair in zip(ratios["saturated_least"], ratios["saturated_largest"], strict=True)
            ],
        }
    )


def trained(params: Params, numbers: Numbers) -> pd.DataFrame:
    """How each network of `training` ended, beside what its signals were untrained."""
    training, names = params.training, labels.trained(params.training.cases)
    epochs, ratios = numbers["epochs"], numbers["signal_ratios"].set_index("case")
    last = epochs[epochs["epoch"] == training.epochs]
    panel_of = {
        (case.activation, case.initializer): ratios.loc[key]
        for key, case in params.activations.cases.items()
        if params.activations.network == training.mlp and params.activations.layer_seeds == "independent"
    }
    measured = [
        panel_of.get((case.activation, case.initializer)) if case.network == "mlp" else None
        for case in training.cases.values()
    ]
    return pd.DataFrame(
        {
            "network": [names[key].activation for key in training.cases],
            "initializer": [names[key].initializer for key in training.cases],
            "learns": [findings.learned(row) for _, row in last.iterrows()],
            "validation accuracy": [
                interval(*pair)
                for pair in zip(last["validation_accuracy_low"], last["validation_accuracy_high"], strict=True)
            ],
            "loss": last["loss"].map(_loss).to_list(),
            "validation loss": last["validation_loss"].map(_loss).to_list(),
            "signal at init.": ["" if row is None else row["forward_verdict"] for row in measured],
            "gradient at init.": ["" if row is None else row["backward_verdict"] for row in measured],
        }
    )


def _loss(value: float) -> str:
    return "diverged" if pd.isna(value) or value == float("inf") else f"{value:.3g}"


def rates(params: Params, numbers: Numbers) -> pd.DataFrame:
    """Shares of constant networks for the cases on the common target, under each criterion."""
    found = numbers["collapse_rates"]
    shown = found[found["case"].isin(params.collapse.main)]
    return pd.DataFrame(
        {
            "network": shown["case"].map(labels.narrow_networks(params.collapse.cases)),
            "criterion": shown["event"].map(labels.events(params.collapse.tolerance)),
            "trials": [f"{n:,}" for n in shown["trials"]],
            "count": [f"{n:,}" for n in shown["count"]],
            "rate": shown["rate"].map(percent),
            "95 % interval": [interval(*pair) for pair in zip(shown["low"], shown["high"], strict=True)],
            "notebook": shown["notebook"].map(percent_or_nothing),
            "theory": [bounds(*pair) for pair in zip(shown["theory_low"], shown["theory_high"], strict=True)],
        }
    )


def papers(params: Params, numbers: Numbers) -> pd.DataFrame:
    """The cases with targets of their own, with the numbers of Lu et al."""
    collapse, found = params.collapse, numbers["collapse_rates"]
    of_cases = found[found["case"].isin(collapse.own_target)]
    shown = of_cases[of_cases["event"] == "collapsed"]
    dead = of_cases[of_cases["event"] == "born_dead"].set_index("case").loc[list(shown["case"])]
    cases = [collapse.cases[key] for key in shown["case"]]
    return pd.DataFrame(
        {
            "function": [labels.FUNCTIONS[params.target_of(key).function] for key in shown["case"]],
            "initializer": [labels.of_layers(case) for case in cases],
            "error": [case.loss.split("_")[1] for case in cases],
            "hidden": [labels.widths(case.widths) for case in cases],
            "epochs": [f"{collapse.epochs_of(key):,}" for key in shown["case"]],
            "published": [
                f"> {percent(published.LU_AT_LEAST)}" if published.is_lu_abs(params, key) else percent_or_nothing(lu)
                for key, lu in zip(shown["case"], shown["lu"], strict=True)
            ],
            "here (95 %)": [
                f"{percent(rate)} ({interval(low, high)})"
                for rate, low, high in zip(shown["rate"], shown["low"], shown["high"], strict=True)
            ],
            "dead at init.": dead["rate"].map(percent).to_list(),
            "theory, at init.": [bounds(*pair) for pair in zip(dead["theory_low"], dead["theory_high"], strict=True)],
        }
    )


def reading_name(reading: Reading, base: Reading) -> str:
    """What a reading changes of another one: '8 hidden layers, first layer He normal', or 'nothing'."""
    parts = []
    if reading.hidden_layers != base.hidden_layers:
        parts.append(labels.count_of(reading.hidden_layers, "hidden layer"))
    for which in ("first", "last"):
        name = f"{which}_initializer"
        own, other = (getattr(of, name) or of.initializer for of in (reading, base))
        if own != other:
            parts.append(f"{which} layer {labels.initializer(own)}")
    if reading.optimizer != base.optimizer:
        parts.append(f"{labels.OPTIMIZERS[reading.optimizer.name]} ({reading.optimizer.learning_rate:g})")
    if reading.batch_size != base.batch_size:
        parts.append(f"batches of {reading.batch_size:,}")
    if reading.epochs not in (None, base.epochs):
        parts.append(labels.count_of(reading.epochs or 0, "epoch"))
    if reading.points != base.points:
        parts.append(labels.count_of(reading.points, "point"))
    if reading.end != base.end:
        parts.append(f"inputs from −{reading.end:.3g} to {reading.end:.3g}")
    return ", ".join(parts) or "nothing"


def reading_names(params: Params) -> dict[str, str]:
    """Of each reading: '9 hidden layers, RAI in all', '9 hidden layers, first layer He normal'."""
    names = {}
    for key, reading in params.sensitivity.readings.items():
        layers = labels.count_of(reading.hidden_layers, "hidden layer")
        changed = reading_name(reading.model_copy(update={"hidden_layers": 9}), Reading())
        names[key] = f"{layers}, {changed if changed != 'nothing' else 'RAI in all'}"
    return names


def readings(params: Params, numbers: Numbers) -> pd.DataFrame:
    """The four published rows under each reading of the paper, with distances in standard errors."""
    table, names = numbers["readings"], reading_names(params)
    columns = {
        "x sin 5x, He": ("x_sin_5x", "he"),
        "x sin 5x, RAI": ("x_sin_5x", "rai"),
        "step, He": ("step_sin_5x", "he"),
        "step, RAI": ("step_sin_5x", "rai"),
    }
    shown = pd.DataFrame({"reading": [names[key] for key in table["reading"]]})
    for title, row in columns.items():
        name = "_".join(row)
        shown[title] = [f"{percent(rate)} ({z:+.1f})" for rate, z in zip(table[name], table[f"{name}_z"], strict=True)]
    shown["furthest"] = [f"{z:.1f}" for z in table["furthest"]]
    of_print = [percent(published.LU_ROWS[row]) for row in columns.values()]
    return pd.concat([pd.DataFrame([["published", *of_print, ""]], columns=shown.columns), shown], ignore_index=True)


def variations(params: Params, numbers: Numbers) -> pd.DataFrame:
    """x sin 5x under RAI with one thing changed at a time."""
    table, base = numbers["variations"], params.sensitivity.base
    names = {key: reading_name(reading, base) for key, reading in params.sensitivity.variations.items()}
    return pd.DataFrame(
        {
            "changed": [names.get(key, "nothing: the base") for key in table["reading"]],
            "dead at init.": table["born_dead"].map(percent),
            "collapsed (95 %)": [
                f"{percent(rate)} ({interval(low, high)})"
                for rate, low, high in zip(table["rate"], table["low"], table["high"], strict=True)
            ],
            "difference from base (95 %)": [
                "" if pd.isna(d) else f"{100 * d:+.1f} ({100 * low:+.1f} to {100 * high:+.1f})"
                for d, low, high in zip(
                    table["difference"], table["difference_low"], table["difference_high"], strict=True
                )
            ],
            "from published": [f"{z:+.1f}" for z in table["z"]],
        }
    )


def criteria(params: Params, numbers: Numbers) -> pd.DataFrame:
    """The base under other criteria."""
    table = numbers["criteria"]
    names = {"dead": "range exactly 0", "best_constant": "loss ≥ 0.99 of the best constant's"}
    return pd.DataFrame(
        {
            "criterion": [names.get(key, f"range ≤ {key.removeprefix('within_')}") for key in table["criterion"]],
            "collapsed (95 %)": [
                f"{percent(rate)} ({interval(low, high)})"
                for rate, low, high in zip(table["rate"], table["low"], table["high"], strict=True)
            ],
            "from published": [f"{z:+.1f}" for z in table["z"]],
        }
    )


def plane(params: Params, numbers: Numbers) -> pd.DataFrame:
    """The row of two inputs and outputs at several depths."""
    table = numbers["plane"]
    return pd.DataFrame(
        {
            "hidden layers": [f"{layers}" for layers in table["hidden_layers"]],
            "initializer": ["RAI" if name == "rai" else "He" for name in table["initializer"]],
            "published": table["published"].map(percent),
            "here (95 %)": [
                f"{percent(rate)} ({interval(low, high)})"
                for rate, low, high in zip(table["rate"], table["low"], table["high"], strict=True)
            ],
            "from published": [f"{z:+.1f}" for z in table["z"]],
            "dead at init.": table["born_dead"].map(percent),
            "theory, at init.": [
                bounds(*theory.born_dead_on_any_inputs([params.sensitivity.plane.width] * layers))
                if name == "he"
                else ""
                for layers, name in zip(table["hidden_layers"], table["initializer"], strict=True)
            ],
        }
    )


def born_dead(params: Params, numbers: Numbers) -> pd.DataFrame:
    """Of the diagram's networks, for every width: the share that is dead at initialization at a few depths."""
    cells = numbers["born_dead"]
    depths = sorted({params.safe_region.depth.low, *(d for d in (5, 10, 20) if d in set(cells["depth"]))})
    table = cells.pivot_table(index="width", columns="depth", values="rate")
    columns = {f"{labels.count_of(d, 'layer')}": table[d].map(lambda rate: f"{100 * rate:.2f} %") for d in depths}
    return pd.DataFrame({"width": [str(width) for width in table.index]} | {n: c.to_list() for n, c in columns.items()})
