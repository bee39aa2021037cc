"""Which parts of a recording a model hears: windows of the length that it was trained on."""

from __future__ import annotations

import dataclasses

import numpy as np

from tfser.audio.io import from_pcm16, is_silent, to_pcm16
from tfser.features.check import check_spec
from tfser.features.logmel import log_mel
from tfser.features.normalise import level_normalise
from tfser.spec import FeatureSpec


def lasting(spec: FeatureSpec, clip_s: float) -> FeatureSpec:
    """``spec`` with clips of about ``clip_s`` seconds: as many frames, further apart or closer together.

    The model and what it costs stay; the window follows the hop, up to ``fft_size``.

    Raises
    ------
    InputError
        The frames would lie so far apart that samples between them were lost (see ``check_spec``).
    """
    hop = round(clip_s * spec.sample_rate_hz / spec.frames)
    window = min(spec.fft_size, round(spec.window_samples * hop / spec.hop_samples))
    return check_spec(dataclasses.replace(spec, hop_samples=hop, window_samples=window))


def heard_features(y: np.ndarray, spec: FeatureSpec) -> np.ndarray:
    """Features of the windows in which a recording is heard, of 16-bit samples as a device has them.

    Parameters
    ----------
    y : np.ndarray [shape=(samples,)], float32
        At ``spec.sample_rate_hz``, full scale -1 to 1.

    Returns
    -------
    x : np.ndarray [shape=(windows, frames, mel_bands)], float32, nats
        Level-normalised, of at least one window: see :func:`heard_starts`.
    """
    y = from_pcm16(to_pcm16(y))
    return np.stack([level_normalise(log_mel(window_at(y, start, spec), spec), spec)
                     for start in heard_starts(y, spec)])


def window_starts(samples: int, spec: FeatureSpec) -> list[int]:
    """First samples of the windows of ``clip_samples`` in which a recording is heard.

    They overlap by about half and the last ends with the recording, all on whole hops: a device that is fed the
    recording in one stream sees the same windows. A recording that fits into one has one.
    """
    hop, length = spec.hop_samples, spec.clip_samples
    last = max(0, samples - length) // hop * hop
    return [*range(0, last, -(-length // 2 // hop) * hop), last]


def heard_starts(y: np.ndarray, spec: FeatureSpec) -> list[int]:
    """The :func:`window_starts` of ``y`` [shape=(samples,)] without those of silent windows; all if all are silent."""
    starts = window_starts(len(y), spec)
    return [start for start in starts if not is_silent(y[start : start + spec.clip_samples])] or starts


def window_at(y: np.ndarray, start: int, spec: FeatureSpec) -> np.ndarray:
    """The window [shape=(clip_samples,)] of ``y`` from ``start`` on, padded with zeros at its end."""
    clip = y[start : start + spec.clip_samples]
    return np.pad(clip, (0, spec.clip_samples - len(clip)))
