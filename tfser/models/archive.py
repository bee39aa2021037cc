"""A NumPy ``.npz`` of float arrays and one JSON document; equal content gives equal bytes."""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from tfser.errors import InputError
from tfser.files import canonical_json, write_atomic

METADATA = "metadata"
SCHEMA_VERSION = 1

# The oldest date that a zip file can hold, so that no file depends on when it was written.
_ZIP_EPOCH = (1980, 1, 1, 0, 0, 0)


def write_archive(path: Path, kind: str, document: Mapping[str, Any], arrays: Mapping[str, np.ndarray]) -> None:
    """Write arrays and a JSON document into one file, atomically and without pickle.

    Parameters
    ----------
    path : pathlib.Path
    kind : str
        What the file is, for example ``"checkpoint"``; :func:`read_archive` asks for the same.
    document : mapping
        JSON types only, all numbers finite.
    arrays : mapping of str to np.ndarray
        Stored under their name, uncompressed (trained weights hardly compress, and compressed
        bytes would depend on the version of zlib).
    """
    text = canonical_json({"schema_version": SCHEMA_VERSION, "kind": kind, **document})
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_STORED) as archive:
        for name, array in {METADATA: np.array(text), **arrays}.items():
            with archive.open(zipfile.ZipInfo(f"{name}.npy", _ZIP_EPOCH), "w", force_zip64=True) as member:
                np.lib.format.write_array(member, np.asarray(array, order="C"), allow_pickle=False)
    write_atomic(path, buffer.getvalue())


def read_archive(path: Path, kind: str) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
    """Read back what :func:`write_archive` wrote: ``(document, arrays)``.

    Raises
    ------
    InputError
        The file is missing, damaged, of another kind, or of another schema version.
    """
    if not path.is_file():
        raise InputError("TF-CKPT-01", f"{kind} {str(path)!r} does not exist or is not a file",
                         expected="a .npz file that tfser wrote", fix="check the path")
    try:
        with np.load(path, allow_pickle=False) as archive:
            arrays = {name: archive[name] for name in archive.files}
        document = json.loads(str(arrays.pop(METADATA)))
    except OSError:  # unreadable: the system's own words say why
        raise
    except Exception as error:  # zipfile, zlib, numpy and json raise a dozen types on damaged files
        raise InputError("TF-CKPT-02", f"{kind} {str(path)!r} cannot be read: {error}",
                         expected="a whole .npz file that tfser wrote",
                         fix="copy the file again, or make it again") from error
    _check_kind(path, kind, document)
    return document, arrays


def _check_kind(path: Path, kind: str, document: Any) -> None:
    found = document.get("kind") if isinstance(document, dict) else None
    if found != kind:
        raise InputError("TF-CKPT-03", f"{str(path)!r} holds a {found or 'file of another kind'}, not a {kind}",
                         expected=f"a {kind} that tfser wrote", fix="check the path")
    if document.get("schema_version") != SCHEMA_VERSION:
        raise InputError("TF-CKPT-04", f"{kind} {str(path)!r} of schema version {document.get('schema_version')!r}",
                         expected=f"schema version {SCHEMA_VERSION}",
                         fix="use the tfser version that wrote the file, or train again")
