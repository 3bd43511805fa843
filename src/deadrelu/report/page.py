"""Build parts of a page as HTML, and a self-contained page with all its images, styles and scripts."""

import base64
import html
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import jinja2
import pandas as pd

TEMPLATES = Path(__file__).with_name("templates")


def figure(name: str, *, alt: str, caption: str, folder: str = "") -> str:
    """Return the HTML of a figure that refers to a saved image; `with_images` embeds the image in its place.

    Args:
        name: name of the file, without its ending.
        alt: description of the figure, for readers who cannot see it.
        caption: text below the image, which can be understood without the page.
        folder: folder of the file, with a final slash, for a page that is shown before its images are embedded.
    """
    image = f'<img src="{folder}{name}.png" alt="{html.escape(alt, quote=True)}">'
    return (
        f'<figure id="figure-{name}"><div class="scroll" tabindex="0" role="group" aria-label="Figure">{image}</div>'
        f"<figcaption>{html.escape(caption)}</figcaption></figure>"
    )


def with_images(page: str, folder: Path) -> str:
    """Return the HTML of a page with every image that it names replaced by the SVG of that name in `folder`."""

    def embedded(match: re.Match[str]) -> str:
        content = base64.b64encode((folder / f"{match[1]}.svg").read_bytes()).decode()
        return f'src="data:image/svg+xml;base64,{content}"'

    return re.sub(r'\bsrc="(?:\w+/)*(\w+)\.png"', embedded, page)


def table(frame: pd.DataFrame, *, caption: str, words: Sequence[str] = ()) -> str:
    """Return a table of strings as HTML, which the page's script makes sortable.

    Args:
        frame: table of strings, with one row per row of HTML; the first column names the row.
        caption: text above the table, which can be understood without the page.
        words: names of columns with text, which is left-aligned and may take several lines, as in the first column.
    """
    left = [name in words or at == 0 for at, name in enumerate(frame.columns)]

    def row(cells: Sequence[str], tag: str, scope: str) -> str:
        kinds = (' class="words"' if is_left else "" for is_left in left)
        return "".join(
            f"<{tag}{scope}{kind}>{html.escape(cell)}</{tag}>" for cell, kind in zip(cells, kinds, strict=True)
        )

    head = row([str(name) for name in frame.columns], "th", ' scope="col"')
    body = "".join(f"<tr>{row(list(cells), 'td', '')}</tr>" for cells in frame.itertuples(index=False))
    name = html.escape(caption)
    label = html.escape(" ".join(caption.split()[:6]), quote=True)
    return (
        f'<div class="scroll" tabindex="0" role="region" aria-label="Table: {label}"><table class="sortable">'
        f"<caption>{name}</caption><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></div>"
    )


def folded(summary: str, content: str) -> str:
    """Return HTML that shows only its summary, a line of text, until a reader opens it; `content` is HTML."""
    return f"<details><summary>{html.escape(summary)}</summary>{content}</details>"


def cards(answers: Sequence[tuple[str, str, str]]) -> str:
    """Return answers as HTML, side by side.

    Args:
        answers: for each card, a question, the number or word that answers it, and an explanation, all plain text.
    """
    parts = (
        f'<div class="card"><h3>{html.escape(question)}</h3><p class="number">{html.escape(answer)}</p>'
        f"<p>{html.escape(more)}</p></div>"
        for question, answer, more in answers
    )
    return f'<div class="cards">{"".join(parts)}</div>'


def formula(latex: str, *, block: bool = False) -> str:
    """Return a formula in LaTeX as MathML, which browsers can display; `block` sets it on a line of its own."""
    from latex2mathml.converter import convert

    drawn: str = convert(latex, display="block" if block else "inline")
    return drawn


def bullets(sentences: Sequence[str]) -> str:
    """Return sentences as a Markdown list."""
    return "\n".join(f"- {sentence}" for sentence in sentences)


def unordered(sentences: Sequence[str]) -> str:
    """Return sentences of plain text, which are escaped, as a list in HTML."""
    return f"<ul>{''.join(f'<li>{html.escape(sentence)}</li>' for sentence in sentences)}</ul>"


def document(title: str, content: str, *, scripts: Sequence[str] = ()) -> str:
    """Return a page with styles and scripts; if it has several second-level headings, a table of contents lists them.

    Args:
        title: title of the window, plain text.
        content: HTML; its first element is the heading of the page.
        scripts: names of scripts in `templates/`, in addition to the one for tables.
    """
    content = re.sub(r"(\d) %", "\\1\u00a0%", content)  # keeps a number and its sign on one line
    content, contents = _with_contents(content)
    names = ["tables.js", *scripts]
    return rendered("document.html.j2", title=title, content=content, contents=contents, scripts=names)


def rendered(template: str, **values: Any) -> str:
    """Return the text of a template in `templates/`, filled with values, which are escaped."""
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(TEMPLATES),
        autoescape=True,
        trim_blocks=True,
        keep_trailing_newline=True,
    )
    environment.policies["json.dumps_kwargs"] = {"separators": (",", ":"), "allow_nan": False}
    return environment.get_template(template).render(**values)


def _with_contents(content: str) -> tuple[str, list[tuple[str, str]]]:
    """Return the content with ids on second-level headings, and their ids and texts (none for a single heading)."""
    contents: list[tuple[str, str]] = []

    def named(match: re.Match[str]) -> str:
        text = html.unescape(re.sub("<[^>]+>", "", match[1])).strip()
        name = re.sub(r"\W+", "-", text.lower()).strip("-")
        contents.append((name, text))
        return f'<h2 id="{name}">{match[1]}</h2>'

    content = re.sub(r"<h2\b[^>]*>(.*?)</h2>", named, content, flags=re.DOTALL)
    return content, contents if len(contents) > 1 else []
