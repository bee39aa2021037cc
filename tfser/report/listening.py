"""The page's section about the firmware at work: from samples to a label, in instructions, memory and real time."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tfser.report.charts import bar
from tfser.report.markup import code, facts, section, table, text

Document = Mapping[str, Any]

FIGURES = {
    "frontend_instructions_per_second": ("front end", "{} instructions per second of audio"),
    "instructions_per_inference": ("model", "{} instructions per inference"),
    "decision_instructions": ("decision", "{} instructions beside the model"),
    "application_bytes": ("application RAM", "{} B for the feature window and state"),
    "arena_bytes": ("model's arena", "{} B"),
}


def listening(manifest: Document) -> str:
    """What listening costs, the stack's bound against what was seen, and every board's share of its clock."""
    measured, reasons = manifest["measured"], manifest.get("reasons") or {}
    if measured.get("application_bytes") is None:
        return section("Real time", missing="this build has no application layer")
    figures = {name: form.format(f"<b>{text(measured[key])}</b>") if measured.get(key) is not None
               else f'– <small>{text(reasons.get(key, "not measured"))}</small>'
               for key, (name, form) in FIGURES.items() if key in measured}
    return section("Real time", "<p>The application layer takes 16-bit samples in chunks of any size and gives a "
                   "label.</p>", facts(figures), _stack(measured, reasons), _boards(manifest.get("real_time") or {}),
                   missing="")


def _stack(measured: Document, reasons: Document) -> str:
    """The most that the call graph can take, and the most that was seen."""
    bound, seen = measured.get("stack_bound_bytes"), measured.get("stack_bytes")
    if bound is None and seen is None:
        return ""
    most = max(bound or 0, seen or 0, 1)
    rows = [(name, bar((value or 0) / most, kind=kind), "–" if value is None else f"{text(value)} B",
             text(reasons.get(key, "not measured") if value is None else how))
            for key, name, value, kind, how in (
                ("stack_bound_bytes", "bound", bound, "soft-fill", "the compiler's frames along the deepest calls"),
                ("stack_bytes", "high-water mark", seen, "fill", "painted stack, on an emulated chip"))]
    held = ""
    if bound is not None and seen is not None:
        held = ('<p class="good">✓ What was seen is within the bound.</p>' if seen <= bound else
                '<p class="bad">✗ More was seen than the bound allows.</p>')
    return table(("", "", "stack", "how"), rows, numbers=(2,), caption="Stack", kind="bars stack") + held


def _boards(found: Document) -> str:
    boards = [board for board in found.get("boards", []) if board["share"] is not None]
    if not boards:
        return ""
    rows = [(code(board["board"]), text(board["core"]), f"{board['clock_hz'] / 1e6:g} MHz",
             bar(board["share"], kind="over" if board["share"] > 1 else "fill"), _share(board))
            for board in boards]
    cores = sorted({board["core"] for board in boards})
    note = (f"<p>Share of real time with a decision every {text(found['decide_every_s'])} s, counted on "
            f"{text(', '.join(cores))}, assuming {text(found['assumption'])}: instructions are not cycles, and a "
            "memory that makes the core wait pushes the share up.</p>")
    return note + table(("board", "core", "clock", "", "of real time"), rows, numbers=(2, 4), kind="boards")


def _share(board: Document) -> str:
    if not board["fits"]:
        return '<b class="bad">too little memory</b>'
    return f'<b class="bad">{board["share"]:.0%}, too slow</b>' if board["share"] > 1 else f"{board['share']:.1%}"
