"""Recordings longer than a window: every command that scores a corpus hears them as ``tfser predict`` does."""

from __future__ import annotations

import shutil
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
import soundfile
from tiny_corpus import RATE_HZ, make_corpus

from tfser.cli.deployed_scores import deployed_scores
from tfser.cli.evaluate import load
from tfser.cli.int8_model import load_int8_model
from tfser.cli.predict import predict
from tfser.corpora import load_corpus
from tfser.features.dataset import corpus_features
from tfser.training.data import select_all, utterance_probabilities


@pytest.fixture(scope="module")
def long_corpus(tmp_path_factory) -> Path:
    """The names of the tiny corpus, in recordings of 0.2 to 7 s; rates, channels and sample formats differ."""
    root = make_corpus(tmp_path_factory.mktemp("long"))
    rng = np.random.default_rng(0)
    for index, path in enumerate(sorted(root.glob("*.wav"))):
        y, _ = soundfile.read(path)
        y = np.tile(y, 14)[: int(RATE_HZ * rng.uniform(0.2, 7))]
        y = y[:, None] * rng.uniform(0.1, 1, (1, 2)) * np.linspace(rng.uniform(0, 1), 1, len(y))[:, None]
        y[: len(y) // 2] *= index % 3 > 0  # half of it silent
        soundfile.write(path, y, (RATE_HZ, 22050)[index % 2], subtype=("PCM_16", "FLOAT", "PCM_24")[index % 3])
    return root


@pytest.fixture(scope="module")
def folder(int8_folder, tmp_path_factory) -> Path:
    return Path(shutil.copytree(int8_folder, tmp_path_factory.mktemp("build") / "int8"))


@pytest.fixture(scope="module")
def predicted(folder, long_corpus) -> dict[str, np.ndarray]:
    """What ``tfser predict`` answers, by the recording's id."""
    model = load_int8_model(folder / "model.tflite")
    answers = {path.stem: predict(model, path) for path in sorted(long_corpus.glob("*.wav"))}
    assert len({clips for _, clips in answers.values()}) > 3
    return {name: np.array(list(probabilities.values())) for name, (probabilities, _) in answers.items()}


def test_every_recording_has_the_probabilities_of_predict(folder, long_corpus, predicted):
    scored = load(folder / "model.tflite")
    data = corpus_features(load_corpus("emodb", long_corpus), scored.features)
    heard = utterance_probabilities(select_all(data, scored.features), scored.probabilities)
    assert sorted(data.ids) == sorted(predicted) and len(data.x) > 2 * len(data.ids)
    for name, probabilities in zip(data.ids, heard, strict=True):
        np.testing.assert_array_equal(probabilities, predicted[str(name)], err_msg=str(name))


def confusion(predicted: dict[str, np.ndarray], corpus: Path, speaker: str = "") -> list[list[int]]:
    """How often each label (row) was predicted as each, of a speaker's recordings."""
    loaded = load_corpus("emodb", corpus)
    pairs = Counter((loaded.labels.index(utterance.label), int(predicted[utterance.id].argmax()))
                    for utterance in loaded.utterances if utterance.speaker.startswith(speaker))
    return [[pairs[row, column] for column in range(len(loaded.labels))] for row in range(len(loaded.labels))]


def test_evaluate_counts_the_labels_of_predict(tfser, folder, long_corpus, predicted):
    for role, speaker in (("all", ""), ("test", "03")):
        result = tfser("evaluate", folder / "model.tflite", "--corpus", "emodb", "--root", long_corpus, "--split", role,
                       "--json")
        assert result.code == 0, result.err
        assert result.json()["confusion"] == confusion(predicted, long_corpus, speaker)


def test_validate_and_report_count_them_too(tfser, folder, run_folder, long_corpus, predicted):
    expected = confusion(predicted, long_corpus, "03")
    result = tfser("validate", folder / "model.tflite", "--corpus", "emodb", "--root", long_corpus, "--json")
    accuracy = {check["name"]: check for check in result.json()["checks"]}["accuracy"]
    assert accuracy["confusion"] == expected
    scores = deployed_scores(folder, None, "emodb", long_corpus, against=run_folder / "checkpoint.npz")
    assert scores["int8"]["confusion"] == expected
    assert np.sum(scores["decisions"]) == np.sum(expected) == 12
