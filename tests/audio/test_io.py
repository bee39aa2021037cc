"""Decoding: every format, rate and channel count that we claim, and every bad recording."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import soundfile

from tfser.audio.io import AUDIO_SUFFIXES, is_silent, read_audio, require_sound
from tfser.errors import InputError

RATE_HZ = 16000
TONE_HZ = 440.0
LOSSY_ATOL = 0.05  # MP3, Vorbis and Opus, of a tone of amplitude 0.5
RESAMPLE_ATOL = 1e-3  # soxr's high quality: passband ripple and 16-bit quantisation
EDGE = 800  # samples at either end, where a resampler or a codec has no full context

FORMATS = {
    ".wav": ("WAV", "PCM_16"), ".flac": ("FLAC", "PCM_16"), ".ogg": ("OGG", "VORBIS"), ".oga": ("OGG", "VORBIS"),
    ".opus": ("OGG", "OPUS"), ".mp3": ("MP3", "MPEG_LAYER_III"), ".aif": ("AIFF", "PCM_16"),
    ".aiff": ("AIFF", "PCM_24"), ".aifc": ("AIFF", "FLOAT"), ".au": ("AU", "PCM_16"), ".snd": ("AU", "ULAW"),
    ".caf": ("CAF", "PCM_16"), ".w64": ("W64", "PCM_16"), ".rf64": ("RF64", "PCM_16"), ".sph": ("NIST", "PCM_16"),
    ".nist": ("NIST", "PCM_16"), ".voc": ("VOC", "PCM_16"),
}


def tone(rate_hz: int, seconds: float = 1.0) -> np.ndarray:
    return 0.5 * np.sin(2 * np.pi * TONE_HZ * np.arange(round(rate_hz * seconds)) / rate_hz)


def write(path: Path, y: np.ndarray, rate_hz: int = RATE_HZ, subtype: str = "PCM_16", kind: str = "WAV") -> Path:
    soundfile.write(path, y, rate_hz, subtype=subtype, format=kind)
    return path


def error_code(path: Path) -> str:
    with pytest.raises(InputError) as caught:
        read_audio(path, RATE_HZ)
    assert str(path) in str(caught.value)
    return caught.value.code


def test_every_suffix_is_tried():
    assert set(FORMATS) == AUDIO_SUFFIXES


@pytest.mark.parametrize("suffix", sorted(FORMATS))
def test_format(tmp_path, suffix):
    kind, subtype = FORMATS[suffix]
    if subtype not in soundfile.available_subtypes(kind):
        pytest.skip(f"this libsndfile has no {kind} {subtype}")
    y = read_audio(write(tmp_path / f"clip{suffix}", tone(RATE_HZ), subtype=subtype, kind=kind), RATE_HZ)
    assert y.dtype == np.float32 and y.ndim == 1
    expected = tone(RATE_HZ)
    assert abs(len(y) - len(expected)) <= 1152  # an MP3 frame
    middle = slice(EDGE, len(expected) - 2 * EDGE)
    np.testing.assert_allclose(y[middle], expected[middle], atol=LOSSY_ATOL)


@pytest.mark.parametrize("subtype, step", [("PCM_U8", 2**-7), ("PCM_16", 2**-15), ("PCM_24", 2**-23),
                                           ("PCM_32", 2**-23), ("FLOAT", 2**-24), ("DOUBLE", 2**-24)])
def test_sample_format_costs_at_most_its_step(tmp_path, subtype, step):
    y = read_audio(write(tmp_path / "clip.wav", tone(RATE_HZ), subtype=subtype), RATE_HZ)
    np.testing.assert_allclose(y, tone(RATE_HZ), atol=step)


@pytest.mark.parametrize("rate_hz", [4000, 8000, 11025, 22050, 44100, 48000, 96000, 192000])
def test_resampled_tone_keeps_pitch_level_and_length(tmp_path, rate_hz):
    y = read_audio(write(tmp_path / "clip.wav", tone(rate_hz), rate_hz), RATE_HZ)
    assert y.dtype == np.float32 and len(y) == RATE_HZ
    np.testing.assert_allclose(y[EDGE:-EDGE], tone(RATE_HZ)[EDGE:-EDGE], atol=RESAMPLE_ATOL)


@pytest.mark.parametrize("channels", [2, 6])
def test_channels_are_averaged(tmp_path, channels):
    y = np.random.default_rng(0).uniform(-1, 1, (1000, channels)).astype(np.float32)
    np.testing.assert_allclose(read_audio(write(tmp_path / "clip.wav", y, subtype="FLOAT"), RATE_HZ), y.mean(axis=1),
                               atol=1e-6)


def test_one_sample_is_enough(tmp_path):
    assert read_audio(write(tmp_path / "clip.wav", np.array([0.5])), RATE_HZ).tolist() == [0.5]


def test_missing(tmp_path):
    assert error_code(tmp_path / "absent.wav") == "TF-AUDIO-01"


def test_folder(tmp_path):
    assert error_code(tmp_path) == "TF-AUDIO-02"


@pytest.mark.parametrize("content", [b"", b"RIFF", b"not sound\n" * 100, b"fLaC" + bytes(1000)])
def test_undecodable(tmp_path, content):
    path = tmp_path / "clip.wav"
    path.write_bytes(content)
    assert error_code(path) == "TF-AUDIO-03"


def test_headerless(tmp_path):
    path = tmp_path / "clip.raw"
    path.write_bytes(bytes(1000))
    assert error_code(path) == "TF-AUDIO-03"


@pytest.mark.parametrize("suffix", [".flac", ".mp3", ".caf"])  # the formats whose header tells the length
@pytest.mark.parametrize("kept", [0.3, 0.9])
def test_truncated(tmp_path, suffix, kept):
    kind, subtype = FORMATS[suffix]
    noise = np.random.default_rng(0).uniform(-1, 1, 4 * RATE_HZ)
    path = write(tmp_path / f"clip{suffix}", noise, subtype=subtype, kind=kind)
    content = path.read_bytes()
    path.write_bytes(content[: int(kept * len(content))])
    assert error_code(path) == "TF-AUDIO-03"


def test_flipped_bytes_in_flac(tmp_path):
    noise = np.random.default_rng(0).uniform(-1, 1, 4 * RATE_HZ)
    path = write(tmp_path / "clip.flac", noise, kind="FLAC")
    content = bytearray(path.read_bytes())
    content[len(content) // 2 : len(content) // 2 + 4096] = bytes(4096)
    path.write_bytes(content)
    assert error_code(path) == "TF-AUDIO-03"


@pytest.mark.parametrize("kind", ["WAV", "AIFF", "CAF"])
def test_no_samples(tmp_path, kind):
    assert error_code(write(tmp_path / "clip", np.zeros(0), kind=kind)) == "TF-AUDIO-04"


def test_rate_too_low(tmp_path):
    assert error_code(write(tmp_path / "clip.wav", np.ones(100), 1000)) == "TF-AUDIO-05"


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("rate_hz", [RATE_HZ, 48000])
def test_not_finite(tmp_path, value, rate_hz):
    y = tone(rate_hz)
    y[rate_hz // 2] = value
    assert error_code(write(tmp_path / "clip.wav", y, rate_hz, subtype="FLOAT")) == "TF-AUDIO-06"


@pytest.mark.parametrize("subtype", ["PCM_U8", "PCM_16", "FLOAT"])
@pytest.mark.parametrize("offset", [0.0, 0.25])
def test_silence_is_read_and_refused_only_on_request(tmp_path, subtype, offset):
    path = write(tmp_path / "clip.wav", np.full(RATE_HZ, offset), subtype=subtype)
    y = read_audio(path, RATE_HZ)
    assert is_silent(y)
    with pytest.raises(InputError, match=r"TF-AUDIO-07.*clip\.wav"):
        require_sound(y, path)


def test_a_quiet_voice_is_not_silence():
    require_sound(tone(RATE_HZ) * 1e-3, Path("clip.wav"))
