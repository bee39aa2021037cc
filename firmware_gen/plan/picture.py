"""The plan as a picture: steps from left to right, bytes of the arena from bottom to top, a box a buffer."""

from __future__ import annotations

from html import escape
from itertools import groupby

from firmware_gen.plan.document import buffer_kinds, short_name, step_name
from firmware_gen.plan.program import Buffer, Program, Step

HEIGHT = 420  # of the arena, in pixels
LEFT, RIGHT, TOP, BOTTOM = 76, 150, 66, 200
NARROWEST, WIDEST = 16, 72  # columns
WIDTH = 980  # of all columns, where their limits allow it
LETTER, CAPITAL = 6.3, 7.6  # average widths at 11 pixels
KINDS = {"input": "model input", "output": "model output", "value": "between steps", "scratch": "scratch",
         "packed": "matrix packed at run time"}

#: Operators that are named only where a step has no other: they are mostly strides.
MOVED = ("RESHAPE", "TRANSPOSE", "EXPAND_DIMS", "SQUEEZE", "SPLIT", "SPLIT_V", "SLICE", "STRIDED_SLICE")

STYLE = """\
.tfser-memory { font: 11px system-ui, "Segoe UI", "DejaVu Sans", sans-serif; background: #fff; }
.tfser-memory text { fill: #17202b; } .tfser-memory .soft { fill: #5a6675; }
.tfser-memory .head { font-size: 16px; font-weight: 600; }
.tfser-memory .grid { stroke: #dde3ea; } .tfser-memory .limit { stroke: #17202b; }
.tfser-memory .bound { stroke: #5a6675; stroke-dasharray: 4 3; }
.tfser-memory .box { stroke: #17202b; stroke-width: .8; fill-opacity: .72; }
.tfser-memory .input { fill: #7fb2e5; } .tfser-memory .output { fill: #79c79a; }
.tfser-memory .value { fill: #c9d6e6; } .tfser-memory .scratch { fill: #f0c078; }
.tfser-memory .packed { fill: #d8a3d0; }
@media screen and (prefers-color-scheme: dark) {
  .tfser-memory { background: #11151b; }
  .tfser-memory text { fill: #e4e8ee; } .tfser-memory .soft { fill: #98a4b3; }
  .tfser-memory .grid { stroke: #2a323e; } .tfser-memory .limit { stroke: #e4e8ee; }
  .tfser-memory .bound { stroke: #98a4b3; } .tfser-memory .box { stroke: #e4e8ee; }
  .tfser-memory .input { fill: #2f6296; } .tfser-memory .output { fill: #2b7a4c; }
  .tfser-memory .value { fill: #3c4b60; } .tfser-memory .scratch { fill: #8d6320; }
  .tfser-memory .packed { fill: #7d4676; }
}"""


def memory_picture(program: Program) -> str:
    """An SVG document; the same for the same program.

    A box spans the steps in which its buffer is needed, and within a step of several operators those
    of them that need it. Boxes overlap where a step writes its output over an input that it has read.
    """
    return _Picture(program).text()


def printable(text: str) -> str:
    """Text for XML: no markup, no control characters."""
    return escape("".join(letter if letter.isprintable() else "?" for letter in text))


