"""From tables of signals and losses to numbers and sentences, on tables small enough to check by hand."""

import numpy as np
import pandas as pd
import pytest

from deadrelu.analysis import summaries
from deadrelu.report import findings, labels


def test_factor_per_layer() -> None:
    """A signal halved and a gradient doubled by each layer, rows in any order."""
    layers = np.array([3, 1, 2, 4])
    summary = pd.DataFrame(
        {
            "case": "a",
            "layer": layers,
            "input_std": 0.5**layers,
            "gradient_rms": 0.5**layers,
            "saturated_fraction": [0.1, 0.4, 0.2, 0.3],
            "zero_fraction": 0.0,
        }
    )
    row = summaries.signal_ratios(summary).iloc[0]
    assert (row["forward"], row["forward_low"], row["forward_high"]) == pytest.approx((0.5, 0.5, 0.5))
    assert row["backward"] == pytest.approx(2)
    assert (row["forward_verdict"], row["backward_verdict"]) == ("vanishes", "explodes")
    assert (row["saturated_least"], row["saturated_largest"]) == (0.1, 0.4)
    dead = summaries.signal_ratios(summary.assign(input_std=[0.0, 1, 1, 0])).iloc[0]
    assert (dead["forward"], dead["forward_verdict"]) == (0, "vanishes")
    alone = summaries.signal_ratios(summary[:1]).iloc[0]
    assert (alone["forward_verdict"], alone["backward_verdict"]) == ("not measured", "not measured")
    infinite = summaries.signal_ratios(summary.assign(input_std=[1.0, 2, np.inf, 3])).iloc[0]
    assert infinite["forward_verdict"] == "explodes"


@pytest.mark.parametrize(("width", "every", "units"), [(100, 20, "only 5 of the 100"), (100, 21, "all 100 units")])
def test_units_that_a_stride_meets(width: int, every: int, units: str) -> None:
    met = len(set(np.arange(0, 50 * width, every) % width))
    assert f"{met}" in units
    assert units in findings.units_sampled(width, every)


def test_healthy_panels() -> None:
    panels = {"a": labels.Panel("ReLU", "He normal"), "b": labels.Panel("ReLU", "Glorot normal")}
    factors = {f"{way}{end}": 0.9 for way in ("forward", "backward") for end in ("", "_low", "_high")}
    ratios = pd.DataFrame({"case": ["a", "b"], "forward_verdict": ["holds", "vanishes"], "backward_verdict": "holds"})
    found = findings.healthy_panels(ratios.assign(**factors), panels, "ReLU")
    assert found == "He normal"
    ratios = ratios.assign(**factors)
    assert findings.healthy_panels(ratios, panels, "tanh") == "none"


@pytest.mark.parametrize(
    ("low", "high", "word"),
    [(0.21, 0.9, "yes"), (0.1, 0.2, "no"), (0.2, 0.9, "in some trials"), (0.1, 0.9, "in some trials")],
)
def test_learned(low: float, high: float, word: str) -> None:
    assert findings.learned(pd.Series({"validation_accuracy_low": low, "validation_accuracy_high": high})) == word
