"""From the table of `sensitivity` to those of the report: which reading of the paper gives which rates."""

import numpy as np
import pandas as pd

from deadrelu.analysis import published
from deadrelu.analysis.intervals import wilson

COLLAPSED = "within_0.001"
"""The criterion of the report."""

CRITERIA = (
    "dead",
    "within_1e-06",
    "within_1e-05",
    "within_0.0001",
    COLLAPSED,
    "within_0.01",
    "within_0.1",
    "best_constant",
)


def rates(counts: pd.DataFrame) -> pd.DataFrame:
    """Every row with its rate and 95 % Wilson interval, and how far it is from the published rate.

    Args:
        counts: columns kind, reading, function, initializer, hidden_layers, criterion, trials, count.

    Returns:
        The same with rate, low, high; published (NaN: none); z, the difference from it in standard errors of the
        difference of two independent samples.
    """
    intervals = [wilson(count, trials) for count, trials in zip(counts["count"], counts["trials"], strict=True)]
    found = counts.assign(**pd.DataFrame(intervals, counts.index, ["rate", "low", "high"]))
    pairs = zip(found["function"], found["initializer"], strict=True)
    found = found.assign(published=[published.LU_ROWS.get(pair, np.nan) for pair in pairs])
    n, other = found["trials"], published.TRIALS
    pooled = (found["count"] + found["published"] * other) / (n + other)
    error = np.sqrt(pooled * (1 - pooled) * (1 / n + 1 / other))
    return found.assign(z=(found["rate"] - found["published"]) / error)


def readings(of: pd.DataFrame) -> pd.DataFrame:
    """Rates of the four published rows under each reading, and the largest distance of each reading.

    Args:
        of: `rates`.

    Returns:
        Columns reading, hidden_layers, x_sin_5x_he, x_sin_5x_rai, step_sin_5x_he, step_sin_5x_rai, and with _z their
        distances; furthest, the largest of these.
    """
    shown = of[(of["kind"] == "reading") & (of["criterion"] == COLLAPSED)]
    rows = []
    for (reading, layers), cells in shown.groupby(["reading", "hidden_layers"], sort=False):
        row: dict[str, object] = {"reading": reading, "hidden_layers": layers}
        for cell in cells.to_dict("records"):
            name = f"{cell['function']}_{cell['initializer']}"
            row |= {name: cell["rate"], f"{name}_z": cell["z"]}
        rows.append({**row, "furthest": float(cells["z"].abs().max())})
    return pd.DataFrame(rows)


def variations(of: pd.DataFrame) -> pd.DataFrame:
    """x sin 5x under RAI: each variation beside the base, with the 95 % interval of the difference.

    Returns:
        Columns reading, born_dead, trials, rate, low, high, difference, difference_low, difference_high (by the normal
        approximation for two independent samples; NaN for the base), z.
    """
    of = of[of["kind"] == "variation"]
    shown = of[of["criterion"] == COLLAPSED].set_index("reading")
    base = shown.loc["base"]
    error = np.sqrt(sum(row["rate"] * (1 - row["rate"]) / row["trials"] for row in (shown, base)))
    difference = (shown["rate"] - base["rate"]).where(shown.index != "base")
    return pd.DataFrame(
        {
            "reading": shown.index,
            "born_dead": of[of["criterion"] == "born_dead"].set_index("reading")["rate"].to_numpy(),
            **{name: shown[name].to_numpy() for name in ("trials", "rate", "low", "high")},
            "difference": difference.to_numpy(),
            "difference_low": (difference - 1.96 * error).to_numpy(),
            "difference_high": (difference + 1.96 * error).to_numpy(),
            "z": shown["z"].to_numpy(),
        }
    )


def criteria(of: pd.DataFrame) -> pd.DataFrame:
    """The base under every criterion: columns criterion, count, trials, rate, low, high, z."""
    base = of[(of["kind"] == "variation") & (of["reading"] == "base") & of["criterion"].isin(CRITERIA)]
    return base[["criterion", "count", "trials", "rate", "low", "high", "z"]].reset_index(drop=True)


def plane(of: pd.DataFrame) -> pd.DataFrame:
    """The row of two inputs and outputs: columns hidden_layers, initializer, trials, born_dead, rate, low, high,
    published, z."""
    of = of[of["kind"] == "plane"]
    shown = of[of["criterion"] == COLLAPSED].reset_index(drop=True)
    born_dead = of[of["criterion"] == "born_dead"]["rate"].to_numpy()
    names = ["hidden_layers", "initializer", "trials", "rate", "low", "high", "published", "z"]
    return shown[names].assign(born_dead=born_dead)


def death_epochs(deaths: pd.DataFrame) -> pd.DataFrame:
    """How many networks die in which epoch and layer: columns initializer, epoch, layer, count, networks, revived.

    Args:
        deaths: columns initializer, trial, epoch (0: before training, -1: alive), layer, revived.
    """
    networks = deaths.groupby("initializer")["trial"].transform("size")
    revived = (deaths["revived"] & (deaths["epoch"] < 0)).groupby(deaths["initializer"]).transform("sum")
    died = deaths.assign(networks=networks, revived=revived)[deaths["epoch"] >= 0]
    keys = ["initializer", "epoch", "layer", "networks", "revived"]
    return died.groupby(keys, as_index=False).size().rename(columns={"size": "count"})
