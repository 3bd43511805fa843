"""Run `deadrelu check`: compare the results with `reports/reference.json`, or accept them as the new reference."""

import hashlib
import json
import os
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Literal, NamedTuple, Self

from rich.console import Console

from deadrelu.analysis import load
from deadrelu.check import compare, quantities, reference, spread, words
from deadrelu.check.quantities import Observed
from deadrelu.check.reference import Origin, Reference
from deadrelu.errors import InputError
from deadrelu.report import metrics
from deadrelu.settings.params import Params
from deadrelu.stages.data_mnist import REMEDY
from deadrelu.storage import files, versions

REFERENCE = Path("reports/reference.json")
REPORTS = Path("reports")
Form = Literal["text", "json", "md"]


class Present(NamedTuple):
    """Results on disk: origin, quantities and files' SHA-256 by stage, and stages made with other package versions."""

    origin: Origin
    observed: dict[str, Observed]
    tables: dict[str, dict[str, str]]
    stale: list[str]

    @classmethod
    def from_results(cls, params: Params, results: load.Results) -> Self:
        """Return the present results, with quantities from `results` and SHA-256 from the files on disk."""
        report = Observed(quantities.setting(params.model_dump()), needs_mnist=True)
        observed = quantities.observe(params, results) | {compare.REPORT: report}
        packages = dict.fromkeys((*versions.KERAS_PACKAGES, *versions.ENGINE_PACKAGES, "scipy"))
        machine = reference.machine()
        source = results.small["data"]["mnist_source"].iloc[0]
        origin = Origin(seed=params.seed, mnist=source, machine=machine, versions=versions.installed(packages))
        return cls(origin, observed, {stage: _digests(stage) for stage in observed}, _stale(observed))

    def compared_with(self, accepted: Reference) -> compare.Comparison:
        """Compare the present results with the accepted ones."""
        return compare.compare(accepted, self.origin, self.observed, self.tables, stale=self.stale)


def _stale(stages: Iterable[str]) -> list[str]:
    """Return texts such as "training (keras 3.9.0)" on stages made with package versions other than the installed."""
    stale = []
    for stage in stages:
        paths = load.files_of(stage)
        made_with = versions.of_tables(stage, paths[0].parent) if paths else {}
        now = versions.installed(made_with)
        if other := [f"{name} {old}" for name, old in made_with.items() if old != now[name]]:
            stale.append(f"{stage} ({', '.join(other)})")
    return stale


def _digests(stage: str) -> dict[str, str]:
    if stage == compare.REPORT:
        paths = [*sorted((REPORTS / "tables").glob("*.csv")), REPORTS / "metrics.json"]
    else:
        paths = load.files_of(stage)
    return {path.as_posix(): hashlib.sha256(path.read_bytes()).hexdigest() for path in paths}


def main(params: Params, *, update: bool, seeds: int | None, form: Form) -> int:
    """Print the comparison with the reference, and return the exit code: 1 if a result changed, otherwise 0.

    Args:
        params: settings in params.yaml.
        update: whether to write the present results as the reference; the exit code is then 0.
        seeds: number of seeds for `update` to measure all spreads; None: `spread.SEEDS`, in new or changed stages only.
        form: output format: text for a terminal, JSON or Markdown.

    Raises:
        InputError: results are not comparable, or part of them is missing, truncated or edited.
    """
    files.check_place(REFERENCE, folder=False)
    results = load.read(params)
    _check_reports(results)
    present = Present.from_results(params, results)
    if update:
        with files.scratch_folder(REFERENCE.parent):  # to fail early if the reference cannot be written
            _update(params, present, seeds, form)
        return 0
    comparison = present.compared_with(reference.read(REFERENCE))
    _print(comparison, form)
    if comparison.verdict == compare.Verdict.NOT_COMPARABLE:
        raise InputError(_not_comparable(comparison))
    return int(comparison.verdict == compare.Verdict.CHANGED)


