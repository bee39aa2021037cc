"""The pools give the codes of the definition: host, sanitizers, every kind of core."""

from __future__ import annotations

from functools import cache
from pathlib import Path

import numpy as np
import pytest
from depthwise_cases import add_pool, build_and_run, same_window
from rows_cases import Program
from targets import TARGETS

from firmware_gen.ir.ops.base import Window

KERNELS = ("tfser_pool",)


@cache
def draw(seed: int) -> Program:
    """Pools over a whole image, usual ones and odd ones; as many elements as their sums need room for."""
    rng = np.random.default_rng(seed)
    program = Program()
    for size, channels in (((25, 5), 64), ((8, 8), 7), ((300, 2), 5), ((1, 1), 4)):
        for _ in range(2):
            add_pool(program, rng, (Window(size, size, (1, 1), (0, 0), (1, 1)), size, channels, 1))
    for kernel, stride in (((2, 2), 2), ((3, 3), 2), ((3, 3), 1)):
        for channels in (1, 4, 10, 16):
            size = (int(rng.integers(1, 10)), int(rng.integers(1, 10)))
            add_pool(program, rng, (same_window(kernel, size, stride), size, channels, 1))
    for _ in range(50):
        add_pool(program, rng)
    return program


@pytest.mark.parametrize("target", TARGETS)
@pytest.mark.parametrize("seed", [1, 2])
def test_the_codes_are_those_of_the_definition(target: str, seed: int, tmp_path: Path) -> None:
    program = draw(seed)
    assert sum(np.unique(codes).size > 8 for codes in program.expected) > len(program.expected) // 2
    assert build_and_run(program, KERNELS, tmp_path, *TARGETS[target]).splitlines()[-1] == "ok"


def test_a_changed_code_is_found(tmp_path: Path) -> None:
    program = Program()
    add_pool(program, np.random.default_rng(0), (same_window((3, 3), (5, 5)), (5, 5), 3, 1))
    program.text[-1] = program.text[-1].replace("{", "{1+", 1)
    assert "differs" in build_and_run(program, KERNELS, tmp_path, *TARGETS["gcc"])
