"""Test verdicts on bytes, trials, numbers and settings by hand."""

import json
import math
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from rich.console import Console
from scipy import stats

from deadrelu.check import compare, reference, words
from deadrelu.check.compare import Comparison, Verdict
from deadrelu.check.comparisons import Finding, Method
from deadrelu.check.quantities import Count, Observed
from deadrelu.check.reference import Origin, Reference, Spread

ORIGIN = Origin(seed=10, mnist="official", machine="Linux x86_64", versions={"numpy": "2.4"})
OUTCOMES = np.arange(1000) < 300
CASE = Observed(
    {"case.negative_slope": 0.1, "case.widths": [1, 2]},
    counts={"collapsed": Count(300, 1000, OUTCOMES)},
    drawn={"y_mean": 1.0},
    exact={"theory_low": 0.9},
)
SIGNALS = Observed({"every": 20}, needs_mnist=True, values={"relu.layer_1.std": 0.5, "relu.layer_1.zero_fraction": 0.2})
NOW = {"activations": SIGNALS, "collapse@relu": CASE, "report": Observed({})}
SPREAD = {
    "relu.layer_1.std": Spread(mean=math.log(0.5), sd=0.1, log=True),
    "relu.layer_1.zero_fraction": Spread(mean=0.2, sd=0.0, log=False),
}
TABLES = {stage: {f"data/{stage}": "a" * 64} for stage in NOW}
ACCEPTED = Reference(
    origin=ORIGIN,
    stages={
        stage: reference.record(observed, TABLES[stage], 20 * bool(observed.values), SPREAD if observed.values else {})
        for stage, observed in NOW.items()
    },
)


def compared(origin: Origin = ORIGIN, tables: Mapping[str, Mapping[str, str]] = TABLES, **now: Observed) -> Comparison:
    """Compare results with some stages replaced; names are those of `NOW`, with _ for @."""
    stages = {stage: now.get(stage.replace("@", "_"), observed) for stage, observed in NOW.items()}
    return compare.compare(ACCEPTED, origin, stages, tables)


def other_bytes(*stages: str) -> dict[str, dict[str, str]]:
    return {
        stage: {path: "b" * 64 if stage in stages else digest for path, digest in of.items()}
        for stage, of in TABLES.items()
    }


def stage(comparison: Comparison, name: str) -> compare.StageVerdict:
    return next(stage for stage in comparison.stages if stage.stage == name)


def finding(comparison: Comparison, quantity: str) -> Finding:
    (match,) = [f for stage in comparison.stages for f in stage.findings if f.quantity == quantity]
    return match


def with_count(outcomes: "np.ndarray[Any, np.dtype[np.bool_]]") -> Observed:
    return replace(CASE, counts={"collapsed": Count(int(outcomes.sum()), len(outcomes), outcomes)})


def test_the_same_is_identical() -> None:
    comparison = compared()
    assert comparison.verdict == Verdict.IDENTICAL
    assert [stage.verdict for stage in comparison.stages] == [Verdict.IDENTICAL] * 3
    assert comparison.hypotheses == 3
    assert comparison.elsewhere == []
    assert words.headline(comparison) == "identical: 3 tables with the bytes of the reference"


def outlier() -> tuple[Reference, dict[str, Observed]]:
    """Return accepted results with a number that lies far from those of other seeds, and the same results now."""
    far = replace(SIGNALS, values=SIGNALS.values | {"relu.layer_1.std": 5.0})
    record = reference.record(far, TABLES["activations"], 20, SPREAD)
    return ACCEPTED.model_copy(update={"stages": {**ACCEPTED.stages, "activations": record}}), {
        **NOW,
        "activations": far,
    }


