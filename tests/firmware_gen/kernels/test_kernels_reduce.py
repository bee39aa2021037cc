"""Means and sums give the codes of the definition: host, sanitizers, every kind of core."""

from __future__ import annotations

from functools import cache
from pathlib import Path

import numpy as np
import pytest
from depthwise_cases import build_and_run
from rows_cases import Program, random_codes
from targets import EVERY_KIND, TARGETS

from firmware_gen.fixedpoint import quantize_multiplier
from firmware_gen.ir.ops.base import Clamp, Scale
from firmware_gen.ir.ops.reduce import Reduce

KERNELS = ["tfser_reduce"]


def start() -> Program:
    """A program that knows the functions."""
    program = Program()
    program.text.append('#include "tfser_reduce.h"')
    return program


def random_reduce(rng: np.random.Generator, count: int, axis: int, shape: tuple[int, ...]) -> Reduce:
    """Mean or sum over the axis of ``count`` elements, also with shifts to the left and narrow limits."""
    multiplier, shift = quantize_multiplier(rng.uniform(0.3, 3) / (count if rng.random() < 0.7 else 1))
    low, high = (-128, 127) if rng.random() < 0.7 else sorted(int(i) for i in rng.integers(-128, 128, 2))
    output = tuple(n for i, n in enumerate(shape) if i != axis)
    return Reduce("mean", (axis,), int(rng.integers(-128, 128)), Scale(multiplier >> int(rng.integers(0, 3)), shift),
                  Clamp(int(rng.integers(-128, 128)), low, high), output)


def structure(program: Program, op: Reduce) -> str:
    """Define a ``tfser_reduction``, return its address."""
    name = f"r{len(program.text)}"
    program.text.append(f"static const tfser_reduction {name} = {{{op.scale.multiplier}, {op.scale.shift}, "
                        f"{op.input_zero_point}, {op.clamp.zero_point}, {op.clamp.low}, {op.clamp.high}}};")
    return f"&{name}"


def add_rows(program: Program, rng: np.random.Generator, rows: int, depth: int, given: Reduce | None = None) -> None:
    """One code a row."""
    x, op = random_codes(rng, (rows, depth)), given or random_reduce(rng, depth, 1, (rows, depth))
    stride, step, gap = depth + int(rng.integers(0, 5)), int(rng.integers(1, 4)), int(rng.integers(0, 4))
    memory = random_codes(rng, (gap + rows * stride + rows * step + 3,))
    memory[gap + np.arange(rows)[:, None] * stride + np.arange(depth)] = x
    expected, out_at = memory.copy(), gap + rows * stride
    expected[out_at + np.arange(rows) * step] = op.evaluate(x)[0]
    m = program.array("int8_t", memory, qualifier="static _Alignas(4)")
    program.call(f"    tfser_reduce_row_s8({structure(program, op)}, {depth}, {m} + {gap}, {stride}, {rows}, "
                 f"{m} + {out_at}, {step});", memory, m, expected)


def add_columns(program: Program, rng: np.random.Generator, rows: int, columns: int,
                given: Reduce | None = None) -> None:
    """One code a column."""
    x, op = random_codes(rng, (rows, columns)), given or random_reduce(rng, rows, 0, (rows, columns))
    stride = columns + int(rng.integers(0, 5))
    memory = random_codes(rng, (rows * stride + columns + 3,))
    memory[np.arange(rows)[:, None] * stride + np.arange(columns)] = x
    expected = memory.copy()
    expected[rows * stride:rows * stride + columns] = op.evaluate(x)[0]
    m = program.array("int8_t", memory, qualifier="static _Alignas(4)")
    program.call(f"    tfser_reduce_column_s8({structure(program, op)}, {columns}, {m}, {stride}, {rows}, "
                 f"{m} + {rows * stride});", memory, m, expected)


@cache
def draw(seed: int) -> Program:
    """Short and long, on and off word boundaries."""
    rng = np.random.default_rng(seed)
    program = start()
    for depth in (*range(1, 20), 31, 32, 33, 64, 128, 509, 1027):
        add_rows(program, rng, int(rng.integers(1, 6)), depth)
    for columns in (1, 2, 3, 4, 5, 7, 8, 9, 32, 33):
        add_columns(program, rng, int(rng.choice([1, 2, 50, 255, 256, 300])), columns)
    for extreme in (-128, 127):
        depth = 1100
        x, op = np.full((1, depth), extreme, np.int8), random_reduce(rng, depth, 1, (1, depth))
        memory = np.append(x, np.int8(0)).astype(np.int8)
        expected = memory.copy()
        expected[-1] = op.evaluate(x)[0][0]
        m = program.array("int8_t", memory, qualifier="static")
        program.call(f"    tfser_reduce_row_s8({structure(program, op)}, {depth}, {m}, 0, 1, {m} + {depth}, 1);",
                     memory, m, expected)
    return program


@pytest.mark.parametrize("target", EVERY_KIND)
@pytest.mark.parametrize("seed", [1, 2])
def test_the_codes_are_those_of_the_definition(target: str, seed: int, tmp_path: Path) -> None:
    program = draw(seed)
    assert build_and_run(program, KERNELS, tmp_path, *EVERY_KIND[target]).splitlines()[-1] == "ok"


def test_a_changed_code_is_found(tmp_path: Path) -> None:
    program = start()
    add_rows(program, np.random.default_rng(0), 4, 32)
    program.text[-1] = program.text[-1].replace("{", "{1+", 1)
    assert "differs" in build_and_run(program, KERNELS, tmp_path, *TARGETS["gcc"])


@pytest.mark.parametrize(("target", "row", "column"), [("cortex-m3", 4.0, 4.2), ("cortex-m4", 2.1, 3.0),
                                                       ("cortex-m7", 2.1, 3.0), ("helium", 0.9, 2.0)])
def test_instructions_an_element(target: str, row: float, column: float, tmp_path: Path) -> None:
    program, rng = start(), np.random.default_rng(0)
    add_rows(program, rng, 40, 32, Reduce("mean", (1,), 3, Scale(1 << 30, -4), Clamp(5), (40,)))
    add_columns(program, rng, 32, 40, Reduce("mean", (0,), 3, Scale(1 << 30, -4), Clamp(5), (40,)))
    lines = build_and_run(program, KERNELS, tmp_path, *EVERY_KIND[target]).splitlines()
    spent = [int(line.split()[-1]) / (40 * 32) for line in lines[:2]]
    assert (spent[0] < row, spent[1] < column) == (True, True), spent
