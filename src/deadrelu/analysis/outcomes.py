"""Classify the networks of `collapse` by whether they are constant before and after training, and count them."""

import numpy as np
import numpy.typing as npt
import pandas as pd

from deadrelu.analysis import criteria
from deadrelu.analysis.intervals import table_of_rates, with_rates
from deadrelu.settings.params import Params
from deadrelu.stages import experiments

OUTCOMES = {
    "born_dead": "dead at initialization",
    "died": "died in training",
    "stayed_within": "within the tolerance before and after",
    "became_within": "became constant within the tolerance",
    "one_sided": "constant on one side of 0",
    "alive": "alive",
}
"""Words for each outcome, in the order of rows and legends. Dead means that the range of predictions is exactly 0."""

PER_OUTCOME = 3  # largest number of functions that a figure draws for each outcome

Frames = dict[str, pd.DataFrame]


def outcomes(trials: pd.DataFrame, tolerance: float) -> npt.NDArray[np.str_]:
    """Return the outcome of each trial as a key of `OUTCOMES`, shape (n,).

    Args:
        trials: one row per trial: range_initial, range, range_low, range_high (null without inputs on the half-line).
        tolerance: largest range of predictions that counts as constant.
    """
    born_dead, dead = (criteria.within(trials[name], 0) for name in ("range_initial", "range"))
    names = ("range_initial", "range", "range_low", "range_high")
    before, after, low, high = (criteria.within(trials[name], tolerance) for name in names)
    one_sided = (low | high) & criteria.has_both_sides(trials)
    return np.select([born_dead & dead, dead, before & after, after, one_sided], list(OUTCOMES)[:-1], "alive")


def before_and_after(trials: Frames, tolerance: float) -> pd.DataFrame:
    """Count constant networks before and after training, under each of two criteria.

    Args:
        trials: table of each case, one row per trial, with columns range_initial and range.
        tolerance: largest range that counts as constant under the criterion "within".

    Returns:
        One row for each case and criterion ("exact": range is 0; "within": range is at most `tolerance`): case,
        criterion, trials; before, after, stay, enter, leave (networks constant before, after, at both times, only
        after, only before); before_* and after_*: rate, low, high (95 % Wilson intervals).
    """
    rows = []
    for case, frame in trials.items():
        for criterion, limit in (("exact", 0.0), ("within", tolerance)):
            before, after = (criteria.within(frame[name], limit) for name in ("range_initial", "range"))
            flows = before, after, before & after, after & ~before, before & ~after
            rows.append((case, criterion, len(frame), *map(np.count_nonzero, flows)))
    names = ["case", "criterion", "trials", "before", "after", "stay", "enter", "leave"]
    table = with_rates(pd.DataFrame(rows, columns=names), "before", prefix="before_")
    return with_rates(table, "after", prefix="after_")


def over_training(histories: Frames, tolerance: float) -> pd.DataFrame:
    """Count constant networks at each checkpoint of training, under each of two criteria.

    Args:
        histories: table of each followed case, one row per trial and checkpoint: trial, epoch, range.
        tolerance: largest range that counts as constant under the criterion "within".

    Returns:
        One row for each case, criterion ("exact": range 0, or "within") and epoch: trials, count, rate, low, high.
    """
    happened = {
        (case, criterion, epoch): criteria.within(ranges, limit)
        for case, frame in histories.items()
        for criterion, limit in (("exact", 0.0), ("within", tolerance))
        for epoch, ranges in frame.groupby("epoch")["range"]
    }
    return table_of_rates(happened, ["case", "criterion", "epoch"])


def deaths(histories: Frames) -> pd.DataFrame:
    """Count networks by the checkpoint from which on they are exactly constant, and by their first dead layer then.

    Args:
        histories: table of each followed case, one row per trial and checkpoint: trial, epoch, range, dead_layer.

    Returns:
        One row for each case, epoch (first checkpoint from which on all ranges are 0) and layer (0: none is dead):
        count; of the case, networks (all) and revived (range 0 at a checkpoint, but not at the last one).
    """
    rows = []
    for case, frame in histories.items():
        backwards = frame.sort_values("epoch", ascending=False)
        dead = backwards["range"] == 0
        first = backwards[dead.groupby(backwards["trial"]).cummin()].drop_duplicates("trial", keep="last")
        networks, revived = frame["trial"].nunique(), backwards["trial"][dead].nunique() - len(first)
        counts = first.groupby(["epoch", "dead_layer"], as_index=False).size()
        rows += [(case, *row, networks, revived) for row in counts.itertuples(index=False)]
    return pd.DataFrame(rows, columns=["case", "epoch", "layer", "count", "networks", "revived"])


def tables(trials: Frames, functions: Frames, params: Params) -> Frames:
    """Return the report's tables on outcomes by name, for the cases of independent trials.

    Args:
        trials: table of each case, one row per trial.
        functions: table of each case with saved functions, one row per trial and x: trial, x, untrained, trained.
        params: settings with which these tables were made.

    Returns:
        "outcomes", one row per case and outcome: count, trials. "losses", one row per case, outcome and epoch (0:
        untrained): low, median, high (10, 50, 90 % quantiles over trials), best_constant (least loss of a constant).
        "functions", one row per case, trial and x: outcome, trained; the first `PER_OUTCOME` trials of each outcome.
    """
    counts, losses, drawn = [], [], []
    for key in params.collapse.independent:
        frame = trials[key].assign(case=key, outcome=outcomes(trials[key], params.collapse.tolerance))
        counts += [(key, outcome, (frame["outcome"] == outcome).sum(), len(frame)) for outcome in OUTCOMES]
        experiment = experiments.of_case(params, key)
        best = criteria.best_constant(experiment.target, experiment.training.loss, params.seed)
        losses.append(_losses(frame).assign(case=key, best_constant=best))
        if key in functions:
            first = frame[frame["trial"].isin(functions[key]["trial"])].groupby("outcome").head(PER_OUTCOME)
            drawn.append(functions[key].merge(first[["case", "outcome", "trial"]], on="trial"))
    return {
        "outcomes": pd.DataFrame(counts, columns=["case", "outcome", "count", "trials"]),
        "losses": _concat(losses, ["case", "outcome", "epoch", "low", "median", "high", "best_constant"]),
        "functions": _concat(drawn, ["case", "outcome", "trial", "x", "trained"]),
    }


def _losses(trials: pd.DataFrame) -> pd.DataFrame:
    losses = np.column_stack([trials["loss_initial"], np.stack(trials["loss"].to_list())]).astype(float)
    losses = np.where(np.isnan(losses), np.inf, losses)  # a diverged trial's loss counts as infinite
    parts = []
    for outcome in OUTCOMES:
        chosen = losses[trials["outcome"] == outcome]
        if len(chosen):
            # Quantiles are not interpolated, since infinity cannot be.
            bands = np.quantile(chosen, (0.1, 0.5, 0.9), axis=0, method="inverted_cdf")
            parts.append(pd.DataFrame(bands.T, columns=["low", "median", "high"]).assign(outcome=outcome))
    return pd.concat(parts).rename_axis("epoch").reset_index()


def _concat(parts: list[pd.DataFrame], columns: list[str]) -> pd.DataFrame:
    return pd.concat(parts, ignore_index=True)[columns] if parts else pd.DataFrame(columns=columns)
