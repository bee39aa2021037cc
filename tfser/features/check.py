"""What a feature specification may be."""

from __future__ import annotations

import dataclasses
import math

import numpy as np

from tfser.errors import InputError
from tfser.spec import FeatureSpec

_COUNTS = ("sample_rate_hz", "window_samples", "hop_samples", "fft_size", "mel_bands", "frames")
_REALS = ("low_hz", "high_hz", "log_floor", "level_percentile", "level_floor_nats")


def check_spec(spec: FeatureSpec) -> FeatureSpec:
    """Return ``spec`` unchanged if features can be computed with it.

    Raises
    ------
    InputError
        A field has a wrong type or value; the first such field is named.
    """
    for name in _COUNTS:
        value = getattr(spec, name)
        _require(type(value) is int and value > 0, spec, name, "a positive integer")
    for name in _REALS:
        _require(is_finite(getattr(spec, name)), spec, name, "a finite number")
    _require(spec.fft_size & (spec.fft_size - 1) == 0, spec, "fft_size", "a power of two, as the device's FFT needs")
    _require(spec.window_samples <= spec.fft_size, spec, "window_samples", f"at most fft_size ({spec.fft_size})")
    _require(spec.hop_samples <= spec.window_samples, spec, "hop_samples",
             f"at most window_samples ({spec.window_samples}), so that no sample is lost")
    _require(spec.low_hz >= 0, spec, "low_hz", "0 or more")
    _require(spec.low_hz < spec.high_hz <= spec.sample_rate_hz / 2, spec, "high_hz",
             f"above low_hz ({spec.low_hz}), at most half the sample rate ({spec.sample_rate_hz / 2})")
    _require(spec.log_floor > 0, spec, "log_floor", "a number above 0")
    _require(0 < spec.level_percentile <= 100, spec, "level_percentile", "above 0, at most 100")
    _require(spec.level_floor_nats < 0, spec, "level_floor_nats", "a number below 0")
    _check_bands(spec)
    return spec


def _check_bands(spec: FeatureSpec) -> None:
    _require((spec.band_mean is None) == (spec.band_std is None), spec, "band_std", "given exactly when band_mean is")
    for name in ("band_mean", "band_std"):
        values = getattr(spec, name)
        if values is not None:
            _require(isinstance(values, tuple) and len(values) == spec.mel_bands and all(map(is_finite, values)),
                     spec, name, f"{spec.mel_bands} finite numbers, one a band")
    _require(spec.band_std is None or min(spec.band_std) > 0, spec, "band_std", "numbers above 0")


def require_fitted(spec: FeatureSpec) -> tuple[np.ndarray, np.ndarray]:
    """``band_mean`` and ``band_std`` [shape=(mel_bands,)], float32.

    Raises
    ------
    InputError
        They are not known yet.
    """
    if spec.band_mean is None or spec.band_std is None:
        raise InputError("TF-FEAT-02", "a feature specification without band_mean and band_std",
                         expected="one that was fitted to training speakers", fix="fit it with fit_bands")
    return np.array(spec.band_mean, np.float32), np.array(spec.band_std, np.float32)


def is_finite(value: object) -> bool:
    """Whether ``value`` is a real number, and neither a bool, NaN nor infinite."""
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def _require(holds: bool, spec: FeatureSpec, name: str, expected: str) -> None:
    if not holds:
        field = next(field for field in dataclasses.fields(spec) if field.name == name)
        raise InputError("TF-FEAT-01", f"feature specification with {name} = {getattr(spec, name)!r}",
                         expected=expected, fix=f"the default is {field.default!r}")
