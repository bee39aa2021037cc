"""Other specifications than the default: every size of the transform, hops, windows, bands, rates, levels, floors."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from front_end import (
    EQUAL,
    FIXED_CORE,
    FLOAT_CORE,
    MOST_STEPS,
    HostProgram,
    Objects,
    classifier_of,
    cut,
    fitted,
    init,
    odd_clips,
    read,
    reference,
    share_equal,
)

from firmware_gen.errors import InputError

EIGHT = {"sample_rate_hz": 8000, "high_hz": 4000.0}
LARGE = {"sample_rate_hz": 48000, "high_hz": 20000.0, "mel_bands": 128, "hop_samples": 960, "frames": 20}
SPECS: dict[str, dict[str, Any]] = {
    "8 kHz": {**EIGHT, "window_samples": 200, "hop_samples": 160, "fft_size": 256, "mel_bands": 13, "frames": 60},
    "22 kHz": {"sample_rate_hz": 22050, "window_samples": 1024, "hop_samples": 441, "fft_size": 1024, "mel_bands": 64,
               "high_hz": 11025.0, "frames": 80},
    "no overlap": {"window_samples": 512, "hop_samples": 512, "frames": 50},
    "odd": {"window_samples": 509, "hop_samples": 77, "frames": 30, "mel_bands": 23},
    "padded": {"window_samples": 100, "hop_samples": 50, "frames": 70, "mel_bands": 30},
    "padded, 1024": {"window_samples": 100, "hop_samples": 50, "fft_size": 1024, "frames": 70, "mel_bands": 30},
    "hop of one": {"hop_samples": 1, "frames": 40},
    "one band": {**EIGHT, "fft_size": 256, "window_samples": 256, "hop_samples": 128, "mel_bands": 1, "frames": 200},
    "narrow": {"low_hz": 300.0, "high_hz": 3400.0, "mel_bands": 20},
    "FFT 8": {**EIGHT, "window_samples": 8, "hop_samples": 5, "fft_size": 8, "mel_bands": 2, "frames": 50},
    "FFT 16": {**EIGHT, "window_samples": 12, "hop_samples": 5, "fft_size": 16, "mel_bands": 3, "frames": 50},
    "FFT 64": {**EIGHT, "window_samples": 64, "hop_samples": 32, "fft_size": 64, "mel_bands": 8, "frames": 50},
    "FFT 2048": {"sample_rate_hz": 44100, "window_samples": 1500, "hop_samples": 441, "fft_size": 2048, "mel_bands": 80,
                 "high_hz": 20000.0, "frames": 40},
    "FFT 8192": {**LARGE, "window_samples": 8000, "fft_size": 8192},
    "FFT 16384": {**LARGE, "window_samples": 16384, "fft_size": 16384},
    "least level": {"level_percentile": 1e-9},
    "median level": {"level_percentile": 50.0},
    "largest level": {"level_percentile": 100.0},
    "shallow": {"level_floor_nats": -0.5},
    "deep": {"level_floor_nats": -20.0, "log_floor": 1e-14},
    "high floor": {"log_floor": 1e-5},
}
#: Of which the signals that are no speech are asked too. Elsewhere the level is that of what lies 90 dB below full
#: scale, or bands hold nothing but rounding.
ORDINARY = {"8 kHz", "22 kHz", "no overlap", "odd", "padded", "padded, 1024", "hop of one", "one band", "narrow",
            "FFT 8", "FFT 16", "FFT 64", "largest level", "shallow", "deep", "high floor"}
MOST_CLIPS, MOST_SAMPLES = 40, 2_000_000


@pytest.fixture(scope="session")
def audio(recordings: np.ndarray) -> np.ndarray:
    return recordings[::3].reshape(-1)


@pytest.mark.parametrize("name", SPECS)
def test_codes_are_those_of_the_python_features(name: str, audio: np.ndarray, objects: Objects, tmp_path: Path) -> None:
    spec = fitted(**SPECS[name])
    content, samples = classifier_of(spec), spec.clip_samples
    count = min(MOST_CLIPS, MOST_SAMPLES // samples)
    starts = np.linspace(0, len(audio) - samples, count).astype(int)
    clips = np.stack([audio[start:start + samples] for start in starts])
    odd = odd_clips(samples)
    expected, expected_odd = reference(clips, content, spec), reference(odd, content, spec)
    assert np.unique(expected).size > 50
    for core in MOST_STEPS:
        if (name, core) == ("FFT 16384", FIXED_CORE):
            with pytest.raises(InputError, match="256 bins in fixed point"):
                HostProgram(tmp_path / core, content, core, objects, spec=spec)
            continue
        program = HostProgram(tmp_path / core, content, core, objects, spec=spec)
        codes, _ = program.run(clips)
        assert share_equal(codes, expected, core) >= EQUAL
        found, probability = program.run(odd)
        np.testing.assert_allclose(probability.sum(axis=1), 1, atol=1e-6)
        if name in ORDINARY:
            assert share_equal(found, expected_odd, core) >= EQUAL
        chunks = np.random.default_rng(1).integers(0, 3 * spec.hop_samples + 2, samples)
        again = program.results([init(), *cut(clips[-1], chunks), read()])
        np.testing.assert_array_equal(again[0], codes[-1])


def test_what_the_table_covers() -> None:
    sizes = {fitted(**changes).fft_size for changes in SPECS.values()}
    assert sizes >= {8, 16, 64, 256, 512, 1024, 2048, 8192, 16384} and SPECS.keys() > ORDINARY
    assert {FLOAT_CORE, FIXED_CORE} == MOST_STEPS.keys()
