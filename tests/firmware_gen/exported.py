"""A model exported to every build system, and what its tests share: tools, programs that run it, expected bytes."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from compiled import Oracle, inputs

from firmware_gen.compile import compile_model
from firmware_gen.export.exports import write_exports
from firmware_gen.target import CORES

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
                                                                                 "platformio", "cmsis_pack")) -> Path:
    """The C files and exports of them in one folder."""
    folder.mkdir(parents=True)
    for name, text in files.items():
        (folder / name).write_text(text)
    write_exports(files, folder, CORE, exports)
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
