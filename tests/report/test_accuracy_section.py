"""The section about accuracy: float beside int8, with the split that every number is about."""

from __future__ import annotations

import copy
import re

import pytest
from documents import BARE, CERTIFICATE, DEPLOYED, MANIFEST
from outlines import outline

from tfser.report.accuracy import accuracy
from tfser.report.page import render


def cells(page: str) -> list[list[tuple[str, str, str]]]:
    """Class, share and count of the cells of each confusion matrix."""
    return [re.findall(r'<td class="(\w+)" style="--share:([\d.]+%)">(\d+)</td>', matrix)
            for matrix in re.findall(r'<table class="confusion">.*?</table>', page)]


@pytest.fixture
def manifest():
    return copy.deepcopy(MANIFEST)


@pytest.fixture
def scored(manifest):
    """A build that ``tfser report --corpus`` has scored."""
    return {**manifest, "deployed": copy.deepcopy(DEPLOYED)}


@pytest.mark.parametrize("shown", [
    "4 recordings of emodb test speakers 03, 08 (fold 0 of 5), whom training never heard; split cdcdcdcdcdcd .",
    "the int8 model was not scored on them: tfser report DIR --corpus emodb --root PATH does that",
    "UAR 0.250", "WA 0.750", "macro-F1 0.125", "fear 0.75 4 anger – 0", "03 0.625 0.500 4",
    "0.500 WF1, float model emodb test speakers 03, 08 (fold 0 of 5)",
    "The int8 model gives the same label as the float model on 69 of 70 calibration clips."])
def test_the_float_model_alone(manifest, shown):
    assert shown in outline(manifest).text


@pytest.mark.parametrize("shown", [
    "The int8 model is the deployed file, run by TensorFlow Lite Micro's kernels; float is the checkpoint, on the",
    "WF1 0.500 0.750 +0.250", "UAR 0.250 0.500 +0.250", "0.750 WF1, int8 model",
    "Recall per class, int8 model label int8 float clips fear 1.00 0.75 4 anger – – 0",
    "Per speaker, int8 model speaker UAR WA clips 03 0.875 0.750 4", "same label as the float model on 3 of 4 test"])
def test_both_models(scored, shown):
    assert shown in outline(scored).text
    assert "was not scored" not in outline(scored).text


def test_a_loss_has_its_sign(scored):
    scored["deployed"]["int8"]["wf1"] = 0.4
    assert "WF1 0.500 0.400 -0.100" in outline(scored).text


def test_the_int8_model_without_a_float_one(scored):
    scored["deployed"]["float"] = None
    page = outline(scored)
    assert "WF1 0.750" in page.text
    assert "difference" not in page.text


def test_the_confusion_matrix_is_shaded_by_share_of_the_row(manifest):
    page = render(manifest, CERTIFICATE)
    true, decided = cells(page)
    assert true == [("right", "75.0%", "3"), ("wrong", "25.0%", "1"), ("none", "0.0%", "0"), ("none", "0.0%", "0")]
    assert [count for _, _, count in decided] == ["40", "1", "0", "29"]
    assert re.findall(r'<th scope="row">(\w+)</th><td class="(?:right|none)', page) == ["fear", "anger"] * 2


def test_matrices_of_both_models_stand_side_by_side(scored):
    counts = [[count for _, _, count in matrix] for matrix in cells(accuracy(scored))]
    assert counts == [["3", "1", "0", "0"], ["4", "0", "0", "0"], ["40", "1", "0", "29"], ["3", "0", "1", "0"]]


def test_a_confusion_matrix_without_the_order_of_its_labels_is_not_drawn(scored):
    del scored["labels"]
    page = outline(scored)
    assert "in rows" not in page.text
    assert "anger – – 0 fear 1.00 0.75 4" in page.text


def test_no_score_without_its_split(manifest):
    del manifest["split"]
    manifest["validation"] = None
    page = outline(manifest)
    assert "0.500" not in page.text
    assert "with the 'split' that says who they are" in page.text


def test_a_validation_of_an_earlier_version_has_no_matrix(manifest):
    del manifest["validation"]["checks"][1]["confusion"]
    assert len(cells(accuracy(manifest))) == 1
    assert "69 of 70 calibration clips" in accuracy(manifest)


def test_nothing_at_all():
    assert "Not recorded" in accuracy(BARE)


def test_speakers_that_overlap_are_marked(manifest):
    manifest["split"]["speaker_disjoint"] = True
    page = outline(manifest).text
    assert "whom training never heard" in page and "heard in training" not in page
    manifest["split"].update(speaker_disjoint=False, train_on="train+validation")
    page = outline(manifest).text
    assert "whom training never heard" not in page
    for shown in ("these scores say nothing about new speakers", "fold 0 of 5, heard in training",
                  "speakers of the test heard in training", "trained on train+validation"):
        assert shown in page
