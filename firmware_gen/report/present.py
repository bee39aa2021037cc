"""A size report as text, JSON, GitHub annotations, GitHub step summary and JUnit XML."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

from firmware_gen.errors import CheckFailed
from firmware_gen.report.breakdown import OPERATORS, NamedSize
from firmware_gen.report.budget import Verdict
from firmware_gen.report.size import ESTIMATE, Figure, Sizes
from firmware_gen.report.text import format_table
from firmware_gen.target import Target

#: How the groups of a report are headed, and how many rows of one are shown; JSON holds all.
TITLES = {"flash_sections": "flash by section", "ram_sections": "RAM by section (with the harness)",
          "weights": "weights by tensor", "tables": "tables by array", "functions": "code by function",
          "sources": "code by file", OPERATORS: "instructions by operator"}
ROWS_SHOWN = 8

# Characters that XML 1.0 cannot hold, not even escaped.
_NOT_XML = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


@dataclass(frozen=True)
class SizeReport:
    """Everything that ``tfser size`` says. ``baseline`` is another build's sizes, to compare with."""

    target: Target
    sizes: Sizes
    verdicts: Sequence[Verdict]
    baseline: Sizes | None = None

    @property
    def failed(self) -> list[Verdict]:
        """Limits that are not kept."""
        return [verdict for verdict in self.verdicts if not verdict.ok]

    def raise_if_over(self) -> None:
        """Raise one CheckFailed that names every limit that is not kept."""
        if self.failed:
            raise CheckFailed("FG-BUDGET-10", "\n  ".join(verdict.text for verdict in self.failed),
                              expected="every figure within its limit",
                              fix="choose a smaller model or a larger board, or raise the budget")


def to_text(report: SizeReport) -> str:
    """The report for a terminal."""
    board = report.target.board
    header, rows = _figure_rows(report)
    lines = [f"{report.target.name} ({board.name}, {board.part})", "",
             format_table(header, rows, right=range(1, len(header) - 2))]
    for title, largest in _largest(report):
        sizes = [(f"  {size.name}", f"{size.amount:,} B") for size in largest]
        lines += ["", format_table((title, ""), sizes, right=(1,))]
    for table in _group_tables(report):
        lines += ["", format_table((table.title, "", *table.header[1:]), [[f"  {row[0]}", *row[1:]]
                                                                          for row in table.rows], right=(1, 2))]
    verdicts = [f"{'ok  ' if verdict.ok else 'FAIL'}  {verdict.text} [{verdict.limit.origin}]"
                for verdict in report.verdicts]
    return "\n".join([*lines, "", *verdicts])


def to_dict(report: SizeReport) -> dict[str, Any]:
    """The report as plain JSON types."""
    return {
        "target": report.target.name, "core": report.target.core.name, "board": report.target.board.name,
        "ok": not report.failed,
        "figures": {name: _figure_dict(figure, report.baseline) for name, figure in report.sizes.figures.items()},
        "largest_weights": [_named_dict(size) for size in report.sizes.largest_weights],
        "largest_activations": [_named_dict(size) for size in report.sizes.largest_activations],
        "groups": {group: _group_dicts(report, group) for group in _groups(report)},
        "budget": [{"resource": verdict.resource, "used": verdict.used, "limit": verdict.limit.value,
                    "unit": verdict.unit, "kind": verdict.kind, "origin": verdict.limit.origin,
                    "ok": verdict.ok, "text": verdict.text} for verdict in report.verdicts],
    }


def to_annotations(report: SizeReport, root: Path | None = None) -> list[str]:
    """GitHub workflow commands, one for each limit that is not kept; at its line of the budget file.

    GitHub counts paths from ``root``, the checked-out repository, wherever the command ran.
    """
    lines = []
    for verdict in report.failed:
        file, line = verdict.limit.file, verdict.limit.line
        place = {} if file is None else {"file": _within(root, file), "line": str(line)}
        properties = {**place, "title": f"{verdict.resource} over budget"}
        written = ",".join(f"{key}={_escape_property(value)}" for key, value in properties.items())
        lines.append(f"::error {written}::{_escape_data(verdict.text)}")
    return lines


def _within(root: Path | None, file: Path) -> str:
    """The path from ``root``, or as it was given where the file is elsewhere."""
    if root is not None and file.resolve().is_relative_to(root.resolve()):
        return file.resolve().relative_to(root.resolve()).as_posix()
    return str(file)


def to_markdown(report: SizeReport) -> str:
    """A section for ``$GITHUB_STEP_SUMMARY``."""
    header, rows = _figure_rows(report)
    verdicts = [("✅" if verdict.ok else "❌", verdict.text) for verdict in report.verdicts]
    lines = [f"### Size on {report.target.name}", "", *_markdown_table(header, rows), "",
             *_markdown_table(("", "budget"), verdicts), ""]
    for table in _group_tables(report):
        lines += ["<details>", f"<summary>{table.title}</summary>", "",
                  *_markdown_table((table.title, *table.header), table.rows), "", "</details>", ""]
    return "\n".join(lines)


