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
from tfser.report import study_tables as tables
from tfser.report.comparison import Comparison, Level, best_settings, comparisons, levels
from tfser.report.study_plots import draw
from tfser.training.intervals import to_json
from tfser.training.study import DONE, FAILED, Study
from tfser.training.sweep import Part, Variant

SCHEMA_VERSION = 1
SCORES = ("wf1", "uar", "wa", "macro_f1")
DEPLOYED = ("bytes", "parameters", "trained_parameters", "merge_max_abs_error", "same_label")
HEADER = ("corpus", "arch", "kind", "sites", "ratio", "depth", "fold", "seed", "status",
          *(f"test_{score}" for score in SCORES), "test_utterances", "test_speaker_uar", "validation_wf1",
          *(f"deployed_{name}" for name in DEPLOYED), "int8_test_wf1", "int8_test_uar", "split_fingerprint", "key",
          "error")


def write_results(study: Study) -> dict[str, Any]:
    """Write everything that the records of a study say, and return ``summary.json``'s content."""
    records = study.records()
    found, against = levels(study.keys, records), comparisons(study.keys, records)
    summary = _summary(study, records, found, against)
    plots = draw(found, against, tables.said(summary["run"]))
    files = {"results.csv": to_csv(records), "results.md": to_markdown(summary),
             "summary.json": canonical_json(summary), **{f"plots/{name}": plots[name] for name in plots}}
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


def to_markdown(summary: Mapping[str, Any]) -> str:
    """How much was run, then the tables of differences and of levels."""
    run = summary["run"]
    lines = ["# HRF against none", "", tables.run_sentence(run)]
    if run["of_another_configuration"]:
        lines.append(f"{run['of_another_configuration']} records of other recipes, code or recordings lie in the "
                     "folder and are not counted.")
    recipe = ", ".join(f"{name} {value}" for name, value in sorted(summary["recipe"].items()))
    lines += [f"Recipe: {recipe}.", "", tables.ABOUT, "", tables.differences(summary)]
    if best := tables.best(summary):
        lines += ["", tables.BEST, "", best]
    lines += ["", "Levels: mean test WF1 of the float model over the parts that are done; size of the int8 file and "
              "parameters where a part measured them.", "", tables.levels(summary)]
    return "\n".join(lines) + "\n"