def test_the_same_bytes_are_identical_however_unusual_among_other_seeds() -> None:
    """A seed whose number is an outlier is accepted as it is; other bytes with this number are a change."""
    accepted, now = outlier()
    comparison = compare.compare(accepted, ORIGIN, now, TABLES)
    assert comparison.verdict == Verdict.IDENTICAL
    assert finding(comparison, "relu.layer_1.std").p < 1e-10
    assert not finding(comparison, "relu.layer_1.std").changed
    assert "McNemar's exact test |" not in words.as_markdown(comparison)
    assert not [f for of in json.loads(words.as_json(comparison))["stages"] for f in of["findings"] if f["changed"]]
    other = compare.compare(accepted, ORIGIN, now, other_bytes("activations"))
    assert other.verdict == Verdict.CHANGED
    assert finding(other, "relu.layer_1.std").changed


def test_an_outlier_with_the_same_bytes_hides_no_change_elsewhere() -> None:
    accepted, now = outlier()
    now["collapse@relu"] = with_count(np.arange(1000) < 400)
    comparison = compare.compare(accepted, ORIGIN, now, other_bytes("collapse@relu"))
    assert {of.stage: of.verdict for of in comparison.stages} == {
        "activations": Verdict.IDENTICAL,
        "collapse@relu": Verdict.CHANGED,
        "report": Verdict.IDENTICAL,
    }


def test_stages_of_other_packages_are_told_and_change_no_verdict() -> None:
    stale = ["collapse@relu (numpy 2.3, llvmlite 0.45)", "training (keras 3.9)"]
    comparison = compare.compare(ACCEPTED, ORIGIN, NOW, TABLES, stale=stale)
    assert (comparison.verdict, comparison.stale) == (Verdict.IDENTICAL, stale)
    note = (
        "Not rerun with the installed packages: collapse@relu (numpy 2.3, llvmlite 0.45), training (keras 3.9). "
        "DVC does not see packages: `dvc repro --force` reruns these stages."
    )
    assert note in words.as_markdown(comparison)
    assert json.loads(words.as_json(comparison))["stale"] == stale
    assert "Not rerun" not in words.as_markdown(compared())
    assert compared().stale == []


def test_other_bytes_with_the_same_numbers_are_consistent() -> None:
    comparison = compared(tables=other_bytes("activations", "report"))
    assert comparison.verdict == Verdict.CONSISTENT
    assert stage(comparison, "collapse@relu").verdict == Verdict.IDENTICAL
    assert (stage(comparison, "activations").same_tables, stage(comparison, "activations").tables) == (0, 1)
    assert words.headline(comparison) == "consistent: activations, report"


def test_a_table_more_or_less_is_no_identity() -> None:
    more = {**TABLES, "activations": {**TABLES["activations"], "data/b": "c" * 64}}
    activations = stage(compared(tables=more), "activations")
    assert (activations.verdict, activations.same_tables, activations.tables) == (Verdict.CONSISTENT, 1, 2)
    less = stage(compared(tables={**TABLES, "activations": {}}), "activations")
    assert (less.verdict, less.same_tables, less.tables) == (Verdict.CONSISTENT, 0, 1)


def test_a_report_that_alone_differs_has_changed() -> None:
    """The report's numbers follow from the tables without any randomness."""
    comparison = compared(tables=other_bytes("report"))
    assert comparison.verdict == Verdict.CHANGED
    assert stage(comparison, "report").why == "what it is made from is the same, but not data/report"


def test_a_report_of_other_versions_may_differ_in_its_last_digits() -> None:
    comparison = compared(ORIGIN.model_copy(update={"versions": {"numpy": "2.5"}}), other_bytes("report"))
    assert comparison.verdict == Verdict.CONSISTENT