class _Picture:
    def __init__(self, program: Program) -> None:
        self.program = program
        self.steps = max(len(program.steps), 1)
        self.column = min(max(WIDTH / self.steps, NARROWEST), WIDEST)
        self.width = LEFT + self.column * self.steps + RIGHT
        self.scale = HEIGHT / max(program.arena_bytes, 1)

    def x(self, step: float) -> float:
        return LEFT + step * self.column

    def y(self, byte: int) -> float:
        return TOP + HEIGHT - byte * self.scale

    def text(self) -> str:
        """The document."""
        kinds = buffer_kinds(self.program)
        boxes = sorted(self.program.buffers.values(), key=lambda b: (b.nodes is not None, b.first, b.offset, b.id))
        width, height = _number(self.width), TOP + HEIGHT + BOTTOM
        title = f"Memory over time: {self.program.arena_bytes:,} bytes, {len(self.program.steps)} steps"
        return "\n".join([
            f'<svg xmlns="http://www.w3.org/2000/svg" class="tfser-memory" role="img" width="{width}" '
            f'height="{height}" viewBox="0 0 {width} {height}">',
            f"<title>{title}</title>", f"<style>{STYLE}</style>",
            f'<text class="head" x="{LEFT}" y="24">{title}</text>',
            *self.legend(set(kinds.values())), *self.axis(), *(self.box(b, kinds[b.id]) for b in boxes),
            *self.limits(), *self.names(), "</svg>", ""])

    def legend(self, kinds: set[str]) -> list[str]:
        lines, x = [], float(LEFT)
        for kind, name in KINDS.items():
            if kind in kinds:
                lines.append(f'<rect class="box {kind}" x="{_number(x)}" y="38" width="12" height="12"/>'
                             f'<text x="{_number(x + 17)}" y="48">{name}</text>')
                x += 34 + len(name) * LETTER
        return lines

    def axis(self) -> list[str]:
        """Lines across at round numbers of bytes."""
        step = _round_step(self.program.arena_bytes)
        right = _number(self.x(self.steps))
        return [f'<line class="grid" x1="{LEFT}" y1="{_number(self.y(at))}" x2="{right}" y2="{_number(self.y(at))}"/>'
                f'<text class="soft" text-anchor="end" x="{LEFT - 8}" y="{_number(self.y(at) + 4)}">{at:,} B</text>'
                for at in range(0, self.program.arena_bytes + 1, step)]

    def box(self, buffer: Buffer, kind: str) -> str:
        left, right = self.span(buffer)
        top, tall = self.y(buffer.offset + buffer.size), buffer.size * self.scale
        name = short_name(buffer)
        about = f"{name}: {KINDS[kind]}, {buffer.size} bytes at {buffer.offset}, steps {buffer.first} to {buffer.last}"
        lines = [f'<g><title>{printable(about)}</title><rect class="box {kind}" x="{_number(left)}" '
                 f'y="{_number(top)}" width="{_number(right - left)}" height="{_number(tall)}"/>']
        label = _label(name, buffer.size, self.free(buffer) - left - 8)
        if tall >= 13 and label and kind not in ("scratch", "packed"):
            lines.append(f'<text x="{_number(left + 4)}" y="{_number(top + min(tall / 2, 12) + 4)}">'
                         f"{printable(label)}</text>")
        return "".join([*lines, "</g>"])

    def span(self, buffer: Buffer) -> tuple[float, float]:
        """Left and right side of a box."""
        count = len(self.program.steps[buffer.first].nodes) if buffer.nodes is not None else 1
        first, last = (0, 0) if buffer.nodes is None else buffer.nodes
        return self.x(buffer.first + first / count), self.x(buffer.last + (last + 1) / count)

    def free(self, buffer: Buffer) -> float:
        """Where a box ends, or another begins on top of it."""
        left, right = self.span(buffer)
        others = (self.span(other)[0] for other in self.program.buffers.values()
                  if other.offset < buffer.offset + buffer.size and buffer.offset < other.offset + other.size)
        return min((x for x in others if left < x < right), default=right)

    def limits(self) -> list[str]:
        """The arena's end and the bound below it, named at the right."""
        right, program = self.x(self.steps), self.program
        lines = []
        for kind, at, name, shift in (("limit", program.arena_bytes, "arena", -2),
                                      ("bound", program.lower_bound_bytes, "lower bound", 12)):
            y = self.y(at)
            lines.append(f'<line class="{kind}" x1="{LEFT}" y1="{_number(y)}" x2="{_number(right + 4)}" '
                         f'y2="{_number(y)}"/><text x="{_number(right + 8)}" y="{_number(y + shift)}">'
                         f"{name} {at:,} B</text>")
        return lines

    def names(self) -> list[str]:
        """Number and operators of each step, upright under its column."""
        lines = []
        for number, step in enumerate(self.program.steps):
            x, y = self.x(number + 0.5) + 4, TOP + HEIGHT + 10
            name = f"{number}  {_kinds(step)}"
            lines.append(f'<g><title>{printable(f"step {number}: {step_name(step)}")}</title>'
                         f'<text text-anchor="end" transform="translate({_number(x)} {y}) rotate(-90)">'
                         f"{printable(_shortened(name, BOTTOM - 16, CAPITAL))}</text></g>")
        return lines


def _number(value: float) -> str:
    return f"{value:.1f}".removesuffix(".0")


def _round_step(size: int) -> int:
    """A distance of 1, 2 or 5 times a power of ten that divides a size into at most eight parts."""
    step = 1
    for factor in (2, 2.5, 2) * 12:
        if step * 8 >= size:
            break
        step = int(step * factor)
    return step


def _kinds(step: Step) -> str:
    """What a step computes, without the operators' numbers; what is repeated once, with how often."""
    names = [name.split(" ")[-1] for node in step.nodes for name in (node.origin or (type(node.op).__name__,))]
    runs = [(name, len(list(run))) for name, run in groupby(
        [name for name in names if name not in MOVED] or names)]
    return " + ".join(f"{count} {name}" if count > 1 else name for name, count in runs)


def _label(name: str, size: int, width: float) -> str:
    """The size of a buffer behind as many last parts of its layer's path as fit."""
    parts = name.rstrip("/").split("/")
    texts = [f"{'/'.join(parts[first:])} {size:,}" for first in range(len(parts))]
    return next((text for text in texts if len(text) * LETTER <= width), _shortened(texts[-1], width, LETTER))


def _shortened(text: str, width: float, letter: float) -> str:
    """As much of a text as fits, '' where that says nothing."""
    letters = int(width / letter)
    if len(text) <= letters:
        return text
    return text[:letters - 1] + "…" if letters >= 5 else ""
