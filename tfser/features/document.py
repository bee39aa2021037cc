"""``features.json``: everything that a front end needs, with the tables in full.

======================  ==================================================================================
``schema_version``      1
``spec``                the ``FeatureSpec``, fitted (``band_mean``, ``band_std`` in nats)
``clip_samples``        samples of one clip at ``spec.sample_rate_hz``
``window``              ``offset`` (samples) of the Hann window in a frame of ``fft_size``, and its ``values``
``mel``                 for each band ``start_bin`` and the ``weights`` from there on; all others are 0
``level``               ``rank`` of the level among a clip's ascending values, its least value ``min_nats``
``input``               quantisation of the model's input: ``dtype`` (int8 or int16), ``scale``, ``zero_point``
``labels``              names of the model's outputs
``sha256``              of ``window`` and of ``mel`` (dense, one row a band), as little-endian float32
======================  ==================================================================================

A number is written so that its nearest float32 is exactly the one that was used.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from tfser.errors import InputError
from tfser.features.check import check_spec, is_finite, require_fitted
from tfser.features.logmel import mel_table, window_offset, window_table
from tfser.features.normalise import level_rank, min_level
from tfser.files import canonical_json, write_atomic
from tfser.spec import FeatureSpec, from_dict, to_dict

SCHEMA_VERSION = 1
# The least and the greatest of each type of input.
_ZERO_POINTS = {"int8": (-128, 127), "int16": (0, 0)}


@dataclass(frozen=True)
class FeatureDocument:
    """What ``features.json`` holds.

    ``window`` [shape=(window_samples,)] and ``mel`` [shape=(mel_bands, fft_size // 2 + 1)] are float32;
    the int8 input is ``round(feature / input_scale) + input_zero_point``.
    """

    spec: FeatureSpec
    window: np.ndarray
    mel: np.ndarray
    input_scale: float
    input_zero_point: int
    labels: tuple[str, ...]
    input_dtype: str = "int8"


def write_features_json(
    path: Path, spec: FeatureSpec, *, input_scale: float, input_zero_point: int, labels: Sequence[str] = (),
    input_dtype: str = "int8",
) -> None:
    """Write ``features.json``, whole or not at all; equal arguments give equal bytes.

    Parameters
    ----------
    spec : FeatureSpec
        Fitted.
    input_scale, input_zero_point, input_dtype
        Quantisation of the model's input; int16 has the zero point 0.
    labels : sequence of str, optional
        Names of the model's outputs, in order.

    Raises
    ------
    InputError
        The specification, the quantisation or a label is not usable.
    """
    document = FeatureDocument(spec, window_table(spec), mel_table(spec), float(np.float32(input_scale)),
                               int(input_zero_point), tuple(labels), input_dtype)
    _check(document)
    write_atomic(path, canonical_json(_to_json(document)).encode())


def read_features_json(path: Path) -> FeatureDocument:
    """Read ``features.json`` and check all of it.

    Raises
    ------
    InputError
        The file is missing, not JSON, of another schema version or incomplete, a value is out of range,
        or the parts contradict each other (a table and its hash, for instance).
    """
    content = _load(path)
    version = content.get("schema_version")
    if version != SCHEMA_VERSION:
        raise InputError("TF-FEAT-08", f"{str(path)!r} with schema_version {version!r}",
                         expected=f"schema_version {SCHEMA_VERSION}", fix="build again with this version of tfser")
    try:
        document = _from_json(content)
        _check(document)
    except (InputError, KeyError, TypeError, ValueError, AttributeError, OverflowError, MemoryError) as error:
        reason = error.received if isinstance(error, InputError) else f"{type(error).__name__}: {error}"
        raise InputError("TF-FEAT-09", f"{str(path)!r} with a part missing or malformed ({reason})",
                         expected="the file as tfser wrote it",
                         fix="build again; the file is not meant to be edited") from error
    again = _to_json(document)
    if again != content:
        parts = sorted(key for key in again.keys() | content.keys() if again.get(key) != content.get(key))
        raise InputError("TF-FEAT-10", f"{str(path)!r}, whose parts contradict each other: {', '.join(parts)}",
                         expected="tables that match their SHA-256 and the specification",
                         fix="build again; the file is not meant to be edited")
    return document


def _load(path: Path) -> dict[str, Any]:
    try:
        content = json.loads(path.read_text(encoding="utf-8"), parse_constant=_refuse_constant)
        if not isinstance(content, dict):
            raise ValueError(f"a {type(content).__name__} where an object was expected")
        return content
    except (OSError, ValueError, RecursionError) as error:
        raise InputError("TF-FEAT-07", f"{str(path)!r} cannot be read: {error}", expected="a features.json of tfser",
                         fix="name the one in a build folder") from error


def _refuse_constant(name: str) -> float:
    raise ValueError(f"{name} is not JSON")


def _to_json(document: FeatureDocument) -> dict[str, Any]:
    spec = document.spec
    return {
        "schema_version": SCHEMA_VERSION,
        "spec": to_dict(spec),
        "clip_samples": spec.clip_samples,
        "window": {"offset": window_offset(spec), "values": document.window.tolist()},
        "mel": [_sparse(row) for row in document.mel],
        "level": {"rank": level_rank(spec), "min_nats": min_level(spec)},
        "input": {"dtype": document.input_dtype, "scale": document.input_scale,
                  "zero_point": document.input_zero_point},
        "labels": list(document.labels),
        "sha256": {"window": _digest(document.window), "mel": _digest(document.mel)},
    }


def _from_json(content: dict[str, Any]) -> FeatureDocument:
    spec = check_spec(from_dict(FeatureSpec, content["spec"]))
    bins = spec.fft_size // 2 + 1
    return FeatureDocument(
        spec=spec,
        window=_float32(content["window"]["values"], spec.window_samples),
        mel=_float32([_dense(band, bins) for band in content["mel"]], spec.mel_bands),
        input_scale=content["input"]["scale"],
        input_zero_point=content["input"]["zero_point"],
        labels=tuple(content["labels"]),
        input_dtype=content["input"]["dtype"],
    )


def _sparse(row: np.ndarray) -> dict[str, Any]:
    """A band's weights from its first bin to its last."""
    used = np.flatnonzero(row)
    return {"start_bin": int(used[0]), "weights": row[used[0] : used[-1] + 1].tolist()}


def _dense(band: dict[str, Any], bins: int) -> np.ndarray:
    row = np.zeros(bins, np.float32)
    start, weights = band["start_bin"], band["weights"]
    row[start : start + len(weights)] = weights
    if not row.any():
        raise ValueError("a mel band without weights")
    return row


def _float32(values: Any, length: int) -> np.ndarray:
    table = np.asarray(values, np.float32)
    if len(table) != length or not np.isfinite(table).all():
        raise ValueError(f"a table of {len(table)} values where {length} finite ones were expected")
    return table


def _digest(table: np.ndarray) -> str:
    return hashlib.sha256(table.astype("<f4").tobytes()).hexdigest()


def _check(document: FeatureDocument) -> None:
    require_fitted(document.spec)
    scale, zero_point = document.input_scale, document.input_zero_point
    low, high = _ZERO_POINTS.get(document.input_dtype, (1, 0))
    if not (is_finite(scale) and scale > 0 and type(zero_point) is int and low <= zero_point <= high):
        raise InputError("TF-FEAT-05", f"{document.input_dtype} input quantisation with scale {scale!r} and zero point "
                                       f"{zero_point!r}",
                         expected="a scale above 0 and an integer from -128 to 127 (int8), or 0 (int16)",
                         fix="quantise the model again")
    labels = document.labels
    if not all(isinstance(label, str) and label for label in labels) or len(set(labels)) < len(labels):
        raise InputError("TF-FEAT-06", f"labels {labels!r}", expected="names, each once", fix="correct the label set")
