"""Exports of a model with its application layer: the examples listen, and every project gives the same decision."""

from __future__ import annotations

import dataclasses
import subprocess
from pathlib import Path

import numpy as np
import pytest
from exported import CORE, M4, compile_folder, needs, run, write_firmware

from firmware_gen.compile import compile_application
from firmware_gen.frontend.features import parse_features
from firmware_gen.frontend.tflite import read_tflite
from tfser.features.document import write_features_json
from tfser.spec import FeatureSpec

LABELS = ("anger", "neutral", "happiness", "sadness")
FLAGS = ("-O2", "-Wall", "-Wextra", "-Werror")

ARDUINO_H = r"""
#pragma once
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
struct Printer {
  void begin(long) {}
  void print(const char *text) { printf("%s", text); if (strchr(text, '\n')) exit(0); }
  void print(char value) { printf("%c", value); }
  void print(double value, int digits) { printf("%.*f", digits, value); }
  void println(int value) { printf("%d\n", value); exit(1); }
};
static Printer Serial;
void setup();
void loop();
int main() { setup(); for (;;) loop(); }
"""

MAIN = """
#include <stdio.h>
#include "tfser.h"
int main() {
  static tfser_state state;
  alignas(TFSER_ARENA_ALIGNMENT) static uint8_t arena[TFSER_ARENA_BYTES];
  static int16_t samples[TFSER_WINDOW_SAMPLES];
  float probability[TFSER_NUM_LABELS];
  if (tfser_init(&state, arena, sizeof arena) != TFSER_OK ||
      fread(samples, 2, TFSER_WINDOW_SAMPLES, stdin) != TFSER_WINDOW_SAMPLES ||
      tfser_feed(&state, samples, TFSER_WINDOW_SAMPLES) != TFSER_OK ||
      tfser_classify(&state, probability) != TFSER_OK) {
    return 1;
  }
  for (int i = 0; i < TFSER_NUM_LABELS; i++) printf("%s %.3f\\n", tfser_labels[i], (double)probability[i]);
}
"""


