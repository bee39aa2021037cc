"""A model exported to every build system, and what its tests share: tools, programs that run it, expected bytes."""

from __future__ import annotations

import dataclasses
import shutil
import subprocess
import tempfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from compiled import Oracle, inputs

from firmware_gen.compile import compile_application, compile_model
from firmware_gen.export.exports import write_exports
from firmware_gen.frontend.features import parse_features
from firmware_gen.frontend.tflite import read_tflite
from firmware_gen.target import CORES, Core
from tfser.features.document import write_features_json
from tfser.spec import FeatureSpec

CORE = CORES["cortex-m4"]
M4 = ("arm-none-eabi-gcc", *CORE.gcc_flags)

#: Reads inputs from stdin until it ends, writes outputs. C and C++.
MAIN = """
#include <stdio.h>
#include "tfser_model.h"
#ifdef __cplusplus
extern "C"
#endif
void tfser_profile_part(int part);
void tfser_profile_part(int part) { (void)part; }
static union { int8_t bytes[TFSER_MODEL_ARENA_BYTES + 16]; long long word; } arena;
int main(void) {
    static int8_t input[TFSER_MODEL_INPUT_BYTES], output[TFSER_MODEL_OUTPUT_BYTES];
    int8_t *at = arena.bytes + (16u - (unsigned)((uintptr_t)arena.bytes % 16u)) % 16u;
    while (fread(input, 1, sizeof input, stdin) == sizeof input) {
        if (tfser_model_run(input, output, at) != TFSER_MODEL_OK) {
            return 1;
        }
        fwrite(output, 1, sizeof output, stdout);
    }
    return 0;
}
"""


LABELS = ("anger", "neutral", "happiness", "sadness")

#: Reads one window of samples from stdin, prints the probability of each label. C and C++.
LISTEN = """
#include <stdalign.h>
#include <stdio.h>
#include "tfser.h"
int main(void) {
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
  return 0;
}
"""


def compile_listener(content: bytes, core: Core) -> dict[str, str]:
    """All generated C of a model of four labels with its application layer."""
    graph = read_tflite(content).subgraphs[0]
    given = graph.tensors[graph.inputs[0]]
    spec = dataclasses.replace(FeatureSpec(), band_mean=tuple(np.linspace(-5, -8.75, 40).tolist()),
                               band_std=tuple(np.linspace(3, 0.75, 40).tolist()))
    with tempfile.TemporaryDirectory() as name:
        path = Path(name) / "features.json"
        write_features_json(path, spec, input_scale=float(given.scale[0]), input_zero_point=int(given.zero_point[0]),
                            labels=LABELS)
        return compile_application(content, parse_features(path.read_bytes()), core).files


def window_samples(firmware: Path) -> int:
    """Samples of a window, as tfser.h says."""
    return int((firmware / "tfser.h").read_text().split("#define TFSER_WINDOW_SAMPLES ")[1].split()[0])


def noise(samples: int) -> bytes:
    """16-bit samples that give no label for certain."""
    return np.random.default_rng(3).normal(0, 800, samples).astype("<i2").tobytes()


def decision(program: Path, samples: bytes) -> dict[str, float]:
    """What a program made of :data:`LISTEN`, or the example of an export, prints for samples."""
    ran = subprocess.run([program], input=samples, capture_output=True, check=True)
    found = {label: float(value) for label, value in (line.split() for line in ran.stdout.decode().splitlines())}
    assert tuple(found) == LABELS
    assert sum(found.values()) == pytest.approx(1, abs=0.003)
    assert max(found.values()) < 0.999
    return found


class Exported:
    """``folder`` is a firmware/ with all exports; ``expected`` are TensorFlow Lite Micro's bytes for ``given``."""

    def __init__(self, content: bytes, folder: Path) -> None:
        self.files = compile_model(content, CORE).files
        self.folder = folder
        write_firmware(self.files, folder)
        oracle = Oracle(content)
        self._oracle = oracle
        self.given = inputs(oracle.shape, seed=4)
        self.expected = [oracle.run(x) for x in self.given]
        assert np.unique(np.concatenate(self.expected)).size > 8

    def pattern(self) -> list[int]:
        """The output for the input that the example programs make up."""
        size = int(np.prod(self._oracle.shape))
        return self._oracle.run((np.arange(size) % 256 - 128).astype(np.int8)).tolist()

    def check(self, program: Path) -> None:
        """Run a program made of :data:`MAIN` and compare every byte."""
        given = b"".join(x.tobytes() for x in self.given)
        ran = subprocess.run([program], input=given, capture_output=True, check=True)
        assert np.frombuffer(ran.stdout, np.int8).tolist() == np.concatenate(self.expected).tolist()


def write_firmware(files: dict[str, str], folder: Path, exports: Sequence[str] = ("cmake", "zephyr", "arduino",
                                                                                 "platformio", "cmsis_pack"),
                   core: Core = CORE) -> Path:
    """The C files and exports of them in one folder."""
    folder.mkdir(parents=True)
    for name, text in files.items():
        (folder / name).write_text(text)
    write_exports(files, folder, core, exports)
    return folder


def needs(*tools: str) -> pytest.MarkDecorator:
    """Skip where a tool is not installed."""
    missing = [tool for tool in tools if shutil.which(tool) is None]
    return pytest.mark.skipif(bool(missing), reason=f"needs {', '.join(missing)} (tools/setup.sh toolchain)")


def run(*command: str | Path, cwd: Path | None = None) -> str:
    """Run a tool that must succeed; gives what it printed."""
    ran = subprocess.run([str(part) for part in command], cwd=cwd, capture_output=True, text=True, check=False)
    assert ran.returncode == 0, ran.stdout + ran.stderr
    return ran.stdout + ran.stderr


def compile_folder(command: Sequence[str], sources: Sequence[Path], out: Path) -> list[Path]:
    """Objects of C sources, named like them."""
    out.mkdir(parents=True, exist_ok=True)
    objects = [out / f"{path.stem}.o" for path in sources]
    for source, target in zip(sources, objects, strict=True):
        run(*command, "-c", source, "-o", target)
    return objects
