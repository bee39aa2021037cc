"""Pieces of HTML. Every text goes through `text`, so no value of a file can become markup."""

from __future__ import annotations

import html
from collections.abc import Iterable, Sequence
from typing import Any

MISSING = '<p class="soft">Not recorded in this build.</p>'


def text(value: Any) -> str:
    """A value as escaped text; whole numbers with thousands separators."""
    return f"{value:,}" if isinstance(value, int) and not isinstance(value, bool) else html.escape(str(value))


def section(title: str, *parts: str) -> str:
    """A titled section."""
    return f"<section><h2>{text(title)}</h2>{''.join(parts) or MISSING}</section>"


def table(header: Sequence[str], rows: Iterable[Sequence[str]], numbers: Sequence[int] = ()) -> str:
    """A table of cells that are HTML already; columns in ``numbers`` are set to the right."""
    def cells(tag: str, row: Sequence[str]) -> str:
        marked = (' class="n"' if index in numbers else "" for index in range(len(row)))
        return "".join(f"<{tag}{mark}>{cell}</{tag}>" for mark, cell in zip(marked, row, strict=True))

    head = f"<thead><tr>{cells('th', [text(name) for name in header])}</tr></thead>" if header else ""
    body = "".join(f"<tr>{cells('td', row)}</tr>" for row in rows)
    return f'<div class="scroll"><table>{head}<tbody>{body}</tbody></table></div>'


def bar(share: float, *, over: bool = False) -> str:
    """A horizontal bar, full at 1; ``share`` beyond it is drawn full."""
    width = 100 * min(max(share, 0.0), 1.0)
    return (f'<svg viewBox="0 0 100 6" preserveAspectRatio="none" role="img" aria-label="{share:.0%}">'
            f'<rect class="track" width="100" height="6" rx="1"/>'
            f'<rect class="{"over" if over else "fill"}" width="{width:.2f}" height="6" rx="1"/></svg>')


def tile(value: str, label: str) -> str:
    """A figure with its name."""
    return f'<div class="tile"><b>{value}</b><span>{text(label)}</span></div>'
