"""Compute tables of the report from the results of the stages `activations` and `training`."""

import numpy as np
import numpy.typing as npt
import pandas as pd

from deadrelu.analysis import mean_field
from deadrelu.analysis.growth import factor_over_networks, growth
from deadrelu.engine import initializers
from deadrelu.settings.params import ActivationsParams
from deadrelu.storage.idx_files import PIXELS

Array = npt.NDArray[np.float64]


def beside_theory(summary: pd.DataFrame, settings: ActivationsParams, squared_norms: Array) -> pd.DataFrame:
    """Return the summary with rms_theory and zero_theory, mean-field theory's rms and share of zeros of the outputs.

    Args:
        summary: table with one row for each case and layer, with columns case and layer; cases without theory get NaN.
        settings: settings of the stage `activations`.
        squared_norms: squared norm of each image, shape (n_images,); `QUANTILES` quantiles of them represent all.
    """
    norms = np.quantile(squared_norms, (np.arange(QUANTILES) + 0.5) / QUANTILES)
    width, layers = settings.network.width, settings.network.hidden_layers
    fans = [PIXELS, *[width] * layers]
    rows = []
    for key, case in settings.cases.items():
        independent = settings.layer_seeds == "independent" and initializers.is_symmetric(case.initializer)
        if not independent or case.activation not in mean_field.ZEROS:
            continue
        variances = [initializers.variance(case.initializer, fan_in, width) for fan_in in fans]
        rms = mean_field.rms_by_layer(case.activation, norms, fans, variances)
        zeros = mean_field.ZEROS[case.activation]
        rows.append(pd.DataFrame({"case": key, "layer": range(1, layers + 1), "rms_theory": rms, "zero_theory": zeros}))
    theory = pd.concat(rows) if rows else pd.DataFrame(columns=["case", "layer", "rms_theory", "zero_theory"])
    return summary.merge(theory, on=["case", "layer"], how="left")


QUANTILES = 64
"""Number of quantiles that represent the squared norms of all images in theory."""


