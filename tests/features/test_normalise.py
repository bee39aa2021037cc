"""What normalisation removes and what it keeps; how recordings are cut."""

from __future__ import annotations

import dataclasses
import math

import numpy as np
import pytest
import soundfile

from tfser.errors import InputError
from tfser.features.logmel import log_mel
from tfser.features.normalise import (
    MIN_BAND_STD,
    band_normalise,
    features,
    fit_bands,
    level_normalise,
    level_rank,
    min_level,
)
from tfser.spec import FeatureSpec

SPEC = FeatureSpec()
SMALL = FeatureSpec(window_samples=64, hop_samples=32, fft_size=64, mel_bands=4, frames=5)
# Two roundings to float32 of values to 23 nats.
GAIN_ATOL = 4e-6


def speech_like(seed: int = 0) -> np.ndarray:
    """Noise whose loudness rises and falls by 60 dB."""
    time = np.linspace(0, 6 * math.pi, SPEC.clip_samples)
    return 10 ** (1.5 * np.sin(time) - 2.5) * np.random.default_rng(seed).standard_normal(SPEC.clip_samples)


@pytest.mark.parametrize("gain", [0.05, 0.3, 2.0, 50.0])
def test_a_gain_of_the_recording_cancels(gain):
    x = level_normalise(log_mel(speech_like(), SPEC), SPEC)
    assert x.dtype == np.float32 and x.min() == SPEC.level_floor_nats and x.max() > 0
    np.testing.assert_allclose(level_normalise(log_mel(gain * speech_like(), SPEC), SPEC), x, atol=GAIN_ATOL)


def test_the_level_of_a_ramp():
    x = np.random.default_rng(0).permutation(4000).astype(np.float32).reshape(100, 40)
    assert level_rank(SPEC) == 3959  # floor(0.99 * 3999)
    expected = np.maximum(x - 3959, np.float32(-9))
    np.testing.assert_array_equal(level_normalise(x, SPEC), expected)


def test_the_level_is_numpys_percentile():
    x = np.random.default_rng(0).standard_normal((100, 40)).astype(np.float32)
    for percentile in (1.0, 50.0, 99.0, 100.0):
        spec = dataclasses.replace(SPEC, level_percentile=percentile, level_floor_nats=-10.0)
        np.testing.assert_array_equal(level_normalise(x, spec), x - np.percentile(x, percentile, method="lower"))


def test_silence_stays_silent():
    x = level_normalise(log_mel(np.zeros(SPEC.clip_samples), SPEC), SPEC)
    np.testing.assert_allclose(x, SPEC.level_floor_nats, atol=GAIN_ATOL)


def test_the_least_level_does_not_reach_speech(shared_data):
    y, _ = soundfile.read(shared_data / "ravdess/Actor_01/03-01-02-01-01-01-01.flac")  # calm, at normal intensity
    assert np.percentile(log_mel(y[16000:], SPEC), 99) > min_level(SPEC) + 3


def test_fitted_values_have_mean_0_and_deviation_1_and_the_floor_is_one_value():
    rng = np.random.default_rng(0)
    clips = (rng.standard_normal((20, 100, 40)) * np.linspace(0.5, 3, 40) + np.arange(40)).astype(np.float32)
    clips[:, ::3] = SPEC.level_floor_nats
    x = band_normalise(clips, fit_bands(clips, SPEC))
    assert x.dtype == np.float32
    np.testing.assert_allclose((x.mean(), x.std()), (0, 1), atol=1e-5)
    assert np.unique(x[:, ::3]).size == 1


def test_what_is_constant_is_not_amplified():
    spec = fit_bands(np.full((2, 100, 40), -9, np.float32), SPEC)
    assert set(spec.band_std) == {float(np.float32(MIN_BAND_STD))}
    np.testing.assert_array_equal(band_normalise(np.full((100, 40), -9, np.float32), spec), 0)


def test_features_are_the_chain():
    spec = fit_bands(level_normalise(log_mel(speech_like(1), SPEC), SPEC)[np.newaxis], SPEC)
    x = features(speech_like(), spec)
    level = level_normalise(log_mel(speech_like(), SPEC), SPEC)
    np.testing.assert_allclose(x, (level - np.array(spec.band_mean)) / np.array(spec.band_std), atol=1e-5)
    assert x.shape == (100, 40) and x.dtype == np.float32


def test_unfitted():
    with pytest.raises(InputError, match="TF-FEAT-02"):
        features(speech_like(), SPEC)


def test_nothing_to_fit():
    with pytest.raises(InputError, match="TF-FEAT-04"):
        fit_bands(np.zeros((0, 100, 40), np.float32), SPEC)
