"""tools/hints.py: nobody is judged by what their own recordings taught."""

from __future__ import annotations

import json

import numpy as np
import pytest
from tiny_corpus import make_corpus

from tfser.corpora import load_corpus
from tfser.corpora.splits import make_split
from tfser.errors import InputError
from tfser.training.hints import read_hints
from tools.hints import STRENGTHS, WIDTH, in_own_axes, judged, main

RNG = np.random.default_rng(1)
CLASSES = 3
LABELS = RNG.integers(CLASSES, size=60)
SPEAKERS = [f"speaker{index % 6}" for index in range(60)]
VECTORS = np.eye(CLASSES)[LABELS] @ RNG.standard_normal((CLASSES, 20)) + RNG.standard_normal((60, 20))


@pytest.fixture
def one_strength(monkeypatch):
    monkeypatch.setattr("tools.hints.STRENGTHS", STRENGTHS[1:2])


def test_what_is_judged_is_mostly_right_and_adds_up():
    probabilities, strength = judged(VECTORS, LABELS, SPEAKERS, CLASSES)
    assert strength in STRENGTHS and (probabilities.argmax(axis=1) == LABELS).mean() > 0.8
    np.testing.assert_allclose(probabilities.sum(axis=1), 1)


def test_a_speakers_own_labels_change_nothing_about_that_speaker(one_strength):
    own = np.array([speaker == "speaker2" for speaker in SPEAKERS])
    lied = np.where(own, (LABELS + 1) % CLASSES, LABELS)
    before, after = (judged(VECTORS, labels, SPEAKERS, CLASSES)[0] for labels in (LABELS, lied))
    np.testing.assert_array_equal(before[own], after[own])
    assert np.abs(before[~own] - after[~own]).max() > 0.01


def test_a_class_that_nobody_has_is_not_expected(one_strength):
    probabilities, _ = judged(VECTORS, LABELS + 1, SPEAKERS, CLASSES + 2)
    assert probabilities.shape == (60, 5) and not probabilities[:, [0, 4]].any()
    np.testing.assert_array_equal(probabilities[:, 1:4], judged(VECTORS, LABELS, SPEAKERS, CLASSES)[0])


def test_one_speaker_cannot_be_judged_by_others():
    with pytest.raises(InputError, match=r"TF-ENC-03.*one training speaker: a"):
        judged(VECTORS, LABELS, ["a"] * 60, CLASSES)


def test_its_axes_keep_distances_and_begin_with_the_longest():
    turned = in_own_axes(VECTORS)
    scaled = (VECTORS - VECTORS.mean(axis=0)) / VECTORS.std(axis=0)
    np.testing.assert_allclose(turned @ turned.T, scaled @ scaled.T, atol=1e-3)
    lengths = np.linalg.norm(turned, axis=0)
    assert (np.diff(lengths) <= 1e-9).all()


def test_every_fold_has_hints_for_those_who_train(tmp_path, capsys):
    root = make_corpus(tmp_path / "corpus", takes=2)
    main(["--corpus", "emodb", "--root", str(root), "--folds", "4", "--out", str(tmp_path / "hints")],
         standalone_mode=False)
    summary = json.loads(capsys.readouterr().out)
    corpus = load_corpus("emodb", root)
    assert len(summary["folds"]) == 4 and summary["commands"][0].startswith("python tools/hints.py --corpus emodb")
    for fold in range(4):
        split, found = make_split(corpus, folds=4, fold=fold), read_hints(tmp_path / "hints" / f"fold{fold}.npz")
        assert set(found.ids.tolist()) == {name for name, role in split.roles.items() if role == "train"}
        assert found.record()["fingerprint"] == split.fingerprint and "Whisper tiny.en" in found.source
        assert found.vectors.shape == (16, min(WIDTH, 16)) and summary["folds"][fold]["wf1"] > 0.7  # of four tones
