"""A study's table, numbers and pictures: what they say, how much was run, the same bytes again."""

from __future__ import annotations

import csv
import json
import math
import re
from itertools import pairwise
from xml.etree import ElementTree

import numpy as np
import pytest
from browser import Browser, find_browser
from study_records import make_study, size_of

from tfser.report import svg
from tfser.report.comparison import comparisons, levels
from tfser.report.study import to_csv, write_results
from tfser.training.sweep import Variant

FILES = {"results.csv", "results.md", "summary.json",
         *(f"plots/{name}.svg" for name in ("effects", "ratios", "speakers", "bytes"))}


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    study = make_study(tmp_path_factory.mktemp("study"))
    return study, write_results(study)


@pytest.fixture(scope="module")
def broken(tmp_path_factory):
    """The first 100 parts of it, of which one failed and one lacks its partner without HRF."""
    study = make_study(tmp_path_factory.mktemp("study"),
                       done=lambda index, part: index < 100 and str(part) != "emodb-conformer-none-fold1-seed0",
                       failed=lambda part: str(part) == "emodb-conformer-ffn-x2-depth2-fold0-seed0")
    return study, write_results(study)


def results_of(folder):
    names = [path for path in folder.rglob("*") if path.is_file() and path.parent.name != "parts"]
    return {str(path.relative_to(folder)): path.read_bytes() for path in names if path.name != "study.json"}


def comparison_of(study, name):
    (found,) = (entry for entry in comparisons(study.keys, study.records()) if str(entry.variant) == name)
    return found


# --- comparisons ----------------------------------------------------------------------------------------
def test_pairs_share_fold_and_seed(whole):
    study, _ = whole
    records = {str(part): record for part, record in study.records().items()}
    name = "emodb-conformer-ffn-x2-depth2"
    differences = [records[f"{name}-fold{fold}-seed{seed}"]["result"]["test"]["wf1"]
                   - records[f"emodb-conformer-none-fold{fold}-seed{seed}"]["result"]["test"]["wf1"]
                   for fold in range(5) for seed in range(2)]
    found = comparison_of(study, name)
    assert (found.pairs, found.planned, found.failed) == (10, 10, 0)
    assert found.wf1.mean == pytest.approx(np.mean(differences)) and found.ahead == sum(d > 0 for d in differences)
    assert found.wf1.low < found.wf1.mean < found.wf1.high
    assert found.wf1.high - found.wf1.low < 0.06  # that a fold is easy or hard is out of it, as it is paired


def test_an_effect_is_found_and_none_is_not(whole, tmp_path):
    study, _ = whole
    found = comparisons(study.keys, study.records())
    assert len(found) == 2 * (3 + 2) * 3
    assert np.mean([entry.wf1.low > 0 for entry in found if entry.variant.kind == "hrf"]) > 0.8
    assert np.mean([entry.wf1.high < 0 for entry in found if entry.variant.kind == "low-rank"]) > 0.8
    null = make_study(tmp_path, gain=0.0)
    assert np.mean([entry.wf1.low <= 0 <= entry.wf1.high for entry in comparisons(null.keys, null.records())]) > 0.8


def test_holm_corrects_for_every_comparison_with_hrf(whole):
    study, _ = whole
    found = comparisons(study.keys, study.records())
    assert all((entry.p_holm is None) == (entry.variant.kind == "low-rank") for entry in found)
    ordered = sorted((entry.wf1.p, entry.p_holm) for entry in found if entry.p_holm is not None)
    assert ordered[0][1] == pytest.approx(min(1, len(ordered) * ordered[0][0]))
    assert all(p <= holm <= 1 for p, holm in ordered) and all(a[1] <= b[1] for a, b in pairwise(ordered))


def test_a_pair_without_its_partner_is_no_pair_and_a_failed_one_is_counted(broken):
    study, summary = broken
    assert comparison_of(study, "emodb-conformer-attention-x4-depth2").pairs == 2  # of folds 0 to 2 all but fold 1
    failing = comparison_of(study, "emodb-conformer-ffn-x2-depth2")
    assert (failing.pairs, failing.failed, failing.planned) == (1, 1, 10)
    assert failing.wf1.low is None  # too few for an interval
    assert [entry["part"] for entry in summary["failed"]] == ["emodb-conformer-ffn-x2-depth2-fold0-seed0"]
    assert "TF-TRAIN-01" in summary["failed"][0]["error"]
    level = next(entry for entry in levels(study.keys, study.records()) if str(entry.variant) == str(failing.variant))
    assert (level.planned, level.done, level.failed) == (10, 2, 1)


