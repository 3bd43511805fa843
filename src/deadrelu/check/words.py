"""Format a comparison as a table for the terminal, as Markdown for a pull request, or as JSON for tools."""

import json
import math
from statistics import median
from typing import Any

from rich.console import Group
from rich.table import Table

from deadrelu.check.compare import BUNDLED, Comparison, StageVerdict, Verdict
from deadrelu.check.comparisons import Finding, Method
from deadrelu.report.labels import count_of

COLUMNS = ("stage", "verdict", "same tables", "numbers compared", "what moved most", "smallest change found")
CHANGED_COLUMNS = ("stage", "changed", "reference", "now", "how compared", "p")
MAX_CHANGES_SHOWN = 20
"""Largest number of changes that text and Markdown list; `--json` lists all."""

STYLES = {Verdict.CHANGED: "bold red", Verdict.NOT_COMPARABLE: "yellow"}


def as_text(comparison: Comparison) -> Group:
    """Return a comparison as a group of tables and sentences that Rich prints to the terminal."""
    parts: list[Any] = [
        _table(COLUMNS, [_row(stage) for stage in comparison.stages], [stage.verdict for stage in comparison.stages])
    ]
    if rows := _changes(comparison):
        parts.append(_table(CHANGED_COLUMNS, rows, [Verdict.CHANGED] * len(rows)))
    return Group(*parts, *(f"• {sentence}" for sentence in sentences(comparison)))


def as_markdown(comparison: Comparison) -> str:
    """Return a comparison as Markdown for a pull request."""
    lines = [f"**{headline(comparison)}**", "", *_markdown(COLUMNS, [_row(stage) for stage in comparison.stages])]
    if rows := _changes(comparison):
        lines += ["", *_markdown(CHANGED_COLUMNS, rows)]
    return "\n".join([*lines, "", *(f"- {sentence}" for sentence in sentences(comparison))])


def as_json(comparison: Comparison) -> str:
    """Return a comparison as JSON with all findings; numbers that are not finite are null."""
    tree = {
        "verdict": comparison.verdict,
        "alpha": comparison.alpha,
        "correction": "Holm",
        "hypotheses": comparison.hypotheses,
        "elsewhere": comparison.elsewhere,
        "stale": comparison.stale,
        "stages": [vars(stage) | {"findings": list(map(_finding, stage.findings))} for stage in comparison.stages],
    }
    return json.dumps(tree, indent=2, allow_nan=False)


def headline(comparison: Comparison) -> str:
    """Return a line with the verdict and its reason: stages, bundled digits, or the number of identical tables."""
    if comparison.verdict == Verdict.IDENTICAL:
        compared = [stage for stage in comparison.stages if stage.verdict != Verdict.ADDED]
        text = (
            f"identical: {count_of(sum(stage.tables for stage in compared), 'table')} with the bytes of the reference"
        )
        added = [stage.stage for stage in comparison.stages if stage.verdict == Verdict.ADDED]
        return text + f"; not in the reference, so not compared: {', '.join(added)}" * bool(added)
    if any(stage.why == BUNDLED for stage in comparison.stages if stage.verdict == comparison.verdict):
        return f"{comparison.verdict}: {BUNDLED}"
    stages = [stage.stage for stage in comparison.stages if stage.verdict == comparison.verdict]
    return f"{comparison.verdict}: {', '.join(stages)}"


def sentences(comparison: Comparison) -> list[str]:
    """Return sentences that explain the tests, what was not tested, and why bytes may differ."""
    notes = []
    if comparison.hypotheses:
        notes.append(
            f"Null hypothesis of each of {count_of(comparison.hypotheses, 'random number')}: it is drawn from the "
            "distribution of the reference. Where the seed is the same, trial k is compared with trial k (McNemar's "
            "exact test), else shares of trials (Fisher's); other numbers, or their logarithms, with those of other "
            "seeds, as if normal (t test). With Holm's correction, a check gives a false alarm in "
            f"{comparison.alpha:.0%} of cases at most. Smallest change: found in 80 % of cases; where trials are "
            "paired, if all that change go one way."
        )
    if untested := [f"{stage.stage} {stage.untested}" for stage in comparison.stages if stage.untested]:
        notes.append(
            f"Numbers not judged, which another seed draws or some seed makes infinite: {', '.join(untested)}."
        )
    notes += [f"{stage.stage}: {stage.why}." for stage in comparison.stages if stage.why]
    if comparison.stale:
        notes.append(
            f"Not rerun with the installed packages: {', '.join(comparison.stale)}. DVC does not see packages: "
            "`dvc repro --force` reruns these stages."
        )
    if comparison.elsewhere:
        notes.append(f"The same bytes are not expected: {'; '.join(comparison.elsewhere)}.")
    elif comparison.verdict in (Verdict.CONSISTENT, Verdict.CHANGED):
        notes.append("Seed, machine and versions are the reference's: where bytes differ, the code does.")
    return notes


