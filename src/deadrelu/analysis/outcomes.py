"""Classify the networks of `collapse` by whether they are constant before and after training, and count them.

`trials` and `histories` are tables of cases of `collapse` by their keys, with a row for each trial, or for each trial
and checkpoint. A network is constant by the criterion "exact" if its predictions have a range of 0, by "within" if they
have one of at most `tolerance`.
"""

import numpy as np
import numpy.typing as npt
import pandas as pd

from deadrelu.analysis import criteria
from deadrelu.analysis.criteria import Frames
from deadrelu.analysis.intervals import table_of_rates, with_rates
from deadrelu.settings.params import Params
from deadrelu.stages import experiments

PER_OUTCOME = 3  # largest number of functions that a figure draws for each outcome
# Words for each outcome, in the order of rows and legends. Dead means that the range of predictions is exactly 0.
OUTCOMES = {
    "born_dead": "dead at initialization",
    "died": "died in training",
    "stayed_within": "within the tolerance before and after",
    "became_within": "became constant within the tolerance",
    "one_sided": "constant on one side of 0",
    "alive": "alive",
}


def outcomes(trials: pd.DataFrame, tolerance: float) -> npt.NDArray[np.str_]:
    """Return the outcome of each trial as a key of `OUTCOMES`, shape (n,), from the ranges in a table of trials."""
    born_dead, dead = (criteria.within(trials[name], 0) for name in ("range_initial", "range"))
    names = ("range_initial", "range", "range_low", "range_high")
    before, after, low, high = (criteria.within(trials[name], tolerance) for name in names)
    one_sided = (low | high) & trials[["range_low", "range_high"]].notna().any().all()  # else, a side has no input
    return np.select([born_dead & dead, dead, before & after, after, one_sided], list(OUTCOMES)[:-1], "alive")


def before_and_after(trials: Frames, tolerance: float) -> pd.DataFrame:
    """Count constant networks before and after training: one row for each case and criterion.

    Columns are case, criterion, trials; before, after, stay, enter, leave (networks constant before, after, at both
    times, only after, only before); before_*, after_*: rate, low, high (95 % Wilson interval).
    """
    rows = []
    for case, frame in trials.items():
        for criterion, limit in (("exact", 0.0), ("within", tolerance)):
            before, after = (criteria.within(frame[name], limit) for name in ("range_initial", "range"))
            flows = before, after, before & after, after & ~before, before & ~after
            rows.append((case, criterion, len(frame), *map(np.count_nonzero, flows)))
    table = pd.DataFrame(rows, columns=["case", "criterion", "trials", "before", "after", "stay", "enter", "leave"])
    return with_rates(with_rates(table, "before", prefix="before_"), "after", prefix="after_")


def over_training(histories: Frames, tolerance: float) -> pd.DataFrame:
    """Count constant networks: one row for each case, criterion and epoch, with trials, count, rate, low, high."""
    happened = {
        (case, criterion, epoch): criteria.within(ranges, limit)
        for case, frame in histories.items()
        for criterion, limit in (("exact", 0.0), ("within", tolerance))
        for epoch, ranges in frame.groupby("epoch")["range"]
    }
    return table_of_rates(happened, ["case", "criterion", "epoch"])


def deaths(histories: Frames) -> pd.DataFrame:
    """Count networks by the checkpoint from which on they are exactly constant, and by their first dead layer then.

    There is a row for each case, epoch (first checkpoint from which on all ranges are 0) and layer (0: none is dead):
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

    They are "outcomes", one row per case and outcome: count, trials; "losses", one row per case, outcome and epoch (0:
    untrained): low, median, high (10, 50, 90 % quantiles over trials), best_constant (least loss of a constant); and
    "functions", one row per case, trial and x: outcome, trained, for the first `PER_OUTCOME` trials of each outcome.
    The argument `functions` has the table of each case with saved functions: trial, x, untrained, trained.
    """
    counts, bands, drawn = [], [], []
    for key in params.collapse.independent:
        experiment = experiments.of_case(params, key)
        frame = trials[key].assign(case=key, outcome=outcomes(trials[key], params.collapse.tolerance))
        losses = np.column_stack([frame["loss_initial"], np.stack(frame["loss"].to_list())]).astype(float)
        losses = np.where(np.isnan(losses), np.inf, losses)  # a diverged trial's loss counts as infinite
        best = criteria.best_constant(experiment.target, experiment.training.loss, params.seed)
        for outcome in OUTCOMES:
            chosen = losses[frame["outcome"] == outcome]
            counts.append((key, outcome, len(chosen), len(frame)))
            if len(chosen):
                # Quantiles are not interpolated, since infinity cannot be.
                by_epoch = np.quantile(chosen, (0.1, 0.5, 0.9), axis=0, method="inverted_cdf").T
                bands += [(key, outcome, epoch, *band, best) for epoch, band in enumerate(by_epoch)]
        if key in functions:
            first = frame[frame["trial"].isin(functions[key]["trial"])].groupby("outcome").head(PER_OUTCOME)
            drawn.append(functions[key].merge(first[["case", "outcome", "trial"]], on="trial"))
    names = ["case", "outcome", "trial", "x", "trained"]
    return {
        "outcomes": pd.DataFrame(counts, columns=["case", "outcome", "count", "trials"]),
        "losses": pd.DataFrame(bands, columns=["case", "outcome", "epoch", "low", "median", "high", "best_constant"]),
        "functions": pd.concat(drawn, ignore_index=True)[names] if drawn else pd.DataFrame(columns=names),
    }
