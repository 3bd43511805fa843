"""Compare present results with the accepted reference: identical, consistent, changed, or not comparable."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Any

from deadrelu.check import comparisons
from deadrelu.check.comparisons import Finding
from deadrelu.check.quantities import Observed
from deadrelu.check.reference import Origin, Reference

ALPHA = 0.01
"""Largest probability that a check gives a false alarm."""

REPORT = "report"

BUNDLED = "bundled digits, official ones in the reference"
"""Reason why the results of a run without the official MNIST are not comparable."""

Tables = Mapping[str, Mapping[str, str]]
"""SHA-256 of each file, by stage and by path."""


class Verdict(StrEnum):
    """Verdict on a stage, or on all stages."""

    IDENTICAL = "identical"
    CONSISTENT = "consistent"
    CHANGED = "changed"
    NOT_COMPARABLE = "not comparable"
    ADDED = "added"
    """Verdict on a single stage: a case or table that the reference does not have, or a report that includes one."""


@dataclass(frozen=True)
class StageVerdict:
    """Verdict on a stage; `same_tables` of its `tables` have equal bytes; `why` is a reason other than `findings`."""

    stage: str
    verdict: Verdict
    same_tables: int
    tables: int
    findings: list[Finding]
    untested: int
    """Number of untested quantities: moments of points if the seed differs, and numbers not finite under some seed."""
    why: str = ""


@dataclass(frozen=True)
class Comparison:
    """Verdicts on all stages, the number of hypotheses tested, and the largest probability `alpha` of a false alarm."""

    stages: list[StageVerdict]
    hypotheses: int
    alpha: float
    elsewhere: list[str]
    """Differences in seed, machine and package versions from the origin of the reference."""
    stale: list[str]
    """Stages that other versions of packages than the installed ones made, each with these versions."""

    @property
    def verdict(self) -> Verdict:
        """Overall verdict: the first of changed, not comparable and consistent that any stage has, else identical."""
        verdicts = {stage.verdict for stage in self.stages}
        order = (Verdict.CHANGED, Verdict.NOT_COMPARABLE, Verdict.CONSISTENT)
        return next((verdict for verdict in order if verdict in verdicts), Verdict.IDENTICAL)


def compare(
    reference: Reference,
    origin: Origin,
    now: Mapping[str, Observed],
    tables: Tables,
    *,
    stale: Sequence[str] = (),
    alpha: float = ALPHA,
) -> Comparison:
    """Compare present results with the reference, stage by stage: bytes of tables, then numbers.

    Args:
        reference: the accepted results.
        origin: seed, digits, machine and package versions of the present results.
        now: the present results of each stage.
        tables: SHA-256 of the present files of each stage, by their paths.
        stale: stages that other versions of packages than the installed ones made.
        alpha: largest probability of a false alarm in the whole comparison.
    """
    obstacles = {stage: _obstacle(reference, origin, now, stage) for stage in (*now, *reference.stages)}
    same_seed = reference.origin.seed == origin.seed
    comparable = [(stage, reference.stages[stage], now[stage]) for stage, why in obstacles.items() if not why]
    random, fixed = comparisons.compare(comparable, same_seed=same_seed, alpha=alpha)
    findings = [*random, *fixed]
    elsewhere = _elsewhere(reference.origin, origin)
    stages: list[StageVerdict] = []
    for stage, why in obstacles.items():
        before = reference.stages[stage].tables if stage in reference.stages else {}
        after = tables.get(stage, {})
        differ = sorted(path for path in before.keys() | after.keys() if before.get(path) != after.get(path))
        stage_findings = [finding for finding in findings if finding.stage == stage]
        if not differ:  # equal bytes: a number that is unusual but equal has not changed
            stage_findings = [replace(f, changed=f.changed and f.now != f.reference) for f in stage_findings]
        verdict = Verdict.CONSISTENT if differ else Verdict.IDENTICAL
        if not_comparable := bool(why):
            verdict = Verdict.ADDED if _is_added(reference, now, stage) else Verdict.NOT_COMPARABLE
        elif any(finding.changed for finding in stage_findings):
            verdict = Verdict.CHANGED
        elif stage == REPORT and differ and not elsewhere and all(s.verdict == Verdict.IDENTICAL for s in stages):
            # The report is not random: the same tables and settings must give the same numbers.
            verdict, why = Verdict.CHANGED, f"what it is made from is the same, but not {', '.join(differ)}"
        all_tables = len(before.keys() | after.keys())
        numbers = set() if not_comparable else {*now[stage].values, *now[stage].drawn}
        untested = len(numbers - {finding.quantity for finding in stage_findings})
        same = all_tables - len(differ)
        stages.append(StageVerdict(stage, verdict, same, all_tables, stage_findings, untested, why))
    return Comparison(stages, len(random), alpha, elsewhere, list(stale))


def params_that_differ(before: Mapping[str, Any], after: Mapping[str, Any]) -> dict[str, tuple[Any, Any]]:
    """Return (value before, value after) by dotted key, for values that differ; None stands for a missing value."""
    after = json.loads(json.dumps(after))
    return {
        key: (before.get(key), after.get(key))
        for key in (*after, *(key for key in before if key not in after))
        if before.get(key) != after.get(key)
    }


def _obstacle(reference: Reference, origin: Origin, now: Mapping[str, Observed], stage: str) -> str:
    """Return a text that says why a stage cannot be compared with the reference; it is empty if it can."""
    if stage not in reference.stages:
        return "not in the reference"
    if stage not in now:
        return "in the reference only"
    if differ := params_that_differ(reference.stages[stage].params, now[stage].params):
        (key, (before, after)), more = next(iter(differ.items())), len(differ) - 1
        return f"{key} is {after!r}, {before!r} in the reference" + f" (and {more} more)" * (more > 0)
    if now[stage].needs_mnist and origin.mnist != reference.origin.mnist:
        return f"{origin.mnist} digits, {reference.origin.mnist} ones in the reference"
    return ""


def _is_added(reference: Reference, now: Mapping[str, Observed], stage: str) -> bool:
    """Return whether a stage is not comparable only because params.yaml has a new case, table or target."""
    added = [name.split("@") for name in now if name not in reference.stages and "@" in name]
    if stage != REPORT or stage not in reference.stages:
        return stage not in reference.stages and "@" in stage
    groups = {"collapse": "collapse.cases.", "sensitivity": "sensitivity."}
    begins = ("data.targets.", *(f"{groups.get(kind, kind)}{key}." for kind, key in added))
    differ = params_that_differ(reference.stages[stage].params, now[stage].params)
    return bool(added) and all(key.startswith(begins) and before is None for key, (before, _) in differ.items())


def _elsewhere(before: Origin, now: Origin) -> list[str]:
    """Return texts like "seed 11 (reference: 10)" on seed, machine and versions; if any differs, bits may differ."""
    pairs = {"seed": (before.seed, now.seed), "machine": (before.machine, now.machine)}
    pairs |= {name: (before.versions.get(name), version) for name, version in now.versions.items()}
    return [f"{name} {new} (reference: {old})" for name, (old, new) in pairs.items() if old != new]