def to_junit(report: SizeReport) -> bytes:
    """One JUnit test case for each limit."""
    suite = ElementTree.Element("testsuite", name="tfser size", tests=str(len(report.verdicts)),
                                failures=str(len(report.failed)), errors="0", skipped="0", time="0")
    for verdict in report.verdicts:
        case = ElementTree.SubElement(suite, "testcase", classname=f"tfser.size.{report.target.name}",
                                      name=verdict.resource, time="0")
        text = _NOT_XML.sub("?", verdict.text)
        if verdict.ok:
            ElementTree.SubElement(case, "system-out").text = text
        else:
            ElementTree.SubElement(case, "failure", message=text, type="budget").text = text
    suites = ElementTree.Element("testsuites")
    suites.append(suite)
    ElementTree.indent(suites)
    return ElementTree.tostring(suites, encoding="utf-8", xml_declaration=True) + b"\n"


def _figure_rows(report: SizeReport) -> tuple[list[str], list[list[str]]]:
    header = ["figure", "value", *(["change"] if report.baseline else []), "kind", "how"]
    rows = []
    for figure in report.sizes.figures.values():
        change = [_signed(_change(figure, report.baseline))] if report.baseline else []
        value = "-" if figure.value is None else f"{figure.value:,}{' B' if figure.unit == 'B' else ''}"
        rows.append([figure.name, value, *change, figure.kind.upper() if figure.kind == ESTIMATE else figure.kind,
                     figure.how])
    return header, rows


def _figure_dict(figure: Figure, baseline: Sizes | None) -> dict[str, Any]:
    result = {"value": figure.value, "unit": figure.unit, "kind": figure.kind, "how": figure.how}
    return {**result, "change": _change(figure, baseline)} if baseline else result


def _named_dict(size: NamedSize) -> dict[str, Any]:
    return {"name": size.name, "bytes": size.amount}


def _change(figure: Figure, baseline: Sizes | None) -> int | None:
    before = baseline.figures.get(figure.name) if baseline else None  # an older build may lack it
    return None if figure.value is None or before is None or before.value is None else figure.value - before.value


def _signed(change: int | None) -> str:
    return "-" if change is None else f"{change:+,}" if change else "0"


def _largest(report: SizeReport) -> list[tuple[str, Sequence[NamedSize]]]:
    weights = [] if "weights" in report.sizes.groups else [("largest weights", report.sizes.largest_weights)]
    return [*weights, ("largest activations", report.sizes.largest_activations)]


def _compares(report: SizeReport, group: str) -> bool:
    """Whether both builds have the group: against none, everything would seem to be new."""
    return report.baseline is not None and group in report.baseline.groups and group in report.sizes.groups


def _unit(group: str) -> str:
    return "instructions" if group == OPERATORS else "bytes"


def _groups(report: SizeReport) -> list[str]:
    return [group for group in TITLES if group in report.sizes.groups]


def _sizes_and_changes(report: SizeReport, group: str) -> list[tuple[str, int, int]]:
    """Name, amount and change of all in a group, and of what only the baseline has; the largest first."""
    before = _by_name(report.baseline, group) if report.baseline else {}
    now = _by_name(report.sizes, group)
    rows = [(name, now.get(name, 0), now.get(name, 0) - before.get(name, 0)) for name in {**now, **before}]
    return sorted(rows, key=lambda row: (-row[1], row[0]))


def _by_name(sizes: Sizes, group: str) -> dict[str, int]:
    return {size.name: size.amount for size in sizes.groups.get(group, ())}


def _group_dicts(report: SizeReport, group: str) -> list[dict[str, Any]]:
    change = _compares(report, group)
    return [{"name": name, _unit(group): amount, **({"change": difference} if change else {})}
            for name, amount, difference in _sizes_and_changes(report, group)]


@dataclass(frozen=True)
class _Table:
    """Each row begins with a name; ``header`` is what stands above the numbers after it."""

    title: str
    header: list[str]
    rows: list[list[str]]


def _group_tables(report: SizeReport) -> list[_Table]:
    """One of each group: its largest, or, against a baseline, what changed the most, if anything did."""
    tables = []
    for group in _groups(report):
        change, rows = _compares(report, group), _sizes_and_changes(report, group)
        if change:
            rows = sorted((row for row in rows if row[2]), key=lambda row: (-abs(row[2]), row[0]))
        suffix = " B" if _unit(group) == "bytes" else ""
        shown = [[name, f"{amount:,}{suffix}", *([_signed(difference)] if change else [])]
                 for name, amount, difference in rows[:ROWS_SHOWN]]
        if shown:
            left = f", {len(rows) - len(shown)} more in --json" if len(rows) > len(shown) else ""
            tables.append(_Table(f"{TITLES[group]}{left}", [_unit(group), *(["change"] if change else [])], shown))
    return tables


def _markdown_table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    lines = [header, ["---"] * len(header), *rows]
    return [f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in line)} |" for line in lines]


def _escape_data(text: str) -> str:
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _escape_property(text: str) -> str:
    return _escape_data(text).replace(":", "%3A").replace(",", "%2C")
