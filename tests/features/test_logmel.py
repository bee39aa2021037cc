"""Log-mel against librosa, and against what a tone, a gain and silence must give."""

from __future__ import annotations

import dataclasses

import librosa
import numpy as np
import pytest
import soundfile

from tfser.errors import InputError
from tfser.features.check import check_spec
from tfser.features.logmel import log_mel, mel_table, window_offset, window_table
from tfser.spec import FeatureSpec

SPEC = FeatureSpec()
# The tables are float32, librosa's window float64: a relative error of 6e-8 a factor, and the result's own rounding
# (values to 23 nats: 1e-6).
LOG_MEL_ATOL = 2e-6
# A quiet band beside a loud one: what the window's rounding leaks into it is 150 dB below the loud one.
SPEECH_ATOL = 2e-4

SPECS = [
    SPEC,
    FeatureSpec(sample_rate_hz=8000, window_samples=200, hop_samples=80, fft_size=256, mel_bands=20, high_hz=4000.0,
                frames=50),
    FeatureSpec(window_samples=512, hop_samples=256, mel_bands=24, low_hz=0.0, high_hz=7600.0, frames=30),
    FeatureSpec(window_samples=401, hop_samples=160, fft_size=1024, mel_bands=64),
]


def librosa_log_mel(y: np.ndarray, spec: FeatureSpec) -> np.ndarray:
    mel = librosa.feature.melspectrogram(
        y=y, sr=spec.sample_rate_hz, n_fft=spec.fft_size, win_length=spec.window_samples, hop_length=spec.hop_samples,
        center=False, power=2.0, n_mels=spec.mel_bands, fmin=spec.low_hz, fmax=spec.high_hz)
    return np.log(np.maximum(mel, spec.log_floor)).T


@pytest.mark.parametrize("spec", SPECS)
@pytest.mark.parametrize("gain", [1.0, 1e-4])
def test_equals_librosa(spec, gain):
    y = gain * np.random.default_rng(0).standard_normal(spec.clip_samples)
    x = log_mel(y, spec)
    assert x.shape == (spec.frames, spec.mel_bands) and x.dtype == np.float32
    np.testing.assert_allclose(x, librosa_log_mel(y, spec), atol=LOG_MEL_ATOL, rtol=0)


def test_equals_librosa_on_speech(shared_data):
    y, _ = soundfile.read(shared_data / "emodb/wav/03a01Fa.flac")
    padded = librosa.util.fix_length(y, size=SPEC.clip_samples)
    np.testing.assert_allclose(log_mel(y, SPEC), librosa_log_mel(padded, SPEC), atol=SPEECH_ATOL, rtol=0)


def test_a_tone_is_loudest_in_its_band():
    centres_hz = librosa.mel_frequencies(n_mels=SPEC.mel_bands + 2, fmin=SPEC.low_hz, fmax=SPEC.high_hz)[1:-1]
    seconds = np.arange(SPEC.clip_samples) / SPEC.sample_rate_hz
    for band, hz in enumerate(centres_hz):
        x = log_mel(np.sin(2 * np.pi * hz * seconds), SPEC)
        assert (x.argmax(axis=1) == band).all(), f"{hz:.0f} Hz"


def test_a_click_is_heard_in_the_frames_whose_window_covers_it():
    y = np.zeros(SPEC.clip_samples)
    y[5000] = 1.0
    heard = np.flatnonzero((log_mel(y, SPEC) > np.float32(np.log(SPEC.log_floor))).any(axis=1))
    begins = np.arange(SPEC.frames) * SPEC.hop_samples + window_offset(SPEC)
    # The periodic Hann window is 0 at its first sample.
    np.testing.assert_array_equal(heard, np.flatnonzero((begins < 5000) & (begins + SPEC.window_samples > 5000)))


def test_gain_adds_its_logarithm():
    y = np.random.default_rng(0).standard_normal(SPEC.clip_samples)
    np.testing.assert_allclose(log_mel(3 * y, SPEC) - log_mel(y, SPEC), 2 * np.log(3), atol=LOG_MEL_ATOL)


def test_digital_silence_is_the_floor():
    np.testing.assert_array_equal(log_mel(np.zeros(SPEC.clip_samples), SPEC), np.float32(np.log(SPEC.log_floor)))


def test_short_is_padded_and_long_is_cut():
    y = np.random.default_rng(0).standard_normal(SPEC.clip_samples)
    np.testing.assert_array_equal(log_mel(y[:5000], SPEC), log_mel(np.pad(y[:5000], (0, 100_000)), SPEC))
    np.testing.assert_array_equal(log_mel(np.append(y, y), SPEC), log_mel(y, SPEC))


def test_tables_cannot_be_changed():
    for table in (window_table(SPEC), mel_table(SPEC)):
        with pytest.raises(ValueError, match="read-only"):
            table[...] = 0


def test_a_band_without_bins_is_refused():
    with pytest.raises(InputError, match=r"TF-FEAT-03: 200 mel bands with an fft_size of 512: .*the first is band 5"):
        mel_table(dataclasses.replace(SPEC, mel_bands=200))


@pytest.mark.parametrize("field, value", [
    ("sample_rate_hz", 0), ("sample_rate_hz", 16000.0), ("hop_samples", 0), ("hop_samples", 401), ("fft_size", 256),
    ("fft_size", 500), ("fft_size", True), ("window_samples", -1), ("mel_bands", "40"), ("frames", 0),
    ("low_hz", -1.0), ("low_hz", float("nan")), ("high_hz", 8001.0), ("high_hz", 20.0), ("high_hz", float("inf")),
    ("log_floor", 0.0), ("level_percentile", 0.0), ("level_percentile", 101.0), ("level_percentile", None),
    ("level_floor_nats", 0.0), ("band_mean", (0.0,) * 40), ("band_std", (1.0,) * 40),
])
def test_a_field_that_cannot_be(field, value):
    with pytest.raises(InputError) as caught:
        check_spec(dataclasses.replace(SPEC, **{field: value}))
    assert caught.value.code == "TF-FEAT-01" and caught.value.expected


@pytest.mark.parametrize("mean, std", [
    ((0.0,) * 39, (1.0,) * 40),
    ((0.0,) * 40, (0.0,) * 40),
    ((float("nan"),) * 40, (1.0,) * 40),
    ([0.0] * 40, (1.0,) * 40),
])
def test_band_statistics_that_cannot_be(mean, std):
    with pytest.raises(InputError, match="TF-FEAT-01"):
        check_spec(dataclasses.replace(SPEC, band_mean=mean, band_std=std))


@pytest.mark.parametrize("spec", SPECS)
def test_usable_specs(spec):
    assert check_spec(spec) is spec
