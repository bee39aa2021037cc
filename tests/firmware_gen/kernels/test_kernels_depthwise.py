"""The depthwise kernel of the pairs form gives the codes of the definition: host, sanitizers, every kind of core."""

from __future__ import annotations

from functools import cache
from pathlib import Path

import numpy as np
import pytest
from depthwise_cases import add_depthwise, build_and_run, same_window, turned
from rows_cases import Program
from targets import TARGETS

from firmware_gen.ir.ops.base import Window
from firmware_gen.plan.scratch_pairs import PLANE_BYTES, SUMS, depthwise_scratch

KERNELS = ("tfser_depthwise_pairs", "tfser_depthwise_near_pairs", "tfser_depthwise_three_pairs")


@cache
def draw(seed: int) -> Program:
    """Usual shapes, upright and turned, and many that nobody would choose."""
    rng = np.random.default_rng(seed)
    program = Program()
    for kernel in range(1, 16):
        size = (1, int(rng.integers(1, 50)))
        given = (same_window((1, kernel), size, dilation=int(rng.choice([1, 1, 2, 3]))), size, 2, 1)
        add_depthwise(program, rng, given if kernel % 2 else turned(given), in_place=True)
    for stride, kernel in ((1, 3), (2, 3), (1, 5), (2, 5), (3, 2), (1, 2), (1, 4)):
        size = (int(rng.integers(1, 14)), int(rng.integers(1, 14)))
        given = (same_window((kernel, kernel), size, stride), size, int(rng.integers(1, 5)), int(rng.integers(1, 3)))
        add_depthwise(program, rng, given, in_place=True)
        add_depthwise(program, rng, turned(given))
    for stride in (1, 1, 2):  # in strips
        size = (40, int(rng.integers(40, 60)))
        add_depthwise(program, rng, (same_window((3, 3), size, stride), size, 2, 1), in_place=True)
        add_depthwise(program, rng, turned((same_window((5, 3), size, stride, 2), size, 1, 2)), in_place=True)
    for _ in range(40):
        add_depthwise(program, rng, in_place=bool(rng.integers(2)))
    return program


@pytest.mark.parametrize("target", TARGETS)
@pytest.mark.parametrize("seed", [1, 2])
def test_the_codes_are_those_of_the_definition(target: str, seed: int, tmp_path: Path) -> None:
    program = draw(seed)
    assert sum(np.unique(codes).size > 8 for codes in program.expected) > len(program.expected) // 2
    assert build_and_run(program, KERNELS, tmp_path, *TARGETS[target]).splitlines()[-1] == "ok"


def test_a_changed_code_is_found(tmp_path: Path) -> None:
    program = Program()
    add_depthwise(program, np.random.default_rng(0), (same_window((3, 3), (5, 5)), (5, 5), 3, 1))
    program.text[-1] = program.text[-1].replace("{", "{1+", 1)
    assert "differs" in build_and_run(program, KERNELS, tmp_path, *TARGETS["gcc"])


def test_scratch_holds_a_channel_or_a_strip_of_it() -> None:
    window = same_window((3, 3), (25, 5))
    plane, sums = 2 * 27 * 8, 4 * (25 * 8)
    assert depthwise_scratch(window) == depthwise_scratch(turned((window, (25, 5), 1, 1))[0]) < plane + sums
    assert depthwise_scratch(same_window((3, 3), (96, 96))) < PLANE_BYTES + 4 * SUMS + 128
    assert depthwise_scratch(Window((1, 3), (1, 1), (1, 1), (0, 1), (1, 4000))) > 2 * 4002  # a row must fit
