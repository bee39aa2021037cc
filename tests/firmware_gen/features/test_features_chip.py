"""The front end on emulated chips: the bytes of the host's build, within its instructions and its memory."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest
from front_end import HERE, SPEC, HostProgram, real_clips, write_application

from firmware_gen.target import CORES

KERNEL_TESTS = HERE.parent / "kernels"
#: Instructions of a second of audio with two decisions, beside the model.
MOST = {"cortex-m3": 6_000_000, "cortex-m4": 1_500_000, "cortex-m7": 1_500_000, "cortex-m55": 1_500_000}


def run_on_chip(folder: Path, content: bytes, core: str, clip: list[int]) -> str:
    """What ``chip_main.c`` says on QEMU's board of a core."""
    sources = write_application(folder, content, core)
    samples = ", ".join(map(str, clip))
    (folder / "clip.h").write_text(f"#include <stdint.h>\nstatic const int16_t clip[] = {{{samples}}};\n")
    script, quarters = ("rows_an547.ld", 125) if core == "cortex-m55" else ("pairs_mps2.ld", 160)
    compiler = ["arm-none-eabi-gcc", *CORES[core].gcc_flags, "-std=c11", "-O2", "-nostartfiles", "--specs=nano.specs",
                f"-DINSTRUCTIONS_A_TICK_TIMES_4={quarters}", f"-T{KERNEL_TESTS / script}", f"-I{KERNEL_TESTS}", "-I."]
    subprocess.run([*compiler, str(HERE / "chip_main.c"), *sources, "-o", "image"], cwd=folder, check=True)
    done = subprocess.run(["qemu-system-arm", "-M", CORES[core].qemu_machine, "-nographic", "-semihosting-config",
                           "enable=on,target=native", "-icount", "shift=0", "-kernel", "image"], cwd=folder, check=True,
                          capture_output=True, text=True, timeout=120)
    return done.stdout + done.stderr


@pytest.mark.parametrize("core", MOST)
def test_bytes_and_instructions(core: str, shared_models: Path, shared_data: Path, tmp_path: Path) -> None:
    content = (shared_models / "conformer_bn.tflite").read_bytes()
    clip = real_clips(shared_data, 200)[150]
    said = run_on_chip(tmp_path / "chip", content, core, clip.tolist())
    codes, probability = HostProgram(tmp_path / "host", content, core).run(clip[None])
    expected = 2166136261
    for code in codes[0].view("u1").tolist():
        expected = (expected ^ code) * 16777619 % 2**32
    assert f"sum {expected}\n" in said
    found = [int(value) for value in re.findall(r"probability (\d+)", said)]
    assert found == [int(value * 1_000_000) for value in probability[0].tolist()]
    frames, decision = (int(value) for value in re.findall(r"count \d (\d+)", said))
    fed = SPEC.clip_samples - 16000
    assert frames * SPEC.sample_rate_hz / fed + 2 * decision <= MOST[core]
