"""The tables of a study of HRF against none, in Markdown, from the content of its ``summary.json``."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from tfser.training.sweep import HRF

Document = Mapping[str, Any]

ABOUT = """\
Difference of test WF1 between two trainings that differ in HRF alone (same corpus, fold, seed, recipe), mean over
folds with its 95 % interval: a paired bootstrap over folds, and seeds within them. p is two-sided; p (Holm) is
corrected for all comparisons with HRF in the table. The low-rank control has an inner width that reduces the rank.
Pairs: those done, of those planned; one of which a part failed is counted as failed."""

BEST = """\
The setting that helps most: of those with HRF whose pairs are all done, the one with the largest difference on the
validation speakers. The test speakers had no say in the choice, but those who validate in one fold are tested in
another, and the interval does not know that there was a choice."""

_NAME = ("corpus", "backbone", "sites", "ratio", "depth")
NOTHING = "–"


def said(run: Document) -> str:
    """How much of the grid was run, in a sentence's part."""
    failed = f", {run['failed']} failed" if run["failed"] else ""
    return f"{run['done']} of {run['planned']} parts done{failed}"


def run_sentence(run: Document) -> str:
    """:func:`said` as a sentence, with what was not run."""
    rest = run["planned"] - run["done"] - run["failed"]
    return said(run) + (f"; {rest} were not run." if rest else ".")


def differences(summary: Document) -> str:
    """One row for each setting: its paired difference to none."""
    header = (*_NAME, "difference", "95 % interval", "p", "p (Holm)", "ahead", "UAR", "pairs", "failed")
    return table(header, (_difference_row(entry) for entry in summary["comparisons"]))


def best(summary: Document) -> str:
    """One row for each backbone and corpus of which there is a best setting; empty without any."""
    header = (*_NAME, "of settings", "validation speakers", "test speakers", "95 % interval")
    return table(header, map(_best_row, summary["best"])) if summary["best"] else ""


def levels(summary: Document) -> str:
    """One row for each setting, and for none: its scores and its size."""
    header = (*_NAME, "WF1", "95 % interval", "int8 bytes", "parameters", "parts", "failed")
    return table(header, map(_level_row, summary["levels"]))


def _difference_row(entry: Document) -> tuple[str, ...]:
    wf1, uar = entry.get("test_wf1"), entry.get("test_uar")
    return (*_name_cells(entry), signed(wf1), interval(wf1, "+.3f"), p(wf1 and wf1["p"]), p(entry["p_holm"]),
            f"{entry['ahead']}/{entry['pairs']}", signed(uar), f"{entry['pairs']} of {entry['planned_pairs']}",
            str(entry["failed_pairs"]))


def _best_row(entry: Document) -> tuple[str, ...]:
    return (*_name_cells(entry), str(entry["settings"]), f"{entry['validation_wf1']:+.3f}", signed(entry["test_wf1"]),
            interval(entry["test_wf1"], "+.3f"))


def _level_row(entry: Document) -> tuple[str, ...]:
    wf1 = entry["test_wf1"]
    sizes = (entry["deployed_bytes"], entry["deployed_parameters"])
    size = (NOTHING if value is None else f"{value:,}" for value in sizes)
    return (*_name_cells(entry), f"{wf1['mean']:.3f}" if wf1 else NOTHING, interval(wf1, ".3f"), *size,
            f"{entry['done']} of {entry['planned']}", str(entry["failed"]))


def _name_cells(entry: Document) -> tuple[str, ...]:
    if not entry["ratio"]:
        return entry["corpus"], entry["arch"], "none", "", ""
    low = "" if entry["kind"] == HRF else " (low-rank)"
    return entry["corpus"], entry["arch"], entry["sites"], f"{entry['ratio']:g}{low}", str(entry["depth"])


def signed(found: Document | None) -> str:
    """The mean of a difference with its sign, or a dash where there is none."""
    return f"{found['mean']:+.3f}" if found else NOTHING


def interval(found: Document | None, form: str) -> str:
    """``low to high``, or a dash where there is none."""
    if not found or found["low"] is None or found["high"] is None:
        return NOTHING
    return f"{found['low']:{form}} to {found['high']:{form}}"


def p(value: float | None) -> str:
    """A p value, or a dash where there is none."""
    return NOTHING if value is None else "< 0.001" if value < 0.001 else f"{value:.3f}"


def table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Rows of cells in Markdown."""
    return "\n".join(f"| {' | '.join(cells)} |" for cells in (header, ["---"] * len(header), *rows))
