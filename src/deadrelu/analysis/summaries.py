"""Compute the report's tables on the stages `activations`, whose group of params is `settings`, and `training`."""

import numpy as np
import pandas as pd

from deadrelu.analysis import mean_field
from deadrelu.analysis.growth import Array, factor_over_networks, growth
from deadrelu.engine import initializers
from deadrelu.settings.initializer import Settings
from deadrelu.settings.stages import ActivationsParams
from deadrelu.storage.idx_files import PIXELS

QUANTILES = 64  # number of quantiles that represent the squared norms of all images in theory
THEORY_IMAGES = 16  # largest number of images whose covariances mean-field theory propagates through the layers
DIRECTIONS = (("forward", "input_std", 1), ("backward", "gradient_rms", -1))  # with strengths and order of layers
SMOOTH = 8  # number of batches over which a running mean of the loss is taken


def beside_theory(summary: pd.DataFrame, settings: ActivationsParams, squared_norms: Array) -> pd.DataFrame:
    """Add rms_theory and zero_theory, mean-field theory's rms and share of zeros of outputs; NaN for cases without it.

    `summary` has a row for each case and layer, `squared_norms` the squared norm of each image, shape (n_images,).
    """
    norms = np.quantile(squared_norms, (np.arange(QUANTILES) + 0.5) / QUANTILES)
    rows = []
    for key, case in settings.cases.items():
        weights = _weights(settings, case.initializer)
        rms = mean_field.rms_by_layer(case.activation, norms, weights) if weights else []
        rows += [(key, layer, value, mean_field.ZEROS[case.activation]) for layer, value in enumerate(rms, start=1)]
    theory = pd.DataFrame(rows, columns=["case", "layer", "rms_theory", "zero_theory"])
    return summary.merge(theory, on=["case", "layer"], how="left")


def _weights(settings: ActivationsParams, initializer: Settings) -> mean_field.Weights:
    """Return fan-in and variance of the weights of each layer but the output; empty without mean-field theory."""
    if settings.layer_seeds != "independent" or not initializers.is_symmetric(initializer):
        return []
    width, layers = settings.network.width, settings.network.hidden_layers
    return [(fan_in, initializers.variance(initializer, fan_in, width)) for fan_in in [PIXELS, *[width] * layers]]


def signal_ratios(
    summary: pd.DataFrame, networks: pd.DataFrame, settings: ActivationsParams, images: Array
) -> pd.DataFrame:
    """Return the factors by which a layer multiplies the signal (forward) and its gradient (backward), for each case.

    Args:
        summary: one network of each case, one row for each layer: case, layer, saturated_fraction, zero_fraction.
        networks: many networks of each case, one row for each layer: case, network, layer, input_std, gradient_rms.
        images: inputs of the network, shape (n, pixels); theory uses at most `THEORY_IMAGES` of them.

    Returns:
        One row for each case. forward, forward_low, forward_high: factor of `input_std` per layer, a geometric mean
        over layers and networks with its 95 % t interval over networks; forward_theory: factor by mean-field theory, or
        NaN; forward_verdict: class by `growth`. backward, backward_*: the same of `gradient_rms`, from a layer to that
        before it. saturated_least, saturated_largest, zero_least, zero_largest: extreme shares in a layer of `summary`.
    """
    few_images = images[:: max(1, len(images) // THEORY_IMAGES)][:THEORY_IMAGES]
    rows = []
    for key, strengths in networks.groupby("case", sort=False):
        case, row = settings.cases[str(key)], {"case": key}
        weights = _weights(settings, case.initializer)  # a factor needs those of two hidden layers
        theory = mean_field.factors(case.activation, few_images, weights) if len(weights) > 2 else (np.nan, np.nan)
        for (direction, name, step), expected in zip(DIRECTIONS, theory, strict=True):
            by_layer = strengths.pivot(index="network", columns="layer", values=name).to_numpy()
            interval = factor_over_networks(by_layer[:, ::step])
            names = [direction, *(f"{direction}_{end}" for end in ("low", "high", "theory", "verdict"))]
            row |= dict(zip(names, (*interval, expected, growth(*interval)), strict=True))
        for name in ("saturated", "zero"):
            share = summary.loc[summary["case"] == key, f"{name}_fraction"]
            row |= {f"{name}_least": share.min(), f"{name}_largest": share.max()}
        rows.append(row)
    return pd.DataFrame(rows)


def loss_curves(batches: pd.DataFrame) -> pd.DataFrame:
    """Summarize the loss during training: one row for each case and step, counted from 1, with columns case, step.

    Columns loss, loss_low, loss_high are the median, minimum and maximum over trials of the running mean of the loss
    over `SMOOTH` batches; `batches` has a row for each batch of a trial: case, trial, epoch, batch, loss.
    """
    steps = batches.sort_values(["trial", "epoch", "batch"], kind="stable")
    by_trial = steps.groupby(["case", "trial"], sort=False)["loss"]
    steps = steps.assign(step=by_trial.cumcount() + 1, loss=by_trial.transform(_running_mean))
    return _over_trials(steps, "step", "loss").drop(columns="trials")


def _running_mean(loss: pd.Series) -> pd.Series:
    """Return the mean of each loss and its predecessors, at most `SMOOTH` in all; infinite if one is not finite."""
    finite = pd.Series(np.isfinite(loss), loss.index)
    # In float64: pandas updates a running sum, in which a huge early loss leaves its rounding error.
    mean = loss.astype(float).where(finite, 0.0).rolling(SMOOTH, min_periods=1).mean()
    return mean.where(finite.astype(float).rolling(SMOOTH, min_periods=1).min() == 1, np.inf)


def epochs_over_trials(epochs: pd.DataFrame) -> pd.DataFrame:
    """Summarize `epochs`, one row per case, trial and epoch, over the trials; losses that diverged are infinite.

    There is a row for each case and epoch (0: untrained): trials; median, minimum (_low), maximum (_high) of each.
    """
    losses = epochs[["loss", "validation_loss"]]
    epochs = epochs.assign(**losses.mask(losses.isna() & (epochs[["epoch"]].to_numpy() > 0), np.inf))
    return _over_trials(epochs, "epoch", "loss", "validation_loss", "validation_accuracy")


def _over_trials(table: pd.DataFrame, time: str, *names: str) -> pd.DataFrame:
    """Return case, the column `time`, trials, and median, minimum (_low), maximum (_high) over trials of `names`."""
    ends = {"": "median", "_low": "min", "_high": "max"}
    columns = {f"{name}{end}": (name, function) for name in names for end, function in ends.items()}
    return table.groupby(["case", time], sort=False, as_index=False).agg(trials=("trial", "nunique"), **columns)


def last_epochs(epochs: pd.DataFrame) -> pd.DataFrame:
    """Return the rows of each case for its last epoch, from a table with columns case and epoch."""
    return epochs[epochs["epoch"] == epochs.groupby("case")["epoch"].transform("max")]
