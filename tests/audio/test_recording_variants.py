"""Augmentation of recordings: each effect against what physics says of it."""

from __future__ import annotations

import numpy as np
import pytest

from tfser.audio import augment
from tfser.audio.augment import change_gain, change_speed, noisy, reverberate, tilt, variant, variants

RATE_HZ = 16000
#: A tone's level after a filter or a resampler whose edges and ripple remain.
LEVEL_DB = 0.2


def tone(frequency_hz: float, seconds: float = 1.0, amplitude: float = 0.3) -> np.ndarray:
    time_s = np.arange(int(seconds * RATE_HZ)) / RATE_HZ
    return (amplitude * np.sin(2 * np.pi * frequency_hz * time_s)).astype(np.float32)


def level_db(y: np.ndarray) -> float:
    """Of the middle, which no edge reaches."""
    inner = y[len(y) // 4 : -len(y) // 4].astype(np.float64)
    return float(10 * np.log10(np.mean(inner**2)))


def loudest_hz(y: np.ndarray) -> float:
    return float(np.argmax(np.abs(np.fft.rfft(y * np.hanning(len(y))))) * RATE_HZ / len(y))


def drawn(seed: int, *ranges: tuple[float, float]) -> list[float]:
    """What a function draws first from ``default_rng(seed)``."""
    rng = np.random.default_rng(seed)
    return [rng.uniform(*limits) for limits in ranges]


@pytest.mark.parametrize("seed", [0, 2, 3, 4])
def test_speed_moves_pitch_and_length_alike(seed):
    speed, = drawn(seed, augment.SPEED)
    y = change_speed(tone(1000), RATE_HZ, np.random.default_rng(seed))
    assert len(y) == pytest.approx(RATE_HZ / speed, abs=2) and abs(speed - 1) > 0.01
    assert loudest_hz(y) == pytest.approx(1000 * speed, abs=2 * RATE_HZ / len(y))
    assert level_db(y) == pytest.approx(level_db(tone(1000)), abs=LEVEL_DB)


@pytest.mark.parametrize("seed", [0, 2, 3, 4])
def test_a_room_answers_a_click_with_a_decay(seed):
    """Backward integration (Schroeder 1965): the energy that is still to come falls by 60 dB in the T60."""
    t60_s, ratio_db = drawn(seed, augment.T60_S, augment.DIRECT_TO_ECHO_DB)
    click = np.zeros(RATE_HZ, np.float32)
    click[0] = 1
    y = reverberate(click, RATE_HZ, np.random.default_rng(seed)).astype(np.float64)
    assert y[0] == pytest.approx(1, abs=1e-5)
    assert -10 * np.log10(np.sum(y[1:] ** 2)) == pytest.approx(ratio_db, abs=LEVEL_DB)
    left_db = 10 * np.log10(np.cumsum(y[:0:-1] ** 2)[::-1] / np.sum(y[1:] ** 2) + 1e-12)
    falls = (left_db < -5) & (left_db > -25)
    slope, _ = np.polyfit(np.flatnonzero(falls) / RATE_HZ, left_db[falls], 1)
    assert -60 / slope == pytest.approx(t60_s, rel=0.1)


@pytest.mark.parametrize("pink", [False, True])
@pytest.mark.parametrize("snr_db", [0.0, 20.0])
def test_noise_has_the_power_and_the_colour_asked_for(pink, snr_db):
    y = tone(440, seconds=4)
    added = (noisy(y, snr_db, np.random.default_rng(3), pink=pink) - y).astype(np.float64)
    assert 10 * np.log10(np.mean(y.astype(np.float64) ** 2) / np.mean(added**2)) == pytest.approx(snr_db, abs=0.01)
    power = np.abs(np.fft.rfft(added)) ** 2
    octaves = [power[4 * low : 8 * low].mean() for low in (100, 200, 400, 800, 1600)]  # 4 bins a hertz
    fall_db = np.polyfit(range(5), 10 * np.log10(octaves), 1)[0]
    assert fall_db == pytest.approx(-3.01 if pink else 0, abs=0.3)


def test_nothing_is_added_to_nothing():
    assert not noisy(np.zeros(1000, np.float32), 10, np.random.default_rng(0)).any()


@pytest.mark.parametrize("seed", [0, 2, 3, 4])
def test_a_tilt_turns_around_its_centre(seed):
    slope_db, = drawn(seed, augment.TILT_DB_PER_OCTAVE)
    assert abs(slope_db) > 0.2
    for octave in (-1, 0, 1, 2):
        y = tone(augment.TILT_CENTRE_HZ * 2.0**octave)
        changed = tilt(y, RATE_HZ, np.random.default_rng(seed))
        assert len(changed) == len(y)
        assert level_db(changed) - level_db(y) == pytest.approx(slope_db * octave, abs=LEVEL_DB)


def test_a_tilt_does_not_delay():
    click = np.zeros(1000, np.float32)
    click[400] = 1
    assert int(np.argmax(np.abs(tilt(click, RATE_HZ, np.random.default_rng(1))))) == 400


@pytest.mark.parametrize("seed", range(6))
def test_gain_clips_at_full_scale(seed):
    gain_db, = drawn(seed, augment.GAIN_DB)
    y = tone(440, amplitude=0.9)
    changed = change_gain(y, RATE_HZ, np.random.default_rng(seed))
    scaled = y.astype(np.float64) * 10 ** (gain_db / 20)
    np.testing.assert_allclose(changed, np.clip(scaled, -1, 1), atol=1e-6)


def test_both_loud_and_soft_gains_are_drawn():
    peaks = [change_gain(tone(440), RATE_HZ, np.random.default_rng(seed)).max() for seed in range(20)]
    assert min(peaks) < 0.1 and max(peaks) > 0.6


def test_variants_follow_from_seed_number_and_name():
    y = tone(700) + noisy(tone(300), 10, np.random.default_rng(0))
    before = y.copy()
    first, again, more, other_seed, other_name = (
        list(variants(y, RATE_HZ, count, seed=seed, name=name))
        for count, seed, name in ((3, 1, "a"), (3, 1, "a"), (5, 1, "a"), (3, 2, "a"), (3, 1, "b")))
    for one, two, three in zip(first, again, more, strict=False):
        np.testing.assert_array_equal(one, two)
        np.testing.assert_array_equal(one, three)
    everything = [x.tobytes() for x in (*more, *other_seed, *other_name)]
    assert len(set(everything)) == len(everything) == 11
    np.testing.assert_array_equal(y, before)


@pytest.mark.parametrize("samples", [1, 7, 300, 20000])
def test_every_length_and_silence_stay_finite(samples):
    for y in (np.zeros(samples, np.float32), tone(440, 2)[:samples]):
        for seed in range(20):
            changed = variant(y, RATE_HZ, np.random.default_rng(seed))
            assert changed.dtype == np.float32 and np.isfinite(changed).all()
            assert abs(len(changed) - samples) <= 0.12 * samples + 1
