"""Softmax gives the codes of the definition: host, sanitizers, every kind of core; in place, in rows that lie apart."""

from __future__ import annotations

from functools import cache
from pathlib import Path

import numpy as np
import pytest
from depthwise_cases import build_and_run
from rows_cases import Program, random_codes
from targets import EVERY_KIND, TARGETS

from firmware_gen.fixedpoint import quantize_multiplier
from firmware_gen.ir.ops.softmax import DIFF_INTEGER_BITS, Softmax

KERNELS = ["tfser_softmax"]
FRACTION_BITS = 31 - DIFF_INTEGER_BITS
DEPTHS = (1, 2, 3, 4, 5, 7, 8, 12, 17, 50, 50, 63, 100, 129)


def softmax(scale: float) -> Softmax:
    """As the frontend makes it for an input of a scale."""
    multiplier, shift = quantize_multiplier(scale * (1 << FRACTION_BITS))
    return Softmax(multiplier, shift, -(((1 << DIFF_INTEGER_BITS) - 1 << FRACTION_BITS) >> shift))


def add_softmax(program: Program, op: Softmax, x: np.ndarray, *, in_place: bool, stride: int) -> None:
    """Rows of x, ``stride`` bytes apart."""
    rows, depth = x.shape
    out_at = 0 if in_place else rows * stride + 3
    memory = np.full(out_at + rows * stride + 5, 77, np.int8)
    at = np.arange(rows)[:, None] * stride + np.arange(depth)
    memory[at] = x
    expected = memory.copy()
    expected[at + out_at] = op.evaluate(x)[0]
    table, m = program.array("int32_t", op.exp_table()), program.array("int8_t", memory, qualifier="static")
    program.call(f"    tfser_softmax_s8({table}, {depth}, {m}, {stride}, {rows}, {m} + {out_at}, {stride});",
                 memory, m, expected)


@cache
def draw(seed: int) -> Program:
    """Peaked rows and flat ones, rows of one code, of the extremes, of several lengths."""
    rng = np.random.default_rng(seed)
    program = Program()
    program.text.append('#include "tfser_softmax.h"')
    for scale in (2 ** -20, 0.002, 0.03, 0.1, 0.7, 8.0):
        op = softmax(scale)
        for depth in DEPTHS:
            x = random_codes(rng, (4, depth))
            x[1] = x[1] // 16
            x[2] = rng.integers(-128, 128)
            add_softmax(program, op, x, in_place=bool(rng.integers(2)), stride=depth + int(rng.integers(0, 4)))
    long = np.full((2, 4500), -3, np.int8)
    long[0, ::2] = 100
    add_softmax(program, softmax(0.01), long, in_place=True, stride=4500)
    return program


@pytest.mark.parametrize("target", EVERY_KIND)
def test_the_codes_are_those_of_the_definition(target: str, tmp_path: Path) -> None:
    program = draw(1)
    assert sum(np.unique(codes).size > 8 for codes in program.expected) > len(program.expected) // 3
    assert build_and_run(program, KERNELS, tmp_path, *EVERY_KIND[target]).splitlines()[-1] == "ok"


def test_a_changed_code_is_found(tmp_path: Path) -> None:
    program = Program()
    program.text.append('#include "tfser_softmax.h"')
    add_softmax(program, softmax(0.03), random_codes(np.random.default_rng(0), (1, 20)), in_place=True, stride=20)
    program.text[-1] = program.text[-1].replace("{", "{1+", 1)
    assert "differs" in build_and_run(program, KERNELS, tmp_path, *TARGETS["gcc"])


@pytest.mark.parametrize(("target", "limit"), [("cortex-m3", 20), ("cortex-m4", 14), ("cortex-m7", 14), ("helium", 7)])
def test_instructions_an_element(target: str, limit: int, tmp_path: Path) -> None:
    program = Program()
    program.text.append('#include "tfser_softmax.h"')
    x = np.random.default_rng(0).normal(0, 20, (40, 50)).astype(np.int8)
    add_softmax(program, softmax(0.03), x, in_place=False, stride=50)
    counted = build_and_run(program, KERNELS, tmp_path, *EVERY_KIND[target]).splitlines()[0]
    assert counted.startswith("count 0 ")
    assert int(counted.split()[-1]) < limit * x.size
