"""From the tables of the stages to the small tables of the report: one row per number that it shows."""

import numpy as np
import pandas as pd

from deadrelu import collapse, printed, theory
from deadrelu.intervals import wilson
from deadrelu.layer_stats import factor, verdict
from deadrelu.params import CollapseCase, FanScaled, Normal, Params, TargetParams, Uniform, VarianceScaling

TOLERANCES = np.logspace(-8, 0, 81)


def signal_ratios(summary: pd.DataFrame) -> pd.DataFrame:
    """What one layer does to the signal (forward) and to its gradient (backward), for each case.

    Args:
        summary: columns case, layer, input_std, gradient_rms, saturated_fraction, zero_fraction.

    Returns:
        Columns case; forward, forward_low, forward_high: factor of `input_std` per layer, a geometric mean over
        layers with its 95 % t interval (NaN below three layers; the factor too below two); backward…: the same for
        the rms of the gradient, from a layer to the one before; their verdicts; saturated and zero: least and
        largest share.
    """
    rows = []
    for case, rows_of_case in summary.groupby("case", sort=False):
        layers = rows_of_case.sort_values("layer")
        row: dict[str, object] = {"case": case}
        signals = {"forward": layers["input_std"].to_numpy(), "backward": layers["gradient_rms"].to_numpy()[::-1]}
        for direction, strength in signals.items():
            found = factor(strength)
            row |= dict(zip([direction, f"{direction}_low", f"{direction}_high"], found, strict=True))
            row[f"{direction}_verdict"] = verdict(*found)
        for name in ("saturated", "zero"):
            share = layers[f"{name}_fraction"]
            row |= {f"{name}_least": share.min(), f"{name}_largest": share.max()}
        rows.append(row)
    return pd.DataFrame(rows)


SMOOTH = 8
"""Batches in a running mean of the loss."""


def loss_curves(batches: pd.DataFrame) -> pd.DataFrame:
    """How the loss of a batch goes, for each case.

    Args:
        batches: columns case, trial, epoch, batch, loss.

    Returns:
        Columns case; step, from 1 on; loss, loss_low, loss_high: of a running mean over `SMOOTH` batches, the median,
        least and largest over trials.
    """
    steps = batches.sort_values(["trial", "epoch", "batch"], kind="stable").copy()
    by_trial = steps.groupby(["case", "trial"], sort=False)["loss"]
    steps["step"] = by_trial.cumcount() + 1
    # In float64: pandas keeps the sum as it goes along, and one huge early loss would leave its rounding error.
    steps["loss"] = by_trial.transform(lambda loss: loss.astype(float).rolling(SMOOTH, min_periods=1).mean())
    steps["loss"] = steps["loss"].fillna(np.inf)  # a diverged trial is the largest, not a missing one
    return _over_trials(steps, ["case", "step"], ["loss"])


def epochs_over_trials(epochs: pd.DataFrame) -> pd.DataFrame:
    """Median, least and largest over trials of each column, for each case and epoch; epoch 0 is before training.

    Returns:
        Columns case, epoch, trials; loss, loss_low, loss_high; validation_loss…; validation_accuracy….
    """
    values = ["loss", "validation_loss", "validation_accuracy"]
    diverged = epochs[["loss", "validation_loss"]].isna() & (epochs[["epoch"]] > 0).to_numpy()
    epochs = epochs.assign(**epochs[["loss", "validation_loss"]].mask(diverged, np.inf))
    found = _over_trials(epochs, ["case", "epoch"], values)
    found.insert(2, "trials", epochs["trial"].nunique())
    return found


def _over_trials(frame: pd.DataFrame, keys: list[str], values: list[str]) -> pd.DataFrame:
    groups = frame.groupby(keys, sort=False)
    columns: dict[str, pd.Series] = {}
    for value in values:
        of_trials = groups[value]
        columns |= {value: of_trials.median(), f"{value}_low": of_trials.min(), f"{value}_high": of_trials.max()}
    return pd.DataFrame(columns).reset_index()


def collapse_rates(trials: dict[str, pd.DataFrame], params: Params) -> pd.DataFrame:
    """How often each event happened, for each case.

    Args:
        trials: one row per trial, the table of each case.
        params: the settings that made them.

    Returns:
        Columns case, event, trials, count, rate, low, high (95 % Wilson), notebook, theory (NaN: none).
        Events: constant (within the tolerance on the training interval), probes_equal, dead, born_dead.
    """
    rows = []
    for key, frame in trials.items():
        notebook = printed.notebook_rate(params, key)
        events = {
            "constant": (collapse.collapsed(frame["range"].to_numpy(), params.collapse.tolerance), notebook, None),
            "probes_equal": (frame["probes_equal"].to_numpy(), notebook, None),
            "dead": (frame["dead"].to_numpy(), None, None),
            "born_dead": (
                frame["born_dead"].to_numpy(),
                None,
                _born_dead(params.collapse.cases[key], params.data.target),
            ),
        }
        for event, (happened, in_print, exact) in events.items():
            count = int(happened.sum())
            row = {"case": key, "event": event, "trials": len(frame), "count": count}
            rows.append(row | wilson(count, len(frame))._asdict() | {"notebook": in_print, "theory": exact})
    return pd.DataFrame(rows).astype({"notebook": float, "theory": float})


def _born_dead(case: CollapseCase, target: TargetParams) -> float | None:
    """The closed form, where its assumptions hold: ReLU, no biases, weights symmetric and continuous."""
    initializer = case.initializer
    symmetric = (
        isinstance(initializer, FanScaled | VarianceScaling)
        or (isinstance(initializer, Normal) and initializer.mean == 0)
        or (isinstance(initializer, Uniform) and initializer.minval == -initializer.maxval)
    )
    if case.activation != "relu" or case.biases or not symmetric or target.points < 100:
        return None  # few points may all have one sign
    if target.low < 0 < target.high:
        low, high = theory.born_dead_on_interval(case.widths)
        return low if low == high else None
    return theory.born_dead_on_half_line(case.widths)


def rate_by_tolerance(trials: dict[str, pd.DataFrame]) -> pd.DataFrame:
    """Collapse rate of each case under every tolerance of `TOLERANCES`.

    Returns:
        Columns case, tolerance, trials, count, rate, low, high (95 % Wilson).
    """
    rows = []
    for key, frame in trials.items():
        ranges = frame["range"].to_numpy()
        for tolerance in TOLERANCES:
            count = int(collapse.collapsed(ranges, tolerance).sum())
            row = {"case": key, "tolerance": tolerance, "trials": len(frame), "count": count}
            rows.append(row | wilson(count, len(frame))._asdict())
    return pd.DataFrame(rows)


def half_lines(trials: dict[str, pd.DataFrame], tolerance: float) -> pd.DataFrame:
    """How far the notebook's probes, all positive, stand for the whole interval.

    Returns:
        Columns case, trials; probes_only: trials with exactly equal probes that are not constant on the interval;
        positive_only, negative_only: constant within the tolerance on that half-line alone.
    """
    rows = []
    for key, frame in trials.items():
        constant, low, high = (
            collapse.collapsed(frame[name].to_numpy(), tolerance) for name in ("range", "range_low", "range_high")
        )
        counts = {
            "probes_only": np.sum(frame["probes_equal"] & ~constant),
            "positive_only": np.sum(high & ~low),
            "negative_only": np.sum(low & ~high),
        }
        rows.append({"case": key, "trials": len(frame)} | counts)
    return pd.DataFrame(rows)
