"""Present results against the accepted reference: identical, consistent, changed, or not comparable."""

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
"""Chance of a false alarm, of the whole check."""

REPORT = "report"

BUNDLED = "bundled digits, official ones in the reference"
"""Why results of a run without the official MNIST are not comparable."""

Tables = Mapping[str, Mapping[str, str]]
"""SHA-256 of each file of each stage."""


class Verdict(StrEnum):
    """Of a stage, or of all of them."""

    IDENTICAL = "identical"
    CONSISTENT = "consistent"
    CHANGED = "changed"
    NOT_COMPARABLE = "not comparable"
    ADDED = "added"
    """Of a stage alone: a case or table that the reference does not have, or the report with it."""


@dataclass(frozen=True)
class StageVerdict:
    """A line of the verdict: how many of its tables have the same bytes, and why it is not comparable or changed."""

    stage: str
    verdict: Verdict
    same_tables: int
    tables: int
    findings: list[Finding]
    untested: int
    """Numbers without a test: points that another seed draws, and what is not finite under some seed."""
    why: str = ""


@dataclass(frozen=True)
class Comparison:
    """All of it."""

    stages: list[StageVerdict]
    hypotheses: int
    alpha: float
    elsewhere: list[str]
    """What else differs from where the reference was made: seed, machine, versions."""
    stale: list[str]
    """Stages that were not rerun with the installed versions of packages, and which versions made them."""

    @property
    def verdict(self) -> Verdict:
        """A change outweighs what could not be compared, and that what is the same; what was added does not count."""
        found = {stage.verdict for stage in self.stages}
        order = (Verdict.CHANGED, Verdict.NOT_COMPARABLE, Verdict.CONSISTENT)
        return next((verdict for verdict in order if verdict in found), Verdict.IDENTICAL)


def compare(
    reference: Reference,
    origin: Origin,
    now: Mapping[str, Observed],
    tables: Tables,
    *,
    stale: Sequence[str] = (),
    alpha: float = ALPHA,
) -> Comparison:
    """Compare stage by stage: bytes of tables, then numbers.

    Args:
        reference: what was accepted.
        origin: of the present results.
        now: what each stage finds.
        tables: digests of its files.
        stale: stages that other versions of packages made than those installed.
        alpha: chance of a false alarm of the whole comparison.
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
        of_stage = [finding for finding in findings if finding.stage == stage]
        if not differ:  # the same bytes, however unusual they are among other seeds; only the analysis can have changed
            of_stage = [replace(f, changed=f.changed and f.now != f.reference) for f in of_stage]
        verdict = Verdict.CONSISTENT if differ else Verdict.IDENTICAL
        if not_comparable := bool(why):
            verdict = Verdict.ADDED if _is_added(reference, now, stage) else Verdict.NOT_COMPARABLE
        elif any(finding.changed for finding in of_stage):
            verdict = Verdict.CHANGED
        elif stage == REPORT and differ and not elsewhere and all(s.verdict == Verdict.IDENTICAL for s in stages):
            # Nothing random stands between: the same tables and settings came out as other numbers.
            verdict, why = Verdict.CHANGED, f"what it is made from is the same, but not {', '.join(differ)}"
        all_tables = len(before.keys() | after.keys())
        numbers = set() if not_comparable else {*now[stage].values, *now[stage].drawn}
        untested = len(numbers - {finding.quantity for finding in of_stage})
        same = all_tables - len(differ)
        stages.append(StageVerdict(stage, verdict, same, all_tables, of_stage, untested, why))
    return Comparison(stages, len(random), alpha, elsewhere, list(stale))


def params_that_differ(before: Mapping[str, Any], after: Mapping[str, Any]) -> dict[str, tuple[Any, Any]]:
    """Dotted keys whose values differ, and both; None where there is none."""
    after = json.loads(json.dumps(after))
    return {
        key: (before.get(key), after.get(key))
        for key in (*after, *(key for key in before if key not in after))
        if before.get(key) != after.get(key)
    }


def _obstacle(reference: Reference, origin: Origin, now: Mapping[str, Observed], stage: str) -> str:
    """Why a stage cannot be compared; empty if it can."""
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
    """Whether all that is in the way of a comparison was added to params.yaml: a case, a table, a target of theirs."""
    added = [name.split("@") for name in now if name not in reference.stages and "@" in name]
    if stage != REPORT or stage not in reference.stages:
        return stage not in reference.stages and "@" in stage
    groups = {"collapse": "collapse.cases.", "sensitivity": "sensitivity."}
    begins = ("data.targets.", *(f"{groups.get(kind, kind)}{key}." for kind, key in added))
    differ = params_that_differ(reference.stages[stage].params, now[stage].params)
    return bool(added) and all(key.startswith(begins) and before is None for key, (before, _) in differ.items())


def _elsewhere(before: Origin, now: Origin) -> list[str]:
    """What is another seed, machine or version: the same bits are not due then."""
    pairs = {"seed": (before.seed, now.seed), "machine": (before.machine, now.machine)}
    pairs |= {name: (before.versions.get(name), version) for name, version in now.versions.items()}
    return [f"{name} {new} (reference: {old})" for name, (old, new) in pairs.items() if old != new]
