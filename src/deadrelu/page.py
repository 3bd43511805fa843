"""Pieces of the report as HTML, and the notebook as one self-contained page."""

import base64
import html
import re
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import jinja2
import pandas as pd

from deadrelu.errors import InputError

if TYPE_CHECKING:
    from matplotlib.figure import Figure  # a quarter of a second

TEMPLATES = Path(__file__).parent
"""Holds `report_template/`."""


def save(drawn: "Figure", path: Path) -> None:
    """Save a figure as PNG; its bytes depend on the figure alone."""
    drawn.savefig(path, format="png", metadata={"Software": None})  # no matplotlib version in the file


def figure(name: str, *, alt: str, caption: str) -> str:
    """A saved figure as HTML, until `with_images` puts the image itself there.

    Args:
        name: of the file, without its ending.
        alt: what the figure shows, for those who cannot see it.
        caption: text below; stands alone.
    """
    image = f'<img src="{name}.png" alt="{html.escape(alt, quote=True)}">'
    return f"<figure>{image}<figcaption>{html.escape(caption)}</figcaption></figure>"


def with_images(page: str, folder: Path) -> str:
    """Put the PNG files that a page names into it, so that it stands alone."""

    def embedded(match: re.Match[str]) -> str:
        content = base64.b64encode((folder / match[1]).read_bytes()).decode()
        return f'src="data:image/png;base64,{content}"'

    return re.sub(r'\bsrc="(\w+\.png)"', embedded, page)  # nbconvert sorts the attributes


def table(frame: pd.DataFrame, *, caption: str) -> str:
    """A table of ready-made strings as HTML."""
    body = frame.to_html(index=False, border=0)
    return (
        f'<div class="scroll">{body.replace("<thead>", f"<caption>{html.escape(caption)}</caption><thead>", 1)}</div>'
    )


def document(title: str, parts: Sequence[str], sentences: Sequence[str]) -> str:
    """A page that stands alone, in the style of the report.

    Args:
        title: shown on top; any text.
        parts: HTML from `figure` and `table`.
        sentences: any text; a list above the parts.
    """
    environment = jinja2.Environment(loader=jinja2.FileSystemLoader(TEMPLATES / "report_template"), autoescape=True)
    return environment.get_template("document.html.j2").render(title=title, parts=parts, sentences=sentences)


def bullets(sentences: list[str]) -> str:
    """Sentences as a Markdown list."""
    return "\n".join(f"- {sentence}" for sentence in sentences)


def check_notebook(path: Path) -> None:
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


def run_notebook(notebook: Path, parameters: dict[str, Path], scratch: Path) -> str:
    """Run a notebook and return it as one HTML page: no input cells, no request to any host, no dates.

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
        exclude_input_prompt=True,
        exclude_output_prompt=True,
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
