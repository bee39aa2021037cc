"""The audio front end in C gives the codes of the Python features, whatever the chunks."""

from __future__ import annotations

import subprocess
from pathlib import Path

import numpy as np
import pytest
from front_end import HERE, SANITIZE, SPEC, HostProgram, input_of, odd_clips, real_clips, reference

from firmware_gen.frontend.tflite import read_tflite
from tfser.validate.accuracy import probabilities
from tfser.validate.runtimes import run_tflite_micro

#: Steps between a code in C and in Python: float32 and Q22 logarithms against float64, at the edge between two codes.
MOST_STEPS = {"cortex-m4": 1, "cortex-m3": 2}
EQUAL = 0.999


@pytest.fixture(scope="module")
def content(shared_models: Path) -> bytes:
    return (shared_models / "conformer_bn.tflite").read_bytes()


@pytest.fixture(scope="module", params=["cortex-m4", "cortex-m3"])
def program(request: pytest.FixtureRequest, content: bytes, tmp_path_factory: pytest.TempPathFactory) -> HostProgram:
    return HostProgram(tmp_path_factory.mktemp(request.param), content, request.param)


def test_codes_of_recordings(program: HostProgram, content: bytes, shared_data: Path) -> None:
    clips = real_clips(shared_data, 200)
    codes, _ = program.run(clips)
    expected = reference(clips, content)
    assert np.unique(expected).size > 100
    apart = np.abs(codes.astype(int) - expected)
    assert apart.max() <= MOST_STEPS[program.core]
    assert (apart == 0).mean() >= EQUAL


def test_codes_of_signals_that_are_no_speech(program: HostProgram, content: bytes) -> None:
    clips = odd_clips()
    codes, _ = program.run(clips)
    apart = np.abs(codes.astype(int) - reference(clips, content))
    assert apart.max() <= MOST_STEPS[program.core]
    assert (apart == 0).mean() >= EQUAL


@pytest.mark.parametrize("chunks", ["one", "random"])
def test_chunks_change_nothing(program: HostProgram, shared_data: Path, chunks: str) -> None:
    clips = real_clips(shared_data, 200)[::40]
    for whole, cut in zip(program.run(clips), program.run(clips, chunks), strict=True):
        np.testing.assert_array_equal(whole, cut)


def test_probabilities_are_those_of_tflite_micro(program: HostProgram, content: bytes, shared_data: Path) -> None:
    codes, found = program.run(real_clips(shared_data, 200)[::10])
    graph = read_tflite(content).subgraphs[0]
    gives = graph.tensors[graph.outputs[0]]
    logits = run_tflite_micro(content, codes.reshape(-1, SPEC.frames, SPEC.mel_bands))
    expected = probabilities(logits, float(gives.scale[0]), int(gives.zero_point[0]))
    np.testing.assert_allclose(found, expected, rtol=2e-6)
    assert np.unique(logits).size > 8
    assert input_of(content)[0] > 0


def test_sanitizers_find_nothing(content: bytes, shared_data: Path, tmp_path: Path) -> None:
    clips = np.concatenate([odd_clips(), real_clips(shared_data, 200)[::100]])
    for core in MOST_STEPS:
        plain = HostProgram(tmp_path / core, content, core).run(clips)
        for chunks in ("all", "random"):
            checked = HostProgram(tmp_path / f"{core}-checked", content, core, *SANITIZE).run(clips, chunks)
            for one, other in zip(plain, checked, strict=True):
                np.testing.assert_array_equal(one, other)


def test_bad_calls_give_the_documented_codes(program: HostProgram) -> None:
    folder = program.folder
    subprocess.run(["gcc", "-std=c11", *SANITIZE, "-I.", str(HERE / "errors_main.c"), *program.sources, "-o", "errors"],
                   cwd=folder, check=True)
    assert subprocess.run(["./errors"], cwd=folder, check=False).returncode == 0
