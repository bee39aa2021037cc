"""Recordings as they would have sounded elsewhere: another tempo, room, background, microphone and gain.

Every function is one effect, drawn at random from its range. They all take samples ``y`` [shape=(samples,)]
float32 at full scale -1 to 1, their rate, and the generator that is their only source of randomness; they return
new float32 samples of the same rate and, but for the speed, of the same number.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterator

import librosa
import numpy as np
import scipy.fft
import scipy.signal

#: A voice faster and higher, or slower and lower.
SPEED = (0.9, 1.1)
#: Until an echo has lost 60 dB: from a furnished room to a bare one.
T60_S = (0.1, 0.6)
#: Energy of what comes straight to the microphone over that of the echoes.
DIRECT_TO_ECHO_DB = (-3.0, 15.0)
SNR_DB = (5.0, 30.0)
TILT_DB_PER_OCTAVE = (-3.0, 3.0)
TILT_CENTRE_HZ, TILT_LOWEST_HZ, TILT_TAPS = 1000.0, 60.0, 255
#: Into the clipping of a loud voice, or far below.
GAIN_DB = (-20.0, 10.0)
#: Of each effect but the speed, which every variant has.
PROBABILITY = 0.5


def variants(y: np.ndarray, sample_rate_hz: int, count: int, *, seed: int, name: str) -> Iterator[np.ndarray]:
    """``count`` variants of the recording ``name``, which with seed and number decides each: see :func:`variant`."""
    for number in range(count):
        yield variant(y, sample_rate_hz, np.random.default_rng([seed, number, zlib.crc32(name.encode())]))


def variant(y: np.ndarray, sample_rate_hz: int, rng: np.random.Generator) -> np.ndarray:
    """Another speed, and each of the other effects with ``PROBABILITY``, in the order in which sound meets them."""
    y = change_speed(y, sample_rate_hz, rng)
    for effect in (reverberate, add_noise, tilt, change_gain):
        if rng.random() < PROBABILITY:
            y = effect(y, sample_rate_hz, rng)
    return y


def change_speed(y: np.ndarray, sample_rate_hz: int, rng: np.random.Generator) -> np.ndarray:
    """Played at ``SPEED`` times the speed, the pitch with it, by resampling: ``samples / speed`` long."""
    speed = rng.uniform(*SPEED)
    return librosa.resample(y, orig_sr=sample_rate_hz * speed, target_sr=sample_rate_hz, res_type="soxr_hq")


def reverberate(y: np.ndarray, sample_rate_hz: int, rng: np.random.Generator) -> np.ndarray:
    """In a room: the sound itself, then echoes that die away exponentially (``T60_S``, ``DIRECT_TO_ECHO_DB``)."""
    t60_s, ratio_db = rng.uniform(*T60_S), rng.uniform(*DIRECT_TO_ECHO_DB)
    time_s = np.arange(1, round(t60_s * sample_rate_hz)) / sample_rate_hz
    echoes = rng.standard_normal(time_s.size) * 10.0 ** (-3 * time_s / t60_s)
    echoes *= 10.0 ** (-ratio_db / 20) / np.linalg.norm(echoes)
    response = np.concatenate([[1.0], echoes])
    return scipy.signal.oaconvolve(y, response)[: len(y)].astype(np.float32)


def add_noise(y: np.ndarray, sample_rate_hz: int, rng: np.random.Generator) -> np.ndarray:
    """White or pink noise ``SNR_DB`` below the recording's mean power; nothing is added to nothing."""
    return noisy(y, rng.uniform(*SNR_DB), rng, pink=bool(rng.integers(2)))


def noisy(y: np.ndarray, snr_db: float, rng: np.random.Generator, *, pink: bool = False) -> np.ndarray:
    """``y`` with noise ``snr_db`` below its mean power; pink noise has a power density of 1 / frequency."""
    noise = rng.standard_normal(scipy.fft.next_fast_len(len(y), real=True))
    if pink:
        spectrum = scipy.fft.rfft(noise)
        noise = scipy.fft.irfft(spectrum / np.sqrt(np.maximum(np.arange(len(spectrum)), 1)), len(noise))
    noise = noise[: len(y)]
    level = np.linalg.norm(y.astype(np.float64)) * 10.0 ** (-snr_db / 20)
    return (y + level / np.linalg.norm(noise) * noise).astype(np.float32)


def tilt(y: np.ndarray, sample_rate_hz: int, rng: np.random.Generator) -> np.ndarray:
    """A microphone that is duller or brighter by ``TILT_DB_PER_OCTAVE``; unchanged at ``TILT_CENTRE_HZ``."""
    slope_db = rng.uniform(*TILT_DB_PER_OCTAVE)
    frequency_hz = np.linspace(0, sample_rate_hz / 2, TILT_TAPS)
    octaves = np.log2(np.maximum(frequency_hz, TILT_LOWEST_HZ) / TILT_CENTRE_HZ)
    response = scipy.signal.firwin2(TILT_TAPS, frequency_hz, 10.0 ** (slope_db * octaves / 20), fs=sample_rate_hz)
    return scipy.signal.oaconvolve(y, response, mode="full")[TILT_TAPS // 2 :][: len(y)].astype(np.float32)


def change_gain(y: np.ndarray, sample_rate_hz: int, rng: np.random.Generator) -> np.ndarray:
    """Louder or softer by ``GAIN_DB``; what leaves full scale is clipped, as a converter does."""
    return np.clip(y * np.float32(10.0 ** (rng.uniform(*GAIN_DB) / 20)), -1, 1)
