"""Recordings of several windows: one is drawn an epoch, all are heard for a score."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from tfser.features.dataset import FeatureSet
from tfser.features.normalise import band_normalise
from tfser.spec import FeatureSpec
from tfser.training.data import Clips, class_weights, mean_of, select, utterance_probabilities, windows_of

COUNTS = (1, 3, 2, 1)
OWNER = np.repeat(np.arange(4), COUNTS)
SPEC = FeatureSpec(frames=2, mel_bands=3, band_mean=(1.0, 2.0, 3.0), band_std=(1.0, 2.0, 4.0))


def feature_set() -> FeatureSet:
    x = np.arange(7 * 6, dtype=np.float32).reshape(7, 2, 3)
    names = np.array(list("abcd"))
    return FeatureSet(x, OWNER, np.array([0, 1, 1, 0]), np.array(list("xxyy")), names, names, ())


def test_one_window_of_each_utterance_is_drawn_and_all_come_up():
    clips = Clips(np.zeros((7, 1, 1)), OWNER, np.zeros(4, int), np.zeros(4, str))
    draws = np.array([clips.draw(np.random.default_rng(seed)) for seed in range(200)])
    np.testing.assert_array_equal(OWNER[draws], np.broadcast_to(np.arange(4), (200, 4)))
    assert set(draws.ravel().tolist()) == set(range(7))
    np.testing.assert_array_equal(draws[3], clips.draw(np.random.default_rng(3)))
    shares = np.bincount(draws[:, 1], minlength=4)[1:4] / 200
    assert shares.min() > 0.2


def test_select_takes_the_windows_with_their_utterances():
    data, chosen = feature_set(), np.array([False, True, False, True])
    clips = select(data, chosen, SPEC)
    assert clips.owner.tolist() == [0, 0, 0, 1] and clips.labels.tolist() == [1, 0]
    assert clips.speakers.tolist() == ["x", "y"] and clips.groups is not None and clips.groups.tolist() == ["b", "d"]
    np.testing.assert_array_equal(clips.x, band_normalise(data.x[[1, 2, 3, 6]], SPEC))
    np.testing.assert_array_equal(windows_of(data, chosen), data.x[[1, 2, 3, 6]])


def test_an_utterance_is_the_mean_of_its_windows():
    given = np.random.default_rng(0).dirichlet(np.ones(3), 7)
    clips = select(feature_set(), np.full(4, True), SPEC)

    def model(x: np.ndarray) -> np.ndarray:
        np.testing.assert_array_equal(x, clips.x)
        return given

    np.testing.assert_allclose(utterance_probabilities(clips, model),
                               [given[0], given[1:4].mean(axis=0), given[4:6].mean(axis=0), given[6]])


def test_the_mean_of_rows_in_any_order():
    values = np.array([[1.0], [2.0], [3.0], [6.0]])
    np.testing.assert_array_equal(mean_of(np.array([1, 0, 1, 0]), values), [[4.0], [2.0]])


@pytest.mark.parametrize("balance", [0.0, 0.5, 1.0])
def test_class_weights(balance):
    labels = np.array([0] * 6 + [1] * 2 + [3])
    weights = class_weights(labels, 5, balance)
    expected = [(9 / (3 * count)) ** balance for count in (6, 2, 1)]
    np.testing.assert_allclose(weights[[0, 1, 3]], expected, rtol=1e-6)
    assert weights[[2, 4]].tolist() == [0, 0] and weights.dtype == np.float32


def test_full_balance_makes_rare_classes_count_as_much_as_common_ones():
    """Every clip alike, three labelled so and one otherwise: unbalanced, the model leans to the common label."""
    from test_loop import MODEL, RECIPE

    from tfser.training.loop import Trainer

    labels = np.arange(32) % 4 // 3
    x = np.broadcast_to(np.random.default_rng(0).standard_normal((1, MODEL.frames, MODEL.mel_bands)), (
        32, MODEL.frames, MODEL.mel_bands)).astype(np.float32)
    shares = []
    for balance in (0.0, 1.0):
        recipe = dataclasses.replace(RECIPE, epochs=20, batch_size=32, class_balance=balance, mixup_alpha=0.0,
                                     label_smoothing=0.0, schedule="constant")
        trainer = Trainer(MODEL, recipe, Clips(x, np.arange(32), labels, np.full(32, "s")))
        for epoch in range(20):
            trainer.run_epoch(epoch)
        shares.append(float(trainer.probabilities(x[:1])[0, 1]))
    assert shares[0] < 0.35 and 0.4 < shares[1] < 0.6
