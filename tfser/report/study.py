"""The results of ``tfser bench`` in files: same records, same bytes.

====================  ==============================================================================
``results.csv``       one row for each part that was run, sorted
``results.md``        how much was run, and the table of paired differences
``summary.json``      the same as numbers
``plots/*.svg``       see ``tfser.report.study_plots``
====================  ==============================================================================
"""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping, Sequence
from typing import Any

from tfser.files import canonical_json, write_atomic
from tfser.report.comparison import Best, Comparison, Level, best_settings, comparisons, levels
from tfser.report.study_plots import draw
from tfser.training.intervals import Interval, to_json
from tfser.training.study import DONE, FAILED, Study
from tfser.training.sweep import HRF, Part, Variant

SCHEMA_VERSION = 1
SCORES = ("wf1", "uar", "wa", "macro_f1")
DEPLOYED = ("bytes", "parameters", "trained_parameters", "merge_max_abs_error", "same_label")
HEADER = ("corpus", "arch", "kind", "sites", "ratio", "depth", "fold", "seed", "status",
          *(f"test_{score}" for score in SCORES), "test_utterances", "test_speaker_uar", "validation_wf1",
          *(f"deployed_{name}" for name in DEPLOYED), "int8_test_wf1", "int8_test_uar", "split_fingerprint", "key",
          "error")

ABOUT = """\
Difference of test WF1 between two trainings that differ in HRF alone (same corpus, fold, seed, recipe), mean over
folds with its 95 % interval: a paired bootstrap over folds, and seeds within them. p is two-sided; p (Holm) is
corrected for all comparisons with HRF in the table. The low-rank control has an inner width that reduces the rank.
Pairs: those done, of those planned; one of which a part failed is counted as failed."""

BEST = """\
The setting that helps most: of those with HRF whose pairs are all done, the one with the largest difference on the
validation speakers. The test speakers had no say in the choice, but those who validate in one fold are tested in
another, and the interval does not know that there was a choice."""


def write_results(study: Study) -> dict[str, Any]:
    """Write everything that the records of a study say, and return ``summary.json``'s content."""
    records = study.records()
    found, against = levels(study.keys, records), comparisons(study.keys, records)
    summary = _summary(study, records, found, against)
    files = {"results.csv": to_csv(records), "results.md": to_markdown(summary["run"], study.recipe, found, against),
             "summary.json": canonical_json(summary),
             **{f"plots/{name}": picture for name, picture in draw(found, against, said(summary["run"])).items()}}
    for name, text in files.items():
        write_atomic(study.folder / name, text.encode())
    return summary


def to_csv(records: Mapping[Part, Mapping[str, Any]]) -> str:
    """One row a part; numbers in the shortest form that reads back to the same float, nothing where there is none."""
    stream = io.StringIO()
    writer = csv.writer(stream, lineterminator="\n")
    writer.writerow(HEADER)
    for part in sorted(records):
        writer.writerow("" if value is None else value for value in _row(part, records[part]))
    return stream.getvalue()


def _row(part: Part, record: Mapping[str, Any]) -> list[Any]:
    variant, result = part.variant, record["result"] or {}
    test, deployed = result.get("test") or {}, result.get("deployed") or {}
    uars = " ".join(f"{speaker}={entry['uar']!r}" for speaker, entry in sorted(test.get("speakers", {}).items()))
    int8 = deployed.get("test") or {}
    return [variant.corpus, variant.arch, variant.kind, variant.sites, f"{variant.ratio:g}", variant.depth, part.fold,
            part.seed, record["status"], *(test.get(score) for score in SCORES), test.get("utterances"), uars,
            (result.get("validation") or {}).get("wf1"), *(deployed.get(name) for name in DEPLOYED), int8.get("wf1"),
            int8.get("uar"), record["configuration"]["split"]["fingerprint"], record["key"],
            (record["error"] or "").splitlines()[0] if record["error"] else None]


def _summary(study: Study, records: Mapping[Part, Mapping[str, Any]], found: Sequence[Level],
             against: Sequence[Comparison]) -> dict[str, Any]:
    states = [record["status"] for record in records.values()]
    run = {"planned": len(study.keys), "done": states.count(DONE), "failed": states.count(FAILED),
           "of_another_configuration": study.others(), "complete": len(records) == len(study.keys)}
    return {
        "schema_version": SCHEMA_VERSION, "run": run, "recipe": dict(study.recipe),
        "failed": [{"part": str(part), "error": record["error"]} for part, record in records.items()
                   if record["status"] == FAILED],
        "levels": [{**_named(level.variant), "planned": level.planned, "done": level.done, "failed": level.failed,
                    "test_wf1": to_json(level.wf1) if level.wf1 else None, "speaker_uar": dict(level.speakers),
                    "deployed_bytes": level.deployed_bytes, "deployed_parameters": level.deployed_parameters}
                   for level in found],
        "comparisons": [{**_named(entry.variant), "planned_pairs": entry.planned, "pairs": entry.pairs,
                         "failed_pairs": entry.failed, "ahead": entry.ahead, "equal": entry.equal,
                         "p_holm": entry.p_holm, "validation_wf1": entry.validation_wf1,
                         **{f"test_{score}": to_json(value) for score, value in entry.differences.items()}}
                        for entry in against],
        "best": [{**_named(best.comparison.variant), "settings": best.settings,
                  "validation_wf1": best.comparison.validation_wf1, "test_wf1": to_json(best.comparison.wf1)}
                 for best in best_settings(against) if best.comparison.wf1],
    }


