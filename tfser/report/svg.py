"""Pieces of a drawing that stands alone: an SVG file with a white ground, the width of a phone.

Shown at its own width of 360 pixels every letter has 11 or more; shown larger it only gets better.
The same drawing, the same bytes: coordinates have one decimal.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from html import escape

WIDTH = 360
INK, SOFT, LINE, GROUND = "#17202b", "#566170", "#c9d1da", "#ffffff"
#: Of lines and points, told apart by their marks too; each has 4.5 : 1 against the ground.
COLOURS = ("#1f5fbf", "#b8262c", "#12714a", "#8a5a00", "#6b3fa0", "#0f6b7a")
MARKS = ("circle", "square", "diamond", "triangle", "cross", "plus")
TEXT_PX = 11


def drawing(title: str, height: float, parts: Iterable[str]) -> str:
    """A whole SVG file; ``title`` is what a screen reader says."""
    return (f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height:.0f}" width="{WIDTH}" '
            f'height="{height:.0f}" role="img" font-family="system-ui, sans-serif" font-size="{TEXT_PX}" '
            f'fill="{INK}"><title>{escape(title)}</title><rect width="{WIDTH}" height="{height:.0f}" '
            f'fill="{GROUND}"/>\n' + "\n".join(parts) + "\n</svg>\n")


def text(x: float, y: float, value: str, *, anchor: str = "start", bold: bool = False, soft: bool = False) -> str:
    """A line of text on its base line."""
    weight, colour = ' font-weight="700"' if bold else "", f' fill="{SOFT}"' if soft else ""
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}"{weight}{colour}>{escape(value)}</text>'


def line(x1: float, y1: float, x2: float, y2: float, *, colour: str = LINE, width: float = 1, dash: str = "") -> str:
    """A straight line."""
    dashed = f' stroke-dasharray="{dash}"' if dash else ""
    return (f'<line x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}" stroke="{colour}" '
            f'stroke-width="{width:g}"{dashed}/>')


def path(points: Sequence[tuple[float, float]], colour: str) -> str:
    """A line through points."""
    joined = " ".join(f"{x:.1f},{y:.1f}" for x, y in points)
    return f'<polyline points="{joined}" fill="none" stroke="{colour}" stroke-width="1.5"/>'


def mark(kind: str, x: float, y: float, colour: str, *, hollow: bool = False, size: float = 4) -> str:
    """A point: one of ``MARKS``."""
    fill = GROUND if hollow else colour
    look = f'fill="{fill}" stroke="{colour}" stroke-width="1.5"'
    if kind == "circle":
        return f'<circle cx="{x:.1f}" cy="{y:.1f}" r="{size:.1f}" {look}/>'
    shapes: dict[str, list[tuple[float, float]]] = {
        "square": [(-1, -1), (1, -1), (1, 1), (-1, 1)], "diamond": [(0, -1.3), (1.3, 0), (0, 1.3), (-1.3, 0)],
        "triangle": [(0, -1.2), (1.2, 1), (-1.2, 1)]}
    if kind in shapes:
        corners = " ".join(f"{x + size * dx:.1f},{y + size * dy:.1f}" for dx, dy in shapes[kind])
        return f'<polygon points="{corners}" {look}/>'
    slanted = size if kind == "cross" else 0.0
    straight = size if kind == "cross" else 1.3 * size
    ends = [(-straight, -slanted, straight, slanted), (-slanted, straight, slanted, -straight)]
    return "".join(line(x + a, y + b, x + c, y + d, colour=colour, width=2) for a, b, c, d in ends)


def ticks(low: float, high: float, most: int = 6) -> list[float]:
    """Round numbers (1, 2 or 5 times a power of ten apart) from below ``low`` to above ``high``, ``most`` or so."""
    span = max(high - low, 1e-6)
    power = 10.0 ** math.floor(math.log10(span / most))
    step = next(power * factor for factor in (1, 2, 5, 10) if power * factor * most >= span * (1 - 1e-9))
    first, last = math.floor(low / step + 1e-9), math.ceil(high / step - 1e-9)
    return [round(index * step, 10) for index in range(first, max(last, first + 1) + 1)]


class Scale:
    """From values to pixels, ends on round numbers; ``marks`` are the round numbers."""

    def __init__(self, values: Iterable[float], start: float, end: float, most: int = 6) -> None:
        known = list(values)
        self.marks = ticks(min(known), max(known), most)
        self.start, self.end = start, end

    def __call__(self, value: float) -> float:
        low, high = self.marks[0], self.marks[-1]
        return self.start + (value - low) / (high - low) * (self.end - self.start)

    def label(self, value: float, *, sign: bool = False) -> str:
        """A round number with the decimals that its neighbours need."""
        step = self.marks[1] - self.marks[0]
        decimals = max(0, -math.floor(math.log10(step) + 1e-9))
        return f"{value:{'+' if sign and value else ''},.{decimals}f}"