def signal_ratios(
    summary: pd.DataFrame, networks: pd.DataFrame, settings: ActivationsParams, images: Array
) -> pd.DataFrame:
    """Return the factors by which a layer multiplies the signal (forward) and its gradient (backward), for each case.

    Args:
        summary: one network of each case, one row for each layer: case, layer, saturated_fraction, zero_fraction.
        networks: many networks of each case, one row for each layer: case, network, layer, input_std, gradient_rms.
        settings: settings of the stage `activations`.
        images: inputs of the network, shape (n, pixels); theory uses at most `THEORY_IMAGES` of them.

    Returns:
        One row for each case. forward, forward_low, forward_high: factor of `input_std` per layer, a geometric mean
        over layers and networks with its 95 % t interval over networks; forward_theory: factor by mean-field theory, or
        NaN; forward_verdict: class by `growth`. backward, backward_*: the same of `gradient_rms`, from a layer to that
        before it. saturated_least, saturated_largest, zero_least, zero_largest: extreme shares in a layer of `summary`.
    """
    rows = []
    few_images = images[:: max(1, len(images) // THEORY_IMAGES)][:THEORY_IMAGES]
    for case, case_networks in networks.groupby("case", sort=False):
        row: dict[str, object] = {"case": case}
        theory = dict(zip(("forward", "backward"), _theory(settings, str(case), few_images), strict=True))
        for direction, name in (("forward", "input_std"), ("backward", "gradient_rms")):
            strengths = case_networks.pivot(index="network", columns="layer", values=name).to_numpy()
            interval = factor_over_networks(strengths if direction == "forward" else strengths[:, ::-1])
            row |= dict(zip([direction, f"{direction}_low", f"{direction}_high"], interval, strict=True))
            row |= {f"{direction}_theory": theory[direction], f"{direction}_verdict": growth(*interval)}
        for name in ("saturated", "zero"):
            share = summary[summary["case"] == case][f"{name}_fraction"]
            row |= {f"{name}_least": share.min(), f"{name}_largest": share.max()}
        rows.append(row)
    return pd.DataFrame(rows)


THEORY_IMAGES = 16
"""Largest number of images whose covariances mean-field theory propagates through the layers."""


def _theory(settings: ActivationsParams, key: str, images: Array) -> tuple[float, float]:
    """Return the forward and backward factors per layer of the case `key` by mean-field theory, NaN if it has none."""
    case, width, layers = settings.cases[key], settings.network.width, settings.network.hidden_layers
    independent = settings.layer_seeds == "independent" and initializers.is_symmetric(case.initializer)
    if not independent or layers < 2:
        return np.nan, np.nan
    fans = [PIXELS, *[width] * layers]
    variances = [initializers.variance(case.initializer, fan_in, width) for fan_in in fans]
    return mean_field.factors(case.activation, images, fans, variances)


SMOOTH = 8
"""Number of batches over which a running mean of the loss is taken."""


def loss_curves(batches: pd.DataFrame) -> pd.DataFrame:
    """Summarize the course of the loss during training, for each case.

    Args:
        batches: table with one row for each batch of a trial: case, trial, epoch, batch, loss.

    Returns:
        One row for each case and step: case; step (counted from 1); loss, loss_low, loss_high (median, minimum and
        maximum over trials of the running mean of the loss over `SMOOTH` batches).
    """
    steps = batches.sort_values(["trial", "epoch", "batch"], kind="stable").copy()
    by_trial = steps.groupby(["case", "trial"], sort=False)["loss"]
    steps["step"] = by_trial.cumcount() + 1
    # `_running_mean` uses float64: pandas updates a running sum, in which a huge early loss leaves its rounding error.
    steps["loss"] = by_trial.transform(_running_mean)
    return _over_trials(steps, ["case", "step"], ["loss"])


def _running_mean(loss: pd.Series) -> pd.Series:
    """Return the mean of each loss and its predecessors, at most `SMOOTH` in all; infinite if one is not finite."""
    finite = pd.Series(np.isfinite(loss), loss.index)
    mean = loss.astype(float).where(finite, 0.0).rolling(SMOOTH, min_periods=1).mean()
    diverged = (~finite).astype(float).rolling(SMOOTH, min_periods=1).max() > 0
    return mean.mask(diverged, np.inf)


def epochs_over_trials(epochs: pd.DataFrame) -> pd.DataFrame:
    """Summarize `epochs`, one row per case, trial and epoch, over the trials; losses that diverged are infinite.

    Returns:
        One row per case and epoch (0: untrained): trials; median, minimum (_low), maximum (_high) of each number.
    """
    values = ["loss", "validation_loss", "validation_accuracy"]
    diverged = epochs[["loss", "validation_loss"]].isna() & (epochs[["epoch"]] > 0).to_numpy()
    epochs = epochs.assign(**epochs[["loss", "validation_loss"]].mask(diverged, np.inf))
    table = _over_trials(epochs, ["case", "epoch"], values)
    trials = epochs.groupby("case")["trial"].nunique()
    table.insert(2, "trials", table["case"].map(trials))
    return table


def last_epochs(epochs: pd.DataFrame) -> pd.DataFrame:
    """Return the row of each case for its last epoch, from a table of `epochs_over_trials`."""
    return epochs[epochs["epoch"] == epochs.groupby("case")["epoch"].transform("max")]


def _over_trials(frame: pd.DataFrame, keys: list[str], values: list[str]) -> pd.DataFrame:
    groups = frame.groupby(keys, sort=False)
    columns: dict[str, pd.Series] = {}
    for value in values:
        column = groups[value]
        columns |= {value: column.median(), f"{value}_low": column.min(), f"{value}_high": column.max()}
    return pd.DataFrame(columns).reset_index()
