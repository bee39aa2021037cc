"""Agreement and accuracy on outputs written by hand."""

import numpy as np

from tfser.validate.accuracy import AGREEMENT_MIN, Truth, accuracy, agreement, quantize

LABELS = ("anger", "neutral", "sadness")


def test_quantize_rounds_and_clips():
    x = np.array([-100.0, -0.06, -0.04, 0.0, 0.04, 0.06, 100.0], np.float32)
    assert quantize(x, 0.1, 3).tolist() == [-128, 2, 3, 3, 3, 4, 127]


def test_agreement_counts_labels():
    outputs = np.eye(3, dtype=np.int8)[[0, 1, 2, 0]]
    found = agreement(outputs, np.eye(3)[[0, 1, 2, 1]] * 7.5)
    assert (found.clips, found.agree, found.share, found.within_bound) == (4, 3, 0.75, False)
    assert found.confusion == [[1, 0, 0], [1, 1, 0], [0, 0, 1]]  # the float model's labels in rows


def test_agreement_at_its_bound():
    logits = np.eye(3)[[0] * 20]
    for wrong, passes in ((1, True), (2, False)):
        outputs = np.eye(3, dtype=np.int8)[[1] * wrong + [0] * (20 - wrong)]
        assert agreement(outputs, logits).within_bound == passes == ((20 - wrong) / 20 >= AGREEMENT_MIN)


def test_accuracy_scores_only_the_speakers_that_count():
    heard = np.eye(3)[[0, 1, 2, 2]]
    truth = Truth(np.array([0, 0, 2, 1]), LABELS, ["a", "a", "b", "b"], np.array([True, True, False, False]), "test",
                  np.arange(4))
    scores = accuracy(heard, truth)
    assert (scores["utterances"], scores["wa"], list(scores["speakers"])) == (2, 0.5, ["a"])


def test_accuracy_scores_the_mean_of_a_recordings_windows():
    """Two of three windows say neutral, the third is surer of anger."""
    heard = np.array([[0.4, 0.6, 0.0], [0.9, 0.1, 0.0], [0.4, 0.6, 0.0], [0.1, 0.2, 0.7]])
    truth = Truth(np.array([0, 2]), LABELS, ["a", "b"], np.array([True, True]), "all", np.array([0, 0, 0, 1]))
    scores = accuracy(heard, truth)
    assert (scores["utterances"], scores["wa"]) == (2, 1.0)
