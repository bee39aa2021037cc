"""A corpus folder to an array: order, labels, silent and broken recordings."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import soundfile

from tfser.corpora import load_corpus
from tfser.errors import InputError
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
    expected = level_normalise(log_mel(noise(2).astype(np.float32), SPEC), SPEC)
    np.testing.assert_array_equal(data.x[0], expected)


def test_the_speech_of_a_long_recording_is_used(tmp_path):
    write(tmp_path, "03a01Fa", np.concatenate([np.zeros(20000), noise(0), np.zeros(20000)]))
    write(tmp_path, "08a01Fa", noise(0))
    x = corpus_features(load_corpus("emodb", tmp_path), SPEC).x
    np.testing.assert_array_equal(x[0], x[1])


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
