"""Run the report's notebook, and return it as HTML for the page and as a notebook with its outputs."""

import base64
import re
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from deadrelu.errors import InputError


def check(path: Path) -> None:
    """Check that a file is a notebook.

    Raises:
        InputError: the file is missing, or not in the notebook format.
    """
    import nbformat

    try:
        nbformat.validate(nbformat.reads(path.read_text(encoding="utf-8"), as_version=4))
    except FileNotFoundError:
        raise InputError(f"{path}: missing; run deadrelu in the project's root folder") from None
    except (nbformat.ValidationError, ValueError, AttributeError) as error:
        reason = " ".join(str(error).split())[:120]
        raise InputError(f"{path}: not a notebook: {reason}; `git checkout {path}` restores it") from None


def run(notebook: Path, parameters: dict[str, Path]) -> Any:
    """Run a notebook with papermill, in this process (`notebook_engine`), and return it with its outputs.

    Args:
        notebook: path of a notebook with a cell tagged `parameters`.
        parameters: values of the variables that this cell sets, by name.
    """
    import papermill

    from deadrelu.report import notebook_engine

    notebook_engine.register()
    return papermill.execute_notebook(
        notebook,
        None,  # papermill would write the file twice for every cell
        {name: path.as_posix() for name, path in parameters.items()},
        engine_name=notebook_engine.NAME,
        kernel_name="python3",
        progress_bar=sys.stderr.isatty(),
    )


def content(cells: Iterable[Any]) -> Iterator[str]:
    """Yield, as HTML, the Markdown texts of an executed notebook's cells and their outputs of type HTML or Markdown."""
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


def standalone(executed: Any, figures: Path) -> str:
    """Return an executed notebook as the text (JSON) of a self-contained file, without time and place of its execution.

    Args:
        executed: notebook from `run`.
        figures: folder with the figures that its outputs refer to; they are embedded as outputs.
    """
    import nbformat

    notebook = nbformat.from_dict(executed)
    notebook.metadata = {name: notebook.metadata[name] for name in ("kernelspec", "language_info")}
    notebook.cells = [cell for cell in notebook.cells if "injected-parameters" not in cell.metadata.get("tags", [])]
    for number, cell in enumerate(notebook.cells):
        cell.id = f"cell-{number}"
        cell.metadata = {name: value for name, value in cell.metadata.items() if name == "tags" and value}
        if cell.cell_type == "code":
            cell.execution_count = None
            cell.outputs = [shown for output in cell.outputs for shown in _with_figure(output, figures)]
    return f"{nbformat.writes(notebook)}\n"


def _with_figure(output: Any, figures: Path) -> Iterator[Any]:
    """Yield an output; if it refers to a figure, yield that figure and its caption instead."""
    import nbformat

    named = re.search(r'<img src="(?:\w+/)*(\w+)\.png" alt="([^"]*)"', output.get("data", {}).get("text/html", ""))
    if not named:
        yield output
        return
    image = base64.b64encode((figures / f"{named[1]}.png").read_bytes()).decode()
    yield nbformat.v4.new_output("display_data", {"image/png": image}, metadata={"image/png": {"alt": named[2]}})
    caption = re.search("<figcaption>(.*)</figcaption>", output.data["text/html"])
    yield nbformat.v4.new_output("display_data", {"text/html": f"<p><em>{caption[1] if caption else ''}</em></p>"})
