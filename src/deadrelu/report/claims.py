"""Judge the claims of the 2019 notebook: a row for each claim on which this run has results."""

from collections.abc import Mapping
from typing import NamedTuple

import pandas as pd

from deadrelu.analysis import published
from deadrelu.report import findings, labels, rate_findings
from deadrelu.settings.params import Params


class Claim(NamedTuple):
    """Claim of the 2019 notebook: its text, what was measured here, and whether it holds, such as 'only in part'."""

    claim: str
    measured: str
    holds: str


def table(params: Params, numbers: Mapping[str, pd.DataFrame]) -> pd.DataFrame:
    """Return a table of strings, one row per claim, with columns "the 2019 notebook says", "measured here" and "holds".

    Args:
        params: settings in params.yaml.
        numbers: tables of the report by name (`load.Results.small`).
    """
    claims = [*_rates(params, numbers), *_loop(params, numbers), *_signals(params, numbers), *_told()]
    return pd.DataFrame(claims, columns=["the 2019 notebook says", "measured here", "holds"])


def _rates(params: Params, numbers: Mapping[str, pd.DataFrame]) -> list[Claim]:
    rates, networks = numbers["collapse_rates"], labels.narrow_networks(params)
    rate = {(row["case"], row["event"]): row for row in rates.to_dict("records")}
    halves = {row["case"]: row for row in numbers["half_lines"].to_dict("records")}
    claims = []
    for key, in_print in published.notebook_rates(params, params.main_cases).items():
        row, equal = rate[key, "collapsed"], rate[key, "probes_equal"]
        agree, p = rate_findings.agrees(row["count"], row["trials"], in_print)
        interval = f"{row['low']:.3f} to {row['high']:.3f}"
        tolerance = f"range ≤ {params.collapse.tolerance:g}"
        measured = f"{row['rate']:.3f} ({interval}) have a {tolerance} after training, p = {p:.2g}"
        word = "consistent, if its trainings are independent" if agree else "no"
        claims.append(Claim(f"{networks[key]}: {in_print:g} collapse", measured, word))
        agree, p = rate_findings.agrees(equal["count"], equal["trials"], in_print)
        claims.append(
            Claim(
                f"{networks[key]}: {in_print:g} predict exactly the same at its 5 probes",
                f"{equal['rate']:.3f} do, p = {p:.2g}",
                _word(agree),
            )
        )
        if params.collapse.cases[key].activation == "relu":
            above = rate_findings.above(pd.Series(row), published.LU_AT_LEAST)
            word = "above, for another network" if above.startswith("Yes") else above.split(":")[0].lower()
            measured = f"{above}; their function, initializer and first layer are others"
            claims.append(Claim("It is close to the 90 % and more of Lu et al.", measured, word))
        if key not in halves:
            continue
        probes_only, trials = halves[key]["probes_only"], halves[key]["trials"]
        claims.append(
            Claim(
                f"{networks[key]}: equal predictions at 5 positive probes mean a constant network",
                f"{probes_only:,} of {trials:,} are equal at the probes and not constant within the tolerance",
                _word(probes_only == 0) if equal["count"] else "not tested: no network has equal predictions there",
            )
        )
    return claims


def _loop(params: Params, numbers: Mapping[str, pd.DataFrame]) -> list[Claim]:
    """Return one claim, that the notebook's simulations are independent, or no claim if no loops were measured."""
    loops = numbers["loop_numbers"]
    equal_loops = loops[loops["criterion"] == "probes_equal"] if len(loops) else loops
    if equal_loops.empty or not params.collapse.refit:
        return []
    names, parts = labels.narrow_networks(params), []
    for case, rows in equal_loops.groupby("case", sort=False):
        ends, total = int(rows["loops"][rows["number"].isin([0, 1])].sum()), rows["total"].iloc[0]
        text = f"{ends:,} of {total:,} loops print 0 or 1"
        if rows["number"].nunique() == 1:
            text = f"all {total:,} loops print the same, which tests nothing"
        parts.append(f"{text} ({names[str(case)]})")
    measured = f"its loop fits one network again and again; by equality at the probes, {', '.join(parts)}"
    return [Claim("Its 1,000 simulations are independent", measured, "no")]


def _signals(params: Params, numbers: Mapping[str, pd.DataFrame]) -> list[Claim]:
    cases = params.activations.cases
    ratio = {str(row["case"]): row for row in numbers["signal_ratios"].to_dict("records")}
    claims = []
    helped = {
        activation: [
            ratio[key]["forward_verdict"] == ratio[key]["backward_verdict"] == "holds"
            for key, case in cases.items()
            if case.activation == activation and case.initializer.name in names
        ]
        for activation, names in (
            ("tanh", ("glorot_normal", "glorot_uniform")),
            ("sigmoid", ("glorot_normal", "glorot_uniform")),
            ("relu", ("he_normal", "he_uniform")),
        )
    }
    for activation, who in (("tanh", "Glorot"), ("sigmoid", "Glorot"), ("relu", "He")):
        if held := helped[activation]:
            text = f"{sum(held)} of {len(held)} keep both signal and gradient"
            word = "yes" if all(held) else "no" if not any(held) else "only in part"
            claims.append(Claim(f"{who} is right for {labels.ACTIVATIONS[activation]}", text, word))
    normal = sorted(
        (case.initializer.stddev, float(ratio[key]["forward"]))
        for key, case in cases.items()
        if case.activation == "relu" and case.initializer.name == "random_normal"
    )
    if len(normal) > 1:
        measured = "; ".join(f"σ = {stddev:g}: ×{factor:.2f} per layer" for stddev, factor in normal)
        as_reported = normal[0][1] > 1 > normal[-1][1]
        claims.append(
            Claim("A small variance makes signals explode, a large one makes them vanish", measured, _word(as_reported))
        )
    network = params.activations.network
    units = findings.units_sampled(network.width, params.activations.every)
    claims.append(Claim("Its violin plots show whole layers", units, _word("only" not in units)))
    return claims


def _told() -> list[Claim]:
    """Return the claims that can be judged from the notebook's code alone, without numbers of this run."""
    return [
        Claim(
            "Each layer has its own weights",
            "all layers share one seeded initializer, so layers of equal shape get equal weights",
            "no",
        ),
        Claim(
            "Titles describe what was run",
            "a uniform initializer is called normal, and σ = 0.1 is called 0.07",
            "no",
        ),
        Claim("Gradients behave as it describes", "it measures none; this page does, above", "no evidence there"),
    ]


def _word(holds: bool) -> str:
    return "yes" if holds else "no"
