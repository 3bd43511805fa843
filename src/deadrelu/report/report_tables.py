"""Build the tables that the page shows; all numbers are formatted as strings."""

from collections.abc import Hashable, Mapping

import pandas as pd

from deadrelu.analysis import published, summaries
from deadrelu.functions import FUNCTIONS
from deadrelu.report import findings, labels
from deadrelu.report.findings import bounds, interval, percent, percent_or_nothing, with_interval
from deadrelu.settings.params import Params
from deadrelu.settings.stages import MAIN, SizesOfTraining

Numbers = Mapping[str, pd.DataFrame]


def settings(params: Params, source: str, images: int) -> pd.DataFrame:
    """Return a table with a row per experiment; `source` and `images` are source and number of MNIST test images."""
    network, training = params.activations.network, params.training
    collapse, region = params.collapse, params.safe_region
    trainings = "; ".join(
        f"{kind}: {labels.count_of(sizes.trials, 'network')}, {labels.count_of(sizes.epochs, 'epoch')}"
        for kind, sizes in (("MLP", training), ("CNN", training.cnn))
    )
    digits = f"MNIST, {source}"
    rows = [
        (
            "Signals",
            f"MLP, {network.hidden_layers} × {network.width} hidden; {len(params.activations.cases)} panels",
            f"{digits}, {images:,} test images",
            f"one network each for the violins, {params.activations.ensemble.networks} for the factors; "
            f"seed {params.seed}, layer seeds {params.activations.layer_seeds}",
        ),
        (
            "Training",
            f"MLP, {training.mlp.hidden_layers} × {training.mlp.width} hidden, and CNN; {len(training.cases)} cases",
            f"{digits}, {training.examples:,} digits; for the CNN, {training.cnn.examples:,}",
            trainings,
        ),
    ]
    names = labels.narrow_networks(params)
    for key, case in collapse.cases.items():
        times = labels.count_of(case.trials or collapse.trials, "trial")
        fits = f", {labels.count_of(case.fits, 'fit')}" if case.fits else ""
        length = f", {labels.count_of(collapse.epochs_of(key), 'epoch')}"
        about = labels.architecture(case)
        rows.append((names[key], about, labels.target(params.target_of(key)), times + fits + length))
    for key, table in params.sensitivity.items():
        trials = labels.count_of(collapse.cases[table.of].trials or collapse.trials, "trial")
        about = labels.count_of(len(table.variations), "variation")
        rows.append((f"Sensitivity: {key}", f"{about} of {names[table.of]}", "as varied", f"{trials} each"))
    trained = collapse.complete(params.grid_case(region.trained.depths[0], region.trained.widths[0], MAIN))
    rows.append(
        (
            "Depth and width",
            f"{region.depth.low} to {region.depth.high} layers of {region.width.low} to {region.width.high}, ReLU, "
            f"{labels.initializer(region.initializer)}",
            "not trained; some trained on " + labels.target(params.target_of_grid),
            f"{region.networks:,} of each width; {labels.count_of(trained.trials or 0, 'training')} per cell",
        )
    )
    return pd.DataFrame(rows, columns=["part", "networks", "data", "how often"])


def factors(params: Params, numbers: Numbers) -> pd.DataFrame:
    """Return verdicts, and factors of signal and gradient per layer, as texts: one row per case of `activations`."""
    ratios = numbers["signal_ratios"].set_index("case").loc[list(params.activations.cases)]
    panels = [labels.panel(case) for case in params.activations.cases.values()]
    saturated = ["saturated_least", "saturated_largest"]

    def factor(direction: str) -> list[str]:
        return [findings.factor(row, direction) for _, row in ratios.iterrows()]

    return pd.DataFrame(
        {
            "activation": [panel.activation for panel in panels],
            "initializer": [panel.initializer for panel in panels],
            "signal": ratios["forward_verdict"].to_list(),
            "× per layer (95 %)": factor("forward"),
            "theory": ratios["forward_theory"].map(_factor_or_nothing).to_list(),
            "gradient": ratios["backward_verdict"].to_list(),
            "× per layer back (95 %)": factor("backward"),
            "theory, back": ratios["backward_theory"].map(_factor_or_nothing).to_list(),
            "saturated": [interval(*pair) if pair[1] >= 0.01 else "" for pair in ratios[saturated].to_numpy()],
        }
    )


def _factor_or_nothing(value: float) -> str:
    return "" if pd.isna(value) else f"×{value:.3g}"


