"""Warm-up and cosine, by their algebra."""

from __future__ import annotations

import numpy as np
import pytest

from tfser.training.schedule import learning_rate

STEPS, WARMUP, PEAK = 200, 20, 2e-3


def rate(step: int) -> float:
    return learning_rate(step, STEPS, peak=PEAK, warmup_fraction=WARMUP / STEPS)


def test_the_warm_up_is_a_line_that_ends_at_the_peak():
    np.testing.assert_allclose([rate(step) for step in range(WARMUP)], PEAK * np.arange(1, WARMUP + 1) / WARMUP)


def test_the_cosine_starts_at_the_peak_is_half_in_the_middle_and_symmetric():
    falling = np.array([rate(step) for step in range(WARMUP, STEPS + 1)])
    assert falling[0] == PEAK and falling[-1] == pytest.approx(0, abs=1e-18)
    assert falling[len(falling) // 2] == pytest.approx(PEAK / 2)
    np.testing.assert_allclose(falling + falling[::-1], PEAK)
    assert (np.diff(falling) < 0).all()


@pytest.mark.parametrize("steps", [1, 2, 3])
def test_the_shortest_trainings_learn(steps):
    rates = [learning_rate(step, steps, peak=PEAK, warmup_fraction=0.1) for step in range(steps)]
    assert rates[0] == PEAK and all(0 < rate <= PEAK for rate in rates)