def test_few_trials_that_all_go_one_way_are_found_with_the_same_seed_only() -> None:
    """A change of 18 in 1,000 is below the noise of two samples, but nearly impossible between the same trials."""
    more = with_count(np.arange(1000) < 318)
    comparison = compared(collapse_relu=more, tables=other_bytes("collapse@relu"))
    assert comparison.verdict == Verdict.CHANGED
    assert finding(comparison, "collapsed").method == Method.PAIRED
    assert finding(comparison, "collapsed").p == pytest.approx(2 * 0.5**18)
    elsewhere = compared(ORIGIN.model_copy(update={"seed": 11}), other_bytes("collapse@relu"), collapse_relu=more)
    assert elsewhere.verdict == Verdict.CONSISTENT
    assert finding(elsewhere, "collapsed").method == Method.TWO_SAMPLES
    assert elsewhere.elsewhere == ["seed 11 (reference: 10)"]


def test_trials_that_go_both_ways_are_noise() -> None:
    swapped = OUTCOMES.copy()
    swapped[250:350] = ~swapped[250:350]
    comparison = compared(collapse_relu=with_count(swapped), tables=other_bytes("collapse@relu"))
    assert comparison.verdict == Verdict.CONSISTENT
    assert finding(comparison, "collapsed").p == 1.0


def test_another_number_of_trials_is_comparable() -> None:
    """Trial k is the same trial, however many there are."""
    longer = with_count(np.concatenate([OUTCOMES, np.ones(500, bool)]))
    comparison = compared(collapse_relu=longer, tables=other_bytes("collapse@relu"))
    assert comparison.verdict == Verdict.CONSISTENT
    assert finding(comparison, "collapsed").p == 1.0
    assert (finding(comparison, "collapsed").now, finding(comparison, "collapsed").trials) == (800 / 1500, 1500)


LIMIT = math.exp(stats.t.isf(0.01 / 3 / 2, 19) * 0.1 * math.sqrt(1 + 1 / 20))
"""Factor to the mean over 20 seeds from which on the first of three hypotheses is rejected."""


@pytest.mark.parametrize(
    ("factor", "verdict"),
    [
        (LIMIT * 0.999, Verdict.CONSISTENT),
        (LIMIT * 1.001, Verdict.CHANGED),
        (1.001 / LIMIT, Verdict.CONSISTENT),
        (0.999 / LIMIT, Verdict.CHANGED),
        (0.0, Verdict.CHANGED),
    ],
)
def test_a_number_is_judged_by_its_spread_over_seeds(factor: float, verdict: Verdict) -> None:
    signals = replace(SIGNALS, values=SIGNALS.values | {"relu.layer_1.std": 0.5 * factor})
    comparison = compared(activations=signals, tables=other_bytes("activations"))
    assert comparison.verdict == verdict


@pytest.mark.parametrize(("share", "verdict"), [(0.20001, Verdict.CONSISTENT), (0.2002, Verdict.CHANGED)])
def test_a_number_on_which_all_seeds_agree_may_differ_by_rounding(share: float, verdict: Verdict) -> None:
    signals = replace(SIGNALS, values=SIGNALS.values | {"relu.layer_1.zero_fraction": share})
    assert compared(activations=signals, tables=other_bytes("activations")).verdict == verdict


def test_points_that_the_seed_fixes_must_be_the_same() -> None:
    moved = replace(CASE, drawn={"y_mean": 1.001})
    comparison = compared(collapse_relu=moved, tables=other_bytes("collapse@relu"))
    assert comparison.verdict == Verdict.CHANGED
    assert finding(comparison, "y_mean").method == Method.ROUNDING
    rounded = replace(CASE, drawn={"y_mean": 1.0000001})
    assert compared(collapse_relu=rounded).verdict == Verdict.IDENTICAL
    # Points of another seed are not compared.
    other = compared(ORIGIN.model_copy(update={"seed": 11}), collapse_relu=moved)
    assert other.verdict == Verdict.IDENTICAL
    assert [stage.untested for stage in other.stages] == [0, 1, 0]
    assert "some seed makes infinite: collapse@relu 1." in words.as_markdown(other)