def trained(params: Params, numbers: Numbers) -> pd.DataFrame:
    """Return losses and accuracy after training and the verdicts at initialization, one row per case of `training`."""
    training, names = params.training, labels.trained(params.training.cases)
    epochs, ratios = numbers["epochs"], numbers["signal_ratios"].set_index("case")
    last, accuracies = summaries.last_epochs(epochs), ["validation_accuracy_low", "validation_accuracy_high"]
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
            "steps": [f"{_steps(training.sizes(case.network)):,}" for case in training.cases.values()],
            "learns": [findings.learned(row) for row in last.to_dict("records")],
            "validation accuracy": [bounds(*pair) for pair in last[accuracies].to_numpy()],
            "loss": last["loss"].map(_loss).to_list(),
            "validation loss": last["validation_loss"].map(_loss).to_list(),
            "signal at init.": ["" if row is None else row["forward_verdict"] for row in measured],
            "gradient at init.": ["" if row is None else row["backward_verdict"] for row in measured],
        }
    )


def _steps(sizes: SizesOfTraining) -> int:
    return sizes.epochs * -(-sizes.examples // sizes.batch_size)


def _loss(value: float) -> str:
    return "diverged" if pd.isna(value) or value == float("inf") else f"{value:.3g}"


def rates(params: Params, numbers: Numbers) -> pd.DataFrame:
    """Return the shares of constant networks, one row for each main case and event of `rates.collapse_rates`."""
    rates = numbers["collapse_rates"]
    shown = rates[rates["case"].isin(params.main_cases)]
    return pd.DataFrame(
        {
            "network": shown["case"].map(labels.narrow_networks(params)),
            "criterion": shown["event"].map(labels.events(params.collapse.tolerance)),
            "trials": [f"{n:,}" for n in shown["trials"]],
            "count": [f"{n:,}" for n in shown["count"]],
            "rate": shown["rate"].map(percent),
            "95 % interval": [interval(*pair) for pair in shown[["low", "high"]].to_numpy()],
            "notebook": shown["notebook"].map(percent_or_nothing),
            "theory": [bounds(*pair) for pair in shown[["theory_low", "theory_high"]].to_numpy()],
        }
    )


def before_and_after(params: Params, numbers: Numbers) -> pd.DataFrame:
    """Return numbers of constant networks before and after training, one row for each case and criterion."""
    table, names = numbers["before_and_after"], labels.narrow_networks(params)
    criteria = labels.criteria(params.collapse.tolerance)
    columns = {"before": "before", "after": "after", "stay": "stay", "enter": "become constant", "leave": "leave"}
    return pd.DataFrame(
        {
            "network": table["case"].map(names),
            "criterion": table["criterion"].map(criteria),
            "networks": [f"{n:,}" for n in table["trials"]],
            **{title: [f"{n:,}" for n in table[name]] for name, title in columns.items()},
        }
    )


def papers(params: Params, numbers: Numbers) -> pd.DataFrame:
    """Return rates before and after training and those of Lu et al., one row per case of `params.other_cases`."""
    collapse, rates = params.collapse, numbers["collapse_rates"]
    keys = params.other_cases
    by_event = {event: rows.set_index("case").reindex(keys) for event, rows in rates.groupby("event")}
    cases = [collapse.cases[key] for key in keys]
    dead = by_event["born_dead"]
    return pd.DataFrame(
        {
            "function": [FUNCTIONS[params.target_of(key).function].label for key in keys],
            "initializer": [labels.of_layers(case) for case in cases],
            "error": [case.loss.split("_")[1] for case in cases],
            "hidden": [labels.widths(case.widths) for case in cases],
            "epochs": [f"{collapse.epochs_of(key):,}" for key in keys],
            "published": [
                f"> {percent(published.LU_AT_LEAST)}" if published.is_lu_abs(params, case) else percent_or_nothing(lu)
                for case, lu in zip(cases, by_event["collapsed"]["lu"], strict=True)
            ],
            "constant, before": by_event["collapsed_before"]["rate"].map(percent).to_list(),
            "constant, after (95 %)": with_interval(by_event["collapsed"]),
            "exactly, before": dead["rate"].map(percent).to_list(),
            "exactly, after": by_event["dead"]["rate"].map(percent).to_list(),
            "theory, exactly before": [bounds(*pair) for pair in dead[["theory_low", "theory_high"]].to_numpy()],
        }
    )


def variation_names(params: Params, table: str) -> dict[str, str]:
    """Return in words what each variation of `sensitivity[table]` changes, by its key; key "" is the case itself."""
    settings = params.sensitivity[table]
    base, target = params.collapse.complete(params.collapse.cases[settings.of]), params.target_of(settings.of)
    complete = {key: params.collapse.complete(variation) for key, variation in settings.variations.items()}
    return {"": "nothing: the case", **{key: labels.changes(one, base, target) for key, one in complete.items()}}


def readings(params: Params, numbers: Numbers) -> pd.DataFrame:
    """Return a table: published rates, then a row of ours, with distances in standard errors, per interpretation."""
    table = numbers["readings"].fillna({"variation": ""})
    columns = {
        "x sin 5x, He": ("x_sin_5x", "he"),
        "x sin 5x, RAI": ("x_sin_5x", "rai"),
        "step, He": ("step_sin_5x", "he"),
        "step, RAI": ("step_sin_5x", "rai"),
    }
    shown = pd.DataFrame({"interpretation": reading_names(params, table)})
    for title, row in columns.items():
        name = "_".join(row)
        shown[title] = [f"{percent(rate)} ({z:+.1f})" for rate, z in zip(table[name], table[f"{name}_z"], strict=True)]
    shown["p, corrected"] = [f"{p:.2g}" for p in table["p"]]
    in_print = [percent(published.LU[row]) for row in columns.values()]
    return pd.concat([pd.DataFrame([["published", *in_print, ""]], columns=shown.columns), shown], ignore_index=True)


def reading_names(params: Params, table: pd.DataFrame) -> list[str]:
    """Return a name for each row of `table`, from `sensitivity.readings`, such as 'first layer He; 8 hidden layers'."""
    changed = {key: name for k in params.sensitivity for key, name in variation_names(params, k).items()}
    firsts = {"he": "first layer He", "rai": "first layer RAI"}
    rows = table.to_dict("records")
    return [firsts[row["first"]] + (f"; {changed[row['variation']]}" if row["variation"] else "") for row in rows]


def variations(params: Params, numbers: Numbers, key: str) -> pd.DataFrame:
    """Return the rates of a case and of its variations, one row each; `key` is that of a table of `sensitivity`."""
    table = numbers["variations"].fillna({"variation": ""})
    table, names = table[table["table"] == key], variation_names(params, key)
    compared = [
        ""
        if pd.isna(row["difference"])
        else "independent"
        if pd.isna(row["pairs_differ"])
        else f"{row['pairs_differ']:.0f} of {row['trials']:,} differ; same {_shared(row)}"
        for row in table.to_dict("records")
    ]
    shown = pd.DataFrame(
        {
            "changed": [names[name] for name in table["variation"]],
            "exactly, before": table["born_dead"].map(percent).to_list(),
            "exactly, after": table["dead"].map(percent).to_list(),
            "constant, after (95 %)": with_interval(table),
            "difference, points (95 %)": [
                "" if pd.isna(d) else f"{100 * d:+.1f} ({100 * low:+.1f} to {100 * high:+.1f})"
                for d, low, high in table[["difference", "difference_low", "difference_high"]].to_numpy()
            ],
            "pairs": compared,
            "p": [
                "" if pd.isna(p) else f"{p:.2g}{' *' * differs}" for p, differs in table[["p", "differs"]].to_numpy()
            ],
        }
    )
    if table["published"].notna().any():
        shown["published"] = table["published"].map(percent_or_nothing).to_list()
        shown["from published"] = ["" if pd.isna(z) else f"{z:+.1f}" for z in table["z"]]
    return shown


def _shared(row: Mapping[Hashable, float]) -> str:
    """Return in words which initial layers are the same in a variation and in its case."""
    if row["shared_layers"] == row["layers"]:
        return "networks"
    return f"first {labels.count_of(int(row['shared_layers']), 'layer')}"


def criteria(params: Params, numbers: Numbers) -> pd.DataFrame:
    """Return rates of constant networks for the case of the first table of `sensitivity`, one row per criterion."""
    table = numbers["criteria"]
    names = [
        f"loss ≥ {row['limit']:g} of the best constant's"
        if row["criterion"] == "loss"
        else f"range ≤ {row['limit']:g}"
        if row["limit"]
        else "range exactly 0"
        for row in table.to_dict("records")
    ]
    shown = pd.DataFrame({"criterion": names, "constant after training (95 %)": with_interval(table)})
    if table["z"].notna().any():
        shown["from published"] = [f"{z:+.1f}" for z in table["z"]]
    return shown


def born_dead(params: Params, numbers: Numbers) -> pd.DataFrame:
    """Return the share of untrained networks of `safe_region` that are dead: rows are widths, columns some depths."""
    cells = numbers["born_dead"]
    depths = sorted({params.safe_region.depth.low, *(d for d in (5, 10, 20) if d in set(cells["depth"]))})
    table = cells.pivot_table(index="width", columns="depth", values="rate")
    columns = {labels.count_of(d, "layer"): [f"{100 * rate:.2f} %" for rate in table[d]] for d in depths}
    return pd.DataFrame({"width": [str(width) for width in table.index], **columns})
