"""What `deadrelu inspect` prints: a table, sentences, JSON."""

import json
import sys
from typing import Literal

import pandas as pd
from rich.console import Console
from rich.table import Table
from rich.text import Text

from deadrelu.inspection.compare import Changes
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
    """The table's main columns as strings."""

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


def _folded(shown: pd.DataFrame, table: pd.DataFrame) -> pd.DataFrame:
    """The rows that `folding.folded` shows."""
    blank = dict.fromkeys(shown.columns, "")
    rows = [shown.iloc[at].to_dict() if isinstance(at, int) else blank | {"layer": at} for at in folded(table)]
    return pd.DataFrame(rows, columns=shown.columns)


NARROW = 110
"""Columns of a terminal below which the table has fewer of its own."""


def print_whole(found: Inspection, about: str, *, show_all: bool) -> None:
    """Print the table, folded unless `show_all`, and the sentences."""
    shown, console = written(found.table), _console()
    print_table(console, shown if show_all else _folded(shown, found.table), about)
    for sentence in found.sentences:
        console.print(f"• {sentence}", markup=False, highlight=False)


def print_changes(changed: Changes, title: str) -> None:
    """Print the layers that changed, and the sentences."""
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
    """Print the table with as many columns as fit; names are folded, never cut: two rows must not look alike."""
    table = Table(caption=about, caption_justify="left")
    left = ("layer", "kind", "verdict")
    columns = [title for title in shown.columns if console.width >= NARROW or title not in ("kind", "std over inputs")]
    for title in columns:
        justify: Literal["left", "right"] = "left" if title in left else "right"
        table.add_column(title, justify=justify, overflow="fold", no_wrap=title not in left)
    for row in shown[columns].itertuples(index=False):
        table.add_row(*map(Text, row), style=None if row[-1] in ("", "holds") else "bold")
    console.print(table)


def as_json(found: Inspection, training: bool, changed: Changes | None = None) -> str:
    """Everything that was found; numbers that are not finite are null."""
    rows = json.loads(found.table.to_json(orient="records"))
    about = {"inputs": found.inputs, "training_mode": training, "gradient_of": found.gradient_of}
    said = {"problems": sorted(found.problems), "unmoved": found.unmoved, "sentences": found.sentences}
    whole = {**about, **said, "layers": rows}
    if changed:
        of_layers = json.loads(changed.table.to_json(orient="records"))
        whole["compared"] = {"sentences": changed.sentences, "layers": of_layers}
    return json.dumps(whole, indent=2)
