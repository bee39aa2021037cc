"""A .npz with a JSON document: same content, same bytes; damage and other versions are named."""

from __future__ import annotations

import io
import zipfile

import numpy as np
import pytest

from tfser.errors import InputError
from tfser.models import archive
from tfser.models.archive import read_archive, write_archive

DOCUMENT = {"name": "Überraschung", "rate": 0.1, "none": None}
ARRAYS = {"a/kernel": np.arange(6, dtype=np.float32).reshape(2, 3), "steps": np.array(7), "empty": np.zeros((0, 2))}


def test_round_trip(tmp_path):
    write_archive(tmp_path / "x.npz", "thing", DOCUMENT, ARRAYS)
    document, arrays = read_archive(tmp_path / "x.npz", "thing")
    assert document == {"schema_version": 1, "kind": "thing", **DOCUMENT}
    assert arrays.keys() == ARRAYS.keys()
    for name, array in ARRAYS.items():
        np.testing.assert_array_equal(arrays[name], array, strict=True)


def test_same_content_same_bytes_whenever_it_is_written(tmp_path, monkeypatch):
    write_archive(tmp_path / "a.npz", "thing", DOCUMENT, ARRAYS)
    monkeypatch.setattr("time.time", lambda: 2e9)
    write_archive(tmp_path / "b.npz", "thing", dict(reversed(DOCUMENT.items())), ARRAYS)
    assert (tmp_path / "a.npz").read_bytes() == (tmp_path / "b.npz").read_bytes()
    with zipfile.ZipFile(tmp_path / "a.npz") as members:
        assert {member.date_time for member in members.infolist()} == {(1980, 1, 1, 0, 0, 0)}


def test_missing(tmp_path):
    for path in (tmp_path / "x.npz", tmp_path):
        with pytest.raises(InputError, match="TF-CKPT-01"):
            read_archive(path, "thing")


def saved(save, *arguments, **options) -> bytes:
    buffer = io.BytesIO()
    save(buffer, *arguments, **options)
    return buffer.getvalue()


DAMAGED = {
    "empty": b"",
    "head": b"PK\x03\x04",
    "text": b"no archive",
    "npy": saved(np.save, np.ones(3)),
    "no metadata": saved(np.savez, weights=np.ones(3)),
    "pickle": saved(np.savez, metadata=np.array([{}], dtype=object)),
    "bad json": saved(np.savez, metadata=np.array("{")),
}


@pytest.mark.parametrize("content", DAMAGED.values(), ids=DAMAGED)
def test_not_an_archive(tmp_path, content):
    (tmp_path / "x.npz").write_bytes(content)
    with pytest.raises(InputError, match="TF-CKPT-02"):
        read_archive(tmp_path / "x.npz", "thing")


def test_every_cut_and_flipped_byte_is_an_error_or_harmless(tmp_path):
    path = tmp_path / "x.npz"
    write_archive(path, "thing", DOCUMENT, ARRAYS)
    content = path.read_bytes()
    for length in range(0, len(content), 37):
        path.write_bytes(content[:length])
        with pytest.raises(InputError, match="TF-CKPT-02"):
            read_archive(path, "thing")
    for place in range(0, len(content), 7):
        path.write_bytes(content[:place] + bytes([content[place] ^ 0x55]) + content[place + 1 :])
        try:
            _, arrays = read_archive(path, "thing")
        except InputError:
            continue
        for name in ARRAYS.keys() & arrays.keys():
            np.testing.assert_array_equal(arrays[name], ARRAYS[name])


def test_another_kind_and_another_version(tmp_path, monkeypatch):
    write_archive(tmp_path / "x.npz", "thing", DOCUMENT, ARRAYS)
    with pytest.raises(InputError, match=r"TF-CKPT-03.*holds a thing, not a checkpoint"):
        read_archive(tmp_path / "x.npz", "checkpoint")
    monkeypatch.setattr(archive, "SCHEMA_VERSION", 2)
    with pytest.raises(InputError, match=r"TF-CKPT-04.*schema version 1"):
        read_archive(tmp_path / "x.npz", "thing")


def test_what_json_cannot_hold_is_not_written(tmp_path):
    with pytest.raises(ValueError, match="JSON"):
        write_archive(tmp_path / "x.npz", "thing", {"loss": float("nan")}, {})
    assert not list(tmp_path.iterdir())
