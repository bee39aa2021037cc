"""tools/results_page.py: the committed page is that of the committed files, and its numbers are theirs."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from tfser.training.intervals import bootstrap_mean, paired_bootstrap, to_json
from tfser.training.metrics import score
from tools.crossvalidate import commands_of, summarise
from tools.results_page import PAGE, ROOT, page

LABELS = ("calm", "angry", "sad")
FOLDS = (("01", "02"), ("03", "04"), ("05", "06"))


def test_the_committed_page_is_that_of_the_committed_files():
    assert (ROOT / PAGE).read_text(encoding="utf-8") == page(ROOT), "run python tools/results_page.py"


def run(corpus: str, *, int8: bool = False) -> dict:
    """What tools/crossvalidate.py leaves of three folds and two seeds."""
    rng = np.random.default_rng(0)
    results: dict[tuple[int, int], dict] = {}
    for fold, speakers in enumerate(FOLDS):
        for seed in range(2):
            true = rng.integers(3, size=60)
            of_float = np.where(rng.random(60) < 0.7, true, 0)
            of_int8 = np.where(np.arange(60) < seed, 1 - of_float % 2, of_float)  # seed 1 changes one label
            tested, deployed = (score(true, answers, LABELS, [*speakers] * 30) for answers in (of_float, of_int8))
            results[fold, seed] = {"test": tested, "int8": {"utterances": 60, "float": tested, "int8": deployed,
                                                            "same_label": int((of_float == of_int8).sum())}}
    options = {"corpus": corpus, "arch": "conformer", "size": "small", "hrf_ratio": "2", "hrf_sites": "ffn"}
    summary = {**summarise(results, options), "commands": commands_of(options, 2, Path("runs", corpus)),
               "parameters": {"trained": 156_327, "deployed": 65_767}}
    return summary if int8 else {**summary, "int8": None}


@pytest.fixture
def folder(tmp_path) -> Path:
    (tmp_path / "crossvalidate").mkdir()
    for name, summary in (("emodb-a", run("emodb", int8=True)), ("ravdess-a", run("ravdess"))):
        (tmp_path / "crossvalidate" / f"{name}.json").write_text(json.dumps(summary, sort_keys=True))
    return tmp_path


def rows(text: str, first: str) -> list[list[str]]:
    """The cells of the rows whose first cell is this."""
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in text.splitlines()
            if line.startswith(f"| {first} |")]


def test_means_and_intervals_are_those_of_the_parts(folder):
    text, summary = page(folder), run("emodb", int8=True)
    scores, int8 = rows(text, "emodb-a")
    values, folds = [part["wf1"] for part in summary["parts"]], [part["fold"] for part in summary["parts"]]
    interval = bootstrap_mean(values, folds)
    assert scores[1:7] == ["conformer small", "x2 at ffn", "65,767", "train", "3 x 2", f"{np.mean(values):.3f}"]
    assert scores[-2:] == [f"{interval.low:.3f} to {interval.high:.3f}", f"{np.std(values, ddof=1):.3f}"]
    assert int8[2] == f"{summary['int8']['test']['wf1']['drop']['mean']:+.4f}"
    assert int8[-2:] == [f"{357 / 360:.2%} of 360", f"{59 / 60:.2%}"]


def test_a_label_has_its_interval_over_all_speakers(folder):
    text, summary = page(folder), run("emodb")
    assert "emodb-a, all 6 speakers, each tested once a seed" in text
    angry = summary["pooled"]["classes"]["angry"]
    found = rows(text, "angry")[0]
    assert found[1:3] == [str(angry["support"] // 2), f"{angry['recall']:.3f}"] and " to " in found[3]


def test_each_corpus_names_its_terms_and_its_commands(folder):
    text = page(folder)
    emodb, ravdess = text.split("## ")[1:]
    assert "CC0-1.0" in emodb and "CC BY-NC-SA 4.0" in ravdess
    assert "python tools/crossvalidate.py --arch conformer --corpus ravdess " in ravdess and "# ravdess-a\n" in ravdess
    assert "int8" in emodb and "int8" not in ravdess  # where it was not scored, nothing is said


def test_a_study_says_how_much_of_it_was_run(tmp_path):
    folder = tmp_path / "study"
    (folder / "plots").mkdir(parents=True)
    (folder / "plots" / "effect.svg").touch()
    (folder / "results.csv").touch()
    (folder / "commands.txt").write_text("tfser bench reparam --corpus emodb --root ROOT --out OUT\n")
    difference = paired_bootstrap([0.01, 0.02, 0.03, 0.02], range(4))
    named = {"corpus": "emodb", "arch": "conformer", "sites": "ffn", "depth": 2, "ahead": 4, "pairs": 4,
             "planned_pairs": 4, "failed_pairs": 0}
    (folder / "summary.json").write_text(json.dumps({
        "run": {"planned": 12, "done": 8, "failed": 1}, "recipe": {"epochs": "65"},
        "comparisons": [{**named, "kind": "hrf", "ratio": 2, "test_wf1": to_json(difference), "p_holm": 0.0004},
                        {**named, "kind": "low-rank", "ratio": 0.5, "p_holm": None}],
        "best": [{**named, "kind": "hrf", "ratio": 2, "settings": 3, "validation_wf1": 0.051,
                  "test_wf1": to_json(difference)}]}))
    text = page(tmp_path)
    assert "8 of 12 parts done, 1 failed; 3 were not run." in text
    hrf, control, best = rows(text, "emodb")
    assert best[5:] == ["3", "+0.051", *hrf[5:7]]
    assert hrf[5:7] == ["+0.020", f"{difference.low:+.3f} to {difference.high:+.3f}"]
    assert hrf[8:] == ["< 0.001", "4/4", "–", "4 of 4", "0"]
    assert control[3] == "0.5 (low-rank)" and set(control[5:9]) == {"–"}
    assert "![effect](study/plots/effect.svg)" in text and "[results.csv](study/results.csv)" in text
    assert "tfser bench reparam --corpus emodb" in text and "epochs 65" in text


def test_a_folder_with_nothing_in_it(tmp_path):
    assert page(tmp_path).startswith("# Results") and "| --- |" not in page(tmp_path)
