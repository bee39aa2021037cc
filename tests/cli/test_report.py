"""``tfser report``."""

from __future__ import annotations

import hashlib

import pytest
from build_folders import make_build, read_manifest, write_manifest
from one_operator import build as one_operator


def test_it_writes_the_page_again(tmp_path, tfser):
    folder = make_build(tmp_path / "b", one_operator("ADD", "int8"))
    manifest = read_manifest(folder)
    manifest["files"]["report.html"] = "00"
    write_manifest(folder, manifest)
    assert tfser("report", folder).code == 0
    first = (folder / "report.html").read_bytes()
    assert b"cortex-m7" in first
    manifest["files"]["report.html"] = hashlib.sha256(first).hexdigest()
    assert read_manifest(folder) == manifest  # the hash is the new page's, nothing else changed
    assert tfser("size", folder).code == 0
    (folder / "report.html").unlink()
    result = tfser("report", folder, "--json")
    assert result.json()["schema_version"] == 1
    assert (folder / "report.html").read_bytes() == first


def test_it_leaves_the_folder_alone_with_out(tmp_path, tfser):
    folder = make_build(tmp_path / "b", one_operator("ADD", "int8"))
    assert tfser("report", folder, "--out", tmp_path / "page.html").code == 0
    assert (tmp_path / "page.html").is_file()
    assert not (folder / "report.html").exists()


@pytest.mark.parametrize(("content", "code"), [(b"{", "TF-REP-02"), (b"\xff", "TF-REP-02"), (b"[]", "TF-REP-03"),
                                               (b"[" * 100_000, "TF-REP-02"), (b'{"merged": 3}', "TF-REP-01")])
def test_a_certificate_that_no_build_wrote(tmp_path, tfser, content, code):
    folder = make_build(tmp_path / "b", one_operator("ADD", "int8"))
    (folder / "certificate.json").write_bytes(content)
    result = tfser("report", folder)
    assert result.code == 2
    assert code in result.err
    assert not (folder / "report.html").exists()


@pytest.mark.parametrize("content", ["not a manifest", {"schema_version": 2}])
def test_a_manifest_of_another_kind(tmp_path, tfser, content):
    folder = make_build(tmp_path / "b", one_operator("ADD", "int8"))
    write_manifest(folder, content)
    result = tfser("report", folder)
    assert result.code == 2
    assert "FG-BUILD-05" in result.err


def test_a_changed_model_is_refused(tmp_path, tfser):
    folder = make_build(tmp_path / "b", one_operator("ADD", "int8"))
    with (folder / "model.tflite").open("ab") as stream:
        stream.write(b"\0")
    assert tfser("report", folder).code == 2


def test_not_a_build_folder(tmp_path, tfser):
    for folder in (tmp_path, tmp_path / "absent"):
        result = tfser("report", folder)
        assert result.code == 2
        assert "FG-BUILD-03" in result.err
