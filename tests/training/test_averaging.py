"""The average of the weights: its equation, and that it is what is scored and kept."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from test_loop import MODEL, RECIPE, easy_clips

from tfser.models.checkpoint import get_weights
from tfser.training.loop import Trainer, predictor

DECAY = 0.6


def steps_and_average(decay: float) -> tuple[list[dict[str, np.ndarray]], Trainer]:
    """The weights before the first step and after each of eight, and the trainer after them.

    The steps are whole epochs here, of one batch each, because nothing can look between the steps of one.
    """
    clips = easy_clips(16)
    trainer = Trainer(MODEL, dataclasses.replace(RECIPE, batch_size=16, average_decay=decay), clips)
    seen = [get_weights(trainer.model)]
    for epoch in range(8):
        trainer.run_epoch(epoch)
        seen.append(get_weights(trainer.model))
    return seen, trainer


@pytest.fixture(scope="module")
def averaged() -> tuple[list[dict[str, np.ndarray]], Trainer]:
    return steps_and_average(DECAY)


def test_the_equation(averaged):
    """With ``decay`` 0.6 the warm-up (1 + k) / (10 + k) holds it back at every one of the eight steps but not later."""
    seen, trainer = averaged
    result = get_weights(trainer.result)
    assert result.keys() == seen[0].keys() and any(name.endswith("moving_variance") for name in result)
    for name, value in result.items():
        expected = seen[0][name].astype(np.float64)
        for step, weights in enumerate(seen[1:], start=1):
            decay = min(DECAY, (1 + step) / (10 + step))
            expected = decay * expected + (1 - decay) * weights[name]
        np.testing.assert_allclose(value, expected, rtol=2e-5, atol=2e-6, err_msg=name)
        if value.std() > 0:
            assert not np.array_equal(value, seen[-1][name]), name


def test_the_average_is_scored_and_the_model_is_not(averaged):
    _, trainer = averaged
    x = easy_clips(16).x
    np.testing.assert_allclose(trainer.probabilities(x), predictor(trainer.result)(x), atol=1e-6)
    assert np.abs(trainer.probabilities(x) - predictor(trainer.model)(x)).max() > 1e-3


def test_averaging_does_not_change_what_is_averaged(averaged):
    """The model under training, and so dropout, order and augmentation, are as without."""
    plain, trainer = steps_and_average(0.0)
    assert trainer.result is trainer.model
    for name, value in averaged[0][-1].items():
        np.testing.assert_array_equal(value, plain[-1][name], err_msg=name)
