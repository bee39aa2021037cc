"""The rows kernels give the codes of the definition: on the host, under sanitizers, with Helium under QEMU."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from rows_cases import (
    Layer,
    Program,
    add_convolution,
    add_dense,
    build_and_run,
    random_codes,
    random_layer,
)

from firmware_gen.ir.ops.base import Window
from firmware_gen.ir.ops.softmax import Softmax

HERE = Path(__file__).parent
SANITIZE = ["-g", "-O1", "-fsanitize=address,undefined", "-fno-sanitize-recover=all"]
HELIUM = ["arm-none-eabi-gcc", "-mcpu=cortex-m55", "-mthumb", "-mfloat-abi=hard", "-nostartfiles",
          "--specs=nano.specs", f"-T{HERE / 'rows_an547.ld'}"]
QEMU = ["qemu-system-arm", "-M", "mps3-an547", "-nographic", "-semihosting-config", "enable=on,target=native",
        "-icount", "shift=0", "-kernel"]
TARGETS: dict[str, tuple[list[str], list[str]]] = {
    "gcc": (["gcc", "-O2"], []),
    "clang": (["clang", "-O2"], []),
    "sanitized": (["gcc", *SANITIZE], []),
    "helium": ([*HELIUM, "-O2"], QEMU),
    "helium-size": ([*HELIUM, "-Os"], QEMU),
}


def draw(seed: int) -> Program:
    """Calls of every kernel, with the shapes that matter and many that do not."""
    rng = np.random.default_rng(seed)
    program = Program()
    for _ in range(12):
        depth, outputs = int(rng.choice([1, 7, 8, 15, 16, 17, 31, 32, 33, 50, 64, 100, 128])), int(rng.integers(1, 70))
        add_dense(program, rng, random_layer(rng, depth, outputs), int(rng.integers(1, 10)))
        add_dense(program, rng, random_layer(rng, depth, outputs), int(rng.integers(1, 10)), in_place=True)
        add_dense(program, rng, random_layer(rng, depth, outputs, runtime=True), int(rng.integers(1, 10)), runtime=True)
        add_convolution(program, rng, depthwise=False)
        add_convolution(program, rng, depthwise=True)
    add_dense(program, rng, random_layer(rng, 4000, 4), 1)
    stem = Window((1, 3), (1, 2), (1, 1), (0, 1), (1, 50)), (1, 100), 40, 64
    add_convolution(program, rng, depthwise=False, given=stem)
    add_convolution(program, rng, depthwise=False, given=stem, overlap=True)
    return program


@pytest.mark.parametrize("target", TARGETS)
@pytest.mark.parametrize("seed", [1, 2])
def test_the_codes_are_those_of_the_definition(target: str, seed: int, tmp_path: Path) -> None:
    program = draw(seed)
    assert sum(np.unique(codes).size > 8 for codes in program.expected) > len(program.expected) // 2
    assert build_and_run(program, tmp_path, *TARGETS[target]).splitlines()[-1] == "ok"


def test_a_changed_code_is_found(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    program = Program()
    add_dense(program, rng, Layer(32, 8), 4)
    program.text[-1] = program.text[-1].replace("{", "{1+", 1)
    assert "differs" in build_and_run(program, tmp_path, *TARGETS["gcc"])


def test_softmax_rows(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    program = Program()
    program.text.append('#include "tfser_softmax_mve.h"')
    for depth, shift in ((50, 23), (4, 22), (1, 24), (17, 21), (100, 20), (700, 20)):
        softmax = Softmax(int(rng.integers(1 << 30, 1 << 31)), shift, -(31 << 26 >> shift))
        x = random_codes(rng, (3, depth)) // 4
        table, memory = program.array("int32_t", softmax.exp_table()), program.array("int8_t", x, qualifier="static")
        program.call(
            f"    for (int r = 0; r < 3; r++) tfser_softmax_row({table}, {depth}, {memory} + {depth} * r, "
            f"{memory} + {depth} * r);", x, memory, softmax.evaluate(x)[0])
    assert max(np.unique(codes).size for codes in program.expected) > 8
    assert build_and_run(program, tmp_path, *TARGETS["helium"]).splitlines()[-1] == "ok"


def test_helium_counts(tmp_path: Path) -> None:
    """Vectors are used in truth: a dense layer of 128 takes fewer instructions than a sixth of its products."""
    program = Program()
    add_dense(program, np.random.default_rng(0), Layer(128, 128), 4)
    counted = build_and_run(program, tmp_path, *TARGETS["helium"]).splitlines()[0]
    assert counted.startswith("count 0 ")
    assert int(counted.split()[-1]) < 4 * 128 * 128 / 6
