"""Loudness and channel taken out of the features."""

from __future__ import annotations

import dataclasses
import math

import numpy as np

from tfser.errors import InputError
from tfser.features.check import check_spec, require_fitted
from tfser.features.logmel import log_mel
from tfser.spec import FeatureSpec

#: Nats. Recordings that hardly vary must not be amplified into noise.
MIN_BAND_STD = 0.1


def level_rank(spec: FeatureSpec) -> int:
    """Position, in a clip's ascending values, of the one that stands for its level.

    An element and not an interpolation: the device selects it without sorting.
    """
    return math.floor(spec.level_percentile / 100 * (spec.frames * spec.mel_bands - 1))


def min_level(spec: FeatureSpec) -> float:
    """Lowest level (nats) of a clip: there ``log_floor`` comes out as ``level_floor_nats``, so silence stays silent."""
    return float(np.float32(math.log(spec.log_floor) - spec.level_floor_nats))


def level_normalise(x: np.ndarray, spec: FeatureSpec) -> np.ndarray:
    """Subtract the clip's level and floor the result: ``max(x - level, level_floor_nats)``.

    The level is the ``level_percentile``-th percentile of the clip's values (:func:`level_rank`), at
    least :func:`min_level`. A gain of the recording moves ``x`` and the level alike and cancels.

    Parameters
    ----------
    x : np.ndarray [shape=(frames, mel_bands)], float32, nats

    Returns
    -------
    np.ndarray [shape=(frames, mel_bands)], float32, nats
    """
    rank = level_rank(spec)
    level = max(np.partition(x, rank, axis=None)[rank], np.float32(min_level(spec)))
    return np.maximum(x - level, np.float32(spec.level_floor_nats))


def fit_bands(clips: np.ndarray, spec: FeatureSpec) -> FeatureSpec:
    """The specification with the mean and the standard deviation (at least ``MIN_BAND_STD``) of all values.

    One mean and one deviation for all bands, so that the level floor, where half of all values lie, is one value
    after normalisation too: int8 can then represent it exactly, which it cannot do for a floor of each band.

    Parameters
    ----------
    clips : np.ndarray [shape=(n, frames, mel_bands)], nats
        Level-normalised clips of the training speakers, and of no others.

    Raises
    ------
    InputError
        There are no clips.
    """
    if not len(clips):
        raise InputError("TF-FEAT-04", "no clips to fit the band normalisation to",
                         expected="clips of training speakers", fix="check the corpus and the split")
    mean, std = (_floats(np.full(spec.mel_bands, value)) for value in
                 (clips.mean(dtype=np.float64), max(clips.std(dtype=np.float64), MIN_BAND_STD)))
    return check_spec(dataclasses.replace(spec, band_mean=mean, band_std=std))


def band_normalise(x: np.ndarray, spec: FeatureSpec) -> np.ndarray:
    """``(x - band_mean) / band_std`` for x [shape=(..., mel_bands)], float32.

    Raises
    ------
    InputError
        The specification was not fitted.
    """
    mean, std = require_fitted(spec)
    x = x - mean
    x /= std  # in place: a corpus is large
    return x


def features(y: np.ndarray, spec: FeatureSpec) -> np.ndarray:
    """The whole chain for one clip: log-mel, level, bands.

    Parameters
    ----------
    y : np.ndarray [shape=(samples,)]
        At ``spec.sample_rate_hz``; padded with zeros or cut to ``spec.clip_samples``.
    spec : FeatureSpec
        Fitted (see :func:`fit_bands`).

    Returns
    -------
    x : np.ndarray [shape=(frames, mel_bands)], float32
    """
    return band_normalise(level_normalise(log_mel(y, spec), spec), spec)


def _floats(values: np.ndarray) -> tuple[float, ...]:
    """Rounded to float32, which is what the device stores."""
    return tuple(float(value) for value in values.astype(np.float32))
