"""Classify the networks of `collapse` by whether they are constant before and after training, and count them."""

import numpy as np
import numpy.typing as npt
import pandas as pd

from deadrelu.analysis import criteria
from deadrelu.analysis.intervals import COUNTED, rate_of
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

PER_OUTCOME = 3
"""Largest number of functions that a figure draws for each outcome."""

Frames = dict[str, pd.DataFrame]


def outcomes(trials: pd.DataFrame, tolerance: float) -> npt.NDArray[np.str_]:
    """Return the outcome of each trial as a key of `OUTCOMES`, shape (n,).

    Args:
        trials: one row per trial: range_initial, range, range_low, range_high (null without inputs on the half-line).
        tolerance: largest range of predictions that counts as constant.
    """
    before, after = (trials[name].to_numpy(float) for name in ("range_initial", "range"))
    stayed, constant = criteria.within(before, tolerance), criteria.within(after, tolerance)
    both = not trials[["range_low", "range_high"]].isna().all().any()  # a diverged trial's ranges are null, too
    sides = [criteria.within(trials[name], tolerance) for name in ("range_low", "range_high")]
    return np.select(
        [(before == 0) & (after == 0), after == 0, stayed & constant, constant, (sides[0] | sides[1]) & both],
        ["born_dead", "died", "stayed_within", "became_within", "one_sided"],
        "alive",
    )


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
            row: dict[str, object] = {"case": case, "criterion": criterion, "trials": len(frame)}
            row |= {"before": before.sum(), "after": after.sum()}
            row |= {"stay": (before & after).sum(), "enter": (after & ~before).sum(), "leave": (before & ~after).sum()}
            for name, met in (("before", before), ("after", after)):
                counted = rate_of(met)
                row |= {f"{name}_{part}": counted[part] for part in ("rate", "low", "high")}
            rows.append(row)
    return pd.DataFrame(rows)


def over_training(histories: Frames, tolerance: float) -> pd.DataFrame:
    """Count constant networks at each checkpoint of training, under each of two criteria.

    Args:
        histories: table of each followed case, one row per trial and checkpoint: trial, epoch, range.
        tolerance: largest range that counts as constant under the criterion "within".

    Returns:
        One row for each case, criterion ("exact": range 0, or "within") and epoch: trials, count, rate, low, high.
    """
    rows = []
    for case, frame in histories.items():
        for criterion, limit in (("exact", 0.0), ("within", tolerance)):
            met = pd.Series(criteria.within(frame["range"], limit), frame.index).groupby(frame["epoch"])
            for epoch, is_met in met:
                rows.append({"case": case, "criterion": criterion, "epoch": epoch, **rate_of(is_met.to_numpy())})
    return pd.DataFrame(rows, columns=["case", "criterion", "epoch", *COUNTED])


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
        ordered = frame.sort_values(["trial", "epoch"])
        epochs = np.unique(ordered["epoch"])
        dead = (ordered["range"].to_numpy() == 0).reshape(-1, len(epochs))
        layers = ordered["dead_layer"].to_numpy().reshape(-1, len(epochs))
        stays = np.logical_and.accumulate(dead[:, ::-1], axis=1)[:, ::-1]
        first = stays.argmax(axis=1)[stays[:, -1]]
        layer = layers[stays[:, -1], first]
        about = {"case": case, "networks": len(dead), "revived": int((dead.any(axis=1) & ~dead[:, -1]).sum())}
        counts = pd.DataFrame({"epoch": epochs[first], "layer": layer}).groupby(["epoch", "layer"]).size()
        rows += [{**about, **row} for row in counts.reset_index(name="count").to_dict("records")]
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
    counted, losses, drawn = [], [], []
    for key in params.collapse.independent:
        frame = trials[key]
        trial_outcomes = outcomes(frame, params.collapse.tolerance)
        counts = [int((trial_outcomes == outcome).sum()) for outcome in OUTCOMES]
        counted.append(pd.DataFrame({"case": key, "outcome": list(OUTCOMES), "count": counts, "trials": len(frame)}))
        experiment = experiments.of_case(params, key)
        best = criteria.best_constant(experiment.target, experiment.training.loss, params.seed)
        losses.append(_losses(frame, trial_outcomes, best).assign(case=key))
        if key in functions:
            outcome_of = dict(zip(frame["trial"], trial_outcomes, strict=True))
            named = functions[key].assign(outcome=functions[key]["trial"].map(outcome_of))
            first = named.drop_duplicates("trial").groupby("outcome", sort=False).head(PER_OUTCOME)["trial"]
            drawn.append(named[named["trial"].isin(first)].assign(case=key))
    return {
        "outcomes": _concat(counted, ["case", "outcome", "count", "trials"]),
        "losses": _concat(losses, ["case", "outcome", "epoch", "low", "median", "high", "best_constant"]),
        "functions": _concat(drawn, ["case", "outcome", "trial", "x", "trained"]),
    }


def _losses(frame: pd.DataFrame, trial_outcomes: npt.NDArray[np.str_], best_constant: float) -> pd.DataFrame:
    losses = np.column_stack([frame["loss_initial"], np.stack(frame["loss"].to_list())]).astype(float)
    losses = np.where(np.isnan(losses), np.inf, losses)  # a diverged trial's loss counts as infinite
    rows = []
    for outcome in OUTCOMES:
        if (trial_outcomes == outcome).any():
            # Quantiles are not interpolated, since infinity cannot be.
            bands = np.quantile(losses[trial_outcomes == outcome], (0.1, 0.5, 0.9), axis=0, method="inverted_cdf")
            columns = dict(zip(("low", "median", "high"), bands, strict=True))
            rows.append(pd.DataFrame({"outcome": outcome, "epoch": np.arange(losses.shape[1]), **columns}))
    return pd.concat(rows).assign(best_constant=best_constant)


def _concat(parts: list[pd.DataFrame], columns: list[str]) -> pd.DataFrame:
    return pd.concat(parts, ignore_index=True)[columns] if parts else pd.DataFrame(columns=columns)
