"""Log-mel features of one clip, from the window and mel tables that the device gets too."""

from __future__ import annotations

import functools
import warnings

import numpy as np
from librosa.filters import get_window
from librosa.filters import mel as mel_filters

from tfser.errors import InputError
from tfser.features.check import check_spec
from tfser.spec import FeatureSpec


def log_mel(y: np.ndarray, spec: FeatureSpec) -> np.ndarray:
    """Natural logarithm of the mel power spectrum.

    ``log(max(M |F(w * frame)|^2, log_floor))`` with Hann window ``w``, discrete Fourier transform
    ``F`` and mel filters ``M``; frame ``t`` is samples ``t * hop_samples`` to ``+ fft_size``.
    Equals ``librosa.feature.melspectrogram(center=False)`` to rounding. The sums are in float64, so
    that the order of addition, which differs between machines, does not show in the result.

    Parameters
    ----------
    y : np.ndarray [shape=(samples,)]
        Recording at ``spec.sample_rate_hz``; padded with zeros or cut to ``spec.clip_samples``.

    Returns
    -------
    x : np.ndarray [shape=(frames, mel_bands)], float32, nats
    """
    clip = np.zeros(spec.clip_samples)
    clip[: len(y)] = y[: spec.clip_samples]
    frames = np.lib.stride_tricks.sliding_window_view(clip, spec.fft_size)[:: spec.hop_samples]
    start = window_offset(spec)
    segments = frames[:, start : start + spec.window_samples] * window_table(spec).astype(np.float64)
    spectrum = np.fft.rfft(segments, n=spec.fft_size)  # where the zeros are does not change the power
    power = spectrum.real**2 + spectrum.imag**2
    mel = np.einsum("tk,mk->tm", power, mel_table(spec), dtype=np.float64)  # a threaded BLAS is slower at this size
    return np.log(np.maximum(mel, spec.log_floor)).astype(np.float32)


def window_offset(spec: FeatureSpec) -> int:
    """Samples of a frame before its window begins; the window sits in the middle."""
    return (spec.fft_size - spec.window_samples) // 2


@functools.lru_cache(maxsize=8)
def window_table(spec: FeatureSpec) -> np.ndarray:
    """Periodic Hann window [shape=(window_samples,)], float32, read-only."""
    check_spec(spec)
    return _frozen(get_window("hann", spec.window_samples, fftbins=True))


@functools.lru_cache(maxsize=8)
def mel_table(spec: FeatureSpec) -> np.ndarray:
    """Mel filters on Slaney's scale, of unit area [shape=(mel_bands, fft_size // 2 + 1)], float32, read-only.

    Raises
    ------
    InputError
        A band is so narrow that no bin of the transform falls into it.
    """
    check_spec(spec)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # librosa warns of empty bands; here they are an error
        mel = mel_filters(sr=spec.sample_rate_hz, n_fft=spec.fft_size, n_mels=spec.mel_bands,
                          fmin=spec.low_hz, fmax=spec.high_hz)
    empty = np.flatnonzero(mel.max(axis=1) == 0)
    if empty.size:
        raise InputError("TF-FEAT-03", f"{spec.mel_bands} mel bands with an fft_size of {spec.fft_size}: "
                         f"{empty.size} bands hold no bin (the first is band {empty[0]})",
                         expected="at least one bin in every band", fix="use fewer bands or a larger fft_size")
    return _frozen(mel)


def _frozen(table: np.ndarray) -> np.ndarray:
    table = table.astype(np.float32)
    table.setflags(write=False)
    return table