def test_theory_must_be_the_same_under_any_seed() -> None:
    moved = replace(CASE, exact={"theory_low": 0.90001})
    comparison = compared(ORIGIN.model_copy(update={"seed": 11}), other_bytes("collapse@relu"), collapse_relu=moved)
    assert comparison.verdict == Verdict.CHANGED
    assert [f.quantity for f in stage(comparison, "collapse@relu").findings if f.changed] == ["theory_low"]


@pytest.mark.parametrize(
    "observed",
    [
        replace(CASE, counts={}),
        replace(CASE, exact={}),
        replace(CASE, exact={"theory_low": 0.9, "theory_high": 0.9}),
    ],
)
def test_what_is_missing_or_new_under_the_same_settings_has_changed(observed: Observed) -> None:
    comparison = compared(collapse_relu=observed, tables=other_bytes("collapse@relu"))
    assert comparison.verdict == Verdict.CHANGED
    assert "none" in words.as_markdown(comparison)


def test_other_settings_are_not_comparable_and_told() -> None:
    comparison = compared(collapse_relu=replace(CASE, params=CASE.params | {"case.negative_slope": 0.2}))
    assert comparison.verdict == Verdict.NOT_COMPARABLE
    assert stage(comparison, "collapse@relu").why == "case.negative_slope is 0.2, 0.1 in the reference"
    assert stage(comparison, "activations").verdict == Verdict.IDENTICAL
    two = compared(collapse_relu=replace(CASE, params={"case.widths": (1, 3)}))
    assert stage(two, "collapse@relu").why == "case.widths is [1, 3], [1, 2] in the reference (and 1 more)"


def test_other_digits_are_not_comparable_where_digits_matter() -> None:
    bundled = compared(ORIGIN.model_copy(update={"mnist": "bundled"}))
    assert stage(bundled, "activations").why == compare.BUNDLED
    assert words.headline(bundled) == "not comparable: bundled digits, official ones in the reference"
    assert [stage.verdict for stage in bundled.stages] == [Verdict.NOT_COMPARABLE, Verdict.IDENTICAL, Verdict.IDENTICAL]


def test_a_change_outweighs_what_cannot_be_compared() -> None:
    comparison = compared(
        ORIGIN.model_copy(update={"mnist": "bundled"}),
        other_bytes("collapse@relu"),
        collapse_relu=replace(CASE, exact={"theory_low": 0.5}),
    )
    assert comparison.verdict == Verdict.CHANGED


def test_a_new_stage_and_a_removed_one() -> None:
    now = {stage: observed for stage, observed in NOW.items() if stage != "activations"} | {"collapse@new": CASE}
    comparison = compare.compare(ACCEPTED, ORIGIN, now, TABLES)
    assert comparison.verdict == Verdict.NOT_COMPARABLE
    assert stage(comparison, "collapse@new").why == "not in the reference"
    assert stage(comparison, "activations").why == "in the reference only"


def test_an_added_case_is_told_and_the_others_are_compared() -> None:
    """The report's settings contain the added case; any other difference in them still prevents a comparison."""
    added = {"collapse.cases.new.trials_are": "independent", "data.targets.new.points": 30}
    now = {**NOW, "collapse@new": CASE, "report": Observed(added)}
    comparison = compare.compare(ACCEPTED, ORIGIN, now, {**TABLES, "collapse@new": {"data/new": "c" * 64}})
    assert comparison.verdict == Verdict.IDENTICAL
    assert [stage(comparison, name).verdict for name in ("collapse@new", "report")] == [Verdict.ADDED] * 2
    assert words.headline(comparison) == (
        "identical: 2 tables with the bytes of the reference; "
        "not in the reference, so not compared: report, collapse@new"
    )
    changed = compare.compare(
        ACCEPTED,
        ORIGIN,
        {**now, "collapse@relu": replace(CASE, exact={"theory_low": 0.5})},
        other_bytes("collapse@relu"),
    )
    assert changed.verdict == Verdict.CHANGED
    other = compare.compare(ACCEPTED, ORIGIN, {**now, "report": Observed(added | {"every": 30})}, TABLES)
    assert stage(other, "report").verdict == other.verdict == Verdict.NOT_COMPARABLE


