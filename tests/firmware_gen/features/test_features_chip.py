"""The front end on emulated chips: the bytes of the host's build, within its instructions and its memory."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest
from front_end import (
    FIXED_CORE,
    FLOAT_CORE,
    HERE,
    SPEC,
    STRICT,
    HostProgram,
    describe,
    small_classifier,
    write_application,
)

from firmware_gen.compile import compile_model
from firmware_gen.target import CORES

KERNEL_TESTS = HERE.parent / "kernels"
#: Instructions of a second of audio with two decisions, beside the model.
MOST_FLOAT, MOST_FIXED = 1_500_000, 6_000_000
#: Bytes of RAM beside the feature window, also if no model shares the transform's.
MOST_RAM = 8192


class Chip(NamedTuple):
    """Linker script of a QEMU board, and quarters of an instruction that a tick of SysTick takes."""

    script: Path
    quarters: int


MPS2 = Chip(KERNEL_TESTS / "pairs_mps2.ld", 160)
CHIPS = {"cortex-m3": MPS2, "cortex-m4": MPS2, "cortex-m7": MPS2, "cortex-m33": Chip(HERE / "chip_an505.ld", 200),
         "cortex-m55": Chip(KERNEL_TESTS / "rows_an547.ld", 125)}


def run_on_chip(folder: Path, core: str, clip: np.ndarray) -> str:
    """What ``chip_main.c`` says on QEMU's board of a core."""
    content, chip = small_classifier(), CHIPS[core]
    sources = write_application(folder, content, core, describe(content))
    samples = ", ".join(map(str, clip.tolist()))
    (folder / "clip.h").write_text(f"#include <stdint.h>\nstatic const int16_t clip[] = {{{samples}}};\n")
    compiler = ["arm-none-eabi-gcc", *CORES[core].gcc_flags, *STRICT, "-O2", "-nostartfiles", "--specs=nano.specs",
                f"-DINSTRUCTIONS_A_TICK_TIMES_4={chip.quarters}", f"-T{chip.script}", "-isystem", str(KERNEL_TESTS),
                "-I."]
    subprocess.run([*compiler, str(HERE / "chip_main.c"), *sources, "-o", "image"], cwd=folder, check=True)
    done = subprocess.run(["qemu-system-arm", "-M", CORES[core].qemu_machine, "-nographic", "-semihosting-config",
                           "enable=on,target=native", "-icount", "shift=0", "-kernel", "image"], cwd=folder, check=True,
                          capture_output=True, text=True, timeout=120)
    return done.stdout + done.stderr


def checksum(codes: np.ndarray) -> int:
    """FNV-1a."""
    result = 2166136261
    for code in codes.view("u1").tolist():
        result = (result ^ code) * 16777619 % 2**32
    return result


def test_every_core_has_a_chip() -> None:
    assert CHIPS.keys() == CORES.keys()


@pytest.mark.parametrize("core", CHIPS)
def test_bytes_instructions_and_memory(
    core: str, recordings: np.ndarray, small_program: Callable[..., HostProgram], tmp_path: Path,
) -> None:
    clip, fpu = recordings[150], CORES[core].has_fpu
    said = run_on_chip(tmp_path, core, clip)
    program = small_program(FLOAT_CORE if fpu else FIXED_CORE)
    codes, probability = program.run(np.stack([np.zeros_like(clip), clip]))
    assert re.findall(r"sum (\d+)", said) == [str(checksum(window)) for window in codes]
    found = [int(value) for value in re.findall(r"probability (\d+)", said)]
    assert found == [int(value * 1_000_000) for value in probability[1].tolist()]
    counts = np.array(re.findall(r"count \d (\d+)", said), int).reshape(2, 2)  # silence, the recording
    fed = SPEC.clip_samples - 16000
    second = counts[:, 0] * SPEC.sample_rate_hz / fed + 2 * counts[:, 1]
    assert counts.min() > 4000 and second.max() <= (MOST_FLOAT if fpu else MOST_FIXED)
    state, arena = (int(value) for value in re.findall(r"(?:state|arena) (\d+)", said))
    model = compile_model(small_classifier(), CORES[core]).program.arena_bytes
    window = 3 * SPEC.frames * SPEC.mel_bands
    scratch = 4 * (SPEC.fft_size + 2 + SPEC.mel_bands)
    assert state + scratch <= MOST_RAM
    assert arena - window - max(model, scratch) < 16, "the arena holds more than the window and what is shared"
