"""One model under training: what it learns, what it decays, what its randomness depends on."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from tfser.errors import CheckFailed
from tfser.models.checkpoint import get_weights
from tfser.spec import ModelSpec, TrainSpec
from tfser.training.data import Clips
from tfser.training.loop import Trainer, predictor

MODEL = ModelSpec("convtransformer", ("low", "high"))
RECIPE = TrainSpec(epochs=12, batch_size=16)


def easy_clips(n: int = 80) -> Clips:
    """Noise in which the label decides which half of the bands is louder."""
    rng = np.random.default_rng(0)
    labels = rng.integers(2, size=n)
    x = rng.standard_normal((n, MODEL.frames, MODEL.mel_bands), np.float32)
    for clip, label in zip(x, labels, strict=True):
        clip[:, 20 * label : 20 * (label + 1)] += 2
    return Clips(x, np.arange(n), labels, np.full(n, "x"))


def test_it_learns_what_is_easy():
    clips = easy_clips()
    trainer = Trainer(MODEL, RECIPE, clips)
    losses = [trainer.run_epoch(epoch) for epoch in range(RECIPE.epochs)]
    assert losses[-1] < 0.75 * losses[0]
    assert (trainer.probabilities(clips.x).argmax(axis=1) == clips.labels).mean() > 0.9


def test_an_epoch_depends_on_the_seed_and_its_number_alone():
    weights = []
    for seed, epoch in ((1, 3), (1, 3), (1, 4), (2, 3)):
        trainer = Trainer(MODEL, dataclasses.replace(RECIPE, seed=1), easy_clips(32))
        trainer.recipe = dataclasses.replace(RECIPE, seed=seed)  # the same start, another seed for the epoch
        trainer.run_epoch(epoch)
        weights.append(get_weights(trainer.model)["head/logits/kernel"])
    np.testing.assert_array_equal(weights[0], weights[1])
    assert not np.array_equal(weights[0], weights[2])
    assert not np.array_equal(weights[0], weights[3])


def test_dropout_follows_the_epoch():
    trainer = Trainer(MODEL, RECIPE, easy_clips(16))
    x = easy_clips(16).x

    def noisy(epoch: int) -> np.ndarray:
        trainer._seed_dropout(np.random.default_rng(epoch))
        return np.asarray(trainer.model(x, training=True))

    first, other, again = noisy(1), noisy(2), noisy(1)
    np.testing.assert_array_equal(first, again)
    assert not np.array_equal(first, other)


def test_biases_and_norms_do_not_decay():
    """With no gradient but the decay's, only matrices shrink."""
    trainer = Trainer(MODEL, RECIPE, easy_clips(16))
    before = get_weights(trainer.model)
    variables = trainer.model.trainable_variables
    trainer.optimizer.apply_gradients([(np.zeros(v.shape, np.float32), v) for v in variables])
    after = get_weights(trainer.model)
    moved = {name for name in before if not np.array_equal(before[name], after[name])}
    kernels = {name for name, value in before.items() if value.ndim > 1}
    assert moved == kernels
    decay = 1 - RECIPE.learning_rate * RECIPE.weight_decay
    np.testing.assert_allclose(after["head/logits/kernel"], decay * before["head/logits/kernel"], rtol=1e-5)


def test_a_training_that_diverges_says_so():
    clips = easy_clips(32)
    clips.x[0] = np.inf
    with pytest.raises(CheckFailed, match=r"TF-TRAIN-01.*epoch 1"):
        Trainer(MODEL, RECIPE, clips).run_epoch(0)


def test_fewer_clips_than_a_batch():
    trainer = Trainer(MODEL, dataclasses.replace(RECIPE, batch_size=32), easy_clips(5))
    assert np.isfinite(trainer.run_epoch(0))


def test_probabilities_do_not_depend_on_the_batch():
    trainer = Trainer(MODEL, RECIPE, easy_clips(16))
    x = easy_clips(150).x  # more than one batch of the predictor
    together = predictor(trainer.model)(x)
    assert together.shape == (150, 2)
    np.testing.assert_allclose(together.sum(axis=1), 1, rtol=1e-5)
    np.testing.assert_allclose(together[140], predictor(trainer.model)(x[140:141])[0], atol=1e-6)
