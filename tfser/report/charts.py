"""Bars and the confusion matrix, as inline SVG and shaded tables."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from tfser.report.markup import text

#: The hatching that marks an estimate; bars refer to it, and a page holds it once.
HATCH = ('<svg width="0" height="0" aria-hidden="true" class="defs"><defs><pattern id="hatch" width="6" height="6" '
         'patternUnits="userSpaceOnUse" patternTransform="rotate(45)"><rect class="fill" width="6" height="6" '
         'opacity=".35"/><rect class="fill" width="3" height="6"/></pattern></defs></svg>')


def bar(share: float, *, kind: str = "fill") -> str:
    """A bar that is full at 1. The figure stands beside it, so a screen reader skips it."""
    return (f'<svg class="bar" aria-hidden="true"><rect class="track" width="100%" height="100%" rx="2"/>'
            f'<rect class="{kind}" width="{_percent(share)}" height="100%" rx="2"/></svg>')


def budget_bar(used: int | None, limit: int, *, estimate: bool) -> str:
    """Used against a limit. Beyond it the scale shrinks, the excess is red, and a line marks the limit."""
    kind = "hatched" if estimate else "fill"
    share = (used or 0) / limit if limit else 1.0
    if share <= 1:
        return bar(share, kind=kind)
    inside = _percent(1 / share if used else 0.0)
    return (f'<svg class="bar" aria-hidden="true"><rect class="over" width="100%" height="100%" rx="2"/>'
            f'<rect class="track" width="{inside}" height="100%"/>'
            f'<rect class="{kind}" width="{inside}" height="100%"/>'
            f'<rect class="limit" x="{inside}" width="2" height="100%"/></svg>')


def confusion_matrix(labels: Sequence[str], counts: Sequence[Sequence[int]], caption: str) -> str:
    """A table of counts whose diagonal is what should be; a cell's shade is its share of the row.

    Parameters
    ----------
    labels : sequence of str [n]
    counts : sequence of sequence of int [shape=(n, n)]
    caption : str
        What rows and columns are, as plain text.
    """
    head = "".join(f'<th scope="col"><span>{text(label)}</span></th>' for label in labels)
    rows = []
    for true, (label, row) in enumerate(zip(labels, counts, strict=True)):
        cells = "".join(_cell(count, sum(row), right=true == predicted) for predicted, count in enumerate(row))
        rows.append(f'<tr><th scope="row">{text(label)}</th>{cells}</tr>')
    return (f'<div class="scroll"><table class="confusion"><caption>{text(caption)}</caption>'
            f"<thead><tr><td></td>{head}</tr></thead>"
            f"<tbody>{''.join(rows)}</tbody></table></div>")


def ranked(values: Mapping[str, int]) -> list[tuple[str, str, str]]:
    """Rows of name, bar and number, the largest first; the largest fills its bar."""
    most = max(values.values(), default=0)
    return [(f"<code>{text(name)}</code>", bar(value / most if most else 0.0), text(value))
            for name, value in sorted(values.items(), key=lambda item: (-item[1], item[0]))]


def _cell(count: int, total: int, *, right: bool) -> str:
    kind = ("right" if right else "wrong") if count else "none"
    return f'<td class="{kind}" style="--share:{_percent(count / total if total else 0.0)}">{text(count)}</td>'


def _percent(share: float) -> str:
    return f"{100 * min(max(share, 0.0), 1.0):.1f}%"
