"""The page's section about the model card: intervals of the model that was scored last, data, limits, warnings."""

from __future__ import annotations

import copy

import pytest
from documents import BARE, DEPLOYED, MANIFEST
from outlines import outline

from tfser.report.model_card import model_card


@pytest.fixture
def manifest():
    return copy.deepcopy(MANIFEST)


@pytest.mark.parametrize("shown", [
    "Intervals over the 4 recordings of these speakers alone", "Test speakers, float model score value 95 % interval",
    "WF1 0.500 0.281 to 0.719", "fear 0.750 0.281 to 0.719 4", "anger – – 0", "terms published as CC0-1.0",
    "cite Burkhardt et al.", "Its corpus is acted", "Article 5(1)(f) prohibits", "Article 50(3)", "Diagnosis"])
def test_what_the_section_says(manifest, shown):
    assert shown in outline(manifest).text


def test_the_int8_model_where_it_was_scored(manifest):
    text = outline({**manifest, "deployed": DEPLOYED}).text
    assert "Test speakers, int8 model score value 95 % interval WF1 0.750 0.613 to 0.719 UAR 0.500 –" in text
    assert "Intervals over 6 speakers" in text


def test_weights_from_non_commercial_data_say_so_first(manifest):
    assert "NON-COMMERCIAL" not in model_card(manifest)
    manifest["card"]["corpora"].append({**manifest["card"]["corpora"][0], "name": "ravdess", "commercial": False})
    assert "NON-COMMERCIAL: trained on ravdess, whose licence forbids" in model_card(manifest)


def test_terms_that_nobody_knows_are_said_to_be_unknown(manifest):
    manifest["card"]["corpora"][0].update(name=None, commercial=None, acted=None)
    page = model_card(manifest)
    assert "Terms of the training data not known" in page and "an unknown corpus" in page
    assert "Its corpus is acted" not in page


def test_scores_of_a_model_that_nobody_was_left_to_test(manifest):
    manifest["card"]["scores"] = {}
    page = model_card(manifest)
    assert "95 %" not in page and "Intended use" in page


def test_scores_of_an_older_version_have_no_intervals(manifest):
    manifest["card"]["scores"]["test"]["intervals"] = {}
    assert "no confusion matrix for each speaker" in model_card(manifest)


def test_a_build_without_a_card():
    assert "Not recorded in this build: manifest.json has no" in model_card(BARE)
