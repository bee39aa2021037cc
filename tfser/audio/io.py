"""Decode a recording to mono float32 at the rate that the features need."""

from __future__ import annotations

from pathlib import Path

import librosa
import numpy as np
import soundfile

from tfser.errors import InputError

#: Suffixes that libsndfile decodes without being told the sample rate (which excludes headerless ``.raw``).
AUDIO_SUFFIXES = frozenset({".wav", ".flac", ".ogg", ".oga", ".opus", ".mp3", ".aif", ".aiff", ".aifc", ".au", ".snd",
                            ".caf", ".w64", ".rf64", ".sph", ".nist", ".voc"})
#: Telephone speech is 8000 Hz; below half of that nothing is intelligible, and upsampling would only cost memory.
MIN_RATE_HZ = 4000
#: Peak to peak, full scale 2.0: two steps of 16 bits. A constant offset is silence too.
SILENCE_SPAN = 2.0 / 32768.0


def read_audio(path: Path, sample_rate_hz: int) -> np.ndarray:
    """Decode any format that libsndfile reads, mix it to mono, and resample it (soxr, high quality).

    Parameters
    ----------
    path : Path
        The recording: any sample format, any number of channels, any rate from ``MIN_RATE_HZ`` up.
    sample_rate_hz : int
        Rate of the result.

    Returns
    -------
    y : np.ndarray [shape=(samples,)], float32
        Full scale is -1 to 1. A silent recording is readable; see :func:`require_sound`.

    Raises
    ------
    InputError
        The file is missing, a folder, not decodable, cut short, without samples, of a rate below
        ``MIN_RATE_HZ``, or holds NaN or infinity.
    """
    y, rate_hz = _decode(path)
    if rate_hz < MIN_RATE_HZ:
        raise InputError("TF-AUDIO-05", f"recording {str(path)!r} with a sample rate of {rate_hz} Hz",
                         expected=f"at least {MIN_RATE_HZ} Hz", fix="record at 8000 Hz or more, best 16000")
    y = y.mean(axis=1)
    if not np.isfinite(y).all():
        raise InputError("TF-AUDIO-06", f"recording {str(path)!r} with NaN or infinite samples",
                         expected="finite samples", fix="export the recording again as 16-bit PCM")
    if rate_hz != sample_rate_hz:
        y = librosa.resample(y, orig_sr=rate_hz, target_sr=sample_rate_hz, res_type="soxr_hq")
    return y


def to_pcm16(y: np.ndarray) -> np.ndarray:
    """Samples as a device takes them: ``round(y * 32768)``, clipped to int16.

    Parameters
    ----------
    y : np.ndarray [shape=(samples,)], float32
        Full scale is -1 to 1.
    """
    return np.clip(np.rint(y * np.float32(32768)), -32768, 32767).astype(np.int16)


def from_pcm16(pcm: np.ndarray) -> np.ndarray:
    """int16 samples ``pcm`` [shape=(samples,)] as float32 with full scale -1 to 1."""
    return pcm.astype(np.float32) / np.float32(32768)


def is_silent(y: np.ndarray) -> bool:
    """Whether samples ``y`` [shape=(samples,)] never move by more than two 16-bit steps."""
    return y.size == 0 or float(np.ptp(y)) <= SILENCE_SPAN


def require_sound(y: np.ndarray, path: Path) -> None:
    """Refuse a recording in which nothing is heard.

    Raises
    ------
    InputError
        ``y`` is silent; ``path`` is named.
    """
    if is_silent(y):
        raise InputError("TF-AUDIO-07", f"silent recording {str(path)!r}", expected="a recording with speech",
                         fix="check the microphone and the channel that was recorded")


def _decode(path: Path) -> tuple[np.ndarray, int]:
    """Samples [shape=(samples, channels)], float32, and their rate."""
    if not path.exists():
        raise InputError("TF-AUDIO-01", f"no recording at {str(path)!r}", expected="an audio file",
                         fix="check the path")
    if path.is_dir():
        raise InputError("TF-AUDIO-02", f"folder {str(path)!r} where a recording was wanted",
                         expected="one audio file", fix="name a file in it")
    try:
        with soundfile.SoundFile(path) as stream:
            y = stream.read(dtype="float32", always_2d=True)
            rate_hz, declared = stream.samplerate, stream.frames
    except (soundfile.SoundFileError, TypeError, ValueError, MemoryError) as error:  # .raw gives a TypeError
        raise _undecodable(path, str(error)) from error
    if len(y) < declared:
        raise _undecodable(path, f"it ends after {len(y)} of {declared} samples")
    if not len(y):
        raise InputError("TF-AUDIO-04", f"recording {str(path)!r} without samples",
                         expected="at least one sample", fix="record it again, or leave it out")
    return y, rate_hz


def _undecodable(path: Path, reason: str) -> InputError:
    return InputError("TF-AUDIO-03", f"recording {str(path)!r} cannot be decoded: {reason}",
                      expected="a sound file that libsndfile reads (WAV, FLAC, OGG, MP3, AIFF, ...)",
                      fix="check that the file is whole, or convert it to WAV")
