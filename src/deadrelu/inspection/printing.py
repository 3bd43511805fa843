"""The printed output of `deadrelu inspect`: findings, a table, JSON."""

import json
import math
import sys
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any, Literal

import numpy as np
import pandas as pd
from rich.console import Console
from rich.table import Table
from rich.text import Text

from deadrelu.inspection.checkpoints import Changes
from deadrelu.inspection.findings import Finding
from deadrelu.inspection.folding import folded
from deadrelu.inspection.inspect import Inspection

SHOWN = {
    "layer": "layer",
    "kind": "kind",
    "rms": "rms",
    "input_std": "std over inputs",
    "zero_fraction": "zeros",
    "dead_units": "dead units",
    "gradient_rms": "gradient rms",
    "verdict": "verdict",
}


def written(table: pd.DataFrame) -> pd.DataFrame:
    """Return an inspection's table as a table of strings, with the columns and titles in `SHOWN`."""

    def number(value: float) -> str:
        return "" if pd.isna(value) else f"{value:.3g}"

    columns = {
        **{name: table[name] for name in ("layer", "kind", "verdict")},
        **{name: table[name].map(number) for name in ("rms", "input_std", "gradient_rms")},
        "zero_fraction": table["zero_fraction"].map("{:.1%}".format),
        "dead_units": [
            f"{dead:.0f} of {units}" for dead, units in zip(table["dead_units"], table["units"], strict=True)
        ],
    }
    return pd.DataFrame({title: columns[name] for name, title in SHOWN.items()})


def _folded(shown: pd.DataFrame, inspection: Inspection) -> pd.DataFrame:
    """Return the rows of `shown` that `folding.folded` selects, and one row with its text for each hidden group."""
    blank = dict.fromkeys(shown.columns, "")
    places = folded(inspection.table, inspection.findings)
    rows = [shown.iloc[at].to_dict() if isinstance(at, int) else blank | {"layer": at} for at in places]
    return pd.DataFrame(rows, columns=shown.columns)


NARROW = 110
"""Width of a terminal, in characters, below which some columns of the table are left out."""

SIGNS = {"error": ("✗", "bold red"), "warning": ("!", "yellow"), "note": ("·", "dim")}
OF_A_CODE = 5
"""Maximum number of findings with the same code that are shown; `--verbose` shows all."""


def print_whole(inspection: Inspection, about: str, *, verbose: bool) -> None:
    """Print findings, the table over the caption `about`, and the summary; `verbose` shows all findings and rows."""
    console = _console()
    for line, style in finding_lines(inspection.findings, verbose=verbose):
        console.print(line, style=style, markup=False, highlight=False)
    shown = written(inspection.table)
    print_table(console, shown if verbose else _folded(shown, inspection), about)
    for sentence in inspection.summary:
        console.print(sentence, markup=False, highlight=False)


def finding_lines(findings: Sequence[Finding], *, verbose: bool) -> list[tuple[str, str]]:
    """Return pairs of a line to print and its style: a line per finding that is shown, and one for others of a code."""
    if not findings:
        return [("✓ nothing is wrong", "green")]
    lines = []
    numbers = Counter(finding.code for finding in findings)
    shown: Counter[str] = Counter()
    for finding in findings:
        sign, style = SIGNS[finding.severity]
        shown[finding.code] += 1
        if verbose or shown[finding.code] <= OF_A_CODE:
            lines.append((f"{sign} {finding.code}: {finding.message}", style))
        elif shown[finding.code] == OF_A_CODE + 1:
            more = numbers[finding.code] - OF_A_CODE
            lines.append((f"{sign} {finding.code}: {more} more; --verbose shows them", style))
    return lines


def print_changes(changed: Changes, title: str) -> None:
    """Print a table, under a title, of the layers that changed, and the sentences on the changes."""
    console = _console()
    rows = changed.table[changed.table["changed"]]
    if len(rows):
        table = Table(title=title, title_justify="left")
        for column in ("layer", "dead units", "rms", "gradient rms", "verdict"):
            table.add_column(column, overflow="fold")
        for row in rows.to_dict("records"):
            numbers = [f"{row[f'{name}_before']:.3g} → {row[f'{name}_after']:.3g}" for name in ("rms", "gradient_rms")]
            dead = f"{row['dead_units_before']:.0f} → {row['dead_units_after']:.0f} of {row['units']}"
            verdicts = " → ".join(row[f"verdict_{when}"] or "–" for when in ("before", "after"))
            table.add_row(*map(Text, (row["layer"], dead, *numbers, verdicts)))
        console.print(table)
    for sentence in changed.sentences:
        console.print(f"• {sentence}", markup=False, highlight=False)


def _console() -> Console:
    return Console(width=None if sys.stdout.isatty() else 140, soft_wrap=True)


def print_table(console: Console, shown: pd.DataFrame, about: str) -> None:
    """Print a table of strings over the caption `about`; a narrow console shows two columns fewer, no name is cut."""
    table = Table(caption=about, caption_justify="left")
    left = ("layer", "kind", "verdict")
    columns = [title for title in shown.columns if console.width >= NARROW or title not in ("kind", "std over inputs")]
    for title in columns:
        justify: Literal["left", "right"] = "left" if title in left else "right"
        table.add_column(title, justify=justify, overflow="fold", no_wrap=title not in left)
    for row in shown[columns].itertuples(index=False):
        table.add_row(*map(Text, row), style=None if row[-1] in ("", "holds") else "bold")
    console.print(table)


def as_json(inspection: Inspection, training: bool, changed: Changes | None = None) -> str:
    """Return an inspection, its mode, and the changes if any, as JSON text; numbers that are not finite are null."""
    whole: dict[str, Any] = {
        **{"inputs": inspection.inputs, "training_mode": training, "gradient_of": inspection.gradient_of},
        "findings": [asdict(finding) for finding in inspection.findings],
        "signal": inspection.signal and asdict(inspection.signal),
        "gradient": inspection.gradient and asdict(inspection.gradient),
        "layers": inspection.table.to_dict("records"),
    }
    if changed:
        whole["compared"] = {"sentences": changed.sentences, "layers": changed.table.to_dict("records")}
    return json.dumps(_finite(whole), indent=2)


def _finite(value: Any) -> Any:
    """Return nested data in which None replaces numbers that are not finite, and Python numbers replace NumPy's."""
    if isinstance(value, dict):
        return {name: _finite(part) for name, part in value.items()}
    if isinstance(value, (list, tuple)):
        return [_finite(part) for part in value]
    value = value.item() if isinstance(value, np.generic) else value
    return None if isinstance(value, float) and not math.isfinite(value) else value