def _named(variant: Variant) -> dict[str, Any]:
    return {"corpus": variant.corpus, "arch": variant.arch, "kind": variant.kind, "sites": variant.sites,
            "ratio": variant.ratio, "depth": variant.depth}


def said(run: Mapping[str, Any]) -> str:
    """How much of the grid was run, in a sentence's part."""
    failed = f", {run['failed']} failed" if run["failed"] else ""
    return f"{run['done']} of {run['planned']} parts done{failed}"


def to_markdown(run: Mapping[str, Any], recipe: Mapping[str, str], found: Sequence[Level],
                against: Sequence[Comparison]) -> str:
    """How much was run, then a table of differences and one of levels."""
    lines = ["# HRF against none", "", f"{said(run)[0].upper()}{said(run)[1:]}"
             + ("." if run["complete"] else f"; {run['planned'] - run['done'] - run['failed']} were not run.")]
    if run["of_another_configuration"]:
        lines.append(f"{run['of_another_configuration']} records of other recipes, code or recordings lie in the "
                     "folder and are not counted.")
    lines += ["Recipe: " + ", ".join(f"{name} {value}" for name, value in sorted(recipe.items())) + ".", "", ABOUT, ""]
    lines += _table(("corpus", "backbone", "sites", "ratio", "depth", "difference", "95 % interval", "p", "p (Holm)",
                     "ahead", "UAR", "pairs", "failed"), map(_difference_row, against))
    if best := best_settings(against):
        lines += ["", BEST, "", *_table(("corpus", "backbone", "sites", "ratio", "depth", "of settings",
                                         "validation speakers", "test speakers", "95 % interval"),
                                        map(_best_row, best))]
    lines += ["", "Levels: mean test WF1 of the float model over the parts that are done; size of the int8 file and "
              "parameters where a part measured them.", ""]
    lines += _table(("corpus", "backbone", "sites", "ratio", "depth", "WF1", "95 % interval", "int8 bytes",
                     "parameters", "parts", "failed"), map(_level_row, found))
    return "\n".join(lines) + "\n"


def _difference_row(entry: Comparison) -> tuple[str, ...]:
    wf1, uar = entry.wf1, entry.differences.get("uar")
    return (*_name_cells(entry.variant), signed(wf1.mean) if wf1 else "–", interval(wf1, signed),
            _p(wf1.p if wf1 else None), _p(entry.p_holm), f"{entry.ahead}/{entry.pairs}",
            signed(uar.mean) if uar else "–", f"{entry.pairs} of {entry.planned}", str(entry.failed))


def _best_row(best: Best) -> tuple[str, ...]:
    entry, wf1 = best.comparison, best.comparison.wf1
    return (*_name_cells(entry.variant), str(best.settings), signed(entry.validation_wf1 or 0.0),
            signed(wf1.mean) if wf1 else "–", interval(wf1, signed))


def _level_row(level: Level) -> tuple[str, ...]:
    size = (f"{value:,}" if value is not None else "–" for value in (level.deployed_bytes, level.deployed_parameters))
    return (*_name_cells(level.variant), f"{level.wf1.mean:.3f}" if level.wf1 else "–",
            interval(level.wf1, "{:.3f}".format), *size, f"{level.done} of {level.planned}", str(level.failed))


def _name_cells(variant: Variant) -> tuple[str, ...]:
    if not variant.ratio:
        return variant.corpus, variant.arch, "none", "", ""
    low = "" if variant.kind == HRF else " (low-rank)"
    return variant.corpus, variant.arch, variant.sites, f"{variant.ratio:g}{low}", str(variant.depth)


def signed(value: float) -> str:
    """A difference with its sign, three decimals."""
    return f"{value:+.3f}"


def interval(value: Interval | None, form: Any) -> str:
    """``low to high``, or a dash where there is none."""
    if value is None or value.low is None or value.high is None:
        return "–"
    return f"{form(value.low)} to {form(value.high)}"


def _p(value: float | None) -> str:
    return "–" if value is None else "< 0.001" if value < 0.001 else f"{value:.3f}"


def _table(header: Sequence[str], rows: Any) -> list[str]:
    return [f"| {' | '.join(cells)} |" for cells in (header, ["---"] * len(header), *rows)]