def test_more_hypotheses_need_more_evidence() -> None:
    """By Holm's correction, a change that is found among few hypotheses is not found among a thousand."""
    up = OUTCOMES.copy()
    up[300:311] = True
    events = {f"event_{k}": Count(300, 1000, OUTCOMES) for k in range(1000)}
    others = other_bytes("collapse@relu")
    alone = compare.compare(ACCEPTED, ORIGIN, {**NOW, "collapse@relu": with_count(up)}, others)
    assert alone.verdict == Verdict.CHANGED
    many = {**NOW, "collapse@relu": replace(CASE, counts=CASE.counts | events)}
    accepted = Reference(
        origin=ORIGIN, stages={**ACCEPTED.stages, "collapse@relu": reference.record(many["collapse@relu"], {}, 0, {})}
    )
    many["collapse@relu"] = replace(CASE, counts=with_count(up).counts | events)
    comparison = compare.compare(accepted, ORIGIN, many, others)
    assert comparison.hypotheses == 1003
    assert not finding(comparison, "collapsed").changed


def test_all_three_forms_tell_the_same() -> None:
    changed = compared(
        ORIGIN.model_copy(update={"versions": {"numpy": "3"}}),
        other_bytes("collapse@relu"),
        collapse_relu=with_count(np.arange(1000) < 400),
        activations=replace(SIGNALS, params={}),
    )
    tree = json.loads(words.as_json(changed))
    assert (tree["verdict"], tree["correction"], tree["alpha"]) == ("changed", "Holm", 0.01)
    assert [stage["verdict"] for stage in tree["stages"]] == ["not comparable", "changed", "identical"]
    (constant,) = [f for f in tree["stages"][1]["findings"] if f["quantity"] == "collapsed"]
    assert (constant["reference"], constant["now"], constant["changed"]) == (0.3, 0.4, True)
    markdown = words.as_markdown(changed)
    console = Console(width=200)
    with console.capture() as captured:
        console.print(words.as_text(changed))
    for text in (markdown, captured.get()):
        for wanted in (
            *("collapse@relu", "changed", "collapsed 0.300 → 0.400", "McNemar's exact test"),
            *("Holm's correction", "1% of cases", "every is None, 20 in the reference", "numpy 3 (reference: 2.4)"),
        ):
            assert wanted in text
    for line in markdown.splitlines():
        assert line.count(" | ") in (0, 5)


def test_a_long_list_of_changes_is_cut() -> None:
    events = {f"event_{k:02d}": Count(0, 1000, ~np.ones(1000, bool)) for k in range(30)}
    accepted = Reference(origin=ORIGIN, stages={"a": reference.record(Observed({}, counts=events), {}, 0, {})})
    all_of_them = {name: Count(1000, 1000, np.ones(1000, bool)) for name in events}
    changed = compare.compare(accepted, ORIGIN, {"a": Observed({}, counts=all_of_them)}, {"a": {"data/a": "b" * 64}})
    assert sum("event_" in line for line in words.as_markdown(changed).splitlines()) == 21  # once in the stage's line
    assert "and 10 more: --json lists all" in words.as_markdown(changed)


POINTS = Observed({}, values={"y_mean": 0.0}, drawn={"y_mean": 0.0})
POINTS_ACCEPTED = Reference(
    origin=ORIGIN,
    stages={"data@target": reference.record(POINTS, {}, 20, {"y_mean": Spread(mean=0.1, sd=0.1, log=False)})},
)


