"""The pairs kernels give the codes of the definitions: on the host, under sanitizers, on every kind of core in QEMU."""

from __future__ import annotations

from functools import cache
from pathlib import Path

import numpy as np
import pytest
from pairs_cases import PairsProgram, build_and_run, usual_layer
from rows_cases import Layer

from firmware_gen.emit.packing import can_join, pack_pairs
from firmware_gen.ir.ops.base import Window

HERE = Path(__file__).parent
SANITIZE = ["-g", "-O1", "-fsanitize=address,undefined", "-fno-sanitize-recover=all"]


def cross(core: str, script: str, tick: int) -> list[str]:
    """Compiler and options for a board whose SysTick counts every ``tick / 4`` instructions."""
    return ["arm-none-eabi-gcc", f"-mcpu={core}", "-mthumb", "-nostartfiles", "--specs=nano.specs",
            f"-T{HERE / script}", f"-DINSTRUCTIONS_A_TICK_TIMES_4={tick}"]


def qemu(machine: str) -> list[str]:
    """Emulator in which an instruction takes a nanosecond."""
    return ["qemu-system-arm", "-M", machine, "-nographic", "-semihosting-config", "enable=on,target=native",
            "-icount", "shift=0", "-kernel"]


M3, M4 = cross("cortex-m3", "pairs_mps2.ld", 160), cross("cortex-m4", "pairs_mps2.ld", 160)
FPU = ["-mfloat-abi=hard", "-mfpu=fpv4-sp-d16"]
TARGETS: dict[str, tuple[list[str], list[str]]] = {
    "gcc": (["gcc", "-O2"], []),
    "clang": (["clang", "-O2"], []),
    "sanitized": (["gcc", *SANITIZE], []),
    "cortex-m3": ([*M3, "-O2"], qemu("mps2-an385")),
    "cortex-m4": ([*M4, *FPU, "-O2"], qemu("mps2-an386")),
    "cortex-m4-soft": ([*M4, "-Os", "-mfloat-abi=soft"], qemu("mps2-an386")),
}
DEPTHS = [1, 2, 3, 4, 5, 6, 7, 8, 15, 31, 32, 50, 62, 64, 65, 66, 67, 100, 128]


@cache
def draw(seed: int, dsp: bool) -> PairsProgram:
    """Calls of every kernel, with the shapes that matter and many that do not."""
    rng = np.random.default_rng(seed)
    program = PairsProgram(dsp=dsp)
    for _ in range(12):
        depth, outputs = int(rng.choice(DEPTHS)), int(rng.integers(1, 12))
        program.dense(rng, usual_layer(rng, depth, outputs), int(rng.integers(1, 10)))
        program.dense(rng, usual_layer(rng, depth, outputs), int(rng.integers(4, 10)), before=True)
        program.dense(rng, usual_layer(rng, depth, outputs, runtime=True), int(rng.integers(1, 10)), runtime=True)
        program.convolution(rng)
        program.convolution(rng)
    program.dense(rng, usual_layer(rng, 4000, 4), 1)
    for rows in (1, 2, 4):
        layer = Layer(1100, 3, -128, 110, 7, shift=np.array([-12]))
        program.dense(rng, layer, rows, near_zero_point=True)
    program.convolution(rng, (Window((1, 3), (1, 2), (1, 1), (0, 1), (1, 50)), (1, 100), 40, 16))
    program.convolution(rng, (Window((3, 3), (1, 1), (1, 1), (1, 1), (6, 6)), (6, 6), 16, 16))
    for channels in (1, 4):  # no tap of a column, then of a row, is inside
        program.convolution(rng, (Window((2, 3), (1, 1), (2, 1), (1, 1), (1, 6)), (1, 6), channels, 4))
        program.convolution(rng, (Window((3, 2), (1, 1), (1, 2), (1, 1), (6, 1)), (6, 1), channels, 4))
    program.convolution(rng, (Window((10, 4), (2, 2), (1, 1), (4, 1), (13, 5)), (25, 10), 1, 16))
    return program


@pytest.mark.parametrize("target", TARGETS)
@pytest.mark.parametrize("seed", [1, 2])
def test_the_codes_are_those_of_the_definition(target: str, seed: int, tmp_path: Path) -> None:
    drawn = draw(seed, "m3" not in target)
    program = drawn.text
    assert drawn.joined > 10
    assert sum(np.unique(codes).size > 8 for codes in program.expected) > len(program.expected) // 2
    assert build_and_run(program, tmp_path, *TARGETS[target]).splitlines()[-1] == "ok"


def test_packed_bytes() -> None:
    a, b, c = np.array([[1, -2, 3, -4, 5], [11, 12, -13, 14, 15], [21, 22, 23, 24, 25]], np.int8)
    pairs = [a[0], b[0], a[2], b[2], a[1], b[1], a[3], b[3], a[4], b[4], 0, 0]
    assert pack_pairs(np.stack([a, b, c])).tolist() == [*pairs, c[0], c[1], c[2], c[3], c[4], 0]
    joined = pack_pairs(np.stack([a, b]), joined=True)
    assert joined.view("<i2").tolist() == [256 * int(b[k]) + int(a[k]) for k in (0, 2, 1, 3, 4)] + [0]
    assert pack_pairs(a[None]).tolist() == [1, -2, 3, -4, 5, 0]
    assert can_join(np.array([[1], [-128]], np.int8))
    assert not can_join(np.array([[-1], [-128]], np.int8))


@pytest.mark.parametrize(("target", "most"), [("cortex-m3", 1.75), ("cortex-m4", 0.85)])
def test_instructions_of_a_product(target: str, most: float, tmp_path: Path) -> None:
    """Assembly is used in truth."""
    program = PairsProgram(dsp="m3" not in target)
    layer = Layer(128, 128, multiplier=np.full(128, 1 << 30), shift=np.full(128, -9))
    program.dense(np.random.default_rng(1), layer, 8)
    assert program.joined
    counted = build_and_run(program.text, tmp_path, *TARGETS[target]).splitlines()[0]
    assert counted.startswith("count 0 ")
    assert int(counted.split()[-1]) < most * 8 * 128 * 128


def test_a_changed_code_is_found(tmp_path: Path) -> None:
    program = PairsProgram(dsp=True)
    program.dense(np.random.default_rng(0), Layer(32, 8), 4)
    program.text.text[-1] = program.text.text[-1].replace("{", "{1+", 1)
    assert "differs" in build_and_run(program.text, tmp_path, *TARGETS["gcc"])
