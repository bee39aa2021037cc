"""Scores, with scikit-learn as the oracle."""

from __future__ import annotations

import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn import metrics as oracle

from tfser.files import canonical_json
from tfser.training.metrics import confusion_matrix, f1_scores, macro_f1, recalls, score, uar, wa, wf1

CLASSES = 5
pairs = st.lists(st.tuples(st.integers(0, CLASSES - 1), st.integers(0, CLASSES - 1)), min_size=1, max_size=60)


@pytest.mark.filterwarnings("ignore:y_pred contains classes not in y_true")
@given(pairs)
def test_scikit_learn_agrees(drawn):
    true, predicted = np.array(drawn).T
    matrix = confusion_matrix(true, predicted, CLASSES)
    np.testing.assert_array_equal(matrix, oracle.confusion_matrix(true, predicted, labels=range(CLASSES)))
    assert wf1(matrix) == pytest.approx(oracle.f1_score(true, predicted, average="weighted", zero_division=0))
    assert macro_f1(matrix) == pytest.approx(oracle.f1_score(true, predicted, average="macro", zero_division=0))
    assert uar(matrix) == pytest.approx(oracle.balanced_accuracy_score(true, predicted))
    assert wa(matrix) == pytest.approx(oracle.accuracy_score(true, predicted))


@given(pairs)
def test_scikit_learn_agrees_for_each_class(drawn):
    true, predicted = np.array(drawn).T
    matrix = confusion_matrix(true, predicted, CLASSES)
    expected = {"labels": range(CLASSES), "average": None, "zero_division": np.nan}
    np.testing.assert_allclose(recalls(matrix), oracle.recall_score(true, predicted, **expected))
    np.testing.assert_allclose(f1_scores(matrix), oracle.f1_score(true, predicted, **expected))


def test_the_score_that_is_weighted_is_not_the_one_that_is_not():
    matrix = np.array([[90, 0], [10, 0]])
    assert wf1(matrix) == pytest.approx(0.9 * 180 / 190)
    assert uar(matrix) == 0.5 and wa(matrix) == 0.9 and macro_f1(matrix) == pytest.approx(90 / 190)


def test_a_class_that_nobody_says_is_left_out():
    scores = score(np.array([0, 0, 1]), np.array([0, 2, 1]), ["a", "b", "c", "d"], ["x", "x", "y"])
    assert scores["classes"]["c"] == {"support": 0, "recall": None, "f1": 0.0}  # predicted once, never true
    assert scores["classes"]["d"] == {"support": 0, "recall": None, "f1": None}
    assert scores["uar"] == pytest.approx((1 / 2 + 1) / 2)
    assert scores["macro_f1"] == pytest.approx((2 / 3 + 1 + 0) / 3)


def test_speakers_are_scored_apart():
    scores = score(np.array([0, 1, 0, 1]), np.array([0, 1, 1, 1]), ["a", "b"], ["x", "x", "y", "y"])
    assert scores["speakers"] == {"x": {"utterances": 2, "uar": 1.0, "wa": 1.0, "confusion": [[1, 0], [0, 1]]},
                                  "y": {"utterances": 2, "uar": 0.5, "wa": 0.5, "confusion": [[0, 1], [0, 1]]}}
    assert scores["speaker_spread"] == {"uar_min": 0.5, "uar_max": 1.0, "uar_std": 0.25}


def test_scores_are_json():
    scores = score(np.array([0, 0]), np.array([1, 1]), ["a", "b", "c"], ["x", "y"])
    assert json.loads(canonical_json(scores)) == scores
