"""Pieces of a page as HTML, and a page that stands alone: its images, styles and scripts are in it."""

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
    """A saved figure as HTML, until `with_images` puts the image itself there.

    Args:
        name: of the file, without its ending.
        alt: what the figure shows, for those who cannot see it.
        caption: text below; stands alone.
        folder: of the file, with a slash, where the page is shown before that.
    """
    image = f'<img src="{folder}{name}.png" alt="{html.escape(alt, quote=True)}">'
    return (
        f'<figure id="figure-{name}"><div class="scroll" tabindex="0" role="group" aria-label="Figure">{image}</div>'
        f"<figcaption>{html.escape(caption)}</figcaption></figure>"
    )


def with_images(page: str, folder: Path) -> str:
    """Put the images that a page names into it, as SVG, so that it stands alone."""

    def embedded(match: re.Match[str]) -> str:
        content = base64.b64encode((folder / f"{match[1]}.svg").read_bytes()).decode()
        return f'src="data:image/svg+xml;base64,{content}"'

    return re.sub(r'\bsrc="(?:\w+/)*(\w+)\.png"', embedded, page)


def table(frame: pd.DataFrame, *, caption: str, words: Sequence[str] = ()) -> str:
    """A table of ready-made strings as HTML; the page's script lets readers sort it.

    Args:
        frame: of strings; the first column names the row.
        caption: text above; stands alone.
        words: columns of words, which stand left and may take several lines; the others are numbers.
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
    """HTML that a reader opens by its summary, a line of text."""
    return f"<details><summary>{html.escape(summary)}</summary>{content}</details>"


def cards(answers: Sequence[tuple[str, str, str]]) -> str:
    """Answers side by side.

    Args:
        answers: of each the question, the number or the word that answers it, and what stands behind it.
    """
    parts = (
        f'<div class="card"><h3>{html.escape(question)}</h3><p class="number">{html.escape(answer)}</p>'
        f"<p>{html.escape(more)}</p></div>"
        for question, answer, more in answers
    )
    return f'<div class="cards">{"".join(parts)}</div>'


def formula(latex: str, *, block: bool = False) -> str:
    """A formula as MathML, which browsers draw themselves."""
    from latex2mathml.converter import convert

    drawn: str = convert(latex, display="block" if block else "inline")
    return drawn


def bullets(sentences: Sequence[str]) -> str:
    """Sentences as a Markdown list."""
    return "\n".join(f"- {sentence}" for sentence in sentences)


def unordered(sentences: Sequence[str]) -> str:
    """Sentences, which may hold any sign, as a list in HTML."""
    return f"<ul>{''.join(f'<li>{html.escape(sentence)}</li>' for sentence in sentences)}</ul>"


def document(title: str, content: str, *, scripts: Sequence[str] = ()) -> str:
    """A page that stands alone; headings of the second level, where there are several, become its table of contents.

    Args:
        title: of the window; any text.
        content: HTML; its first element is the heading of the page.
        scripts: names of scripts in `templates/`, beside the one for tables.
    """
    content = re.sub(r"(\d) %", "\\1\u00a0%", content)  # a number and its sign stay on one line
    content, contents = _with_contents(content)
    names = ["tables.js", *scripts]
    return rendered("document.html.j2", title=title, content=content, contents=contents, scripts=names)


def rendered(template: str, **values: Any) -> str:
    """One of the templates in `templates/`, filled; values are escaped."""
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(TEMPLATES),
        autoescape=True,
        trim_blocks=True,
        keep_trailing_newline=True,
    )
    environment.policies["json.dumps_kwargs"] = {"separators": (",", ":"), "allow_nan": False}
    return environment.get_template(template).render(**values)


def _with_contents(content: str) -> tuple[str, list[tuple[str, str]]]:
    """The same, where each heading of the second level has a name to go to; and names and texts of these."""
    contents: list[tuple[str, str]] = []

    def named(match: re.Match[str]) -> str:
        text = html.unescape(re.sub("<[^>]+>", "", match[1])).strip()
        name = re.sub(r"\W+", "-", text.lower()).strip("-")
        contents.append((name, text))
        return f'<h2 id="{name}">{match[1]}</h2>'

    content = re.sub(r"<h2\b[^>]*>(.*?)</h2>", named, content, flags=re.DOTALL)
    return content, contents if len(contents) > 1 else []
