"""Reads ``features.json``: what the audio front end in C is generated from."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from firmware_gen.errors import InputError

SCHEMA_VERSION = 1
#: What the transform in C is written for: 2^3 to 2^14 samples.
FFT_SIZES = tuple(1 << bits for bits in range(3, 15))
#: Rows and bands are counted in 16 bits, values of a window in 20 (4 MB of them).
MOST_BANDS, MOST_VALUES = 1024, 1 << 20
#: Integers of C, where they are not counted otherwise.
_INT_BITS = 31
_BAD = (KeyError, TypeError, ValueError, AttributeError, OverflowError, MemoryError)
_FIX = "build again; the file is not meant to be edited"


@dataclass(frozen=True, eq=False)
class MelBand:
    """Weights of the bins from ``start_bin`` on, float32 [shape=(bins,)]."""

    start_bin: int
    weights: np.ndarray


@dataclass(frozen=True, eq=False)
class Features:
    """The front end of one model; powers are of samples with full scale 1.

    ``window`` float32 [shape=(window_samples,)] begins at ``window_offset`` of a frame; ``band_mean`` and
    ``band_std`` float32 [shape=(bands,)] in nats. ``level_rank`` is the position, in the ascending values
    of a window, of the one that stands for its level, which is at least ``level_min_nats``; what lies
    more than ``-level_floor_nats`` below the level is set there. The model's input is
    ``round(x / input_scale) + input_zero_point``.
    """

    sample_rate_hz: int
    hop_samples: int
    fft_size: int
    frames: int
    window_offset: int
    window: np.ndarray
    mel: tuple[MelBand, ...]
    log_floor: float
    level_rank: int
    level_min_nats: float
    level_floor_nats: float
    band_mean: np.ndarray
    band_std: np.ndarray
    input_scale: float
    input_zero_point: int
    labels: tuple[str, ...]

    @property
    def clip_samples(self) -> int:
        """Samples that a window of features covers."""
        return (self.frames - 1) * self.hop_samples + self.fft_size


def read_features(path: Path) -> Features:
    """Read and check a ``features.json``.

    Raises
    ------
    InputError
        The file is missing, not JSON, of another schema version, incomplete, or its parts contradict
        each other (a table and its hash, for instance).
    """
    try:
        content = path.read_bytes()
    except OSError as error:
        raise InputError("FG-FEAT-01", f"{str(path)!r} cannot be read: {error.strerror}",
                         expected="the features.json beside a model", fix="name the one in a build folder") from error
    return parse_features(content)


def parse_features(content: bytes) -> Features:
    """The front end that the text of a ``features.json`` describes; raises as :func:`read_features`."""
    try:
        document = json.loads(content.decode("utf-8"), parse_constant=_refuse_constant)
        version = document["schema_version"]
    except (*_BAD, RecursionError) as error:
        raise InputError("FG-FEAT-02", f"features that are not a JSON object with a schema_version ({error})",
                         expected="a features.json of tfser", fix=_FIX) from error
    if type(version) is not int or version != SCHEMA_VERSION:
        raise InputError("FG-FEAT-03", f"features with schema_version {version!r}",
                         expected=f"schema_version {SCHEMA_VERSION}", fix="build again with this version of tfser")
    try:
        features = _from_document(document)
        _check(features, document)
    except _BAD as error:
        raise InputError("FG-FEAT-04", f"features with a part missing or malformed: {type(error).__name__}: {error}",
                         expected="the file as tfser wrote it", fix=_FIX) from error
    return features


def _from_document(document: dict[str, Any]) -> Features:
    spec, level, given = document["spec"], document["level"], document["input"]
    _require(given["dtype"] == "int8", "an input that is not int8")
    return Features(
        sample_rate_hz=_count(spec, "sample_rate_hz"), hop_samples=_count(spec, "hop_samples"),
        fft_size=_count(spec, "fft_size"), frames=_count(spec, "frames"),
        window_offset=_integer(document["window"], "offset", 0),
        window=_floats(document["window"]["values"], _count(spec, "window_samples")),
        mel=tuple(_band(band) for band in document["mel"]),
        log_floor=_real(spec, "log_floor", lambda value: value > 0),
        level_rank=_integer(level, "rank", 0), level_min_nats=_real(level, "min_nats"),
        level_floor_nats=_real(spec, "level_floor_nats", lambda value: value < 0),
        band_mean=_floats(spec["band_mean"], _count(spec, "mel_bands")),
        band_std=_floats(spec["band_std"], _count(spec, "mel_bands")),
        input_scale=_real(given, "scale", lambda value: 0 < float(_float32(value)) < math.inf),
        input_zero_point=_integer(given, "zero_point", -128),
        labels=_labels(document["labels"]),
    )


def _check(features: Features, document: dict[str, Any]) -> None:
    bands, bins, window = len(features.mel), features.fft_size // 2 + 1, len(features.window)
    _require(features.fft_size in FFT_SIZES, f"fft_size {features.fft_size}, not a power of two from 8 to 16384")
    _require(window <= features.fft_size and features.window_offset == (features.fft_size - window) // 2,
             "a window that is not in the middle of the frame")
    _require(bool(features.window.any()) and features.window.min() >= 0 and features.window.max() <= 1,
             "a window that is empty or beyond 0 to 1")
    _require(features.hop_samples <= features.fft_size, "a hop longer than a frame")
    _require(0 < bands <= MOST_BANDS and bands == len(features.band_mean), f"{bands} mel bands")
    _require(all(band.start_bin + len(band.weights) <= bins for band in features.mel), "a band beyond the last bin")
    _require(bands * features.frames <= MOST_VALUES, f"{bands * features.frames} values in a window")
    _require(features.level_rank < bands * features.frames, "a level_rank beyond the last value")
    _require(bool((features.band_std > 0).all()), "a band_std that is not above 0")
    _require(features.input_zero_point <= 127, "a zero_point above 127")
    _require(document["clip_samples"] == features.clip_samples, "a clip_samples of other frames")
    _require(features.clip_samples >> _INT_BITS == 0, f"{features.clip_samples} samples in a window")
    for name, table in (("window", features.window), ("mel", _dense(features, bins))):
        found = hashlib.sha256(table.astype("<f4").tobytes()).hexdigest()
        _require(document["sha256"][name] == found, f"a table {name!r} that does not match its SHA-256")


def _dense(features: Features, bins: int) -> np.ndarray:
    table = np.zeros((len(features.mel), bins), np.float32)
    for row, band in zip(table, features.mel, strict=True):
        row[band.start_bin : band.start_bin + len(band.weights)] = band.weights
    return table


def _band(band: dict[str, Any]) -> MelBand:
    weights = _floats(band["weights"], len(band["weights"]))
    _require(bool((weights >= 0).all()) and bool(weights.any()), "a mel band without weights, or with negative ones")
    return MelBand(_integer(band, "start_bin", 0), weights)


def _labels(labels: Any) -> tuple[str, ...]:
    _require(isinstance(labels, list) and all(isinstance(label, str) and label for label in labels)
             and len(set(labels)) == len(labels), "labels that are not distinct names")
    _require(all(0 not in label.encode("utf-8") for label in labels), "a label that C cannot hold")
    return tuple(labels)


def _floats(values: Any, length: int) -> np.ndarray:
    _require(isinstance(values, list) and all(type(value) in (int, float) for value in values), "a table of no numbers")
    table = _float32(values)
    _require(table.shape == (length,) and bool(np.isfinite(table).all()), f"a table without {length} finite values")
    return table


def _float32(values: Any) -> np.ndarray:
    with np.errstate(over="ignore"):
        return np.asarray(values, np.float32)


def _count(values: dict[str, Any], name: str) -> int:
    return _integer(values, name, 1)


def _integer(values: dict[str, Any], name: str, least: int) -> int:
    value = values[name]
    _require(type(value) is int and least <= value < 1 << _INT_BITS, f"{name} {value!r}")
    return int(value)


def _real(values: dict[str, Any], name: str, holds: Callable[[float], bool] = math.isfinite) -> float:
    value = values[name]
    _require(isinstance(value, int | float) and not isinstance(value, bool), f"{name} {value!r}")
    _require(math.isfinite(value) and holds(value), f"{name} {value!r}")
    return float(value)


def _require(holds: bool, received: str) -> None:
    if not holds:
        raise ValueError(received)


def _refuse_constant(name: str) -> float:
    raise ValueError(f"{name} is not JSON")
