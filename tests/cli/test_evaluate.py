"""``tfser evaluate``: whose recordings are scored, on which model, and what is refused."""

from __future__ import annotations

import json
import shutil

import numpy as np
import pytest
import soundfile
from tiny_corpus import make_corpus

from tfser.features.document import read_features_json, write_features_json
from tfser.models.archive import read_archive, write_archive


@pytest.fixture
def checkpoint(run_folder):
    return run_folder / "checkpoint.npz"


@pytest.fixture
def copied(int8_folder, tmp_path):
    return shutil.copytree(int8_folder, tmp_path / "build")


def test_a_checkpoint_gets_the_scores_that_training_reported(tfser, checkpoint, run_folder, corpus_folder):
    trained = json.loads((run_folder / "metrics.json").read_text())
    for role in ("test", "validation"):
        result = tfser("evaluate", checkpoint, "--corpus", "emodb", "--root", corpus_folder, "--split", role, "--json")
        assert result.code == 0 and "warning" not in result.err
        answer = result.json()
        assert answer["split"] == role and answer["fingerprint"] == trained["split"]["fingerprint"]
        assert {key: answer[key] for key in trained[role]} == trained[role]


@pytest.mark.parametrize(("role", "utterances"), [("train", 24), ("all", 48)])
def test_speakers_heard_in_training_are_warned_of(tfser, checkpoint, corpus_folder, role, utterances):
    result = tfser("evaluate", checkpoint, "--corpus", "emodb", "--root", corpus_folder, "--split", role, "--json")
    assert result.code == 0 and "warning" in result.err
    assert result.json()["utterances"] == utterances


def test_the_text_names_split_classes_and_speakers(tfser, checkpoint, corpus_folder):
    lines = tfser("evaluate", checkpoint, "--corpus", "emodb", "--root", corpus_folder).out.splitlines()
    assert lines[0] == "emodb, test speakers: 12 recordings"
    assert any(line.startswith("disgust        0       -") for line in lines)  # nobody says it
    assert lines[-1].startswith("03          12")


def test_an_int8_model_is_scored_on_the_split_of_its_manifest(tfser, int8_folder, corpus_folder):
    result = tfser("evaluate", int8_folder / "model.tflite", "--corpus", "emodb", "--root", corpus_folder, "--json")
    assert result.code == 0, result.err
    assert result.json()["split"] == "test" and list(result.json()["speakers"]) == ["03"]
    assert sum(map(sum, result.json()["confusion"])) == 12


def test_an_int8_model_of_unknown_training_is_scored_on_all_speakers_only(tfser, copied, corpus_folder):
    (copied / "manifest.json").unlink()
    arguments = ("evaluate", copied / "model.tflite", "--corpus", "emodb", "--root", corpus_folder)
    result = tfser(*arguments)
    assert result.code == 2 and "TF-EVAL-03" in result.err
    result = tfser(*arguments, "--split", "all", "--json")
    assert result.code == 0 and result.json()["fingerprint"] is None and "warning" in result.err


@pytest.mark.parametrize("content", ["{", "[]", "{}"])
def test_a_damaged_manifest(tfser, copied, corpus_folder, content):
    (copied / "manifest.json").write_text(content)
    result = tfser("evaluate", copied / "model.tflite", "--corpus", "emodb", "--root", corpus_folder)
    assert result.code == 2 and "TF-EVAL-02" in result.err


def test_another_copy_of_the_corpus(tfser, checkpoint, tmp_path):
    root = make_corpus(tmp_path / "corpus")
    (root / "03a00Wa.wav").unlink()
    arguments = ("evaluate", checkpoint, "--corpus", "emodb", "--root", root)
    result = tfser(*arguments)
    assert (result.code, result.out) == (2, "") and "TF-EVAL-04" in result.err
    assert tfser(*arguments, "--split", "all", "--json").json()["utterances"] == 47


def test_another_corpus(tfser, checkpoint, tmp_path):
    soundfile.write(tmp_path / "03-01-01-01-01-01-01.wav", np.ones(1000) / 2, 16000)
    result = tfser("evaluate", checkpoint, "--corpus", "ravdess", "--root", tmp_path)
    assert result.code == 2 and "TF-EVAL-01" in result.err and "calm" in result.err


def test_no_checkpoint(tfser, corpus_folder, tmp_path):
    for path, code in ((tmp_path / "x.npz", "TF-CKPT-01"), (tmp_path / "x.tflite", "TF-FILE-01")):
        result = tfser("evaluate", path, "--corpus", "emodb", "--root", corpus_folder)
        assert result.code == 2 and code in result.err


def test_a_checkpoint_of_another_version(tfser, checkpoint, corpus_folder, tmp_path):
    document, arrays = read_archive(checkpoint, "checkpoint")
    write_archive(tmp_path / "x.npz", "checkpoint", document | {"schema_version": 2}, arrays)
    result = tfser("evaluate", tmp_path / "x.npz", "--corpus", "emodb", "--root", corpus_folder)
    assert result.code == 2 and "TF-CKPT-04" in result.err


def test_features_of_another_model(tfser, copied, corpus_folder):
    document = read_features_json(copied / "features.json")
    write_features_json(copied / "features.json", document.spec, input_scale=2 * document.input_scale,
                        input_zero_point=document.input_zero_point, labels=document.labels)
    result = tfser("evaluate", copied / "model.tflite", "--corpus", "emodb", "--root", corpus_folder)
    assert result.code == 2 and "TF-INT8-02" in result.err
