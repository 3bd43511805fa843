"""The report's notebook, run, as HTML."""

import sys
from pathlib import Path
from typing import Any

from deadrelu.errors import InputError
from deadrelu.page import TEMPLATES


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
    from nbconvert import HTMLExporter
    from traitlets.config import Config

    executed = papermill.execute_notebook(
        notebook,
        scratch / notebook.name,
        {name: str(path) for name, path in parameters.items()},
        kernel_name="python3",
        progress_bar=sys.stderr.isatty(),
        record_timing=False,
        extra_arguments=["--log-level=CRITICAL"],
    )
    exporter = HTMLExporter(
        template_name="report_template",
        extra_template_basedirs=[str(TEMPLATES)],
        exclude_input=True,
        exclude_anchor_links=True,
        config=Config(),
    )
    text, _ = exporter.from_notebook_node(_cleaned(executed))
    return str(text)


def _cleaned(notebook: Any) -> Any:
    """Drop what papermill adds at random: cell ids and run metadata."""
    notebook.metadata.pop("papermill", None)
    notebook.metadata.get("language_info", {}).pop("version", None)
    for number, cell in enumerate(notebook.cells):
        cell.id = f"cell-{number}"
        for key in ("papermill", "execution"):
            cell.metadata.pop(key, None)
    return notebook
