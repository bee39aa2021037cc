"""The audio front end in C gives the codes of the Python features."""

from __future__ import annotations

import dataclasses
import subprocess
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from front_end import (
    EQUAL,
    FIXED_CORE,
    FLOAT_CORE,
    HERE,
    OK,
    SANITIZE,
    SPEC,
    STRICT,
    HostProgram,
    Objects,
    classify,
    describe,
    feed,
    init,
    odd_clips,
    read,
    reference,
    share_equal,
    small_classifier,
)

from firmware_gen.frontend.features import Features, MelBand
from firmware_gen.frontend.tflite import read_tflite
from tfser.validate.accuracy import probabilities
from tfser.validate.runtimes import run_tflite_micro

Programs = Callable[..., HostProgram]


@pytest.fixture(scope="session")
def expected(recordings: np.ndarray) -> np.ndarray:
    """Codes of the Python features of the recordings."""
    codes = reference(recordings, small_classifier())
    assert np.unique(codes).size > 100
    return codes


def test_codes_of_recordings(core: str, small_program: Programs, recordings: np.ndarray, expected: np.ndarray) -> None:
    codes, _ = small_program(core).run(recordings)
    assert share_equal(codes, expected, core) >= EQUAL


def test_codes_of_signals_that_are_no_speech(core: str, small_program: Programs) -> None:
    """Under sanitizers; silence, clipping, an offset, full scale, tiny noise each keep the limit."""
    clips = odd_clips()
    codes, probability = small_program(core, checked=True).run(clips)
    expected = reference(clips, small_classifier())
    assert min(share_equal(*pair, core) for pair in zip(codes, expected, strict=True)) >= EQUAL
    assert np.isfinite(probability).all() and (probability >= 0).all()
    np.testing.assert_allclose(probability.sum(axis=1), 1, atol=1e-6)


def nudged_mean(features: Features) -> Features:
    """One band's mean moved by half a step of its codes."""
    mean = features.band_mean.copy()
    mean[20] += np.float32(0.5 * features.input_scale * features.band_std[20])
    return dataclasses.replace(features, band_mean=mean)


def nudged_weight(features: Features) -> Features:
    """One mel weight a fifth larger: the largest of a band."""
    mel = list(features.mel)
    weights = mel[20].weights.copy()
    weights[weights.argmax()] *= np.float32(1.2)
    mel[20] = dataclasses.replace(mel[20], weights=weights)
    return dataclasses.replace(features, mel=tuple(mel))


def nudged_window(features: Features) -> Features:
    """The window one sample late."""
    return dataclasses.replace(features, window=np.roll(features.window, 1))


@pytest.mark.parametrize("nudge", [nudged_mean, nudged_weight, nudged_window])
def test_one_wrong_number_falls_below_the_limit(
    nudge: Callable[[Features], Features], recordings: np.ndarray, expected: np.ndarray, objects: Objects,
    tmp_path: Path,
) -> None:
    content = small_classifier()
    program = HostProgram(tmp_path, content, FLOAT_CORE, objects, described=nudge(describe(content)))
    codes, _ = program.run(recordings)
    assert (codes == expected).mean() < EQUAL


def weights_of(features: Features, scale: float, *, first: float = 1.0) -> tuple[MelBand, ...]:
    """The mel bands with weights multiplied by ``scale``, those of the first band by ``first``."""
    return tuple(dataclasses.replace(band, weights=band.weights * np.float32(scale if number else first))
                 for number, band in enumerate(features.mel))


#: The ends of what tables may hold: 0.64 x 400 is half the transform's size, the most that fixed point takes.
ENDS: dict[str, Callable[[Features], dict[str, object]]] = {
    "sum of the window": lambda _: {"window": np.full(400, 0.64, np.float32)},
    "lowest floor": lambda _: {"log_floor": 2.0**-52, "level_floor_nats": -43.0},
    "lowest log_floor": lambda features: {"mel": weights_of(features, 2.0**-40, first=2.0**-40),
                                          "log_floor": 2.0**-90, "level_min_nats": -53.0},
    "highest log_floor": lambda _: {"log_floor": 2.0**32},
    "weights beside nothing": lambda features: {"mel": weights_of(features, 1e-40)},
    "large weights": lambda features: {"mel": weights_of(features, 2.0**40), "log_floor": 1.0},
    "band_std": lambda _: {"band_std": np.full(40, 1e30, np.float32)},
    "fine steps": lambda _: {"band_std": np.full(40, 3e-2, np.float32)},
}


@pytest.mark.parametrize("name", ENDS)
def test_the_ends_of_the_tables_overflow_nothing(
    name: str, core: str, objects: Objects, tmp_path: Path,
) -> None:
    content = small_classifier()
    features = describe(content)
    described = dataclasses.replace(features, **ENDS[name](features))
    program = HostProgram(tmp_path, content, core, objects, described=described, flags=SANITIZE)
    _, probability = program.run(odd_clips())
    np.testing.assert_allclose(probability.sum(axis=1), 1, atol=1e-6)


def test_probabilities_are_those_of_tflite_micro(
    core: str, conformer: bytes, recordings: np.ndarray, objects: Objects, tmp_path: Path,
) -> None:
    """A model with an arena that the transform shares, sanitized; its logits leave the arena as they should."""
    program = HostProgram(tmp_path, conformer, core, objects, flags=SANITIZE)
    codes, found = program.run(np.concatenate([recordings[::20], odd_clips()]))
    graph = read_tflite(conformer).subgraphs[0]
    gives = graph.tensors[graph.outputs[0]]
    logits = run_tflite_micro(conformer, codes.reshape(-1, SPEC.frames, SPEC.mel_bands))
    expected = probabilities(logits, float(gives.scale[0]), int(gives.zero_point[0]))
    np.testing.assert_allclose(found, expected, rtol=2e-6)
    np.testing.assert_allclose(found.sum(axis=1), 1, atol=1e-6)
    assert np.unique(logits).size > 8


def test_optimisation_changes_nothing(core: str, small_program: Programs, recordings: np.ndarray) -> None:
    """The same bytes from -O2 and from a sanitized build."""
    calls = [call for clip in recordings[::50] for call in (init(), feed(clip), read(), classify())]
    plain, checked = (small_program(core, checked=checked).play(calls) for checked in (False, True))
    for one, other in zip(plain, checked, strict=True):
        assert one.status == other.status == OK
        np.testing.assert_array_equal(one.result, other.result)


def test_bad_calls_give_the_documented_codes(core: str, small_program: Programs, objects: Objects) -> None:
    program = small_program(core, checked=True)
    errors = objects.program(program.folder, "errors_main.c", program.sources, SANITIZE)
    done = subprocess.run([errors], check=False, capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize("compiler", [("clang",), ("g++", "-x", "c++", "-std=c++17")])
def test_other_compilers_have_nothing_to_say(compiler: tuple[str, ...], small_program: Programs) -> None:
    """The sources for clang, the header for C++."""
    for core in (FLOAT_CORE, FIXED_CORE):
        program = small_program(core)
        cpp = "-std=c++17" in compiler
        warnings = [flag for flag in STRICT if not (cpp and flag == "-std=c11")]
        sources = [str(HERE / "header.cpp")] if cpp else program.sources
        subprocess.run([*compiler, *warnings, "-fsyntax-only", "-I.", *sources], cwd=program.folder, check=True)
