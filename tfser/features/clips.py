"""Which part of a recording a model hears: clips of the length that it was trained on."""

from __future__ import annotations

import numpy as np

from tfser.audio.io import is_silent
from tfser.spec import FeatureSpec


def loudest_clip(y: np.ndarray, spec: FeatureSpec) -> np.ndarray:
    """The ``clip_samples`` of a recording that hold the most energy: speech, and not the pause before it.

    Parameters
    ----------
    y : np.ndarray [shape=(samples,)]

    Returns
    -------
    clip : np.ndarray [shape=(at most clip_samples,)]
        All of ``y`` if it fits.
    """
    length = spec.clip_samples
    if len(y) <= length:
        return y
    energy = np.concatenate([[0.0], np.cumsum(np.square(y, dtype=np.float64))])
    start = int(np.argmax(energy[length:] - energy[:-length]))
    return y[start : start + length]


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
