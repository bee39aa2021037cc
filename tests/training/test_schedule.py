"""Warm-up, cosine and line, by their algebra."""

from __future__ import annotations

import numpy as np
import pytest

from tfser.spec import SCHEDULES
from tfser.training.schedule import REMAINS, learning_rate

STEPS, WARMUP, PEAK = 200, 20, 2e-3


def rate(step: int) -> float:
    return learning_rate(step, STEPS, peak=PEAK, warmup_fraction=WARMUP / STEPS)


def test_every_schedule_that_a_recipe_may_name_is_there():
    assert tuple(REMAINS) == SCHEDULES


def test_the_warm_up_is_a_line_that_ends_at_the_peak():
    np.testing.assert_allclose([rate(step) for step in range(WARMUP)], PEAK * np.arange(1, WARMUP + 1) / WARMUP)


def test_the_cosine_starts_at_the_peak_is_half_in_the_middle_and_symmetric():
    falling = np.array([rate(step) for step in range(WARMUP, STEPS + 1)])
    assert falling[0] == PEAK and falling[-1] == pytest.approx(0, abs=1e-18)
    assert falling[len(falling) // 2] == pytest.approx(PEAK / 2)
    np.testing.assert_allclose(falling + falling[::-1], PEAK)
    assert (np.diff(falling) < 0).all()


def test_the_line_falls_by_equal_steps_to_zero():
    falling = [learning_rate(step, STEPS, peak=PEAK, warmup_fraction=WARMUP / STEPS, schedule="linear")
               for step in range(WARMUP, STEPS + 1)]
    np.testing.assert_allclose(falling, PEAK * np.linspace(1, 0, STEPS - WARMUP + 1), atol=1e-18)


def test_constant_is_constant_after_the_same_warm_up():
    rates = [learning_rate(step, STEPS, peak=PEAK, warmup_fraction=WARMUP / STEPS, schedule="constant")
             for step in range(STEPS)]
    assert rates[:WARMUP] == [rate(step) for step in range(WARMUP)] and set(rates[WARMUP:]) == {PEAK}


@pytest.mark.parametrize("schedule", SCHEDULES)
@pytest.mark.parametrize("steps", [1, 2, 3])
def test_the_shortest_trainings_learn(steps, schedule):
    rates = [learning_rate(step, steps, peak=PEAK, warmup_fraction=0.1, schedule=schedule) for step in range(steps)]
    assert rates[0] == PEAK and all(0 < rate <= PEAK for rate in rates)