def change(finding: Finding) -> str:
    """Return a text with the accepted and the present number, such as "collapsed 0.960 → 0.929"."""
    return f"{finding.quantity} {number(finding, finding.reference)} → {number(finding, finding.now)}"


def number(finding: Finding, value: float) -> str:
    """Format a share with 3 decimals, more from 10,000 trials on; another number with 4 digits; NaN as "none"."""
    if math.isnan(value):
        return "none"
    return f"{value:.4g}" if finding.trials is None else f"{value:.{max(3, len(str(finding.trials)) - 1)}f}"


def _row(stage: StageVerdict) -> list[str]:
    moved = [finding for finding in stage.findings if finding.reference != finding.now]
    most = min(moved, key=lambda finding: finding.p, default=None)
    return [
        stage.stage,
        stage.verdict,
        f"{stage.same_tables} of {stage.tables}",
        f"{len(stage.findings):,}" if stage.findings else "",
        f"{change(most)}{_p(most)}" if most else "",
        _smallest(stage),
    ]


def _p(finding: Finding) -> str:
    return "" if finding.method in (Method.ROUNDING, Method.PRESENCE) else f" (p {finding.p:.2g})"


def _smallest(stage: StageVerdict) -> str:
    """Return a text on detectable changes: the range over shares or, without shares, the median relative change."""
    known = [finding for finding in stage.findings if not math.isnan(finding.smallest)]
    shares = [finding.smallest for finding in known if finding.trials]
    relative = [finding.smallest / finding.reference for finding in known if not finding.trials and finding.reference]
    if shares:
        ends = list(dict.fromkeys(f"{end:.3f}" for end in (min(shares), max(shares))))
        return f"{' to '.join(ends)} of trials"
    return f"median {median(relative):.0%}" if relative else ""


def _changes(comparison: Comparison) -> list[list[str]]:
    changed = [finding for stage in comparison.stages for finding in stage.findings if finding.changed]
    rows = [
        [
            finding.stage,
            finding.quantity,
            number(finding, finding.reference),
            number(finding, finding.now),
            finding.method,
            f"{finding.p:.2g}" if _p(finding) else "",
        ]
        for finding in sorted(changed, key=lambda finding: finding.p)[:MAX_CHANGES_SHOWN]
    ]
    if more := len(changed) - len(rows):
        rows.append(["…", f"and {more:,} more: --json lists all", "", "", "", ""])
    return rows


def _table(columns: tuple[str, ...], rows: list[list[str]], verdicts: list[Verdict]) -> Table:
    table = Table(*columns)
    for row, verdict in zip(rows, verdicts, strict=True):
        table.add_row(*row, style=STYLES.get(verdict))
    return table


def _markdown(columns: tuple[str, ...], rows: list[list[str]]) -> list[str]:
    lines = [list(columns), ["---"] * len(columns), *rows]
    escaped = [[cell.replace("|", r"\|") for cell in line] for line in lines]
    return [f"| {' | '.join(line)} |" for line in escaped]


def _finding(finding: Finding) -> dict[str, Any]:
    return {
        "quantity": finding.quantity,
        "method": finding.method,
        **{name: _or_null(getattr(finding, name)) for name in ("reference", "now", "p", "smallest")},
        "trials": finding.trials,
        "changed": finding.changed,
    }


def _or_null(value: float) -> float | None:
    return value if math.isfinite(value) else None
