"""The report's notebook, run, as HTML."""

import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from deadrelu.errors import InputError


def check(path: Path) -> None:
    """Refuse a file that is no notebook.

    Raises:
        InputError: missing, or not in the notebook format.
    """
    import nbformat

    try:
        nbformat.validate(nbformat.reads(path.read_text(encoding="utf-8"), as_version=4))
    except FileNotFoundError:
        raise InputError(f"{path}: missing; run deadrelu in the project's root folder") from None
    except (nbformat.ValidationError, ValueError, AttributeError) as error:
        reason = " ".join(str(error).split())[:120]
        raise InputError(f"{path}: not a notebook: {reason}; `git checkout {path}` restores it") from None


def run(notebook: Path, parameters: dict[str, Path], scratch: Path) -> str:
    """Run a notebook and return its text and outputs as HTML, without its code: the content of a page.

    Args:
        notebook: with a cell tagged `parameters`.
        parameters: paths for that cell.
        scratch: a folder for the executed copy.
    """
    import papermill

    executed = papermill.execute_notebook(
        notebook,
        scratch / notebook.name,
        {name: str(path) for name, path in parameters.items()},
        kernel_name="python3",
        progress_bar=sys.stderr.isatty(),
        record_timing=False,
        extra_arguments=["--log-level=CRITICAL"],
    )
    return "\n".join(_said(executed.cells))


def _said(cells: Iterable[Any]) -> Iterator[str]:
    """Texts and outputs as HTML; what papermill adds at random, such as the names of cells, is not among them."""
    from markdown_it import MarkdownIt

    markdown = MarkdownIt("commonmark")
    for cell in cells:
        if cell.cell_type == "markdown":
            yield markdown.render(cell.source)
        for output in cell.get("outputs", []):
            shown = output.get("data", {})
            if "text/html" in shown:
                yield shown["text/html"]
            elif "text/markdown" in shown:
                yield markdown.render(shown["text/markdown"])
