"""Each augmentation alone, on inputs whose result is known."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from tfser.spec import TrainSpec
from tfser.training.augment import augment, mask, mix, warp_frequency, warp_time

OFF = TrainSpec(mixup_alpha=0.0, frequency_warp=0.0, time_warp=0.0, shift_frames=0, frequency_masks=0, time_masks=0)
N, FRAMES, BANDS = 200, 30, 12
ATOL = 1e-5  # float32 interpolation of values to 30


def rng(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


def clips(seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    generator = rng(seed)
    x = generator.standard_normal((N, FRAMES, BANDS)).astype(np.float32)
    return x, np.eye(4, dtype=np.float32)[generator.integers(0, 4, N)]


def test_everything_off_changes_nothing():
    x, labels = clips()
    new_x, new_labels = augment(x, labels, OFF, rng())
    np.testing.assert_array_equal(new_x, x)
    np.testing.assert_array_equal(new_labels, labels)


def test_shapes_types_and_inputs_left_alone():
    x, labels = clips()
    before = x.copy()
    new_x, new_labels = augment(x, labels, TrainSpec(), rng())
    assert (new_x.shape, new_x.dtype) == (x.shape, np.float32) and (new_labels.shape, new_labels.dtype) == (
        labels.shape, np.float32)
    np.testing.assert_array_equal(x, before)
    assert np.isfinite(new_x).all()
    assert (np.abs(new_x - x).max(axis=(1, 2)) > 0).all()


def test_the_generator_decides():
    x, labels = clips()
    first, again, other = (augment(x, labels, TrainSpec(), rng(seed))[0] for seed in (1, 1, 2))
    np.testing.assert_array_equal(first, again)
    assert not np.array_equal(first, other)


def test_shift_moves_whole_frames_and_holds_the_ends():
    ramp = np.broadcast_to(np.arange(FRAMES, dtype=np.float32)[:, None], (N, FRAMES, BANDS))
    x = warp_time(ramp, dataclasses.replace(OFF, shift_frames=5), rng())
    shifts = x[:, 10, 0] - 10
    assert set(shifts.tolist()) == set(range(-5, 6))
    expected = np.clip(np.arange(FRAMES) + shifts[:, None], 0, FRAMES - 1)
    np.testing.assert_array_equal(x, np.broadcast_to(expected[:, :, None], x.shape))


@pytest.mark.parametrize("warp, field, axis", [(warp_time, "time_warp", 1), (warp_frequency, "frequency_warp", 2)])
def test_a_warped_ramp_is_a_ramp_of_another_slope(warp, field, axis):
    size = (FRAMES, BANDS)[axis - 1]
    ramp = np.arange(size, dtype=np.float32)
    x = warp(np.broadcast_to(np.expand_dims(ramp, 2 - axis), (N, FRAMES, BANDS)),
             dataclasses.replace(OFF, **{field: 0.2}), rng())
    lines = x.max(axis=3 - axis)
    np.testing.assert_array_equal(lines, x.min(axis=3 - axis))
    slope = lines[:, 1]
    assert 0.8 <= slope.min() < 0.85 and 1.15 < slope.max() <= 1.2
    np.testing.assert_allclose(lines, np.clip(slope[:, None] * ramp, 0, size - 1), atol=ATOL)


@pytest.mark.parametrize("axis, size", [(1, FRAMES), (2, BANDS)])
def test_a_mask_is_one_run_of_zeros_over_the_whole_other_axis(axis, size):
    x = mask(np.ones((N, FRAMES, BANDS), np.float32), axis, 1, 5, rng())
    lines = x.max(axis=3 - axis)
    np.testing.assert_array_equal(lines, x.min(axis=3 - axis))
    widths = (lines == 0).sum(axis=1)
    assert set(widths.tolist()) == set(range(6))
    assert (np.abs(np.diff(lines, prepend=1, append=1)).sum(axis=1) == np.where(widths > 0, 2, 0)).all()
    assert (lines == 0).any(axis=0).all(), "some position is never masked"


def test_several_masks_and_one_wider_than_the_clip():
    x = mask(np.ones((N, FRAMES, BANDS), np.float32), 2, 3, 2 * BANDS, rng())
    assert x.dtype == np.float32 and set(np.unique(x)) == {0, 1}


def test_mixup_mixes_labels_as_it_mixes_clips():
    _, labels = clips()
    values = np.array([1, 10, 100, 1000], np.float32)
    x = np.broadcast_to((labels @ values)[:, None, None], (N, FRAMES, BANDS))
    mixed, soft = mix(x, labels, 0.2, rng())
    np.testing.assert_allclose(soft.sum(axis=1), 1, atol=1e-6)
    assert soft.min() >= 0
    np.testing.assert_allclose(mixed[:, 3, 2], soft @ values, rtol=1e-5)
    strength = soft.max(axis=1)
    assert (strength > 0.99).any() and (strength < 0.7).any()


def test_one_clip_of_one_frame():
    x, labels = augment(np.ones((1, 1, 1), np.float32), np.ones((1, 1), np.float32), TrainSpec(), rng())
    assert x.shape == (1, 1, 1) and labels.tolist() == [[1.0]]