def test_a_variant_without_a_partner_in_the_grid_has_no_comparison(whole):
    study, _ = whole
    lonely = {part: key for part, key in study.keys.items() if part.variant.ratio}
    assert comparisons(lonely, study.records()) == [] and len(levels(lonely, study.records())) == 30


def test_the_best_setting_is_chosen_on_validation_speakers_and_scored_on_the_others(whole, broken):
    study, summary = whole
    assert [(entry["corpus"], entry["arch"], entry["sites"], entry["ratio"], entry["settings"])
            for entry in summary["best"]] == [(corpus, arch, "ffn", 4, settings) for corpus in ("emodb", "ravdess")
                                              for arch, settings in (("conformer", 6), ("convtransformer", 4))]
    for entry in summary["best"]:
        chosen = comparison_of(study, f"{entry['corpus']}-{entry['arch']}-ffn-x4-depth2")
        assert entry["test_wf1"]["mean"] == chosen.wf1.mean
        assert entry["validation_wf1"] == pytest.approx(chosen.wf1.mean + 0.05)
    assert (study.folder / "results.md").read_text().count("| ffn | 4 | 2 | 6 | +") == 2
    assert broken[1]["best"] == [] and "helps most" not in (broken[0].folder / "results.md").read_text()


# --- files ----------------------------------------------------------------------------------------------
def test_the_same_records_give_the_same_bytes(whole, tmp_path):
    study, _ = whole
    first = results_of(study.folder)
    assert set(first) == FILES
    again = make_study(tmp_path / "again", done=lambda index, part: index % 2 == 0)
    make_study(tmp_path / "again", done=lambda index, part: index % 2 == 1)
    write_results(again)
    assert results_of(again.folder) == first


def test_the_csv_has_a_row_a_part_and_loses_no_digit(broken):
    study, _ = broken
    rows = list(csv.DictReader((study.folder / "results.csv").read_text().splitlines()))
    records = study.records()
    assert len(rows) == len(records) == 99
    for row, (part, record) in zip(rows, records.items(), strict=True):
        assert (row["corpus"], row["arch"], row["fold"], row["seed"], row["key"]) == (
            part.variant.corpus, part.variant.arch, str(part.fold), str(part.seed), study.keys[part])
        if record["status"] == "done":
            assert float(row["test_wf1"]) == record["result"]["test"]["wf1"]
            uars = dict(entry.split("=") for entry in row["test_speaker_uar"].split())
            assert float(uars[f"{2 * part.fold:02d}"]) == record["result"]["test"]["speakers"][
                f"{2 * part.fold:02d}"]["uar"]
            assert (row["deployed_bytes"] != "") == (part.fold == part.seed == 0)
    (failed,) = (row for row in rows if row["status"] == "failed")
    assert failed["test_wf1"] == "" and failed["error"].startswith("TF-TRAIN-01")
    assert to_csv(dict(reversed(records.items()))) == (study.folder / "results.csv").read_text()


def test_the_table_says_how_much_was_run(broken, whole):
    text = (broken[0].folder / "results.md").read_text()
    assert "98 of 374 parts done, 1 failed; 275 were not run.\n" in text
    assert "Recipe: epochs 65." in text and "paired bootstrap" in text
    table = [line for line in text.splitlines() if line.startswith("| emodb | conformer | ffn | 2 | 2 |")]
    assert "| 1 of 10 | 1 |" in table[0] and len(table) == 2
    assert sum("(low-rank)" in line for line in text.splitlines()) == 2 * 10
    assert "374 of 374 parts done.\n" in (whole[0].folder / "results.md").read_text()


def test_the_summary_is_json_with_the_same_numbers(broken):
    study, summary = broken
    assert json.loads((study.folder / "summary.json").read_text()) == summary
    assert summary["run"] == {"planned": 374, "done": 98, "failed": 1, "of_another_configuration": 0,
                              "complete": False}
    assert {entry["deployed_bytes"] for entry in summary["levels"] if entry["kind"] == "low-rank"} == {
        size_of(Variant("emodb", arch, "ffn", 0.5)) for arch in ("conformer", "convtransformer")}


