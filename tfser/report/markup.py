"""Pieces of HTML. Every value of a file goes through `text`, so none can become markup."""

from __future__ import annotations

import html
from collections.abc import Iterable, Mapping, Sequence
from typing import Any


def text(value: Any) -> str:
    """A value as escaped text: whole numbers with thousands separators, lone surrogates as ``?``."""
    if isinstance(value, int) and not isinstance(value, bool):
        return f"{value:,}"
    return html.escape(str(value).encode("utf-8", "replace").decode())


def listed(values: Iterable[Any]) -> str:
    """Values with commas between them."""
    return ", ".join(map(text, values))


def code(value: Any) -> str:
    """The name of a layer, file or key, or a hash."""
    return f"<code>{text(value)}</code>"


def section(title: str, *parts: str, missing: str) -> str:
    """A titled section; without a part it says what is ``missing`` from the build."""
    body = "".join(parts) or f'<p class="soft">Not recorded in this build: {text(missing)}.</p>'
    return f'<section id="{_anchor(title)}"><h2>{text(title)}</h2>{body}</section>'


def contents(titles: Iterable[str]) -> str:
    """Links to the sections of these titles."""
    links = "".join(f'<a href="#{_anchor(title)}">{text(title)}</a>' for title in titles)
    return f'<nav aria-label="Sections">{links}</nav>'


def _anchor(title: str) -> str:
    return title.lower().replace(" ", "-")


def table(header: Sequence[str], rows: Iterable[Sequence[str]], *, numbers: Sequence[int] = (), caption: str = "",
          kind: str = "plain") -> str:
    """A table of cells that are HTML already. The first cell of a row is its heading.

    Parameters
    ----------
    header : sequence of str
        Plain text; empty for none.
    rows : iterable of sequence of str
    numbers : sequence of int
        Columns that are set to the right.
    caption, kind : str
        Plain text above the table; a class of the style sheet.
    """
    body = "".join(f"<tr>{_cells(row, numbers, body=True)}</tr>" for row in rows)
    head = f"<thead><tr>{_cells([text(name) for name in header], numbers)}</tr></thead>" if header else ""
    title = f"<caption>{text(caption)}</caption>" if caption else ""
    return f'<div class="scroll"><table class="{kind}">{title}{head}<tbody>{body}</tbody></table></div>'


def _cells(row: Sequence[str], numbers: Sequence[int], *, body: bool = False) -> str:
    cells = []
    for index, cell in enumerate(row):
        tag = "td" if body and index else "th"
        scope = "" if tag == "td" else f' scope="{"row" if body else "col"}"'
        right = ' class="n"' if index in numbers else ""
        cells.append(f"<{tag}{scope}{right}>{cell}</{tag}>")
    return "".join(cells)


def facts(pairs: Mapping[str, str], *, kind: str = "plain") -> str:
    """A list of names (plain text) and what they are (HTML already); ``kind`` is a class of the style sheet."""
    entries = "".join(f"<div><dt>{text(name)}</dt><dd>{value}</dd></div>" for name, value in pairs.items())
    return f'<dl class="{kind}">{entries}</dl>'


def tile(value: str, label: str, note: str = "") -> str:
    """A figure with its name and, in plain text, what to know about it."""
    return f"<li><b>{value}</b><span>{text(label)}</span><small>{text(note)}</small></li>"


def pill(kind: str) -> str:
    """How a figure was found; an estimate stands out."""
    return f'<span class="pill{" estimate" if kind == "estimate" else ""}">{text(kind)}</span>'
