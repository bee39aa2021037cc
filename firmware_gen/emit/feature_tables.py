"""The numbers of the audio front end, as the kernels ``tfser_frame`` and ``tfser_features`` want them.

Values of the feature window are unsigned, 24 bits: ``log2(power / floor)`` in units of ``2^-value_bits``.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from firmware_gen.errors import InputError
from firmware_gen.frontend.features import Features

LOG2_BITS, LOG2_ENTRIES = 22, 128
VALUE_BITS = 24
#: int16 samples: the power has this many bits more than that of samples with full scale 1.
_PCM_BITS = 30
_FIXED_BINS = 256
#: The sum of a Hann window of float32 may exceed its half by rounding; the transform has room for more than that.
_SUM_SLACK = 1.0001
#: log2 of the least and the largest log_floor: with those, every power is a float and its logarithm an int32.
_FLOOR_OCTAVES = -90, 32
_MEL_ONE = 65535


@dataclass(frozen=True, eq=False)
class FeatureTables:
    """Arrays by name, and the scalars beside them; the names are those of the C structures."""

    arrays: dict[str, np.ndarray]
    value_bits: int
    level_least: int
    lowest: int
    fraction_bits: int


def feature_tables(features: Features, *, fixed: bool) -> FeatureTables:
    """Tables of the single-precision front end, or of the one in fixed point.

    Raises
    ------
    InputError
        Numbers beyond what the kernels' integers hold.
    """
    value_bits = _value_bits(features)
    unit = math.log(2) / 2**value_bits  # nats
    lowest = round(features.level_floor_nats / unit)
    level_least = max(0.0, (features.level_min_nats - math.log(features.log_floor)) / unit)
    if level_least > (1 << VALUE_BITS) - 1:
        raise _too_wide(f"a least level of {features.level_min_nats} nats")
    multiplier, addend, fraction_bits = _codes(features, unit, lowest)
    arrays = {**(_fixed_arrays(features) if fixed else _float_arrays(features)), **_shared_arrays(features),
              "multiplier": multiplier, "addend": addend}
    return FeatureTables(arrays, value_bits, round(level_least), lowest, fraction_bits)


def log2_table() -> np.ndarray:
    """``log2(1 + i / 128)`` in Q22, uint32 [shape=(129,)], raised so that chords err as much above as below."""
    x = 1 + np.arange(LOG2_ENTRIES + 1) / LOG2_ENTRIES
    chord_error = (1 / (LOG2_ENTRIES * x)) ** 2 / 8 / math.log(2)
    return np.round((np.log2(x) + chord_error / 2) * 2**LOG2_BITS).astype(np.uint32)


def _value_bits(features: Features) -> int:
    """So many that the loudest frame, a sine of full scale, fits, and the depth below the level."""
    if not _FLOOR_OCTAVES[0] <= math.log2(features.log_floor) <= _FLOOR_OCTAVES[1]:
        raise _too_wide(f"a log_floor of {features.log_floor!r}")
    loudest = max(float(band.weights.sum(dtype=np.float64)) for band in features.mel) * \
        float(np.abs(features.window).sum(dtype=np.float64)) ** 2
    octaves = max(1.0, math.log2(loudest / features.log_floor), -features.level_floor_nats / math.log(2))
    if octaves > 63:
        raise _too_wide(f"a power of up to {loudest!r}, a log_floor of {features.log_floor!r} and a level floor of "
                        f"{features.level_floor_nats} nats")
    return min(LOG2_BITS, VALUE_BITS - math.ceil(math.log2(octaves)))


def _codes(features: Features, unit: float, lowest: int) -> tuple[np.ndarray, np.ndarray, int]:
    """``code = (hi32(64 x * multiplier) + addend + half) >> fraction_bits`` with the most bits that fit.

    x counts from ``lowest``, so that it is not below 0.
    """
    scale = features.band_std.astype(np.float64) * np.float32(features.input_scale)
    gain = unit / scale
    offset = features.input_zero_point - features.band_mean / scale
    largest = np.abs(offset) + gain * max(1 << VALUE_BITS, -lowest) + 1
    room = min(math.log2((2**31 - 1) / float(gain.max())) - 26, math.log2((2**31 - 1) / float(largest.max())))
    fraction_bits = min(16, math.floor(room))
    if fraction_bits < 4:
        raise _too_wide(f"an input scale of {features.input_scale!r} with a least band_std of {scale.min()!r}")
    return (np.round(gain * 2.0 ** (26 + fraction_bits)).astype(np.int32),
            np.round((offset + gain * lowest) * 2.0**fraction_bits).astype(np.int32), fraction_bits)


def _shared_arrays(features: Features) -> dict[str, np.ndarray]:
    half = features.fft_size // 2
    bits = half.bit_length() - 1
    reversed_bits = [int(f"{i:0{bits}b}"[::-1], 2) for i in range(half // 2)]
    return {"reversed": np.array(reversed_bits, np.uint16),
            "mel_start": np.array([band.start_bin for band in features.mel], np.uint16),
            "mel_bins": np.array([len(band.weights) for band in features.mel], np.uint16),
            "log2": log2_table()}


def _float_arrays(features: Features) -> dict[str, np.ndarray]:
    # The power of tfser_fft_power_float is four times that of the samples.
    offset = np.full(len(features.mel), math.log2(features.log_floor) + _PCM_BITS + 2)
    return {"window": _frame_window(features), "mel": np.concatenate([band.weights for band in features.mel]),
            "twiddle": _twiddle(features.fft_size).astype(np.float32), "offset": _q22(offset)}


def _fixed_arrays(features: Features) -> dict[str, np.ndarray]:
    if max(len(band.weights) for band in features.mel) > _FIXED_BINS:
        raise _too_wide(f"a mel band of more than {_FIXED_BINS} bins in fixed point")
    if features.window.sum(dtype=np.float64) > features.fft_size / 2 * _SUM_SLACK:
        raise _too_wide(f"a window whose sum is above {features.fft_size // 2} in fixed point")
    peaks = np.array([band.weights.max() for band in features.mel], np.float64)
    weights = [np.round(band.weights / peak * _MEL_ONE) for band, peak in zip(features.mel, peaks, strict=True)]
    # Samples are scaled by 2^(16 - bits) before their power is taken, weights by _MEL_ONE / peak.
    bits = features.fft_size.bit_length() - 1
    offset = math.log2(features.log_floor) + _PCM_BITS + 2 * (16 - bits) + np.log2(_MEL_ONE / peaks)
    return {"window": _q31(_frame_window(features)), "mel": np.concatenate(weights).astype(np.uint16),
            "twiddle": _q31(_twiddle(features.fft_size)), "offset": _q22(offset)}


def window_part(features: Features) -> tuple[int, int, int]:
    """Where in a frame the transform's input starts, its samples, and ``fourths`` of ``tfser_fft.h``."""
    size, end = features.fft_size, features.window_offset + len(features.window)
    if size.bit_length() % 2 != 0:  # an even number of bits: the first stage is of radix 2 and takes all
        return 0, size, size // 8
    start = min(features.window_offset, size // 4)
    fourths = max(0, -(-(end - start - 3 * size // 4) // 2))
    return start, 3 * size // 4 + 2 * fourths, fourths


def _frame_window(features: Features) -> np.ndarray:
    """The window in its place in that part of a frame, float32."""
    start, samples, _ = window_part(features)
    window = np.zeros(features.fft_size + 2, np.float32)
    window[features.window_offset:features.window_offset + len(features.window)] = features.window
    return window[start:start + samples]


def _twiddle(size: int) -> np.ndarray:
    """Pairs of cos and sin in the order in which ``tfser_fft.h`` uses them."""
    turns, quarter = [], 4 if size.bit_length() % 2 == 0 else 2
    while quarter < size // 2:
        turns += [times * j / (4 * quarter) for j in range(1, quarter) for times in (1, 2, 3)]
        quarter *= 4
    turns += [k / size for k in range(1, size // 4)]
    angle = 2 * np.pi * np.array(turns)
    return np.stack([np.cos(angle), np.sin(angle)], axis=1).reshape(-1)


def _q31(values: np.ndarray) -> np.ndarray:
    return np.minimum(np.round(values.astype(np.float64) * 2.0**31), 2.0**31 - 1).astype(np.int32)


def _q22(values: np.ndarray) -> np.ndarray:
    return np.round(values * 2**LOG2_BITS).astype(np.int32)


def _too_wide(received: str) -> InputError:
    return InputError("FG-FEAT-05", f"features with {received}", expected="numbers within the range of the kernels",
                      fix="train with features nearer to the default specification")