def test_a_study_without_a_finished_part_has_a_table_and_no_pictures(tmp_path):
    study = make_study(tmp_path, done=lambda index, part: False)
    summary = write_results(study)
    assert summary["run"]["done"] == 0 and not (tmp_path / "plots").exists()
    assert "0 of 374 parts done; 374 were not run." in (tmp_path / "results.md").read_text()


# --- pictures -------------------------------------------------------------------------------------------
def pictures(study):
    return sorted((study.folder / "plots").glob("*.svg"))


def test_pictures_draw_what_was_measured(whole):
    study, _ = whole
    text = {path.stem: path.read_text() for path in pictures(study)}
    shown = re.findall(r">([+-]0\.\d{3}) \(([+-]0\.\d{3}) to ([+-]0\.\d{3})\)<", text["effects"])
    means = {f"{entry.wf1.mean:+.3f}" for entry in comparisons(study.keys, study.records())}
    assert len(shown) == 30 and {mean for mean, _, _ in shown} == means
    assert text["ratios"].count('stroke-dasharray="5 3"') == 4  # none, in each panel
    assert text["ratios"].count("<polyline") == 2 * (3 + 2)
    assert all(f">{2 * fold + 1:02d}<" in text["speakers"] for fold in range(6))
    assert text["bytes"].count("<circle") == 1 + 4  # none: in the legend, and of each corpus and backbone
    assert text["bytes"].count("<polygon") == 2 + 30
    assert all("374 of 374 parts done" in picture for picture in text.values())


def test_pictures_load_nothing(whole):
    for path in pictures(whole[0]):
        root = ElementTree.fromstring(path.read_text())
        assert {element.tag.rpartition("}")[2] for element in root.iter()} <= {
            "svg", "title", "rect", "text", "line", "polyline", "polygon", "circle"}
        assert (root.get("width"), root.find("{*}title").text[:4]) == ("360", path.read_text()[
            path.read_text().index("<title>") + 7:][:4])


def luminance(colour: str) -> float:
    channels = [int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5)]
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def test_text_and_lines_stand_out():
    assert luminance("#ffffff") == pytest.approx(1) and luminance("#000000") == 0
    contrast = {colour: 1.05 / (luminance(colour) + 0.05) for colour in (svg.INK, svg.SOFT, *svg.COLOURS)}
    assert min(contrast.values()) >= 4.5, contrast
    assert len(set(zip(svg.COLOURS, svg.MARKS, strict=True))) == 6


@pytest.mark.skipif(find_browser() is None, reason="no browser is installed")
def test_no_text_leaves_the_picture_or_covers_another(whole, tmp_path):
    """At 360 pixels, as a phone shows it."""
    script = """(() => { const boxes = [...document.querySelectorAll('text')].map(t => [t.textContent,
        t.getBoundingClientRect()]); const bad = [];
        for (const [s, b] of boxes) if (b.left < 0 || b.right > 360 || b.height < 11) bad.push('outside ' + s);
        boxes.forEach(([s, a], i) => boxes.slice(i + 1).forEach(([t, b]) => { if (a.left < b.right - 1
            && b.left < a.right - 1 && a.top < b.bottom - 3 && b.top < a.bottom - 3) bad.push(s + ' on ' + t); }));
        return JSON.stringify([boxes.length, bad]); })()"""
    with Browser(find_browser(), tmp_path) as browser:
        for path in pictures(whole[0]):
            browser.open(path, width=360)
            count, bad = json.loads(browser.evaluate(script))
            assert count > 20 and bad == [], path.name


@pytest.mark.parametrize(("low", "high", "expected"), [
    (0.0, 1.0, [0.0, 0.2, 0.4, 0.6, 0.8, 1.0]), (-0.03, 0.04, [-0.04, -0.02, 0.0, 0.02, 0.04]),
    (76_000, 96_500, [75_000, 80_000, 85_000, 90_000, 95_000, 100_000])])
def test_round_numbers_hold_the_values(low, high, expected):
    assert svg.ticks(low, high) == pytest.approx(expected)


@pytest.mark.parametrize("value", [0.0, 0.61, -3.0, 96_000.0])
def test_one_value_has_a_scale_too(value):
    scale = svg.Scale([value], 0, 100)
    assert scale.marks[0] <= value <= scale.marks[-1] and math.isfinite(scale(value))
