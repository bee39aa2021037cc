"""``tfser report``."""

from __future__ import annotations

import hashlib
import json
import shutil

import numpy as np
import pytest
from build_folders import make_build, read_manifest, write_manifest
from one_operator import build as one_operator

from tfser.models.checkpoint import load_checkpoint


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


@pytest.fixture
def trained_build(int8_folder, run_folder, tmp_path):
    """A build folder around a model that the small corpus trained, with its split and the float model's scores."""
    folder = make_build(tmp_path / "b", (int8_folder / "model.tflite").read_bytes())
    shutil.copy(int8_folder / "features.json", folder)
    checkpoint, _ = load_checkpoint(run_folder / "checkpoint.npz")
    write_manifest(folder, {**read_manifest(folder), "labels": list(checkpoint.model.labels),
                            "split": checkpoint.split, "scores": checkpoint.metrics})
    return folder


def test_it_scores_both_models_on_the_test_speakers(tfser, trained_build, run_folder, corpus_folder):
    corpus = ("--corpus", "emodb", "--root", corpus_folder)
    checkpoint = run_folder / "checkpoint.npz"
    expected = {name: tfser("evaluate", model, *corpus, "--json").json()
                for name, model in (("float", checkpoint), ("int8", trained_build / "model.tflite"))}
    result = tfser("report", trained_build, *corpus, "--against", checkpoint, "--json")
    assert result.code == 0
    found = result.json()["deployed"]
    assert (found["corpus"], found["role"], found["speakers"]) == ("emodb", "test", ["03"])
    assert found["split_fingerprint"] == read_manifest(trained_build)["split"]["fingerprint"]
    for name, scores in expected.items():
        assert {key: scores[key] for key in found[name]} == found[name]
    assert np.sum(found["decisions"]) == found["int8"]["utterances"] == 12
    # Rows are the float model's decisions, columns the int8 model's: the sums of both matrices' columns.
    for name, axis in (("float", 1), ("int8", 0)):
        assert np.sum(found["decisions"], axis).tolist() == np.sum(found[name]["confusion"], 0).tolist()
    assert read_manifest(trained_build)["deployed"] == found


def test_the_scores_stay_in_the_folder(tfser, trained_build, corpus_folder):
    assert tfser("report", trained_build).code == 0
    before = (trained_build / "report.html").read_bytes()
    assert b"was not scored on them" in before
    assert tfser("report", trained_build, "--corpus", "emodb", "--root", corpus_folder).code == 0
    scored = (trained_build / "report.html").read_bytes()
    assert b"was not scored on them" not in scored
    (trained_build / "report.html").unlink()
    assert tfser("report", trained_build).code == 0
    assert (trained_build / "report.html").read_bytes() == scored
    deployed = read_manifest(trained_build)["deployed"]
    assert deployed["float"] == read_manifest(trained_build)["scores"]["test"]  # what training recorded
    assert deployed["decisions"] is None


def test_scores_for_a_page_elsewhere_leave_the_folder_alone(tfser, trained_build, corpus_folder, tmp_path):
    before = read_manifest(trained_build)
    page = tmp_path / "page.html"
    assert tfser("report", trained_build, "--corpus", "emodb", "--root", corpus_folder, "--out", page).code == 0
    assert b"The int8 model is the deployed file" in page.read_bytes()
    assert read_manifest(trained_build) == before


def test_a_checkpoint_of_another_training_is_refused(tfser, trained_build, run_folder, corpus_folder):
    manifest = read_manifest(trained_build)
    other = {**manifest, "split": {**manifest["split"], "fold": manifest["split"]["fold"] + 1}}
    write_manifest(trained_build, other)
    result = tfser("report", trained_build, "--corpus", "emodb", "--root", corpus_folder,
                   "--against", run_folder / "checkpoint.npz")
    assert result.code == 2
    assert "TF-REP-06" in result.err


@pytest.mark.parametrize(("split", "code"), [(None, "TF-EVAL-03"), ({"fingerprint": "00" * 32}, "TF-EVAL-04")])
def test_no_scores_without_the_split_that_was_trained_on(tfser, trained_build, corpus_folder, split, code):
    manifest = read_manifest(trained_build)
    write_manifest(trained_build, {**manifest, "split": split and {**manifest["split"], **split}})
    result = tfser("report", trained_build, "--corpus", "emodb", "--root", corpus_folder)
    assert result.code == 2
    assert code in result.err
    assert not (trained_build / "report.html").exists()


def test_a_corpus_with_other_labels_is_refused(tfser, trained_build, corpus_folder, tmp_path):
    features = json.loads((trained_build / "features.json").read_text())
    features["labels"][0] = "surprise"
    (trained_build / "features.json").write_text(json.dumps(features))
    result = tfser("report", trained_build, "--corpus", "emodb", "--root", corpus_folder)
    assert result.code == 2
    assert "TF-EVAL-01" in result.err


@pytest.mark.parametrize("arguments", [("--corpus", "emodb"), ("--root", "x"), ("--against", "x")])
def test_options_that_go_together(tfser, tmp_path, arguments):
    folder = make_build(tmp_path / "b", one_operator("ADD", "int8"))
    result = tfser("report", folder, *arguments)
    assert result.code == 2
    assert "TF-USE-01" in result.err