@pytest.fixture(scope="module")
def firmware(shared_models: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A firmware/ folder with all exports."""
    content = (shared_models / "conformer_bn.tflite").read_bytes()
    graph = read_tflite(content).subgraphs[0]
    given = graph.tensors[graph.inputs[0]]
    spec = dataclasses.replace(FeatureSpec(), band_mean=tuple(np.linspace(-5, -8.75, 40).tolist()),
                               band_std=tuple(np.linspace(3, 0.75, 40).tolist()))
    folder = tmp_path_factory.mktemp("application")
    write_features_json(folder / "features.json", spec, input_scale=float(given.scale[0]),
                        input_zero_point=int(given.zero_point[0]), labels=LABELS)
    features = parse_features((folder / "features.json").read_bytes())
    return write_firmware(compile_application(content, features, CORE).files, folder / "firmware")


@pytest.fixture(scope="module")
def objects(firmware: Path, tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    sources = sorted((firmware / "platformio/src").glob("*.c"))
    return compile_folder(("gcc", *FLAGS), sources, tmp_path_factory.mktemp("objects"))


def noise(seconds: float) -> bytes:
    return np.random.default_rng(3).normal(0, 800, int(16_000 * seconds)).astype("<i2").tobytes()


def decision(program: Path, samples: bytes) -> dict[str, float]:
    ran = subprocess.run([program], input=samples, capture_output=True, text=False, check=True)
    found = {label: float(value) for label, value in (line.split() for line in ran.stdout.decode().splitlines())}
    assert tuple(found) == LABELS
    assert sum(found.values()) == pytest.approx(1, abs=0.003)
    assert max(found.values()) < 0.999
    return found


@needs("cmake", "gcc", "g++")
def test_the_projects_give_the_same_decision(firmware: Path, objects: list[Path], tmp_path: Path) -> None:
    library = firmware / "platformio"
    run("g++", "-std=c++11", *FLAGS, f"-I{library / 'src'}", library / "examples/classify_speech/src/main.cpp",
        *objects, "-lm", "-o", tmp_path / "example")
    (tmp_path / "main.cpp").write_text(MAIN)
    (tmp_path / "CMakeLists.txt").write_text(
        "cmake_minimum_required(VERSION 3.16)\nproject(app LANGUAGES C CXX)\n"
        f'add_subdirectory("{firmware}/cmake" tfser)\nadd_executable(app main.cpp)\n'
        "target_link_libraries(app PRIVATE tfser::tfser)\n")
    run("cmake", "-S", tmp_path, "-B", tmp_path / "b")
    run("cmake", "--build", tmp_path / "b", "-j2")
    window = noise(3)
    by_cmake = decision(tmp_path / "b/app", window)
    samples = int((firmware / "tfser.h").read_text().split("#define TFSER_WINDOW_SAMPLES ")[1].split()[0])
    assert decision(tmp_path / "example", window[:2 * samples]) == by_cmake
    too_short = subprocess.run([tmp_path / "example"], input=noise(0.5), capture_output=True, check=False)
    assert too_short.returncode == 1
    assert f"status 1 (tfser.h says what it means; a window has {samples} samples)" in too_short.stderr.decode()


@needs("gcc", "g++")
def test_the_sketch_listens_and_prints_probabilities(firmware: Path, objects: list[Path], tmp_path: Path) -> None:
    (tmp_path / "Arduino.h").write_text(ARDUINO_H)
    sketch = firmware / "arduino/examples/ClassifySpeech/ClassifySpeech.ino"
    assert [path.name for path in (firmware / "arduino/examples").rglob("*.ino")] == [sketch.name]
    (tmp_path / "sketch.cpp").write_text(f"#include <Arduino.h>\n{sketch.read_text()}")
    run("g++", "-std=gnu++11", *FLAGS, f"-I{tmp_path}", f"-I{firmware / 'arduino/src'}", tmp_path / "sketch.cpp",
        *objects, "-lm", "-o", tmp_path / "sketch")
    pairs = [pair.split() for pair in run(tmp_path / "sketch").strip().split(", ")]
    assert tuple(label for label, _ in pairs) == LABELS
    assert sum(float(value) for _, value in pairs) == pytest.approx(1, abs=0.021)


@needs("arm-none-eabi-gcc")
@pytest.mark.parametrize("board", ["ARDUINO_ARDUINO_NANO33BLE", "ARDUINO_OTHER"])
def test_sketch_and_library_compile_for_a_chip(firmware: Path, tmp_path: Path, board: str) -> None:
    library = firmware / "arduino"
    (tmp_path / "Arduino.h").write_text(ARDUINO_H)
    (tmp_path / "PDM.h").write_text("#include <stddef.h>\nstruct Microphone { void onReceive(void (*)()); "
                                    "int begin(int, int); int available(); int read(void *, size_t); };\n"
                                    "extern Microphone PDM;\n")
    compile_folder((*M4, "-std=gnu11", "-Os", "-Wall", "-Wextra", "-Werror"),
                   [*sorted((library / "src").glob("tfser_f*.c")), library / "src/tfser.c"], tmp_path / "o")
    run("arm-none-eabi-gcc", "-x", "c++", "-std=gnu++11", *CORE.gcc_flags, "-fno-exceptions", "-fno-rtti", "-Wall",
        "-Wextra", "-Werror", f"-D{board}", f"-I{tmp_path}", f"-I{library / 'src'}", "-include", "Arduino.h",
        "-fsyntax-only", library / "examples/ClassifySpeech/ClassifySpeech.ino")


def test_manifests_name_the_application(firmware: Path) -> None:
    assert "includes=tfser.h" in (firmware / "arduino/library.properties").read_text()
    assert '"base": "examples/classify_speech"' in (firmware / "platformio/library.json").read_text()
    assert "example `ClassifySpeech`" in (firmware / "arduino/README.md").read_text()
