"""Derive the report's sentences on the numbers that the notebook's loops print, from `rates.loop_numbers`."""

import pandas as pd

from deadrelu.report.findings import percent
from deadrelu.report.rate_findings import ALPHA


def loop(numbers: pd.DataFrame, notebook: float | None, tolerance: float) -> str:
    """Return a clause on the numbers that a case's loops print (`rates.loop_numbers`) and on the notebook's number."""
    names = {"probes_equal": "by equality at the probes", "collapsed": f"within {tolerance:g} on the interval"}
    texts = []
    for criterion, name in names.items():
        rows = numbers[numbers["criterion"] == criterion]
        total = int(rows["total"].iloc[0])
        ones, zeros = (int(rows["loops"][rows["number"] == end].sum()) for end in (1, 0))
        between = rows[~rows["number"].isin([0, 1])]
        rest = f"{total - ones - zeros:,} a number between"
        text = f"{name}, {ones:,} of {total:,} loops would print 1, {zeros:,} 0 and {rest}"
        if notebook is not None and len(between):
            near = int(between["loops"][between["number"].between(notebook - 0.05, notebook + 0.05)].sum())
            text += f", {near:,} of these within 0.05 of the notebook's {notebook:g}"
        texts.append(text)
    return "; ".join(texts) + "."


def coin(numbers: pd.DataFrame) -> str:
    """Return a sentence on the share of loops that print 0 or 1; `numbers` has the rows for "probes_equal".

    Cases whose loops all print the same number are left out, since independent networks might print it as well.
    """
    numbers = numbers[numbers.groupby("case")["number"].transform("nunique") > 1]
    if numbers.empty:
        return "By equality at the probes, all loops of a case print the same, which says nothing of independence."
    ends = numbers["loops"][numbers["number"].isin([0, 1])].sum() / numbers["loops"].sum()
    text = f"By equality at the probes, {percent(ends)} of the loops print 0 or 1"
    text += " (cases whose loops all print the same are left out)"
    if ends > 1 - ALPHA:
        return f"{text}. By this criterion, the number of a loop says what became of its one network."
    return f"{text}; the others print how long their one network is constant."