def _not_comparable(comparison: compare.Comparison) -> str:
    """Return a message with the first obstacle to a comparison, the stages that it affects, and its remedy."""
    stages = {stage.stage: stage.why for stage in comparison.stages if stage.why}
    why = next(iter(stages.values()))
    same = [stage for stage, other in stages.items() if other == why]
    more = f" (and {len(stages) - len(same)} more stages)" * (len(stages) > len(same))
    remedy = f"`{REMEDY}` fetches the official digits" if why == compare.BUNDLED else "the settings of the reference"
    accept = "`deadrelu check --update` accepts the present results"
    return f"{REFERENCE}: not comparable: {why}: {', '.join(same)}{more}; expected: {remedy}; {accept}"


def _print(comparison: compare.Comparison, form: Form) -> None:
    """Print a comparison; a closed pipe (`| head`) changes neither the verdict nor the exit code."""
    try:
        print(_written(comparison, form), flush=True)
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _written(comparison: compare.Comparison, form: Form) -> str:
    if form == "json":
        return words.as_json(comparison)
    if form == "md":
        return words.as_markdown(comparison)
    console = Console(width=None if sys.stdout.isatty() else 160)
    with console.capture() as captured:
        console.print(words.as_text(comparison), highlight=False)
        console.print(words.headline(comparison), style=words.STYLES.get(comparison.verdict), highlight=False)
    return captured.get().rstrip("\n")


def _check_reports(results: load.Results) -> None:
    """Raise an `InputError` if a table or the metrics in `reports/` differ from those computed from `data/`."""
    for name, frame in results.small.items():
        path = REPORTS / "tables" / f"{name}.csv"
        if _text(path) != load.to_csv(frame):
            raise InputError(
                f"{path}: not what data/ says: stale, cut or edited; `dvc repro --force report` remakes it"
            )
    path = REPORTS / "metrics.json"
    text, expected = _text(path), metrics.collect(results.small)
    if text == metrics.to_json(expected):
        return
    try:
        tree = json.loads(text)
    except ValueError as error:
        raise InputError(f"{path}: not readable JSON: {error}; `dvc repro --force report` remakes it") from None
    computed = json.loads(metrics.to_json(expected))
    present = quantities.flat(tree) if isinstance(tree, dict) else {}
    differ = compare.params_that_differ(quantities.flat(computed), present)
    key, (right, received) = next(iter(differ.items()), ("its layout", ("as written by the report", "another")))
    raise InputError(
        f"{path}: {key}: received {received!r:.60}; data/ says {right}; `dvc repro --force report` remakes it"
    )


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except FileNotFoundError:
        raise InputError(f"{path}: missing; `dvc repro` makes it") from None
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"{path}: cannot be read: {error}; `dvc repro --force report` remakes it") from None


def _update(params: Params, present: Present, seeds: int | None, form: Form) -> None:
    """Write present results as the reference, after a comparison; without `seeds`, unchanged stages keep spreads."""
    try:
        before = reference.read(REFERENCE)
    except InputError as error:
        print(f"deadrelu: {error}", file=sys.stderr)
        before = None
    verdict_of: dict[str, compare.Verdict] = {}
    if before:
        comparison = present.compared_with(before)
        _print(comparison, form)
        verdict_of = {stage.stage: stage.verdict for stage in comparison.stages}
    holds = (compare.Verdict.IDENTICAL, compare.Verdict.CONSISTENT)
    stages = {}
    for stage, observed in present.observed.items():
        old = before.stages.get(stage) if before else None
        over, spreads = 0, {}
        if old and old.seeds and seeds is None and verdict_of[stage] in holds:
            over, spreads = old.seeds, old.spread
        elif observed.values:
            over = seeds or spread.SEEDS
            spreads = spread.measure(params, stage, over)
        stages[stage] = reference.record(observed, present.tables[stage], over, spreads)
    reference.write(Reference(origin=present.origin, stages=stages), REFERENCE)
    print(f"deadrelu: accepted, {REFERENCE} written", file=sys.stderr)
