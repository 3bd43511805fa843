"""What becomes of each network of `collapse`: dead before training, dying in it, half dead, or alive."""

import numpy as np
import numpy.typing as npt
import pandas as pd

from deadrelu.engine import criteria
from deadrelu.settings import targets
from deadrelu.settings.params import Params

FATES = {
    "born_dead": "dead at initialization",
    "dies": "collapsed in training",
    "half_dead": "constant on one side of 0",
    "alive": "alive",
}
"""By their names in tables, what they are called; in the order of rows and legends."""

PER_FATE = 3
"""Functions drawn of a fate."""

Trials = dict[str, pd.DataFrame]


def fates(frame: pd.DataFrame, tolerance: float, *, both_signs: bool) -> npt.NDArray[np.str_]:
    """The fate of each trial, shape (n,).

    Args:
        frame: columns born_dead, range, range_low, range_high (null where there is more than one input).
        tolerance: what "constant" means after training.
        both_signs: whether there are training points on both sides of 0: without, no network is half dead.
    """
    constant, low, high = (
        criteria.collapsed(frame[name].to_numpy(float), tolerance) for name in ("range", "range_low", "range_high")
    )
    born_dead = frame["born_dead"].to_numpy(bool)
    return np.select(
        [born_dead & constant, constant, (low | high) & both_signs], ["born_dead", "dies", "half_dead"], "alive"
    )


def tables(trials: Trials, functions: Trials, params: Params) -> dict[str, pd.DataFrame]:
    """The report's small tables on fates, for the cases of independent trials.

    Args:
        trials: of each case, one row per trial.
        functions: of each case that has them, columns trial, x, untrained, trained.
        params: the settings that made them.

    Returns:
        fates: columns case, fate, count, trials. losses: columns case, fate, epoch (0: before training), low, median,
        high (10, 50 and 90 % of the trials of this fate), best_constant (the least loss of a constant).
        functions: columns case, fate, trial, x, trained: those of the first `PER_FATE` trials of each fate.
    """
    counted, losses, drawn = [], [], []
    for key in (*params.collapse.main, *params.collapse.own_target):
        frame, target = trials[key], params.target_of(key)
        of = fates(frame, params.collapse.tolerance, both_signs=target.low < 0 < target.high)
        counts = {fate: int((of == fate).sum()) for fate in FATES}
        counted.append(pd.DataFrame({"case": key, "fate": list(counts), "count": counts.values(), "trials": len(of)}))
        losses.append(_losses(frame, of, _best_constant(params, key)).assign(case=key))
        if key in functions:
            drawn.append(_first(functions[key], dict(zip(frame["trial"], of, strict=True))).assign(case=key))
    return {
        "fates": _concat(counted, ["case", "fate", "count", "trials"]),
        "losses": _concat(losses, ["case", "fate", "epoch", "low", "median", "high", "best_constant"]),
        "functions": _concat(drawn, ["case", "fate", "trial", "x", "trained"]),
    }


def _losses(frame: pd.DataFrame, of: npt.NDArray[np.str_], best_constant: float) -> pd.DataFrame:
    losses = np.column_stack([frame["loss_initial"], np.stack(frame["loss"].to_list())]).astype(float)
    losses = np.where(np.isnan(losses), np.inf, losses)  # a diverged trial has the largest loss, not a missing one
    rows = []
    for fate in FATES:
        if (of == fate).any():
            # Not interpolated: between a number and infinity there is none.
            low, median, high = np.quantile(losses[of == fate], (0.1, 0.5, 0.9), axis=0, method="inverted_cdf")
            epochs = np.arange(losses.shape[1])
            rows.append(pd.DataFrame({"fate": fate, "epoch": epochs, "low": low, "median": median, "high": high}))
    return pd.concat(rows).assign(best_constant=best_constant)


def _best_constant(params: Params, key: str) -> float:
    """The least loss of a network that predicts the same for every point."""
    target = params.target_of(key)
    _, y = targets.sample(target.function, target.low, target.high, target.points, seed=params.seed)
    y = y.reshape(len(y), -1).astype(float)
    if params.collapse.cases[key].loss == "mean_squared_error":
        return float(y.var(axis=0).mean())
    return float(np.abs(y - np.median(y, axis=0)).mean())


def _first(functions: pd.DataFrame, fate_of: dict[int, str]) -> pd.DataFrame:
    functions = functions.assign(fate=functions["trial"].map(fate_of))
    chosen = functions.drop_duplicates("trial").groupby("fate", sort=False).head(PER_FATE)["trial"]
    return functions[functions["trial"].isin(chosen)]


def _concat(parts: list[pd.DataFrame], columns: list[str]) -> pd.DataFrame:
    return pd.concat(parts, ignore_index=True)[columns] if parts else pd.DataFrame(columns=columns)


def has_functions(params: Params, key: str) -> bool:
    """Whether the networks of a case are functions of one number, which can be drawn."""
    function = targets.FUNCTIONS[params.target_of(key).function]
    return function.inputs == function.outputs == 1
