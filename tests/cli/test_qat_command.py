"""``tfser train --qat``: the missing step alone, and what builds and scores make of its file."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from firmware_gen.frontend.tflite import read_tflite
from tfser.cli.int8_scores import score_int8
from tfser.cli.main import main
from tfser.convert.bundle import Method, make_bundle
from tfser.convert.quantised_file import KIND
from tfser.corpora import load_corpus
from tfser.corpora.splits import split_again
from tfser.errors import InputError
from tfser.features.dataset import corpus_features
from tfser.models.archive import read_archive, write_archive
from tfser.models.checkpoint import read_checkpoint
from tfser.validate.doctor import examine

STEPS = ("--qat", "--qat-steps", "2")


@pytest.fixture(scope="module")
def tuned(train_arguments, run_folder, tmp_path_factory) -> Path:
    """A finished training, resumed with ``--qat``."""
    out = Path(shutil.copytree(run_folder, tmp_path_factory.mktemp("qat") / "run"))
    assert main([*train_arguments, *STEPS, "--out", str(out), "--resume"]) == 0
    return out


@pytest.fixture(scope="module")
def bundle(tuned):
    return make_bundle(tuned)


def test_a_finished_training_is_tuned_and_not_trained_again(tuned, run_folder):
    assert {path.name for path in tuned.iterdir()} == {path.name for path in run_folder.iterdir()} | {"quantised.npz"}
    for name in ("checkpoint.npz", "calibration.npz", "metrics.json"):
        assert (tuned / name).read_bytes() == (run_folder / name).read_bytes()


def test_what_is_tuned_is_left_alone_by_the_same_options_and_refused_with_others(tfser, train_arguments, tuned):
    before = (tuned / "quantised.npz").stat().st_mtime_ns
    assert tfser(*train_arguments, *STEPS, "--out", tuned, "--resume").code == 0
    result = tfser(*train_arguments, "--qat", "--qat-steps", "3", "--out", tuned, "--resume")
    assert result.code == 2 and "TF-QAT-08" in result.err and "another steps" in result.err
    assert (tuned / "quantised.npz").stat().st_mtime_ns == before


def test_a_build_uses_what_lies_beside_the_checkpoint(bundle, run_folder, tuned):
    calibrated = make_bundle(run_folder)
    assert (bundle.quantisation["method"], calibrated.quantisation["method"]) == ("qat", "minmax")
    assert bundle.quantisation["tuning"]["steps"] == 2
    assert bundle.content != calibrated.content and examine(read_tflite(bundle.content)) == []
    assert bundle.certificate == calibrated.certificate
    assert make_bundle(tuned / "checkpoint.npz", Method()).content == calibrated.content  # asked for


def test_a_build_refuses_another_checkpoints_file(tuned, tmp_path):
    for name in ("checkpoint.npz", "calibration.npz"):
        shutil.copy(tuned / name, tmp_path)
    document, arrays = read_archive(tuned / "quantised.npz", KIND)
    write_archive(tmp_path / "quantised.npz", KIND, {**document, "checkpoint_sha256": "0" * 64}, arrays)
    with pytest.raises(InputError, match="TF-QAT-05"):
        make_bundle(tmp_path)


def test_int8_scores_are_those_of_the_file(tuned, bundle, corpus_folder):
    corpus = load_corpus("emodb", corpus_folder)
    split = split_again(corpus, read_checkpoint(tuned / "checkpoint.npz")[0].split)
    data = corpus_features(corpus, bundle.checkpoint.features)
    scores = score_int8(tuned, SimpleNamespace(split=split), data)
    assert scores == json.loads((tuned / "int8.json").read_text())
    assert scores["quantisation"] == bundle.quantisation and scores["model_bytes"] == len(bundle.content)
    for role in ("validation", "test"):
        part, recorded = scores["roles"][role], bundle.checkpoint.metrics[role]
        assert part["float"]["confusion"] == recorded["confusion"]  # the merge changes no label
        moved = np.abs(np.array(part["int8"]["confusion"]) - recorded["confusion"]).sum() / 2
        assert moved <= part["utterances"] - part["same_label"] <= part["utterances"] == recorded["utterances"]
    before = (tuned / "int8.json").stat().st_mtime_ns
    assert score_int8(tuned, SimpleNamespace(split=split), data) == scores
    assert (tuned / "int8.json").stat().st_mtime_ns == before  # kept, while its sources are the same
