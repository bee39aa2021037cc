"""Variants of the recordings in a training: heard by those who train, drawn like other windows, repeatable."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from tiny_corpus import make_corpus

from tfser.audio.augment import variants
from tfser.audio.io import read_audio
from tfser.cli.train import hear_variants
from tfser.corpora import load_corpus
from tfser.corpora.splits import make_split
from tfser.features.clips import heard_features
from tfser.features.dataset import corpus_features
from tfser.models.checkpoint import read_checkpoint
from tfser.spec import FeatureSpec, ModelSpec, TrainSpec
from tfser.training.data import Clips, with_variants
from tfser.training.run import Training, train


@pytest.fixture(scope="module")
def corpus(tmp_path_factory):
    return load_corpus("emodb", make_corpus(tmp_path_factory.mktemp("corpus"), takes=2))


@pytest.fixture(scope="module")
def training(corpus):
    return Training(ModelSpec("convtransformer", corpus.labels), FeatureSpec(),
                    TrainSpec(epochs=1, batch_size=8, waveform_variants=3, seed=7), make_split(corpus, folds=4))


@pytest.fixture(scope="module")
def data(corpus, training):
    return hear_variants(corpus_features(corpus, FeatureSpec()), corpus, training)


def test_they_are_of_the_speakers_who_train_alone(data, training, corpus):
    heard = data.variants()
    assert set(heard.speakers) == set(training.split.train)
    assert len(heard.x) == 3 * len(heard.ids) and set(np.bincount(heard.owner)) == {3}
    utterance = next(one for one in corpus.utterances if one.id == heard.ids[1])
    y = read_audio(utterance.path, 16000)
    expected = [heard_features(z, FeatureSpec())[0] for z in variants(y, 16000, 3, seed=7, name=utterance.id)]
    np.testing.assert_array_equal(heard.x[heard.owner == 1], expected)
    np.testing.assert_array_equal(data.variants().x, heard.x)


def test_without_them_nothing_is_heard_twice(corpus, training):
    plain = dataclasses.replace(training, recipe=dataclasses.replace(training.recipe, waveform_variants=0))
    data = corpus_features(corpus, FeatureSpec())
    assert hear_variants(data, corpus, plain) is data


def test_each_window_is_drawn_as_often_as_another():
    def clips(values, owner):
        x = np.array(values, np.float32)[:, None, None]
        return Clips(x, np.array(owner), np.array([0, 1]), np.array(["a", "b"]))

    both = with_variants(clips([0, 10, 11], [0, 1, 1]), clips([1, 2, 12, 13], [0, 0, 1, 1]))
    assert both.owner.tolist() == [0, 0, 0, 1, 1, 1, 1] and both.x.ravel().tolist() == [0, 1, 2, 10, 11, 12, 13]
    drawn = np.stack([both.x[both.draw(np.random.default_rng(seed))].ravel() for seed in range(3000)])
    for column, expected in zip(drawn.T, ([0, 1, 2], [10, 11, 12, 13]), strict=True):
        values, counts = np.unique(column, return_counts=True)
        assert values.tolist() == expected and counts.min() > 0.8 * 3000 / len(expected)


def test_variants_of_other_recordings_are_refused():
    one = Clips(np.zeros((1, 1, 1), np.float32), np.zeros(1, int), np.array([0]), np.array(["a"]))
    with pytest.raises(ValueError, match="other utterances"):
        with_variants(one, dataclasses.replace(one, labels=np.array([1])))


def test_they_change_what_is_learnt_and_nothing_else(data, training, tmp_path):
    weights, metrics = {}, {}
    for name, recipe in (("with", training.recipe), ("again", training.recipe),
                         ("without", dataclasses.replace(training.recipe, waveform_variants=0))):
        chosen = dataclasses.replace(training, recipe=recipe)
        result = train(chosen, data, tmp_path / name, resume=False, on_epoch=lambda entry: None)
        weights[name], metrics[name] = read_checkpoint(tmp_path / name / "checkpoint.npz")[1], result
    kernel = "head/logits/kernel"
    np.testing.assert_array_equal(weights["with"][kernel], weights["again"][kernel])
    assert not np.array_equal(weights["with"][kernel], weights["without"][kernel])
    assert metrics["with"].features == metrics["without"].features  # fitted to the recordings as they are
    assert metrics["with"].metrics["test"]["utterances"] == metrics["without"].metrics["test"]["utterances"] == 8


def test_a_recipe_with_variants_needs_them(data, training, tmp_path):
    with pytest.raises(ValueError, match="waveform_variants"):
        train(training, dataclasses.replace(data, variants=None), tmp_path / "run", resume=False,
              on_epoch=lambda entry: None)
