"""Compare each quantity of a stage with its accepted value, by the test that suits it."""

import math
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Any

import numpy as np

from deadrelu.analysis import intervals
from deadrelu.check import hypothesis_tests
from deadrelu.check.quantities import Count, Observed
from deadrelu.check.reference import Spread, StageRecord

ROUNDING = 1e-6
"""Largest relative difference between numbers that count as equal; for numbers that the seed fixes, also absolute."""

FLOOR = 1e-5
"""Least standard deviation over seeds that a test assumes, because rounding differs even if all seeds agree."""


class Method(StrEnum):
    """Method by which a quantity is compared."""

    PAIRED = "the same trials, McNemar's exact test"
    TWO_SAMPLES = "other trials, Fisher's exact test"
    OVER_SEEDS = "next to other seeds, t test"
    ROUNDING = "equal but for rounding"
    PRESENCE = "there, and finite"


@dataclass(frozen=True)
class Finding:
    """Result of the comparison of one quantity.

    Attributes:
        stage, quantity: names of the stage and of the quantity.
        method: method of the comparison.
        reference, now: accepted and present value, a share of trials or another number; NaN if it is missing.
        trials: number of trials of the present share; None for another number.
        p: p value of the test; for a quantity that is not random, 0 if it changed and 1 if not.
        smallest: smallest change that the test detects; NaN if it detects none, or if the quantity is not random.
        changed: whether equality is rejected, after Holm's correction, or a quantity that is not random differs.
    """

    stage: str
    quantity: str
    method: Method
    reference: float
    now: float
    p: float
    trials: int | None = None
    smallest: float = math.nan
    changed: bool = False


Stage = tuple[str, StageRecord, Observed]
"""Name of a stage, its accepted results, and its present results."""


def compare(stages: Iterable[Stage], *, same_seed: bool, alpha: float) -> tuple[list[Finding], list[Finding]]:
    """Test all quantities of several stages, with one correction for the number of tests.

    Args:
        stages: names, accepted and present results of the stages that can be compared.
        same_seed: whether both runs have the same seed, so that trial k of both is the same trial.
        alpha: largest probability of a false alarm in any of the tests.

    Returns:
        Findings on random quantities, judged by Holm's method, and findings on all other quantities.
    """
    stages = list(stages)
    counts = [pair for stage in stages for pair in _counts(*stage)]
    values = [pair for stage in stages for pair in _values(*stage, same_seed)]
    level = alpha / max(1, len(counts) + len(values))
    random = [*_test_counts(counts, same_seed, level), *_test_values(values, level)]
    rejected = intervals.holm(np.array([finding.p for finding in random]), alpha)
    judged = [replace(finding, changed=bool(no)) for finding, no in zip(random, rejected, strict=True)]
    return judged, [finding for stage in stages for finding in _fixed(*stage, same_seed)]


def _counts(stage: str, before: StageRecord, now: Observed) -> Iterator[tuple[str, str, Count, Count]]:
    for name, count in now.counts.items():
        if name in before.counts:
            yield stage, name, before.counts[name].as_count(), count


def _values(
    stage: str, before: StageRecord, now: Observed, same_seed: bool
) -> Iterator[tuple[str, str, float, float, Spread, int]]:
    for name, value in now.values.items():
        is_fixed = same_seed and name in now.drawn
        if name in before.values and name in before.spread and not is_fixed:
            yield stage, name, before.values[name], value, before.spread[name], before.seeds


def _test_counts(pairs: list[tuple[str, str, Count, Count]], same_seed: bool, level: float) -> Iterator[Finding]:
    unpaired = []
    for stage, name, old, new in pairs:
        finding = Finding(stage, name, Method.PAIRED, old.count / old.trials, new.count / new.trials, 1.0, new.trials)
        if not same_seed or old.outcomes is None or new.outcomes is None:
            unpaired.append((finding, old, new))
            continue
        common = min(old.trials, new.trials)
        p = hypothesis_tests.mcnemar_exact(old.outcomes[:common], new.outcomes[:common])
        yield replace(finding, p=p, smallest=hypothesis_tests.smallest_mcnemar_exact(common, level))
    if unpaired:
        old_count, old_trials, count, trials = np.array(
            [(old.count, old.trials, new.count, new.trials) for _, old, new in unpaired]
        ).T
        ps = intervals.fisher_exact(old_count, old_trials, count, trials)
        smallest = hypothesis_tests.smallest_fisher_exact(old_count, old_trials, trials, level)
        for (finding, _, _), p, least in zip(unpaired, ps, smallest, strict=True):
            yield replace(finding, method=Method.TWO_SAMPLES, p=float(p), smallest=float(least))


def _test_values(pairs: list[tuple[str, str, float, float, Spread, int]], level: float) -> Iterator[Finding]:
    for stage, name, old, new, spread, seeds in pairs:
        sd = np.array([max(spread.sd, FLOOR)])
        value = (math.log(new) if new > 0 else -math.inf) if spread.log else new
        p = hypothesis_tests.over_seeds(np.array([value]), np.array([spread.mean]), sd, np.array([seeds]))
        shift = float(hypothesis_tests.smallest_over_seeds(sd, np.array([seeds]), level)[0])
        # Of equal shifts of the logarithm, the one down is the smaller change of the value.
        smallest = math.exp(spread.mean) * -math.expm1(-shift) if spread.log else shift
        yield Finding(stage, name, Method.OVER_SEEDS, old, new, float(p[0]), smallest=smallest)


def _fixed(stage: str, before: StageRecord, now: Observed, same_seed: bool) -> Iterator[Finding]:
    """Yield findings on quantities that one run lacks, and on exact and (if seeds agree) drawn numbers of both runs."""
    groups: list[tuple[Mapping[str, Any], Mapping[str, Any]]]
    groups = [(before.counts, now.counts), (before.values | before.drawn, now.values | now.drawn)]
    groups.append((before.exact, now.exact))
    for old, new in groups:
        for name in sorted(old.keys() ^ new.keys()):
            before_, now_ = _number(old.get(name)), _number(new.get(name))
            yield Finding(stage, name, Method.PRESENCE, before_, now_, 0.0, changed=True)
    for old, new, floor in ((before.drawn, now.drawn, ROUNDING), (before.exact, now.exact, 0.0)):
        for name in sorted(old.keys() & new.keys()) if same_seed or old is before.exact else ():
            equal = math.isclose(old[name], new[name], rel_tol=ROUNDING, abs_tol=floor)
            yield Finding(stage, name, Method.ROUNDING, old[name], new[name], float(equal), changed=not equal)


def _number(value: Any) -> float:
    if value is None:
        return math.nan
    return float(value) if isinstance(value, int | float) else value.count / value.trials
