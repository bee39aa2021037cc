"""A corpus folder to an array: order, labels, silent and broken recordings."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pytest
import soundfile

from tfser.audio.io import from_pcm16, read_audio, to_pcm16
from tfser.corpora import load_corpus
from tfser.errors import InputError
from tfser.features.clips import heard_features
from tfser.features.dataset import corpus_features
from tfser.features.logmel import log_mel
from tfser.features.normalise import level_normalise
from tfser.spec import FeatureSpec

SPEC = FeatureSpec(frames=20)


def noise(seed: int, samples: int = SPEC.clip_samples) -> np.ndarray:
    return np.random.default_rng(seed).uniform(-0.5, 0.5, samples)


def write(root: Path, name: str, y: np.ndarray) -> None:
    soundfile.write(root / f"{name}.wav", y, SPEC.sample_rate_hz, subtype="FLOAT")


def test_rows_follow_the_corpus(tmp_path):
    names = ["08a01Wa", "03a02Ta", "03a01Fa"]
    for seed, name in enumerate(names):
        write(tmp_path, name, noise(seed))
    data = corpus_features(load_corpus("emodb", tmp_path), SPEC)
    assert data.ids.tolist() == ["03a01Fa", "03a02Ta", "08a01Wa"]
    assert data.speakers.tolist() == ["03", "03", "08"]
    assert data.labels.tolist() == [4, 6, 0]
    assert data.x.shape == (3, 20, 40) and data.x.dtype == np.float32
    assert data.owner.tolist() == [0, 1, 2]
    expected = level_normalise(log_mel(from_pcm16(to_pcm16(noise(2).astype(np.float32))), SPEC), SPEC)
    np.testing.assert_array_equal(data.x[0], expected)


def test_a_long_recording_is_heard_in_windows(tmp_path):
    long = np.concatenate([noise(0, 3 * SPEC.clip_samples), np.zeros(3 * SPEC.clip_samples)])
    write(tmp_path, "03a01Fa", long)
    write(tmp_path, "08a01Fa", noise(1))
    data = corpus_features(load_corpus("emodb", tmp_path), SPEC)
    windows = heard_features(long.astype(np.float32), SPEC)
    assert len(windows) == 6 and data.owner.tolist() == [0] * 6 + [1]
    np.testing.assert_array_equal(data.x[:6], windows)
    assert len(data.labels) == len(data.speakers) == len(data.ids) == len(data.groups) == 2


def test_parts_of_a_file_are_read_together_wherever_they_stand(tmp_path, monkeypatch):
    """Two files whose parts alternate in the corpus, one part of each silent."""
    rate = SPEC.sample_rate_hz
    parts = {name: [noise(seed, rate), np.zeros(rate), noise(seed + 1, 2 * rate)] for seed, name in enumerate("ab")}
    for name, stretches in parts.items():
        write(tmp_path, name, np.concatenate(stretches))
    times = [(0, 1), (1, 2), (2, 4)]
    rows = [f"{name}.wav,{name},{label},{start},{end}" for (start, end), label in zip(times, "xyx", strict=True)
            for name in parts]
    (tmp_path / "corpus.csv").write_text("\n".join(["path,speaker,label,start_s,end_s", *rows]))
    read = []
    monkeypatch.setattr("tfser.features.dataset.read_audio", lambda path, rate: read.append(path) or read_audio(
        path, rate))
    corpus = load_corpus("csv", tmp_path / "corpus.csv")
    parts_of = sorted(corpus.utterances, key=lambda utterance: utterance.start_s)
    data = corpus_features(dataclasses.replace(corpus, utterances=tuple(parts_of)), SPEC)
    assert [path.name for path in read] == ["a.wav", "b.wav"]
    assert data.speakers.tolist() == ["a", "b", "a", "b"]
    assert data.skipped == tuple(utterance.id for utterance in parts_of[2:4])
    for index, (name, part) in enumerate([("a", 0), ("b", 0), ("a", 2), ("b", 2)]):
        np.testing.assert_array_equal(data.x[data.owner == index],
                                      heard_features(parts[name][part].astype(np.float32), SPEC))


def test_a_silent_recording_is_left_out_and_listed(tmp_path):
    write(tmp_path, "03a01Fa", noise(0))
    write(tmp_path, "03a01Wa", np.zeros(1000))
    data = corpus_features(load_corpus("emodb", tmp_path), SPEC)
    assert data.ids.tolist() == ["03a01Fa"] and data.skipped == ("03a01Wa",)


def test_all_silent(tmp_path):
    write(tmp_path, "03a01Wa", np.zeros(1000))
    with pytest.raises(InputError, match="TF-FEAT-11"):
        corpus_features(load_corpus("emodb", tmp_path), SPEC)


def test_a_broken_recording_is_an_error_that_names_it(tmp_path):
    write(tmp_path, "03a01Fa", noise(0))
    (tmp_path / "03a01Wa.wav").write_bytes(b"RIFF")
    with pytest.raises(InputError, match=r"TF-AUDIO-03.*03a01Wa\.wav"):
        corpus_features(load_corpus("emodb", tmp_path), SPEC)


def test_emodb(shared_data):
    data = corpus_features(load_corpus("emodb", shared_data / "emodb"), FeatureSpec())
    assert data.x.shape == (535, 100, 40) and data.skipped == ()
    assert np.isfinite(data.x).all() and data.x.min() == -9
    assert np.bincount(data.labels).tolist() == [127, 81, 46, 69, 71, 79, 62]