@pytest.mark.parametrize(
    ("seed", "mean", "verdict", "method"),
    [
        (10, 1e-3, Verdict.CHANGED, Method.ROUNDING),
        (10, 5e-7, Verdict.CONSISTENT, Method.ROUNDING),  # where a mean is near 0, rounding is not relative
        (11, 1e-3, Verdict.CONSISTENT, Method.OVER_SEEDS),
        (11, 1.0, Verdict.CHANGED, Method.OVER_SEEDS),
    ],
)
def test_points_are_fixed_by_the_seed_and_vary_over_seeds(
    seed: int, mean: float, verdict: Verdict, method: Method
) -> None:
    now = {"data@target": replace(POINTS, values={"y_mean": mean}, drawn={"y_mean": mean})}
    other = {"data@target": {"data/points": "b" * 64}}
    comparison = compare.compare(POINTS_ACCEPTED, ORIGIN.model_copy(update={"seed": seed}), now, other)
    assert comparison.verdict == verdict
    assert finding(comparison, "y_mean").method == method  # once, by one method
    assert comparison.hypotheses == (seed != 10)


def test_a_point_moment_that_is_gone_has_changed() -> None:
    gone = compared(collapse_relu=replace(CASE, drawn={}), tables=other_bytes("collapse@relu"))
    assert gone.verdict == Verdict.CHANGED


def test_numbers_share_the_chance_of_a_false_alarm_with_counts() -> None:
    """The smallest changes that can be found are those at 0.01 / 3, for counts and for numbers."""
    comparison = compared()
    level = 0.01 / 3
    assert finding(comparison, "collapsed").smallest == math.ceil(math.log2(2 / level)) / 1000
    shift = (stats.t.isf(level / 2, 19) + stats.norm.ppf(0.8)) * 0.1 * math.sqrt(1 + 1 / 20)
    assert finding(comparison, "relu.layer_1.std").smallest == pytest.approx(0.5 * (1 - math.exp(-shift)))


def test_another_machine_is_told() -> None:
    assert compared(ORIGIN.model_copy(update={"machine": "Darwin"})).elsewhere == [
        "machine Darwin (reference: Linux x86_64)"
    ]


def test_what_moved_most_is_what_changed_then_what_is_least_likely() -> None:
    up, down = np.arange(1000) < 303, np.arange(1000) < 299
    events = {"a": Count(300, 1000, OUTCOMES), "b": Count(300, 1000, OUTCOMES), "c": Count(30_000, 100_000)}
    accepted = Reference(
        origin=ORIGIN, stages={"s": reference.record(Observed({}, counts=events, exact={"t": 0.5}), {}, 0, {})}
    )
    now = {"a": Count(299, 1000, down), "b": Count(303, 1000, up), "c": Count(30_001, 100_000)}

    def row(exact: float) -> str:
        comparison = compare.compare(accepted, ORIGIN, {"s": Observed({}, counts=now, exact={"t": exact})}, {})
        return next(line for line in words.as_markdown(comparison).splitlines() if line.startswith("| s "))

    assert "| b 0.300 → 0.303 (p 0.25) |" in row(0.5)
    assert "| t 0.5 → 0.6 |" in row(0.6)
    text = words.change(Finding("s", "c", Method.TWO_SAMPLES, 0.3, 0.30001, 1.0, 100_000))
    assert text == "c 0.30000 → 0.30001"


def test_changes_are_listed_from_the_least_likely_on() -> None:
    events = {"few": Count(0, 1000, ~np.ones(1000, bool)), "many": Count(0, 1000, ~np.ones(1000, bool))}
    accepted = Reference(origin=ORIGIN, stages={"s": reference.record(Observed({}, counts=events), {}, 0, {})})
    now = {"few": Count(30, 1000, np.arange(1000) < 30), "many": Count(60, 1000, np.arange(1000) < 60)}
    comparison = compare.compare(accepted, ORIGIN, {"s": Observed({}, counts=now)}, {"s": {"data/s": "b" * 64}})
    listed = [
        line.split(" | ")[1] for line in words.as_markdown(comparison).splitlines() if "McNemar's exact test |" in line
    ]
    assert listed == ["many", "few"]
